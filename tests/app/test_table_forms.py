"""Samples Options of tables with texts: their columns, the tokenizer and the length of rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from qviz.app.sample_form import SampleDraft
from qviz.app.session import Session
from qviz.app.views import FormField
from qviz.errors import QvizError

WriteModel = Callable[..., Path]
WORDS = ["?", "the", "cat", "sat", "on", "mat"]
ROWS = [
    {"question": "the cat", "answer": "sat on the mat", "topic": "cats", "label": 1},
    {"question": "the mat", "answer": "sat", "topic": "mats", "label": 0},
    {"question": "on", "answer": "the cat sat", "topic": "cats", "label": 1},
]


def embedding(folder: Path, length: int | str) -> Path:
    """Takes N×`length` token ids below 6, gives how often each is there."""
    table = helper.make_tensor("t", TensorProto.FLOAT, [6, 6], np.eye(6).ravel().tolist())
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["N", length])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 6])
    nodes = [
        helper.make_node("Gather", ["t", "ids"], ["e"], name="embed"),
        helper.make_node("ReduceMean", ["e"], ["y"], axes=[1], keepdims=0),
    ]
    graph = helper.make_graph(nodes, "g", [ids], [out], [table])
    path = folder / "tokens.onnx"
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def write(folder: Path, kind: str) -> Path:
    path = folder / f"table.{kind}"
    if kind == "jsonl":
        path.write_text("\n" + "\n".join(json.dumps(row) for row in ROWS))
    elif kind == "csv":
        lines = [",".join(ROWS[0]), *(",".join(map(str, row.values())) for row in ROWS)]
        path.write_text("\n".join(lines))
    else:
        path = folder / "shards"
        path.mkdir()
        pq.write_table(pa.Table.from_pylist(ROWS), path / "0.parquet")
        (folder / "tokenizer.json").rename(path / "tokenizer.json")
    return path


def fields(session: Session, draft: SampleDraft) -> dict[str, FormField]:
    return {field.name: field for field in session.sample_form(draft).fields}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_table_of_texts_asks_for_its_columns(folder: Path, kind: str) -> None:
    session = Session()
    session.open(embedding(folder, "T"), write(folder, kind))
    draft = session.sample_draft()
    assert session.sample_form(draft).kind == "table"
    found = fields(session, draft)
    assert list(found) == ["label", "text", "sequence_length", "tokenizer", "subset"]
    assert found["label"].choices[0].label == "automatic (label)"
    assert [choice.value for choice in found["text"].choices] == ["", *ROWS[0]]
    assert session.sample_preview(draft, 0).values == "1,  2"  # "question" is a usual name
    for name, value in (("text", "answer"), ("sequence_length", "3")):
        draft = session.set_reading(draft, name, value)
    session.reopen_samples(draft)
    draft = session.sample_draft()
    assert session.sample_preview(draft, 0).values == "3,  4,  1"
    assert fields(session, draft)["text"].value == "answer"
    assert session.set_reading(draft, "text", "").reading.text is None


def test_a_column_that_holds_no_text_is_refused(folder: Path) -> None:
    session = Session()
    session.open(embedding(folder, "T"), write(folder, "jsonl"))
    draft = session.set_reading(session.sample_draft(), "text", "label")
    with pytest.raises(QvizError, match=r"no column 'label' of text .* Choose one of 'question'"):
        session.reopen_samples(draft)


def test_a_model_of_fixed_length_asks_for_none(folder: Path) -> None:
    session = Session()
    session.open(embedding(folder, 3), write(folder, "jsonl"))
    assert list(fields(session, session.sample_draft())) == ["label", "text", "tokenizer", "subset"]


@pytest.mark.parametrize(
    ("length", "asked"), [(4, ["tokenizer", "next_token", "subset"]), ("T", None)]
)
def test_windows_of_text_have_the_length_of_the_input(
    folder: Path, length: int | str, asked: list[str] | None
) -> None:
    path = folder / "story.txt"
    path.write_text("the cat sat on the mat " * 64)
    session = Session()
    session.open(embedding(folder, length), path)
    samples = session.current().samples
    assert samples is not None
    (column,) = samples.arrays.values()
    assert column.shape == ((96, 4) if asked else (3, 128))
    found = list(fields(session, session.sample_draft()))
    assert found == (asked or ["sequence_length", "tokenizer", "next_token", "subset"])


def test_a_table_of_numbers_in_lines_asks_for_its_labels(
    write_model: WriteModel, tmp_path: Path
) -> None:
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"], name="fc")]
    weight = {"w": np.ones((2, 2), np.float32)}
    model = write_model("fc.onnx", nodes, weight, {"x": ["N", 2]}, {"y": ["N", 2]})
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"a": {i}, "b": {i % 3}, "kind": {i % 2}}}\n' for i in range(6)))
    session = Session()
    with pytest.raises(QvizError, match="3 columns of values"):
        session.open(model, path)
    path.write_text("".join(f'{{"a": {i}, "b": {i % 3}, "y": {i % 2}}}\n' for i in range(6)))
    session.open(model, path)
    label = fields(session, session.sample_draft())["label"]
    assert label.choices[0].label == "automatic (y)"
    assert [choice.value for choice in label.choices[1:]] == ["a", "b", "y"]

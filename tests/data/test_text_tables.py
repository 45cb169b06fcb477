"""Tables of texts: a row of tokens for each, with its label."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from qviz.data.fit import fit_to_inputs
from qviz.data.read_samples import read_samples
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import InputSpec, Samples
from qviz.errors import QvizError

INPUTS = (
    InputSpec("input_ids", "int64", (None, None)),
    InputSpec("attention_mask", "int64", (None, None)),
    InputSpec("token_type_ids", "int64", (None, None)),
)
TEXTS, LABELS = ["good film", "bad", "good good bad"], ["pos", "neg", "pos"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    words = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "good": 4, "bad": 5, "film": 6}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def write(folder: Path, kind: str, name: str = "text", **columns: list[str]) -> Path:
    path = folder / f"data.{kind}"
    table = {name: TEXTS, "label": LABELS, **columns}
    rows = [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]
    if kind == "parquet":
        pq.write_table(pa.table(table), path)
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        mark = "\t" if kind == "tsv" else ","
        lines = [mark.join(cells) for cells in (table, *(row.values() for row in rows))]
        path.write_text("\n".join(lines))
    return path


def rows(samples: Samples, name: str) -> list[list[int]]:
    found: list[list[int]] = samples.arrays[name][np.arange(samples.count)].tolist()
    return found


def read(path: Path, reading: Reading = AS_PROPOSED) -> Samples:
    return read_samples(path, INPUTS, reading)


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "jsonl"])
@pytest.mark.parametrize("name", ["text", "sentence", "anything"])
def test_each_text_is_a_row_with_its_label(folder: Path, kind: str, name: str) -> None:
    samples = read(write(folder, kind, name))
    assert rows(samples, "input_ids") == [[1, 4, 6, 2, 0], [1, 5, 2, 0, 0], [1, 4, 4, 5, 2]]
    assert rows(samples, "attention_mask") == [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1] * 5]
    assert rows(samples, "token_type_ids") == [[0] * 5] * 3
    assert samples.labels is not None
    assert samples.labels.tolist() == [1, 0, 1]
    assert samples.class_names == ("neg", "pos")
    assert samples.notes[0] == "3 texts in rows of 5 tokens, by tokenizer.json"
    assert "Classes in the order of their names: 0 = neg, 1 = pos" in samples.notes
    assert set(fit_to_inputs(samples, INPUTS).columns) == {spec.name for spec in INPUTS}


def test_rows_are_as_long_as_the_input_or_as_reading_says(folder: Path) -> None:
    path = write(folder, "csv")
    fixed = (InputSpec("input_ids", "int32", (None, 7)),)
    samples = read_samples(path, fixed)
    assert samples.arrays["input_ids"].shape == (3, 7)
    assert samples.arrays["input_ids"].dtype == np.int32
    masked = (INPUTS[0], InputSpec("attention_mask", "int64", (None, 4)))
    assert rows(read_samples(path, masked), "input_ids")[2] == [1, 4, 4, 2]
    cut = read(path, Reading(sequence_length=4))
    assert rows(cut, "input_ids")[2] == [1, 4, 4, 2]  # the end keeps its token
    assert cut.notes[1].startswith("1 texts are cut to 4 tokens: --reading length=N")


def test_texts_without_labels_and_columns_left_out(folder: Path) -> None:
    path = folder / "data.csv"
    path.write_text("text\ngood\nbad\n")
    assert read(path).labels is None
    path.write_text("id,text,label\n1,good,0\n2,bad,1\n")
    assert read(path).notes[-1] == "Columns left out: id"


def test_several_texts_are_not_guessed_from(folder: Path) -> None:
    path = write(folder, "csv", "premise", hypothesis=TEXTS)
    with pytest.raises(QvizError, match="columns 'premise' and 'hypothesis' all hold text"):
        read(path)
    assert rows(read(path, Reading(text="hypothesis")), "input_ids")[1] == [1, 5, 2, 0, 0]
    assert read(path, Reading(text="hypothesis")).notes[-1] == "Columns left out: premise"
    with pytest.raises(QvizError, match="no column 'label' of text beside the labels"):
        read(path, Reading(text="label"))
    named = write(folder, "csv", "title", text=TEXTS)
    assert read(named).notes[-1] == "Columns left out: title"


def test_a_tokenizer_is_needed(folder: Path) -> None:
    path = write(folder, "csv")
    (folder / "tokenizer.json").rename(folder / "other.json")
    with pytest.raises(QvizError, match=r"no tokenizer to read .* --reading tokenizer=FILE"):
        read(path)
    assert read(path, Reading(tokenizer=str(folder / "other.json"))).count == 3


def test_a_subset_of_texts(folder: Path) -> None:
    drawn = read(write(folder, "csv"), Reading(subset=2))
    assert (drawn.count, drawn.drawn_from) == (2, 3)


def test_lines_that_are_no_objects(folder: Path) -> None:
    path = folder / "data.jsonl"
    path.write_text('{"text": "good"}\nnonsense\n')
    with pytest.raises(QvizError, match=r"data\.jsonl: it is not one JSON object per line"):
        read(path)

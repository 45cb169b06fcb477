"""Labels of language models: left out of a file, or the ids themselves, unshifted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import qviz
from qviz.data.reading import Reading

VOCABULARY = 11
Ids = NDArray[np.int64]


def table() -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return (3.0 * rng.normal(size=(VOCABULARY, VOCABULARY))).astype(np.float32)


def model_file(folder: Path, *, sees_all: bool = False) -> Path:
    """Scores of the next token by a table of the present one; `sees_all` adds the mean of all."""
    nodes = [helper.make_node("Gather", ["table", "ids"], ["e"], name="embed")]
    if sees_all:
        nodes.append(helper.make_node("ReduceMean", ["e"], ["m"], name="mean", axes=[1]))
        nodes.append(helper.make_node("Add", ["e", "m"], ["h"], name="add"))
    hidden = "h" if sees_all else "e"
    nodes.append(helper.make_node("MatMul", [hidden, "head"], ["logits"], name="head"))
    graph = helper.make_graph(
        nodes,
        "lm",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["N", "T"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "T", VOCABULARY])],
        [
            numpy_helper.from_array(table(), "table"),
            numpy_helper.from_array(np.eye(VOCABULARY, dtype=np.float32), "head"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "lm.onnx")
    return folder / "lm.onnx"


def perplexity(ids: Ids, counted: NDArray[np.bool_] | None = None) -> float:
    """Exp of the mean -ln p of each token after the first, in numpy alone."""
    logits = table().astype(np.float64)[ids[:, :-1]]
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    loss = -np.take_along_axis(log_p, ids[:, 1:, None], -1)[..., 0]
    return float(np.exp(loss.mean() if counted is None else loss[counted[:, 1:]].mean()))


def made() -> Ids:
    return np.random.default_rng(1).integers(0, VOCABULARY, (24, 9))


def test_labels_that_are_the_ids_are_moved_one_place_on(tmp_path: Path) -> None:
    ids = made()
    np.savez(tmp_path / "hf.npz", ids=ids, labels=ids)
    session = qviz.open(model_file(tmp_path), tmp_path / "hf.npz")
    evaluation = session.evaluate()
    assert evaluation.metric == "perplexity"
    assert evaluation.float_value == pytest.approx(perplexity(ids), rel=1e-6)
    assert any("moved one place on" in message.text for message in session.messages())


def test_places_that_are_left_out_stay_so(tmp_path: Path) -> None:
    ids = made()
    counted = np.random.default_rng(2).random(ids.shape) < 0.6
    np.savez(tmp_path / "hf.npz", ids=ids, labels=np.where(counted, ids, -100))
    evaluation = qviz.open(model_file(tmp_path), tmp_path / "hf.npz").evaluate()
    assert evaluation.float_value == pytest.approx(perplexity(ids, counted), rel=1e-6)


def test_ids_alone_are_scored_by_the_next(tmp_path: Path) -> None:
    ids = made()
    np.savez(tmp_path / "ids.npz", ids=ids)
    session = qviz.open(model_file(tmp_path), tmp_path / "ids.npz")
    assert session.evaluate().float_value == pytest.approx(perplexity(ids), rel=1e-6)
    assert any(message.text == "Labels are the next tokens" for message in session.messages())
    session.open_samples(tmp_path / "ids.npz", Reading(next_token=False))
    assert session.evaluate().metric == "agreement with float"


def test_shifted_labels_are_taken_as_they_are(tmp_path: Path) -> None:
    ids = made()
    shifted = np.full_like(ids, -100)
    shifted[:, :-1] = ids[:, 1:]
    np.savez(tmp_path / "ready.npz", ids=ids, labels=shifted)
    evaluation = qviz.open(model_file(tmp_path), tmp_path / "ready.npz").evaluate()
    assert evaluation.float_value == pytest.approx(perplexity(ids), rel=1e-6)


def test_a_model_that_sees_later_tokens_predicts_none(tmp_path: Path) -> None:
    ids = made()
    np.savez(tmp_path / "same.npz", ids=ids, labels=ids)
    session = qviz.open(model_file(tmp_path, sees_all=True), tmp_path / "same.npz")
    session.set_metric("top-1")
    logits = table()[ids] + table()[ids].mean(1, keepdims=True)
    wanted = 100.0 * float((logits.argmax(-1) == ids).mean())
    assert session.evaluate().float_value == pytest.approx(wanted)

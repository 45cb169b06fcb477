"""Which of a model's outputs is scored: by labels, by looks, or by the user's choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

import qviz
from qviz.app.session import Session
from qviz.errors import QvizError

Write = Callable[..., Path]
Floats = NDArray[np.float32]
BOXES, CLASSES = 7, 5


def x_of(count: int, *shape: int) -> Floats:
    return np.random.default_rng(1).normal(size=(count, *shape)).astype(np.float32)


def weights() -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    return {
        "wb": rng.normal(size=(6, 4)).astype(np.float32),
        "wc": rng.normal(size=(6, CLASSES)).astype(np.float32),
    }


def detector(write: Write, boxes: str, scores: str, last: str = "Softmax") -> Path:
    """Seven boxes of four coordinates, and five scores for each."""
    nodes = [
        helper.make_node("MatMul", ["x", "wb"], [boxes], name="b"),
        helper.make_node("MatMul", ["x", "wc"], ["c"], name="c"),
        helper.make_node(last, ["c"], [scores], name="last"),
    ]
    shapes = {boxes: ["N", BOXES, 4], scores: ["N", BOXES, CLASSES]}
    return write("d.onnx", nodes, weights(), {"x": ["N", BOXES, 6]}, shapes)


def classifier(write: Write, features: str, logits: str) -> Path:
    """Sixteen features before ten logits."""
    rng = np.random.default_rng(0)
    w = {"w1": rng.normal(size=(6, 16)), "w2": rng.normal(size=(16, 10))}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"], name="one"),
        helper.make_node("Relu", ["h"], [features], name="relu"),
        helper.make_node("MatMul", [features, "w2"], [logits], name="two"),
    ]
    shapes = {features: ["N", 16], logits: ["N", 10]}
    floats = {name: array.astype(np.float32) for name, array in w.items()}
    return write("c.onnx", nodes, floats, {"x": ["N", 6]}, shapes)


def logits_of(x: Floats) -> Floats:
    rng = np.random.default_rng(0)
    first = rng.normal(size=(6, 16)).astype(np.float32)
    second = rng.normal(size=(16, 10)).astype(np.float32)
    found: Floats = np.maximum(x @ first, 0) @ second
    return found


def opened(model: Path, x: Floats, labels: NDArray[np.int64] | Floats | None = None) -> Session:
    path = model.with_suffix(".npz")
    if labels is None:
        np.savez(path, x=x)
    else:
        np.savez(path, x=x, labels=labels)
    return qviz.open(model, path)


@pytest.mark.parametrize(
    ("boxes", "scores", "last"),
    [("boxes", "scores", "Softmax"), ("out1", "out2", "Softmax"), ("out1", "logits", "Identity")],
)
def test_without_labels_coordinates_of_boxes_are_no_classes(
    write_model: Write, boxes: str, scores: str, last: str
) -> None:
    x = x_of(12, BOXES, 6)
    session = opened(detector(write_model, boxes, scores, last), x)
    evaluation = session.evaluate()
    assert evaluation.metric == "agreement with float"
    assert (evaluation.output, evaluation.outputs) == (scores, (boxes, scores))
    strip = session.strip()
    assert strip.note == f"output {scores}, one of 2"
    assert [(c.name, c.current) for c in strip.outputs] == [
        ("", True),
        (boxes, False),
        (scores, False),
    ]


def test_the_user_may_score_another_output(write_model: Write) -> None:
    x = x_of(12, BOXES, 6)
    session = opened(detector(write_model, "boxes", "scores"), x)
    session.set_metric("agreement with float")
    session.evaluate()
    session.set_output("boxes")
    evaluation = session.evaluate()
    assert (evaluation.output, evaluation.metric) == ("boxes", "output SQNR")
    assert evaluation.flips is None  # coordinates are no choice
    assert [c.name for c in session.strip().outputs if c.current] == ["boxes"]
    session.set_output("")
    assert session.evaluate().output == "scores"
    with pytest.raises(QvizError, match=r"no such output\. Use one of boxes, scores"):
        session.set_output("masks")


def test_a_project_keeps_the_output(write_model: Write, tmp_path: Path) -> None:
    session = opened(detector(write_model, "boxes", "scores"), x_of(12, BOXES, 6))
    session.set_output("boxes")
    session.save_project(tmp_path / "d.qviz")
    assert qviz.open(tmp_path / "d.qviz").evaluate().output == "boxes"


@pytest.mark.parametrize("names", [("features", "logits"), ("out1", "out2"), ("embedding", "y")])
def test_labels_choose_the_output_with_as_many_classes(
    write_model: Write, names: tuple[str, str]
) -> None:
    x = x_of(40, 6)
    labels = logits_of(x).argmax(1)
    labels[:10] = (labels[:10] + 1) % 10
    evaluation = opened(classifier(write_model, *names), x, labels).evaluate()
    assert (evaluation.output, evaluation.float_value) == (names[1], 75.0)


def test_labels_of_values_choose_the_output_of_their_shape(write_model: Write) -> None:
    x = x_of(12, BOXES, 6)
    wanted = (x @ weights()["wb"] + 0.5).astype(np.float32)
    session = opened(detector(write_model, "boxes", "scores"), x, wanted)
    session.set_metric("MSE")
    evaluation = session.evaluate()
    assert evaluation.output == "boxes"
    assert evaluation.float_value == pytest.approx(0.25, rel=1e-4)


def test_wrong_labels_are_refused_though_features_have_as_many(write_model: Write) -> None:
    labels = np.arange(40) % 12  # ten classes, and sixteen features
    with pytest.raises(QvizError, match="label 11 of sample 11 is out of range: the model has 10"):
        opened(classifier(write_model, "features", "logits"), x_of(40, 6), labels)


def test_of_outputs_alike_the_first_is_scored(write_model: Write) -> None:
    w = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"], name="mm"),
        helper.make_node("Neg", ["y"], ["z"], name="neg"),
    ]
    shapes = {"y": ["N", 4], "z": ["N", 4]}
    model = write_model("two.onnx", nodes, {"w": w}, {"x": ["N", 6]}, shapes)
    x = x_of(20, 6)
    assert opened(model, x).evaluate().output == "y"
    evaluation = opened(model, x, (x @ w).argmax(1)).evaluate()
    assert (evaluation.output, evaluation.float_value) == ("y", 100.0)


def test_one_output_is_not_spoken_of(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.evaluate()
    assert (session.strip().note, session.strip().outputs, session.strip().output) == ("", (), "y")

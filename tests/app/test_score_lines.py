"""The line of the command line that says what a plan scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

import qviz
from qviz.app.session import Session
from qviz.cli.tables import number_lines

Write = Callable[..., Path]


def regression(write: Write, folder: Path, size: float) -> Session:
    rng = np.random.default_rng(0)
    w = rng.normal(size=(6, 1)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")]
    path = write("r.onnx", nodes, {"w": w}, {"x": ["N", 6]}, {"y": ["N", 1]})
    x = size * rng.normal(size=(50, 6)).astype(np.float32)
    np.savez(folder / "r.npz", x=x, labels=(x @ w)[:, 0] + 0.1 * size)
    return qviz.open(path, folder / "r.npz")


@pytest.mark.parametrize("size", [1.0, 0.01])
def test_small_values_keep_their_digits(write_model: Write, tmp_path: Path, size: float) -> None:
    session = regression(write_model, tmp_path, size)
    session.set_metric("MSE")
    evaluation = session.evaluate()
    (line,) = [text for text in number_lines(session, evaluation) if text.startswith("MSE")]
    words = line.replace("[bold]", "").replace("[/bold]", "").split()
    before, now, change = (float(words[at].strip("(),")) for at in (2, 5, 6))
    assert before == pytest.approx(evaluation.float_value, rel=6e-3)
    assert now == pytest.approx(evaluation.value, rel=6e-3)
    assert change == pytest.approx(now - before, abs=10 ** np.floor(np.log10(now)) * 0.02)
    assert change != 0.0
    assert "  " not in line
    assert "\N{MINUS SIGN}" not in line


def test_an_interval_and_percentages_read_as_before(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples, limit=40)
    evaluation = session.evaluate()
    (line,) = [text for text in number_lines(session, evaluation) if text.startswith("top-1")]
    assert f"float {evaluation.float_value:.2f} % → quantized" in line
    assert f"95 % interval {evaluation.low:.2f} to {evaluation.high:.2f} %, 40 of 60" in line


def test_the_output_and_notes_of_the_samples_are_told(write_model: Write, tmp_path: Path) -> None:
    w = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Softmax", ["y"], ["probs"], name="softmax"),
        helper.make_node("MatMul", ["x", "w"], ["y"], name="mm"),
    ]
    shapes = {"y": ["N", 4], "probs": ["N", 4]}
    path = write_model("two.onnx", nodes[::-1], {"w": w}, {"x": ["N", 6]}, shapes)
    x = np.random.default_rng(1).normal(size=(30, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "x_labels.npy", (x @ w).argmax(1))
    session = qviz.open(path, tmp_path / "x.npy")
    lines = number_lines(session, session.evaluate())
    assert any(line.endswith("(all), output probs, one of 2") for line in lines)
    assert "Labels from x_labels.npy" in lines


def test_the_samples_verdict_on_parity_is_the_only_one(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    lines = number_lines(session, session.evaluate())
    verdicts = [line for line in lines if "onnxruntime" in line]
    assert len(verdicts) == 1
    assert "match onnxruntime on 4 samples" in verdicts[0]
    assert "match onnxruntime on random inputs" in qviz.open(mlp).document().parity

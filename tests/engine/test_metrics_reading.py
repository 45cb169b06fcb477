"""Which axis of an output the samples lie along, where both are as long as the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

import qviz
from qviz.engine.metrics.reading import declared_axis
from qviz.model.read_onnx import read_onnx


def write(write_model: Callable[..., Path], y: list[int | str], batch: int | str = 8) -> Path:
    """Steps before samples: [n, T, 3] to [T, n, 4]."""
    w = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], name="turn", perm=[1, 0, 2]),
        helper.make_node("MatMul", ["t", "w"], ["y"], name="fc"),
    ]
    steps: list[int | str] = [batch, "T", 3]
    return write_model("steps.onnx", nodes, {"w": w}, {"x": steps}, {"y": y})


@pytest.mark.parametrize(
    ("y", "batch", "axis"),
    [
        (["T", 8, 4], 8, 1),
        ([8, "T", 4], 8, 0),
        ([8, 8, 4], 8, None),
        (["T", "S", 4], 8, None),
        (["T", "N", 4], "N", 1),
        (["N", "T", 4], "N", 0),
        (["T", 8, 4], "N", None),
    ],
)
def test_what_the_file_declares_tells_the_axis(
    write_model: Callable[..., Path], y: list[int | str], batch: int | str, axis: int | None
) -> None:
    model = read_onnx(write(write_model, y, batch))
    assert declared_axis(model, "y", {"x"}) == axis


def test_as_many_steps_as_samples_in_a_fixed_batch_are_told_apart(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write(write_model, ["T", 8, 4])
    rng = np.random.default_rng(1)
    w = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    x = rng.normal(size=(24, 8, 3)).astype(np.float32)
    np.savez(tmp_path / "steps.npz", x=x, labels=(x @ w).argmax(2))
    session = qviz.open(model, tmp_path / "steps.npz")
    session.set_metric("top-1")
    assert session.evaluate("all").float_value == 100.0

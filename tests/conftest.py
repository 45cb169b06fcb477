"""Fixtures for all floors: the demo, and small models made on the spot."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

settings.register_profile("qviz", deadline=None)  # how long an example takes is no failure
settings.load_profile("qviz")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # windows of the tests need no display
os.environ.pop("COLUMNS", None)  # of who runs the tests, which pytest-xdist hands on
ROOT = Path(__file__).parent.parent
Floats = NDArray[np.float32]


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The bundled model."""
    return ROOT / "resources" / "demo" / "fashion_cnn.onnx"


@pytest.fixture(scope="session")
def demo_samples() -> Path:
    """The bundled samples."""
    return ROOT / "resources" / "demo" / "fashion_test_2000.npz"


@pytest.fixture
def mlp(tmp_path: Path) -> Path:
    """A two-layer perceptron, 6 inputs and 4 classes: fc1, relu, fc2."""
    return write_mlp(tmp_path / "mlp.onnx")


@pytest.fixture
def mlp_samples(tmp_path: Path) -> Path:
    """Sixty samples for the perceptron, labelled at random."""
    rng = np.random.default_rng(1)
    path = tmp_path / "mlp.npz"
    x = rng.normal(size=(60, 6)).astype(np.float32)
    np.savez(path, x=x, labels=rng.integers(0, 4, 60))
    return path


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., Path]:
    """Write a graph of nodes and initializers as an ONNX file."""

    def write(
        name: str,
        nodes: list[onnx.NodeProto],
        weights: dict[str, Floats],
        inputs: dict[str, list[int | str]],
        outputs: dict[str, list[int | str]],
        integers: dict[str, NDArray[np.int64]] | None = None,
        version: int = 17,
    ) -> Path:
        constants: dict[str, NDArray[Any]] = {**weights, **(integers or {})}
        return save(tmp_path / name, nodes, constants, inputs, outputs, version)

    return write


def write_mlp(path: Path) -> Path:
    """The perceptron's file."""
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.normal(size=(8, 6)).astype(np.float32),
        "b1": rng.normal(size=8).astype(np.float32),
        "w2": rng.normal(size=(4, 8)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="fc1", transB=1),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("Gemm", ["r", "w2"], ["y"], name="fc2", transB=1),
    ]
    return save(path, nodes, weights, {"x": ["N", 6]}, {"y": ["N", 4]})


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: Mapping[str, NDArray[Any]],
    inputs: dict[str, list[int | str]],
    outputs: dict[str, list[int | str]],
    version: int = 17,
) -> Path:
    """Save float inputs and outputs under an opset version."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    onnx.save(model, path)
    return path

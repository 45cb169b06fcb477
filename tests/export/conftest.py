"""Small models of one or two layers, with feeds for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor

from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx

Write = Callable[..., Path]
Floats = NDArray[np.float32]


def floats(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture
def conv(write_model: Write) -> tuple[Model, dict[str, Tensor]]:
    """One Conv of 6 to 8 channels, with a bias."""
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv", pads=[1, 1, 1, 1])
    weights = {"w": floats(0, 8, 6, 3, 3), "b": floats(1, 8)}
    path = write_model("conv.onnx", [node], weights, {"x": ["N", 6, 7, 7]}, {"y": ["N", 8, 7, 7]})
    return read_onnx(path), {"x": torch.from_numpy(floats(2, 4, 6, 7, 7))}


@pytest.fixture
def gemm(write_model: Write) -> tuple[Model, dict[str, Tensor]]:
    """One Gemm of 40 to 10, weights as torch writes them."""
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="fc", transB=1)
    weights = {"w": floats(0, 10, 40), "b": floats(1, 10)}
    path = write_model("fc.onnx", [node], weights, {"x": ["N", 40]}, {"y": ["N", 10]})
    return read_onnx(path), {"x": torch.from_numpy(floats(2, 8, 40))}


@pytest.fixture
def chain(write_model: Write) -> tuple[Model, dict[str, Tensor]]:
    """Conv, Relu, Conv, Relu, Conv: the middle one lies between two quantizers."""
    nodes, value = [], "x"
    for at in range(3):
        nodes.append(helper.make_node("Conv", [value, f"w{at}", f"b{at}"], [f"c{at}"], f"conv{at}"))
        nodes.append(helper.make_node("Relu", [f"c{at}"], [f"r{at}"], f"relu{at}"))
        value = f"r{at}"
    nodes.pop()
    weights = {f"w{at}": floats(at, 6, 6, 1, 1) for at in range(3)}
    weights |= {f"b{at}": floats(9 + at, 6) for at in range(3)}
    path = write_model("chain.onnx", nodes, weights, {"x": ["N", 6, 3, 3]}, {"c2": ["N", 6, 3, 3]})
    return read_onnx(path), {"x": torch.from_numpy(floats(5, 16, 6, 3, 3))}

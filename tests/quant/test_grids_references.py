"""The grids against onnxruntime's QuantizeLinear/DequantizeLinear and torch's fake quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from qviz.quant.grids import Encoding, encode, fake_quantize, quantize
from qviz.quant.scheme import parse_scheme

TYPES = {
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "uint16": TensorProto.UINT16,
}
FORMATS = [*TYPES, "int8:full", "int4:full", "int16:full", "int8:asym", "int16:asym", "int4:asym"]


def in_onnxruntime(x: Tensor, encoding: Encoding, kind: int) -> tuple[Tensor, Tensor]:
    """Codes and values of QuantizeLinear followed by DequantizeLinear, unoptimized."""
    shape = [] if encoding.axis is None else [encoding.scale.numel()]
    scale = encoding.scale.reshape(shape).numpy()
    zero = encoding.zero_point.flatten().tolist()
    axis: dict[str, Any] = {} if encoding.axis is None else {"axis": encoding.axis}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **axis),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **axis),
        helper.make_node("Cast", ["q"], ["codes"], to=TensorProto.INT32),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(x.shape))],
        [
            helper.make_tensor_value_info("codes", TensorProto.INT32, list(x.shape)),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, list(x.shape)),
        ],
        [numpy_helper.from_array(scale, "s"), helper.make_tensor("z", kind, shape, zero)],
    )
    model: Any = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    codes, values = session.run(["codes", "y"], {"x": x.numpy()})
    return torch.from_numpy(np.array(codes)), torch.from_numpy(np.array(values))


def agrees(x: Tensor, encoding: Encoding, spelling: str) -> None:
    codes, values = in_onnxruntime(x, encoding, TYPES[spelling.split(":")[0]])
    torch.testing.assert_close(quantize(x, encoding), codes, rtol=0, atol=0)
    torch.testing.assert_close(fake_quantize(x, encoding), values, rtol=0, atol=0)


def covering(x: Tensor, spelling: str, axis: int | None = None) -> Encoding:
    rows = x.reshape(1, -1) if axis is None else x.movedim(axis, 0).flatten(1)
    return encode(rows.amin(1).double(), rows.amax(1).double(), parse_scheme(spelling), axis)


def halfway(encoding: Encoding) -> Tensor:
    """Every tie of a grid, rounded to float32 like any value that lands near one."""
    steps = torch.arange(encoding.qmin - 2, encoding.qmax + 3, dtype=torch.float64) + 0.5
    return ((steps - float(encoding.zero_point[0])) * float(encoding.scale[0])).float()


def special(encoding: Encoding) -> Tensor:
    values = [0.0, -0.0, 1e-45, -1e-45, 1e-40, -1e-38, 1e30, -1e30, 3.4e38, -3.4e38]
    ends = torch.cat([encoding.low, encoding.high]).float()
    near = torch.cat([ends, torch.nextafter(ends, ends + 1), torch.nextafter(ends, ends - 1)])
    return torch.cat([torch.tensor(values), near])


def narrowed(x: Tensor, encoding: Encoding, spelling: str) -> Tensor:
    """Without what falls on the code that a restricted grid drops and its type still has."""
    if parse_scheme(spelling).narrow:
        lowest = float(encoding.low[0] - 0.499 * encoding.scale[0].double())
        return x[x.double() > lowest]
    return x


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def random(rng: np.random.Generator, *shape: int) -> Tensor:
    values: NDArray[np.float32] = rng.standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(values * np.float32(3.0) + np.float32(0.5))


@pytest.mark.parametrize("spelling", FORMATS)
@pytest.mark.parametrize("size", [1.0, 1e-6, 1e30])
def test_per_tensor_equals_onnxruntime(
    spelling: str, size: float, rng: np.random.Generator
) -> None:
    x = random(rng, 5000) * size
    encoding = covering(x, spelling)
    x = torch.cat([x, 2 * x, halfway(encoding), special(encoding)])
    agrees(narrowed(x, encoding, spelling), encoding, spelling)


@pytest.mark.parametrize("spelling", FORMATS)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_per_channel_equals_onnxruntime(spelling: str, axis: int, rng: np.random.Generator) -> None:
    x = random(rng, 6, 6, 6)
    rows = x.movedim(axis, 0)
    rows *= 10.0 ** torch.arange(-3, 3).reshape(6, 1, 1)
    rows[2] = 0.0  # a dead channel
    rows[3] = rows[3].abs()
    rows[4] = -rows[4].abs()
    agrees(x, covering(x, f"{spelling}:channel", axis), spelling)


@pytest.mark.parametrize("spelling", FORMATS)
@pytest.mark.parametrize("x", [[0.0, 0.0], [3.7], [-3.7], [1e-42, 0.0], [2.5, 2.5, 2.5]])
def test_constant_and_tiny_tensors_equal_onnxruntime(spelling: str, x: list[float]) -> None:
    values = torch.tensor(x)
    agrees(values, covering(values, spelling), spelling)


@pytest.mark.parametrize("spelling", ["int8", "int8:full", "uint8", "int4", "uint5", "int3:asym"])
def test_per_tensor_is_within_a_step_of_torch_and_equal_away_from_ties(
    spelling: str, rng: np.random.Generator
) -> None:
    x = random(rng, 20_000)
    encoding = covering(x, spelling)
    x = torch.cat([x, 2 * x, halfway(encoding)])
    scale, zero = float(encoding.scale), int(encoding.zero_point)
    theirs = torch.fake_quantize_per_tensor_affine(x, scale, zero, encoding.qmin, encoding.qmax)
    ours = fake_quantize(x, encoding)
    quotient = x.double() / scale
    tie = ((quotient - quotient.floor()) - 0.5).abs() < 1e-4
    assert 100 > int(tie.sum()) - halfway(encoding).numel() >= 0
    torch.testing.assert_close(ours[~tie], theirs[~tie], rtol=0, atol=0)
    assert float((ours - theirs).abs().max()) <= scale * 1.001


def test_per_channel_equals_torch_away_from_ties(rng: np.random.Generator) -> None:
    x = random(rng, 8, 500) * torch.logspace(-3, 3, 8).unsqueeze(1)
    encoding = covering(x, "int8:asym:channel", 0)
    theirs = torch.fake_quantize_per_channel_affine(
        x, encoding.scale, encoding.zero_point, 0, encoding.qmin, encoding.qmax
    )
    quotient = x.double() / encoding.scale.double().unsqueeze(1)
    away = ((quotient - quotient.floor()) - 0.5).abs() >= 1e-4
    assert bool(away.float().mean() > 0.99)
    torch.testing.assert_close(fake_quantize(x, encoding)[away], theirs[away], rtol=0, atol=0)

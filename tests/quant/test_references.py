"""Encodings against onnxruntime's QuantizeLinear, torch's fake quantization, and casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from qviz.quant.encode import encode, find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.grids import Integers
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

TYPES = [
    name
    for name in ("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16")
    if hasattr(TensorProto, name.upper())
]
SIGNED = [name for name in TYPES if name.startswith("int")]
SPELLINGS = [
    *TYPES,
    *(f"{name}:{rest}" for name in SIGNED for rest in ("full", "wide", "asym")),
    "uint8:sym",
    "int8:asym:pow2",
    "int8:pow2",
]
TINY = float(np.finfo(np.float32).tiny)


def in_onnxruntime(x: Tensor, encoding: Scaled, kind: str) -> tuple[Tensor, Tensor]:
    """Codes and values of QuantizeLinear followed by DequantizeLinear, unoptimized.

    A table of blocks is quantized along its rows.
    """
    where: dict[str, Any] = {} if encoding.axis is None else {"axis": encoding.axis}
    shape = [] if encoding.axis is None else list(encoding.scale.shape)
    if encoding.block is not None:
        where = {"axis": 1, "block_size": encoding.block}
    parameters = [
        numpy_helper.from_array(encoding.scale.reshape(shape).numpy(), "s"),
        helper.make_tensor(
            "z", getattr(TensorProto, kind.upper()), shape, encoding.zero_point.flatten().tolist()
        ),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **where),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **where),
        helper.make_node("Cast", ["q"], ["codes"], to=TensorProto.INT32),
    ]
    described = {
        name: helper.make_tensor_value_info(name, element, list(x.shape))
        for name, element in (
            ("x", TensorProto.FLOAT),
            ("codes", TensorProto.INT32),
            ("y", TensorProto.FLOAT),
        )
    }
    graph = helper.make_graph(
        nodes, "graph", [described["x"]], [described["codes"], described["y"]], parameters
    )
    opset, ir = (25, 13) if kind.endswith("int2") else (21, 10)
    model: Any = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    codes, values = session.run(["codes", "y"], {"x": x.numpy()})
    return torch.from_numpy(np.array(codes)), torch.from_numpy(np.array(values))


def agrees(x: Tensor, encoding: Scaled, spelling: str) -> None:
    """Equal, but for the lowest code of the type, which a restricted grid drops."""
    codes, values = in_onnxruntime(x, encoding, spelling.split(":")[0])
    lowest, _ = parse_scheme(spelling).code_bounds
    torch.testing.assert_close(encoding.codes(x), codes.clamp(min=lowest), rtol=0, atol=0)
    kept = codes >= lowest
    assert bool(kept.all()) or parse_scheme(spelling).code_range == "narrow"
    largest = torch.finfo(torch.float32).max  # beyond which onnxruntime's levels are infinite
    wanted = values[kept].clamp(-largest, largest)
    torch.testing.assert_close(encoding.apply(x)[kept], wanted, rtol=0, atol=0)


def covering(x: Tensor, spelling: str, axis: int | None = None) -> Scaled:
    rows = x.reshape(1, -1) if axis is None else x.movedim(axis, 0).flatten(1)
    return encode(rows.amin(1).double(), rows.amax(1).double(), parse_scheme(spelling), axis)


def halfway(encoding: Scaled) -> Tensor:
    """Every tie of a grid, rounded to float32 like any value that lands near one."""
    assert isinstance(encoding.grid, Integers)
    steps = torch.arange(encoding.grid.qmin - 2, encoding.grid.qmax + 3, dtype=torch.float64) + 0.5
    return ((steps - float(encoding.zero_point[0])) * float(encoding.scale[0])).float()


def neighbours(x: Tensor) -> Tensor:
    ends = (torch.full_like(x, -torch.inf), torch.full_like(x, torch.inf))
    return torch.cat([x, *(torch.nextafter(x, end) for end in ends)])


def special(encoding: Scaled) -> Tensor:
    values = [0.0, -0.0, 1e-45, -1e-45, 1e-40, -1e-38, 1e30, -1e30, 3.4e38, -3.4e38]
    ends = torch.cat([encoding.low, encoding.high]).float()
    return torch.cat([torch.tensor(values), neighbours(ends)])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def random(rng: np.random.Generator, *shape: int) -> Tensor:
    values: NDArray[np.float32] = rng.standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(values * np.float32(3.0) + np.float32(0.5))


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("size", [1.0, 1e-6, 1e30, 1e-35])
def test_per_tensor_equals_onnxruntime(
    spelling: str, size: float, rng: np.random.Generator
) -> None:
    x = random(rng, 5000) * size
    encoding = covering(x, spelling)
    x = torch.cat([x, 2 * x, neighbours(halfway(encoding)), special(encoding)])
    if "int2" in spelling:  # onnxruntime 1.31 wraps quotients beyond int32 instead of saturating
        x = x[(x.double() / encoding.scale.double()).abs() < 2.0**31]
    agrees(x, encoding, spelling)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_per_channel_equals_onnxruntime(spelling: str, axis: int, rng: np.random.Generator) -> None:
    x = random(rng, 7, 7, 7)
    rows = x.movedim(axis, 0)
    rows *= 10.0 ** torch.arange(-3, 4).reshape(7, 1, 1)
    rows[2] = 0.0  # a dead channel
    rows[3] = rows[3].abs()
    rows[4] = -rows[4].abs()
    rows[5] = 2.5
    rows[6] = TINY / 4  # denormal
    agrees(x, covering(x, f"{spelling}:channel", axis), spelling)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("rest", ["", ":asym", ":full", ":mse"])
@pytest.mark.parametrize("columns", [64, 70, 16, 5, 1])
def test_groups_equal_blocked_onnxruntime(
    kind: str, rest: str, columns: int, rng: np.random.Generator
) -> None:
    if rest == ":full" and kind not in SIGNED:
        rest = ":sym"
    scheme = parse_scheme(f"{kind}{rest}:group=16")
    x = random(rng, 6, columns) * torch.logspace(-4, 3, 6).unsqueeze(1)
    x[1] = 0.0
    x[2, : columns // 2] = 0.0
    x[3] = x[3].abs()
    x[4] = 1e-12  # below what a float16 scale can hold
    encoding = find_encoding(measure(x, 0, keep=True), scheme)
    assert isinstance(encoding, Scaled)
    assert encoding.scale.shape == (6, -(-columns // 16))
    agrees(3.0 * x, encoding, str(scheme))
    agrees(x, encoding, str(scheme))


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "x", [[0.0, 0.0], [3.7], [-3.7], [1e-42, 0.0], [2.5, 2.5, 2.5], [3e38, -1.0], [-3e38, 2e38]]
)
def test_constant_tiny_and_huge_tensors_equal_onnxruntime(spelling: str, x: list[float]) -> None:
    values = torch.tensor(x)
    encoding = covering(values, spelling)
    assert bool(encoding.scale.isfinite().all())
    agrees(values, encoding, spelling)


@pytest.mark.parametrize(
    "spelling",
    ["int8", "int8:full", "int8:wide", "uint8", "int4", "uint5", "int3:asym", "int13", "int1"],
)
def test_per_tensor_is_within_a_step_of_torch_and_equal_away_from_ties(
    spelling: str, rng: np.random.Generator
) -> None:
    x = random(rng, 20_000)
    encoding = covering(x, spelling)
    ties = halfway(encoding)
    x = torch.cat([x, 2 * x, ties])
    scale, zero = float(encoding.scale), int(encoding.zero_point)
    low, high = parse_scheme(spelling).code_bounds
    theirs = torch.fake_quantize_per_tensor_affine(x, scale, zero, low, high)
    ours = encoding.apply(x)
    quotient = x.double() / scale
    # A quotient is rounded to 24 bits, whatever it is divided or multiplied by.
    margin = 1e-4 + quotient.abs() * 2.0**-22
    tie = ((quotient - quotient.floor()) - 0.5).abs() < margin
    found = int(tie.sum()) - ties.numel()
    assert 0 <= found < (2000 if spelling == "int13" else 100)
    torch.testing.assert_close(ours[~tie], theirs[~tie], rtol=0, atol=0)
    assert float((ours - theirs).abs().max()) <= scale * 1.001


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("spelling", ["int8:asym", "int8", "uint4", "int3:wide"])
def test_per_channel_equals_torch_away_from_ties(
    spelling: str, axis: int, rng: np.random.Generator
) -> None:
    x = (random(rng, 8, 500) * torch.logspace(-3, 3, 8).unsqueeze(1)).movedim(0, axis)
    encoding = covering(x, f"{spelling}:channel", axis)
    low, high = parse_scheme(spelling).code_bounds
    theirs = torch.fake_quantize_per_channel_affine(
        x, encoding.scale, encoding.zero_point, axis, low, high
    )
    shape = [8, 1] if axis == 0 else [1, 8]
    scale = encoding.scale.reshape(shape)
    quotient = x.double() / scale.double()
    away = ((quotient - quotient.floor()) - 0.5).abs() >= 1e-4
    ours = encoding.apply(x)
    assert bool(away.float().mean() > 0.99)
    torch.testing.assert_close(ours[away], theirs[away], rtol=0, atol=0)
    assert bool(((ours - theirs).abs() <= 1.001 * scale).all())


def through(kind: type[Any]) -> Callable[[Tensor], Tensor]:
    """A cast of ml_dtypes to and fro."""

    def cast(x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy().astype(kind).astype(np.float32))

    return cast


def in_torch(dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    return lambda x: x.to(dtype).float()


CASTS: list[tuple[str, Callable[[Tensor], Tensor], float]] = [
    ("float16", in_torch(torch.float16), 65504.0),
    ("bfloat16", in_torch(torch.bfloat16), float(torch.finfo(torch.bfloat16).max)),
    ("bfloat16", through(ml_dtypes.bfloat16), float(torch.finfo(torch.bfloat16).max)),
    ("fp8-e4m3:unit", in_torch(torch.float8_e4m3fn), 448.0),
    ("fp8-e4m3:unit", through(ml_dtypes.float8_e4m3fn), 448.0),
    ("fp8-e5m2:unit", in_torch(torch.float8_e5m2), 57344.0),
    ("fp8-e5m2:unit", through(ml_dtypes.float8_e5m2), 57344.0),
    ("fp6-e2m3:unit", through(ml_dtypes.float6_e2m3fn), 7.5),
    ("fp6-e3m2:unit", through(ml_dtypes.float6_e3m2fn), 28.0),
    ("fp4-e2m1:unit", through(ml_dtypes.float4_e2m1fn), 6.0),
]


def all_magnitudes(largest: float, rng: np.random.Generator) -> Tensor:
    """Values of every exponent of float32 up to `largest`, and some far below."""
    powers = torch.from_numpy(rng.uniform(-140.0, np.log2(largest), 20_000))
    dense = torch.from_numpy(rng.uniform(-largest, largest, 20_000))
    near_one = torch.from_numpy(rng.standard_normal(20_000)).clamp(-largest, largest)
    signs = torch.where(torch.arange(20_000) % 2 == 0, 1.0, -1.0)
    return torch.cat([signs * 2.0**powers, dense, near_one]).float().clamp(-largest, largest)


@pytest.mark.parametrize(("spelling", "cast", "largest"), CASTS)
def test_narrow_floats_are_casts(
    spelling: str, cast: Callable[[Tensor], Tensor], largest: float, rng: np.random.Generator
) -> None:
    x = all_magnitudes(largest, rng)
    encoding = find_encoding(measure(x, keep=True), parse_scheme(spelling))
    assert isinstance(encoding, Scaled)
    ties = neighbours(encoding.thresholds().float())
    specials = torch.tensor([0.0, 1e-45, -1e-45, TINY, -TINY, largest, -largest])
    x = torch.cat([x, ties[ties.abs() <= largest], encoding.levels().float(), specials])
    torch.testing.assert_close(encoding.apply(x), cast(x), rtol=0, atol=0)


@pytest.mark.parametrize(("spelling", "largest"), sorted({(c[0], c[2]) for c in CASTS}))
def test_narrow_floats_saturate(spelling: str, largest: float) -> None:
    encoding = find_encoding(measure(torch.ones(3), keep=True), parse_scheme(spelling))
    top = float(torch.finfo(torch.float32).max)
    x = torch.tensor([min(factor * largest, top) for factor in (1.0000001, 1.03, 1.1, 2.0, 1e38)])
    assert encoding.apply(x).tolist() == [largest] * len(x)
    assert encoding.apply(-x).tolist() == [-largest] * len(x)


@pytest.mark.parametrize("spelling", ["fp8-e4m3", "fp8-e5m2", "fp6-e2m3", "fp6-e3m2", "fp4-e2m1"])
@pytest.mark.parametrize("grain", ["tensor", "channel", "group=16"])
def test_scaled_floats_are_casts_of_the_quotient(
    spelling: str, grain: str, rng: np.random.Generator
) -> None:
    cast, largest = next((c, top) for name, c, top in CASTS[::-1] if name == f"{spelling}:unit")
    x = random(rng, 4, 40) * torch.logspace(-2, 2, 4).unsqueeze(1)
    x[2] = 0.0
    encoding = find_encoding(measure(x, 0, keep=True), parse_scheme(f"{spelling}:{grain}"))
    assert isinstance(encoding, Scaled)
    scale = encoding.scale
    if encoding.block is not None:
        scale = scale.repeat_interleave(16, 1)[:, :40]
    elif encoding.axis is not None:
        scale = scale.unsqueeze(1)
    wanted = cast((x / scale).clamp(-largest, largest)) * scale
    torch.testing.assert_close(encoding.apply(x), wanted, rtol=0, atol=0)

"""Golden values and laws of integer encodings, and the other grids at their ties."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qviz.quant.codebooks import minifloat, power_of_two
from qviz.quant.encode import encode, find_encoding
from qviz.quant.encoding import Dynamic, Scaled
from qviz.quant.grids import Codebook, Integers, NarrowFloat, codebook
from qviz.quant.measure import measure
from qviz.quant.scheme import Scheme
from qviz.quant.spelling import parse_scheme


def grid(scale: float, zero: int, qmin: int, qmax: int) -> Scaled:
    zero_point = torch.tensor([zero], dtype=torch.int32)
    return Scaled(Integers(qmin, qmax), torch.tensor([scale]), zero_point, None)


def cover(low: float, high: float, spelling: str) -> Scaled:
    ends = [torch.tensor([end], dtype=torch.float64) for end in (low, high)]
    return encode(ends[0], ends[1], parse_scheme(spelling), None)


def codes(x: list[float], encoding: Scaled) -> list[int]:
    return [int(code) for code in encoding.codes(torch.tensor(x))]


def bounds(encoding: Scaled) -> tuple[int, int]:
    assert isinstance(encoding.grid, Integers)
    return encoding.grid.qmin, encoding.grid.qmax


def dequantize(codes: Tensor, encoding: Scaled) -> Tensor:
    return (codes - encoding.zero_point).float() * encoding.scale


def test_symmetric_unsigned_has_its_zero_in_the_middle() -> None:
    encoding = cover(-1.0, 0.5, "uint8:sym")
    assert int(encoding.zero_point) == 128
    assert codes([-2.0, 0.0, 0.5, 1.0], encoding) == [0, 128, 192, 255]


@pytest.mark.parametrize("low_high", [(0.3, 2.0), (-2.0, -0.3)])
def test_ranges_are_widened_to_contain_zero(low_high: tuple[float, float]) -> None:
    encoding = cover(*low_high, "uint8")
    assert 0.0 in encoding.levels().tolist()
    assert float(encoding.high - encoding.low) == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("spelling", ["int8", "int8:full", "uint8", "int8:asym", "uint4:channel"])
def test_an_empty_range_gets_scale_one_and_zero_stays_zero(spelling: str) -> None:
    encoding = cover(0.0, 0.0, spelling)
    assert float(encoding.scale) == 1.0
    assert int(encoding.zero_point) == 0
    assert encoding.apply(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("spelling", ["int8", "int8:full", "uint8", "int8:asym", "int4:group=16"])
@pytest.mark.parametrize("low", [0.0, -1e-38])
def test_a_tiny_range_is_told_from_nothing(spelling: str, low: float) -> None:
    encoding = cover(low, 4e-38, spelling)
    assert float(encoding.scale) == torch.finfo(torch.float32).tiny
    out = encoding.apply(torch.tensor([0.0, 4e-38]))
    assert out.tolist() == pytest.approx([0.0, 4e-38], rel=0.2)
    assert out[0] == 0.0


NAN_INF = torch.tensor([1.0, math.nan, math.inf, -math.inf])
SATURATING = [
    "int8",
    "int8:stochastic=1",
    "fp8-e4m3",
    "fp4-e2m1",
    "nf4:tensor",
    "pot6",
    "kmeans2",
    "binary",
    "float16",
]


@pytest.mark.parametrize("spelling", SATURATING)
def test_nan_stays_nan_and_infinity_saturates(spelling: str) -> None:
    encoding = find_encoding(
        measure(torch.tensor([1.0, -1.0, 0.5]), keep=True), parse_scheme(spelling)
    )
    assert isinstance(encoding, Scaled)
    out = encoding.apply(NAN_INF)
    assert out.isnan().tolist() == [False, True, False, False]
    ends = encoding.levels()[[-1, 0]]
    assert out[2:].tolist() == pytest.approx(ends.tolist(), rel=1e-6)


@pytest.mark.parametrize("spelling", ["mxfp4", "mxfp8", "mxint8", "nvfp4"])
def test_one_value_that_is_not_finite_does_not_spoil_its_block(spelling: str) -> None:
    x = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    encoding = find_encoding(measure(x, 1), parse_scheme(spelling))
    spoilt, without = x.clone(), x.clone()
    spoilt[:, 3:6], without[:, 3:6] = NAN_INF[1:], 0.0
    out, wanted = encoding.apply(spoilt), encoding.apply(without)
    assert bool(out[:, 3].isnan().all())
    assert bool(out[:, 4:6].isfinite().all())
    assert torch.equal(out[:, 6:], wanted[:, 6:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    "spelling",
    ["int8", "int8:full", "uint8", "int4:full:group=16", "fp8", "mxfp8-e5m2", "bfloat16"],
)
def test_the_largest_values_of_a_type_do_not_overflow(dtype: torch.dtype, spelling: str) -> None:
    top = min(torch.finfo(dtype).max, torch.finfo(torch.float32).max)
    x = torch.tensor([[top, -top, 1.0]], dtype=dtype)
    encoding = find_encoding(measure(x, 0, keep=True), parse_scheme(spelling))
    out = encoding.apply(x)
    assert bool(out.isfinite().all())
    assert (out[0, :2].double() / top).tolist() == pytest.approx([1.0, -1.0], abs=0.15)


def test_levels_low_and_high_are_the_values_of_the_codes() -> None:
    encoding = cover(-0.5, 2.0, "uint3")
    assert torch.equal(encoding.levels().float(), dequantize(torch.arange(8), encoding))
    assert float(encoding.low) == float(encoding.levels()[0])
    assert float(encoding.high) == float(encoding.levels()[-1])


def test_each_channel_has_its_own_grid_along_any_axis() -> None:
    tops = torch.tensor([1.0, 10.0, 0.0], dtype=torch.float64)
    encoding = encode(-tops, tops, parse_scheme("int4:channel"), axis=1)
    behind = replace(encoding, axis=-1)
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    wanted = torch.stack(
        [cover(-float(t), float(t), "int4").apply(x[:, c]) for c, t in enumerate(tops)], 1
    )
    assert torch.equal(encoding.apply(x), wanted)
    assert torch.equal(behind.apply(x), wanted)
    assert torch.equal(behind.codes(x), encoding.codes(x))
    assert float(encoding.levels(1)[-1]) == pytest.approx(10.0, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("axis", [None, 0])
def test_applying_keeps_type_shape_and_argument(dtype: torch.dtype, axis: int | None) -> None:
    x = torch.tensor([[-1.0, 0.3], [0.6, 5.0]], dtype=dtype)
    before = x.clone()
    count = 1 if axis is None else 2
    scale, zero = torch.full((count,), 0.25), torch.zeros(count, dtype=torch.int32)
    out = Scaled(Integers(-8, 7), scale, zero, axis).apply(x)
    assert out.dtype == dtype
    assert out.tolist() == [[-1.0, 0.25], [0.5, 1.75]]
    assert torch.equal(x, before)


def test_equal_keys_mean_equal_grids() -> None:
    keys = {
        grid(*fields).key
        for fields in [(1.0, 0, -8, 7), (0.5, 0, -8, 7), (1.0, 1, -8, 7), (1.0, 0, -7, 7)]
    }
    assert len(keys) == 4
    assert grid(1.0, 0, -8, 7).key == grid(1.0, 0, -8, 7).key


FINITE = st.floats(-(2.0**100), 2.0**100, width=32)
SCHEMES = st.sampled_from(
    [f"{kind}{bits}{rest}" for kind in ("int", "uint") for bits in (2, 3, 4, 8, 13, 16)
     for rest in (":sym", ":asym", ":pow2", ":asym:pow2")]
    + [f"int{bits}:{rest}" for bits in (2, 5, 8, 16) for rest in ("full", "wide", "wide:pow2")]
).map(parse_scheme)  # fmt: skip


@st.composite
def quantized(draw: st.DrawFn) -> tuple[Tensor, Scaled]:
    """Values, and an encoding that need not cover them."""
    scheme: Scheme = draw(SCHEMES)
    size = draw(st.sampled_from([1e-20, 1e-3, 1.0, 1e20]))
    ends = sorted(draw(st.tuples(st.floats(-1, 1), st.floats(-1, 1))))
    low, high = (torch.tensor([end * size], dtype=torch.float64) for end in ends)
    some = st.lists(st.floats(-2, 2, width=32).map(lambda v: v * size) | FINITE, min_size=1)
    return torch.tensor(draw(some)), encode(low, high, scheme, None)


@given(quantized())
def test_laws_of_a_grid(drawn: tuple[Tensor, Scaled]) -> None:
    x, encoding = drawn
    x = x.sort().values
    q = encoding.codes(x)
    out = encoding.apply(x)
    qmin, qmax = bounds(encoding)
    assert torch.equal(out, dequantize(q, encoding))
    assert torch.equal(encoding.apply(out), out)
    assert bool((out.diff() >= 0).all())
    assert qmin <= int(q.min())
    assert int(q.max()) <= qmax
    assert qmin <= int(encoding.zero_point) <= qmax
    assert encoding.apply(torch.zeros(1)).tolist() == [0.0]
    inside = (x >= encoding.low) & (x <= encoding.high)
    error = (out.double() - x.double()).abs()[inside]
    # The quotient and the product are each rounded to float32.
    slack = 1.0 + 3e-7 * (qmax - qmin)
    assert bool((error <= encoding.scale.double() / 2 * slack).all())
    outside = encoding.apply(torch.tensor([-3e38, 3e38])).double()
    assert torch.allclose(outside, torch.cat([encoding.low, encoding.high]), rtol=1e-6, atol=0.0)


@given(SCHEMES, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_the_grid_covers_its_range_to_within_half_a_step(
    scheme: Scheme, a: float, b: float
) -> None:
    low, high = (torch.tensor([end], dtype=torch.float64) for end in sorted((a, b)))
    encoding = encode(low, high, scheme, None)
    step = float(encoding.scale)
    qmin, qmax = bounds(encoding)
    half = 1.0 if scheme.code_range == "wide" else 0.5  # max/128: the largest value is cut
    reach = step * (half + 1e-6 * (qmax - qmin))
    assert float(encoding.low) <= min(float(low), 0.0) + reach
    assert float(encoding.high) >= max(float(high), 0.0) - reach


@pytest.mark.parametrize("layout", ["e2m1", "e2m3", "e3m2", "e4m3", "e5m2"])
def test_ties_of_small_floats_go_to_the_even_mantissa(layout: str) -> None:
    grid = minifloat(f"fp-{layout}")
    levels = grid.levels
    at = torch.arange(len(levels) - 1) - len(levels) // 2  # codes from zero outwards
    even = torch.where(at % 2 == 0, levels[:-1], levels[1:])
    snapped = grid.snap(grid.thresholds.float(), 0)
    assert torch.equal(snapped.double(), even)
    beyond = torch.tensor([-1e30, 1e30])
    assert torch.equal(grid.snap(beyond, 0).double(), levels[[0, -1]])


def test_ties_of_codebooks_go_up_and_thresholds_may_be_given() -> None:
    grid = codebook(torch.tensor([-1.0, 0.0, 4.0]))
    assert grid.snap(torch.tensor([-0.5, 2.0, -0.50001, 1.99999, 9.0]), 0).tolist() == [
        0.0, 4.0, -1.0, 0.0, 4.0,
    ]  # fmt: skip
    given = codebook(torch.tensor([-1.0, 1.0]), torch.tensor([0.25]))
    assert given.snap(torch.tensor([0.0, 0.25, 0.3]), 0).tolist() == [-1.0, 1.0, 1.0]


@pytest.mark.parametrize("ulps", [-1, 0, 1])
def test_a_float32_is_compared_with_a_threshold_as_in_float64(ulps: int) -> None:
    thresholds = torch.tensor([1.0 / 3.0, 0.1, 1e-3, -1.0 / 3.0], dtype=torch.float64)
    for threshold in thresholds:
        x = threshold.float()
        if ulps:
            x = torch.nextafter(x, torch.tensor(ulps * 9.0))
        grid = codebook(torch.tensor([-1.0, 1.0]), threshold.reshape(1))
        wanted = 1.0 if float(x.double()) >= float(threshold) else -1.0
        assert grid.snap(x.reshape(1).clone(), 0).tolist() == [wanted]


@pytest.mark.parametrize(
    "grid",
    [Integers(-8, 7), NarrowFloat(torch.float8_e5m2), NarrowFloat(torch.bfloat16),
     minifloat("fp6-e3m2"), power_of_two(4, "log")],
)  # fmt: skip
def test_codes_are_the_places_of_the_values(grid: Integers | NarrowFloat | Codebook) -> None:
    x = torch.randn(300, generator=torch.Generator().manual_seed(0)) * 20
    for encoding in (
        Scaled(grid, torch.tensor([0.25]), torch.zeros(1, dtype=torch.int32), None),
        Scaled(grid, torch.full((1, 5), 0.25), torch.zeros(1, 5, dtype=torch.int32), None, 64),
    ):
        q = encoding.codes(x)
        place = q.long() - (grid.qmin if isinstance(grid, Integers) else 0)
        assert q.dtype == torch.int32
        assert torch.equal(encoding.levels()[place].float(), encoding.apply(x))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4)])
def test_nothing_is_quantized_to_nothing(shape: tuple[int, ...]) -> None:
    x = torch.zeros(shape)
    one, zero = torch.ones(1, 1), torch.zeros(1, 1, dtype=torch.int32)
    for encoding in (
        grid(1.0, 0, -8, 7),
        Scaled(Integers(-8, 7), one, zero, 0, 32),
        Scaled(minifloat("fp4-e2m1"), one[0], zero[0], None),
        Dynamic(minifloat("fp4-e2m1"), "mxfp4", 0, 32),
    ):
        assert encoding.apply(x).shape == shape
        if isinstance(encoding, Scaled):
            assert encoding.codes(x).shape == shape

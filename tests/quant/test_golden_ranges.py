"""Rounding, scales, range methods and error measures against worked examples and closed forms."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from torch import Tensor
from torch.ao.quantization import MovingAverageMinMaxObserver

from qviz.quant import entropy
from qviz.quant.aciq import clip_factor
from qviz.quant.encode import encode, find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.error import ROUNDING_NOISE, SlotError, measure_error, points_for, squared_error
from qviz.quant.grids import Integers
from qviz.quant.measure import measure
from qviz.quant.points import Points
from qviz.quant.ranges import RANGE_METHODS
from qviz.quant.scheme import Rounding
from qviz.quant.search import search_range
from qviz.quant.spelling import parse_scheme
from qviz.quant.statistics import TensorStats, merge

Floats = NDArray[np.float64]


def unit(mode: Rounding = "even", zero: int = 0, seed: int = 0) -> Scaled:
    """int8 codes with scale 1."""
    zeros = torch.tensor([zero], dtype=torch.int32)
    return Scaled(Integers(-128, 127, mode, seed), torch.ones(1), zeros, None)


def covering(low: float, high: float, spelling: str) -> Scaled:
    ends = torch.tensor([[low], [high]], dtype=torch.float64)
    return encode(ends[0], ends[1], parse_scheme(spelling), None)


def fit(x: Tensor, spelling: str, axis: int | None = None, keep: bool = True) -> Scaled:
    found = find_encoding(measure(x, axis, keep=keep), parse_scheme(spelling))
    assert isinstance(found, Scaled)
    return found


def ends_of(stats: TensorStats, spelling: str) -> tuple[float, float]:
    """The range itself, before it becomes a grid."""
    scheme = parse_scheme(spelling)
    low, high = RANGE_METHODS[scheme.range](stats, scheme)
    return float(low), float(high)


def errors(x: Tensor, encoding: Scaled) -> SlotError:
    return measure_error(points_for(measure(x, keep=True), encoding), encoding)


# Rounding.

TIES = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, -300, 300, 127.5, -128.5])


@pytest.mark.parametrize(
    ("mode", "codes"),
    [
        ("even", [-2, -2, 0, 0, 2, 2, 4, -128, 127, 127, -128]),
        ("away", [-3, -2, -1, 1, 2, 3, 4, -128, 127, 127, -128]),
        ("up", [-2, -1, 0, 1, 2, 3, 4, -128, 127, 127, -128]),
        ("zero", [-2, -1, 0, 0, 1, 2, 3, -128, 127, 127, -128]),
    ],
)
def test_rounding_modes(mode: Rounding, codes: list[int]) -> None:
    encoding = unit(mode)
    assert encoding.codes(TIES).tolist() == codes
    assert encoding.apply(TIES).tolist() == codes


def test_the_zero_point_is_added_after_rounding() -> None:
    x = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5])
    assert unit(zero=3).codes(x).tolist() == [1, 1, 3, 3, 5, 5, 7]


def test_the_quotient_is_a_division_not_a_product_with_the_reciprocal() -> None:
    scale, x = torch.tensor([0.6373247504234314]), torch.tensor([-72.33635711669922])
    encoding = Scaled(Integers(-128, 127), scale, torch.zeros(1, dtype=torch.int32), None)
    assert torch.round(x * (1 / scale)).item() == -113  # what torch's fake quantization finds
    assert encoding.codes(x).item() == -114
    assert encoding.apply(x).item() == (-114 * scale).item()


FRACTIONS = torch.tensor([-2.5, -1.9, -0.5, -0.3, 0.0, 0.1, 0.5, 0.75, 1.25, 2.9, 4.0])


def test_stochastic_rounding_is_unbiased_over_seeds() -> None:
    x = FRACTIONS.repeat(2000, 1)
    seeds = range(25)
    total = sum((unit("stochastic", seed=seed).apply(x).double() for seed in seeds), x * 0.0)
    means = total.mean(0) / len(seeds)
    # 50,000 draws each: the standard error is at most 0.5 / √50,000 = 0.0022; 4.5 of them.
    assert means.tolist() == pytest.approx(FRACTIONS.tolist(), abs=0.01)
    assert means[4] == 0.0  # what is on the grid stays
    assert means[10] == 4.0


def test_stochastic_rounding_moves_to_a_neighbour_by_its_seed_alone() -> None:
    x = torch.randn(64, 32, generator=torch.Generator().manual_seed(1)) * 20
    first, again, other = (unit("stochastic", seed=seed).codes(x) for seed in (7, 7, 8))
    assert first.equal(again)
    assert not first.equal(other)
    assert bool(((first - x).abs() < 1.0).all())


@pytest.mark.parametrize("spelling", ["int8:channel:stochastic=3", "int8:stochastic=3"])
def test_stochastic_draws_follow_the_channels_whatever_axis_they_lie_on(spelling: str) -> None:
    x = torch.randn(6, 5, 4, generator=torch.Generator().manual_seed(2))
    first = fit(x, spelling, 0)
    for axis in (1, 2, -1):
        moved = x.movedim(0, axis)
        encoding = fit(moved, spelling, axis)
        assert encoding.apply(moved).movedim(axis, 0).equal(first.apply(x))
        assert encoding.codes(moved).movedim(axis, 0).equal(first.codes(x))


# Scales.


@pytest.mark.parametrize(
    ("spelling", "half", "codes", "top"),
    [
        ("int8", 127, [-127, -64, 0, 38, 89, 127], 1.0),
        ("int8:full", 127.5, [-127, -64, 0, 38, 89, 127], 0.996078),
        ("int8:wide", 128, [-128, -64, 0, 38, 90, 127], 0.992188),
    ],
)
def test_the_three_scales_of_symmetric_int8(
    spelling: str, half: float, codes: list[int], top: float
) -> None:
    x = torch.tensor([-1.0, -0.5, 0.0, 0.3, 0.7, 1.0])
    encoding = fit(x, spelling)
    assert float(encoding.scale) == pytest.approx(1 / half, rel=1e-7)
    found = encoding.codes(x).tolist()
    # -1 / (1/127.5) = -127.5 would be a tie; the scale as float32 lies above 1/127.5.
    assert found == codes
    assert float(encoding.apply(x)[-1]) == pytest.approx(top, abs=5e-7)


def test_symmetric_int4_of_onnxruntime_clips_half_a_step() -> None:
    encoding = fit(torch.tensor([-1.0, 1.0]), "int4:full")
    assert float(encoding.scale) == pytest.approx(1 / 7.5, rel=1e-7)
    assert float(encoding.high) == pytest.approx(7 / 7.5, rel=1e-7)


def test_dynamic_quantize_linear() -> None:
    x = torch.tensor([0, 2, -3, -2.5, 1.34, 0.5])
    encoding = fit(x, "uint8")
    assert float(encoding.scale) == 0.019607843831181526
    assert encoding.zero_point.tolist() == [153]
    assert encoding.codes(x).tolist() == [153, 255, 0, 26, 221, 179]


def test_a_range_of_uint8() -> None:
    encoding = covering(-0.5, 2.0, "uint8")
    assert float(encoding.scale) == pytest.approx(0.00980392156862745, rel=6e-8)
    assert encoding.zero_point.tolist() == [51]
    one = torch.ones(1)
    assert encoding.codes(one).tolist() == [153]
    assert encoding.apply(one).tolist() == [1.0]


@pytest.mark.parametrize(
    ("spelling", "low", "high", "scale", "zero"),
    [
        ("uint8", 0.5, 2.0, 2 / 255, 0),  # ranges are widened to hold zero
        ("uint8", -2.0, -0.5, 2 / 255, 255),
        ("int8:asym", 0.0, 2.55, 0.01, -128),
        ("int8:asym", -2.55, 0.0, 0.01, 127),
        ("uint4", -0.5, 1.0, 0.1, 5),
        ("uint8:sym", -1.0, 0.5, 1 / 127.5, 128),
        ("uint8", 0.0, 0.0, 1.0, 0),  # nothing: scale 1
        ("int8", 0.0, 0.0, 1.0, 0),
    ],
)
def test_scales_and_zero_points(
    spelling: str, low: float, high: float, scale: float, zero: int
) -> None:
    encoding = covering(low, high, spelling)
    assert float(encoding.scale) == pytest.approx(scale, rel=1e-7)
    assert encoding.zero_point.tolist() == [zero]


@pytest.mark.parametrize(
    ("spelling", "low", "high", "scale"),
    [
        ("int8:pow2", -1.0, 0.3, 2.0**-6),  # 1/127 is just above 2^-7
        ("int8:pow2", -127 / 128, 0.0, 2.0**-7),  # a power of two stays
        ("int8:wide:pow2", -1.0, 0.0, 2.0**-7),
        ("int4:pow2", -3.0, 1.0, 0.5),  # 3/7 = 0.43
        ("uint8:pow2", 0.0, 6.0, 2.0**-5),  # 6/255 = 0.0235
        ("int8:pow2", -1000.0, 0.0, 8.0),
    ],
)
def test_power_of_two_scales_are_rounded_up(
    spelling: str, low: float, high: float, scale: float
) -> None:
    encoding = covering(low, high, spelling)
    assert float(encoding.scale) == scale
    assert float(encoding.low) <= low


# Histograms of 1,000,000 values in 2,048 bins, the counts rounded to integers.


@cache
def histogram(name: str) -> tuple[Floats, float]:
    """(counts, bin width)."""
    top = {"half-normal": 6.0, "half-laplace": 16.0, "outliers": 20.0}[name]
    edges = np.linspace(0.0, top, 2049)
    share = 1 - np.exp(-edges) if name == "half-laplace" else 2 * ndtr(edges) - 1
    if name == "outliers":
        share = (1 - 1e-4) * share + 1e-4 * edges / top
    return np.round(1e6 * np.diff(share)), top / 2048


def as_points(name: str) -> Points:
    counts, width = histogram(name)
    centres = torch.from_numpy((np.arange(2048) + 0.5) * width).float()
    filled = torch.from_numpy(counts > 0)
    return Points(centres[filled].unsqueeze(0), torch.from_numpy(counts)[filled].unsqueeze(0))


def as_values(name: str) -> Tensor:
    points = as_points(name)
    assert points.counts is not None
    return points.values[0].repeat_interleave(points.counts[0].long())


@pytest.mark.parametrize(
    ("name", "at", "clip", "divergence"),
    [
        ("half-normal", 1407, 4.123535, 4.376e-5),
        ("half-laplace", 1237, 9.667969, 2.399e-4),
        # Less than half an outlier falls into a bin, so that nothing is left of them in the tail.
        ("outliers", 452, 4.418945, None),
    ],
)
def test_entropy_calibration(name: str, at: int, clip: float, divergence: float | None) -> None:
    counts, width = histogram(name)
    assert entropy.threshold(counts, width) == pytest.approx(clip, abs=5e-7)
    assert entropy.threshold(counts, width) == pytest.approx((at + 0.5) * width, rel=1e-12)
    least = entropy.divergence(counts, at, 128)
    if divergence is not None:
        assert least == pytest.approx(divergence, rel=2e-4)  # the four digits of the table
    tried = [entropy.divergence(counts, i, 128) for i in range(128, 2049, 7)]
    assert least <= min(tried)


def test_entropy_calibration_cuts_a_far_outlier() -> None:
    x = ndtri((torch.arange(200_000, dtype=torch.float64) + 0.5).numpy() / 200_000)
    values = torch.from_numpy(np.append(x, 40.0)).float()
    for keep in (True, False):
        low, high = ends_of(measure(values, keep=keep), "int8:entropy")
        assert low == max(-high, float(values.min()))
        assert 3.5 < high < 6.0  # onnxruntime with as many bins: 5.2


@pytest.mark.parametrize(
    ("name", "edges"),
    [
        ("half-normal", (3.284180, 3.829102, 4.083984)),
        ("half-laplace", (6.867188, 8.882812, 9.585938)),
        ("outliers", (3.291016, 3.886719, 4.326172)),
    ],
)
def test_percentiles(name: str, edges: tuple[float, float, float]) -> None:
    _, width = histogram(name)
    values = measure(as_values(name), keep=True)
    for percent, edge in zip((99.9, 99.99, 99.999), edges, strict=True):
        for spelling in ("int8", "uint8"):  # the bin's values lie at its centre
            _, high = ends_of(values, f"{spelling}:percentile={percent}")
            assert high == pytest.approx(edge - width / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "bits", "clip"),
    [
        ("half-normal", 8, 3.7212),
        ("half-laplace", 8, 8.8064),
        ("outliers", 8, 3.8760),
        ("half-normal", 4, 2.4708),
        ("half-laplace", 4, 4.7872),
        ("outliers", 4, 2.4640),
    ],
)
def test_the_clip_of_least_squared_error(name: str, bits: int, clip: float) -> None:
    points, scheme = as_points(name), parse_scheme(f"int{bits}:mse")
    top = points.values.max().double().reshape(1)
    low, high = search_range(points, scheme, (-top, top))
    assert float(high) == -float(low)
    # The least error is flat in the clip, the more so the more bits.
    assert float(high) == pytest.approx(clip, rel=0.02 if bits == 8 else 0.01)
    found = float(squared_error(points, encode(low, high, scheme, None)))
    golden = float(squared_error(points, covering(-clip, clip, f"int{bits}")))
    # The golden clip of the half-normal makes 10 bins of a step, so that all centres of bins meet
    # the grid alike: a resonance of the bins, 0.3 % deep and narrower than the search's steps.
    resonance = (name, bits) == ("half-normal", 8)
    assert found <= golden * (1.004 if resonance else 1.001)


# ACIQ.

ACIQ = {
    "gauss": {
        2: 1.7106351681,
        3: 2.1515927447,
        4: 2.5591364620,
        5: 2.9362006121,
        6: 3.2869142152,
        7: 3.6151142153,
        8: 3.9240354899,
    },
    "laplace": {
        2: 2.8306829894,
        3: 3.8972294649,
        4: 5.0286401362,
        5: 6.2047663340,
        6: 7.4131262138,
        7: 8.6456199840,
        8: 9.8967597700,
        9: 11.1626850177,
    },
}


@pytest.mark.parametrize("bits", range(2, 9))
def test_aciq_roots_of_gauss(bits: int) -> None:
    assert clip_factor("gauss", bits) == pytest.approx(ACIQ["gauss"][bits], abs=1e-10)


@pytest.mark.parametrize("bits", range(2, 10))
def test_aciq_roots_of_laplace(bits: int) -> None:
    assert clip_factor("laplace", bits) == pytest.approx(ACIQ["laplace"][bits], abs=1e-10)


def exponential(n: int) -> Tensor:
    """Quantiles of the exponential law at equal shares."""
    return torch.from_numpy(-np.log1p(-(np.arange(n) + 0.5) / n)).float()


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("keep", [True, False])
def test_aciq_clips_by_the_spread_of_the_values(bits: int, keep: bool) -> None:
    half = exponential(500_000)
    x = 0.3 * torch.cat([-half, half])
    stats = measure(x, keep=keep)
    low, high = ends_of(stats, f"int{bits}:aciq-laplace")
    # b of the quantiles is 1e-6 short; that of bin means also misses the bin around zero.
    assert high == pytest.approx(0.3 * ACIQ["laplace"][bits], rel=1e-5)
    assert low == pytest.approx(-high, rel=1e-5)
    normal = 2.0 * torch.from_numpy(ndtri((np.arange(1_000_000) + 0.5) / 1_000_000)).float()
    _, high = ends_of(measure(normal, keep=keep), f"int{bits}:aciq-gauss")
    assert high == pytest.approx(2.0 * ACIQ["gauss"][bits], rel=1e-5)


def test_aciq_has_one_more_bit_for_values_of_one_sign() -> None:
    relu = torch.cat([0.5 * exponential(1_000_000), torch.zeros(300_000)])
    for keep in (True, False):
        low, high = ends_of(measure(relu, keep=keep), "uint8:aciq-laplace")
        assert low == 0.0
        # Its b is that of the values above zero: the zeros are the clipped negative half.
        assert high == pytest.approx(0.5 * ACIQ["laplace"][9], rel=1e-5)


# Moving average.


@pytest.mark.parametrize("pieces", [(40,), (1, 39), (13, 13, 14), (1,) * 40])
def test_the_moving_average_is_torchs_fed_a_sample_at_a_time(pieces: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(4)
    samples = torch.randn(40, 3, 8, 8, generator=generator) * torch.linspace(1, 3, 40).reshape(
        -1, 1, 1, 1
    )
    observer = MovingAverageMinMaxObserver(averaging_constant=0.01)
    for sample in samples:
        observer(sample)
    batches = [measure(batch, 1) for batch in samples.split(list(pieces))]
    stats = batches[0]
    for batch in batches[1:]:
        stats = merge(stats, batch)
    low, high = ends_of(stats, "int8:asym:average")
    # torch averages in float32.
    assert low == pytest.approx(float(observer.min_val), rel=1e-5)
    assert high == pytest.approx(float(observer.max_val), rel=1e-5)
    assert (low, high) != ends_of(stats, "int8:asym")


# Error measures.


def ramp(n: int = 1_000_000) -> Tensor:
    """Values that fill [-1, 1] evenly."""
    return ((torch.arange(n, dtype=torch.float64) + 0.5) / n * 2 - 1).float()


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("", 1 / math.sqrt(12)),
        (":round=away", 1 / math.sqrt(12)),
        (":round=up", 1 / math.sqrt(12)),
        (":round=zero", 1 / math.sqrt(3)),  # uniform over a whole step
        (":stochastic=5", 1 / math.sqrt(6)),  # f(1 - f) on average over the fractions f
    ],
)
def test_the_noise_of_rounding_in_steps(option: str, expected: float) -> None:
    x = ramp()
    error = errors(x, fit(x, "int8" + option))
    # int8 clips nothing here; 1,000,000 draws have a standard error of 0.06 %.
    assert error.rmse_steps == pytest.approx(expected, rel=3e-3 if "stochastic" in option else 1e-4)
    assert error.clipped == 0.0


def test_rounding_noise_is_a_twelfth_of_a_squared_step() -> None:
    assert pytest.approx(0.2887, abs=5e-5) == ROUNDING_NOISE


def test_what_is_not_rounding_noise_shows_in_steps() -> None:
    x = ramp()
    # On the grid: nothing.
    on_grid = torch.arange(-127, 128).float() / 64
    assert errors(on_grid, covering(-127 / 64, 127 / 64, "int8")).rmse_steps == 0.0
    # All within half a step of zero: everything is lost, RMSE is RMS.
    lost = errors(x / 300, covering(-1, 1, "int8"))
    assert lost.rmse_steps == pytest.approx(127 / 300 / math.sqrt(3), rel=1e-4)
    assert lost.sqnr_db == pytest.approx(0.0, abs=1e-9)
    # Clipped at ± 1/2: the quarter beyond either end is off by up to half the range.
    clipped = errors(x, covering(-0.5, 0.5, "int8"))
    inside = 0.5 + 0.5 / 127 / 2
    assert clipped.clipped == pytest.approx(1 - inside, abs=1e-5)
    beyond = 0.5**3 / 3 * 127**2 / 0.25  # ∫ (x - ½)² from ½ to 1, in squared steps
    assert clipped.rmse_steps == pytest.approx(math.sqrt(beyond + 0.5 / 12), rel=1e-5)


def test_the_sqnr_of_uniform_values_at_any_scale() -> None:
    x = ramp(200_000)
    for bits in range(2, 9):
        error = errors(x, covering(-1, 1, f"int{bits}"))
        # The ramp has 200,000 values, not a density.
        assert error.sqnr_db == pytest.approx(20 * math.log10(2**bits - 2), abs=1e-3)
        scaled = errors(x * 1e-3, covering(-1e-3, 1e-3, f"int{bits}"))
        assert scaled.sqnr_db == pytest.approx(error.sqnr_db, abs=1e-3)


def test_relative_bias() -> None:
    x = ramp() / 2 + 0.5  # 0 … 1, rms 1/√3
    step, rms = 1 / 255, 1 / math.sqrt(3)
    assert errors(x, fit(x, "uint8")).bias == pytest.approx(0.0, abs=1e-6)
    toward_zero = errors(x, fit(x, "uint8:round=zero"))
    assert toward_zero.bias == pytest.approx(-step / 2 / rms, rel=1e-3)
    # Ties: half up shifts them all by half a step, half to even shifts as many up as down.
    ties = torch.arange(200).float() + 0.5
    grid = covering(0.0, 255.0, "uint8")
    size = float(ties.double().square().mean().sqrt())
    assert errors(ties, grid).bias == pytest.approx(0.0, abs=1e-12)
    up = covering(0.0, 255.0, "uint8:round=up")
    assert errors(ties, up).bias == pytest.approx(0.5 / size, rel=1e-9)


def test_the_signal_keeps_its_mean() -> None:
    x = torch.full((100,), 10.4)
    error = errors(x, unit())
    # Σx² / Σ(x - 10)²; with the mean removed there would be no signal at all.
    assert error.sqnr_db == pytest.approx(20 * math.log10(10.4 / 0.4), abs=1e-4)
    assert error.bias == pytest.approx(-0.4 / 10.4, rel=1e-6)

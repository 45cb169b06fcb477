"""The non-uniform formats against their sources: tables, papers' figures and worked examples."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.special import ndtri
from torch import Tensor

from qviz.quant.clusters import iterate, kmeans
from qviz.quant.codebooks import NF4
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.error import measure_error, points_for
from qviz.quant.measure import measure
from qviz.quant.points import Points
from qviz.quant.profile import profile
from qviz.quant.scale import grid_of
from qviz.quant.spelling import parse_scheme
from qviz.quant.statistics import TensorStats


def levels_of(spelling: str) -> list[float]:
    levels: list[float] = grid_of(parse_scheme(spelling)).levels.tolist()
    return levels


def fit(x: Tensor, spelling: str, axis: int | None = None) -> Scaled:
    found = find_encoding(measure(x, axis, keep=True), parse_scheme(spelling))
    assert isinstance(found, Scaled)
    return found


def snap(spelling: str, values: list[float]) -> list[float]:
    """The values on a grid of scale 1."""
    snapped: list[float] = grid_of(parse_scheme(spelling)).snap(torch.tensor(values), 0).tolist()
    return snapped


def sqnr(x: Tensor, quantized: Tensor) -> float:
    noise = (x.double() - quantized.double()).square().sum()
    return 10 * math.log10(float(x.double().square().sum() / noise))


# Small floats.


@pytest.mark.parametrize(
    ("spelling", "largest", "normal", "subnormal", "count"),
    [
        ("fp8-e4m3", 448.0, 2.0**-6, 0.001953125, 253),
        ("fp8-e5m2", 57344.0, 2.0**-14, 1.52587890625e-05, 247),
        ("fp4-e2m1", 6.0, 1.0, 0.5, 15),
        ("fp6-e2m3", 7.5, 1.0, 0.125, 63),
        ("fp6-e3m2", 28.0, 0.25, 0.0625, 63),
    ],
)
def test_value_tables(
    spelling: str, largest: float, normal: float, subnormal: float, count: int
) -> None:
    levels = levels_of(spelling)
    assert len(set(levels)) == len(levels) == count
    assert levels == [-value for value in reversed(levels)]
    positive = levels[count // 2 + 1 :]
    assert (positive[-1], positive[0]) == (largest, subnormal)
    # Subnormals lie one step apart up to the smallest normal, then the step doubles per octave.
    mantissas = round(normal / subnormal)
    assert positive[:mantissas] == [subnormal * k for k in range(1, mantissas + 1)]
    octave = [value for value in positive if normal <= value < 2 * normal]
    assert len(octave) == mantissas
    assert {2 * value for value in octave} <= set(positive)


def test_e2m1_is_eight_magnitudes() -> None:
    assert levels_of("fp4-e2m1")[7:] == [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]


def test_small_floats_round_half_to_even_and_saturate() -> None:
    assert snap("fp4-e2m1", [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 7.0, -5.0, 1e9]) == [
        0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0, 6.0, -4.0, 6.0
    ]  # fmt: skip
    assert snap("fp8-e4m3", [464.1, 480.0, 1000.0, -1e30]) == [448.0, 448.0, 448.0, -448.0]
    assert snap("fp8-e5m2", [61439.0, 61440.0, -1e30]) == [57344.0, 57344.0, -57344.0]
    assert snap("fp8-e4m3", [17.0, 19.0, 2.0**-10, 3 * 2.0**-10]) == [16.0, 20.0, 0.0, 2.0**-8]


# MX and NVFP4.


def test_the_golden_mx_block() -> None:
    block = [0.1, -0.2, 0.35, -0.5, 0.75, 1.0, -1.3, 1.9] + [0.0] * 24
    x = torch.tensor([block])
    encoding = fit(x, "mxfp4", 0)
    assert encoding.scale.tolist() == [[0.25]]
    values = [0.125, -0.25, 0.375, -0.5, 0.75, 1.0, -1.5, 1.5]
    assert encoding.apply(x)[0, :8].tolist() == values
    levels = levels_of("fp4-e2m1")
    codes = [levels[at] for at in encoding.codes(x)[0, :8].tolist()]
    assert codes == [0.5, -1.0, 1.5, -2.0, 3.0, 4.0, -6.0, 6.0]
    assert encoding.apply(x)[0, 8:].abs().max() == 0.0


def test_the_floor_rule_of_mx_saturates_the_largest_value() -> None:
    x = torch.zeros(1, 32)
    x[0, 0], x[0, 1] = 7.9, -1.6
    encoding = fit(x, "mxfp4", 0)
    assert encoding.scale.tolist() == [[1.0]]
    assert encoding.apply(x)[0, :2].tolist() == [6.0, -1.5]


@pytest.mark.parametrize(
    ("spelling", "emax"),
    [("mxfp4", 2), ("mxfp6-e2m3", 2), ("mxfp6-e3m2", 4), ("mxfp8-e4m3", 8), ("mxfp8-e5m2", 15)],
)
@pytest.mark.parametrize("largest", [1.0, 1.999, 2.0, 3e-5, 1e20])
def test_mx_scales_are_the_exponent_of_the_largest_less_the_elements(
    spelling: str, emax: int, largest: float
) -> None:
    x = torch.zeros(2, 64)
    x[0, 40] = -largest
    scale = fit(x, spelling, 0).scale
    expected = 2.0 ** (math.floor(math.log2(float(x[0, 40].abs()))) - emax)
    assert scale.tolist() == [[1.0, expected], [1.0, 1.0]]


def test_mxint8_holds_two_less_its_last_place() -> None:
    x = torch.zeros(1, 32)
    x[0, :3] = torch.tensor([1.99, -1.99, 1.0])
    encoding = fit(x, "mxint8", 0)
    assert encoding.scale.tolist() == [[2.0**-6]]
    assert encoding.apply(x)[0, :3].tolist() == [1.984375, -1.984375, 1.0]


def test_nvfp4_on_a_block_worked_by_hand() -> None:
    # The tensor's largest value, 672, makes g = 672 / (448·6) = 1/4. Block 0: 672/6/g = 448.
    # Block 1: 10/6/g = 6.667, between E4M3's 6.5 and 7: s = 6.5, one unit of E2M1 is 1.625.
    # 10 / 1.625 = 6.15 -> 6; 4.1 / 1.625 = 2.52 -> 3; -1.2 / 1.625 = -0.74 -> -0.5;
    # 0.4 / 1.625 = 0.246 -> 0; 7.9 / 1.625 = 4.86 -> 4.
    x = torch.zeros(1, 32)
    x[0, :2] = torch.tensor([672.0, -100.0])
    x[0, 16:21] = torch.tensor([10.0, 4.1, -1.2, 0.4, 7.9])
    encoding = fit(x, "nvfp4", 0)
    assert encoding.scale.tolist() == [[112.0, 1.625]]
    quantized = encoding.apply(x)[0]
    assert quantized[:2].tolist() == [672.0, -112.0]
    assert quantized[16:21].tolist() == [9.75, 4.875, -0.8125, 0.0, 6.5]


def test_a_small_block_of_nvfp4_takes_a_subnormal_scale() -> None:
    # g = 2688 / 2688 = 1. The second block's largest value, 0.03, asks for 0.005; E4M3's
    # subnormals are 2^-9 apart: 0.005 / 2^-9 = 2.56 -> 3.
    x = torch.zeros(1, 32)
    x[0, 0], x[0, 16] = 2688.0, 0.03
    assert fit(x, "nvfp4", 0).scale.tolist() == [[448.0, 3 * 2.0**-9]]


@cache
def normal() -> tuple[Tensor, TensorStats]:
    draws = np.random.default_rng(12345).standard_normal(2**22).astype(np.float32)
    x = torch.from_numpy(draws).reshape(2048, -1)
    return x, measure(x, 0, keep=True)


@pytest.mark.parametrize(
    ("spelling", "decibel"),
    [
        ("int4:group=16", 21.398),
        ("int4:group=32", 20.270),
        ("int4:group=128", 18.628),
        ("nf4:group=64", 20.726),
        ("mxfp4", 18.790),
        ("nvfp4", 20.441),
        ("mxfp6-e2m3", 30.946),
        ("mxfp6-e3m2", 25.361),
        ("mxfp8-e4m3", 30.649),
        ("mxfp8-e5m2", 25.362),
        ("mxint8", 41.670),
        ("int8:group=32", 45.445),
    ],
)
def test_block_formats_on_normal_values(spelling: str, decibel: float) -> None:
    x, stats = normal()
    encoding = find_encoding(stats, parse_scheme(spelling))
    # The table's standard error; the float16 scales of groups cost 0.001 dB.
    assert sqnr(x, encoding.apply(x)) == pytest.approx(decibel, abs=0.02)


# NormalFloat and powers of two.


def test_nf4_is_made_of_the_normal_distributions_quantiles() -> None:
    offset = ((1 - 1 / 30) + (1 - 1 / 32)) / 2
    positive = ndtri(np.linspace(offset, 0.5, 9)[:-1])
    negative = -ndtri(np.linspace(offset, 0.5, 8)[:-1])
    derived = np.sort(np.concatenate([positive, negative, [0.0]]))
    derived /= derived.max()
    assert len(NF4) == 16
    assert np.abs(derived - np.array(NF4)).max() < 2e-7  # bitsandbytes derived them in float32
    assert levels_of("nf4") == list(NF4)


APOT = {
    "apot3": [0, 0.25, 0.5, 1],
    "apot4": [0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1],
    "apot5": [
        0, 0.0208333, 0.0416667, 0.0625, 0.0833333, 0.125, 0.1666667, 0.1875,
        0.25, 0.3333333, 0.375, 0.5, 0.6666667, 0.6875, 0.75, 1,
    ],
}  # fmt: skip


@pytest.mark.parametrize("spelling", APOT)
def test_apot_sets(spelling: str) -> None:
    levels = levels_of(spelling)
    assert levels[len(levels) // 2 :] == pytest.approx(APOT[spelling], abs=5e-8)
    assert levels == [-value for value in reversed(levels)]


@pytest.mark.parametrize("bits", range(2, 7))
def test_powers_of_two(bits: int) -> None:
    positive = [2.0**-k for k in range(2 ** (bits - 1) - 1)]
    assert levels_of(f"pot{bits}") == [-p for p in positive] + [0.0] + positive[::-1]


@pytest.mark.parametrize("exponent", [-6, -5, -3, -1])
@pytest.mark.parametrize(("rule", "switch"), [("nearest", 1.5), ("log", math.sqrt(2.0))])
def test_where_a_power_of_two_gives_way_to_the_next(
    rule: str, switch: float, exponent: int
) -> None:
    below, above = 2.0**exponent, 2.0 ** (exponent + 1)
    turn = switch * below
    nudged = [turn * (1 - 1e-6), turn * (1 + 1e-6)]
    assert snap(f"pot4:{rule}", nudged) == [below, above]
    assert snap(f"pot4:{rule}", [-v for v in nudged]) == [-below, -above]


def test_where_the_smallest_power_of_two_gives_way_to_zero() -> None:
    last = 2.0**-6
    assert snap("pot4", [0.49 * last, 0.51 * last]) == [0.0, last]
    # In the log domain down to where the next power would take over.
    assert snap("pot4:log", [0.70 * last, 0.71 * last]) == [0.0, last]


# Deep Compression.

FIGURE_3 = torch.tensor(
    [
        [2.09, -0.98, 1.48, 0.09],
        [0.05, -0.14, -1.08, 2.12],
        [-0.91, 1.92, 0.0, -1.03],
        [1.87, 0.0, 1.53, 1.49],
    ]
)


def test_figure_3_of_deep_compression() -> None:
    encoding = fit(FIGURE_3, "kmeans2")
    assert encoding.levels().tolist() == pytest.approx([-1.0, 0.0, 1.5, 2.0], abs=1e-6)
    assert encoding.codes(FIGURE_3).tolist() == [
        [3, 0, 2, 1],
        [1, 1, 0, 3],
        [0, 3, 1, 0],
        [3, 1, 2, 2],
    ]
    error = (FIGURE_3 - encoding.apply(FIGURE_3)).square().sum()
    assert float(error) == pytest.approx(0.0932, abs=1e-6)


def test_the_three_starts() -> None:
    # Two far values: the linear start keeps levels for them, density starts where the mass is.
    bulk = torch.linspace(-1.0, 1.0, 1998)
    values = profile(Points(torch.cat([bulk, torch.tensor([-30.0, 30.0])]).unsqueeze(0)))
    linear = kmeans(values, 4, "linear", 0)
    assert linear[0] == -30.0
    assert linear[-1] == 30.0
    density = kmeans(values, 4, "density", 0)
    rested = iterate(values, bulk[[249, 749, 1249, 1749]].double())  # the middles of quarters
    assert density.tolist() == pytest.approx(rested.tolist(), abs=1e-6)
    assert float(density.abs().max()) < 2.0
    random = [kmeans(values, 4, "random", seed) for seed in (7, 7, 8)]
    assert random[0].equal(random[1])
    for found in (linear, density, *random):  # all rest: each level is the mean of its cell
        assert iterate(values, found).tolist() == pytest.approx(found.tolist(), abs=1e-6)
        assert found.equal(found.sort().values)


def test_a_random_start_draws_different_values() -> None:
    values = torch.randn(4, 4, generator=torch.Generator().manual_seed(5))
    for seed in range(20):  # as many levels as values: each has its own
        encoding = fit(values, f"kmeans4:random={seed}", 0)
        assert torch.equal(encoding.apply(values), values)
    few = fit(values[:1], "kmeans3:random=1", 0)  # fewer values than levels
    assert torch.equal(few.apply(values[:1]), values[:1])
    counts = torch.tensor([[0.0, 3.0, 1.0, 0.0, 2.0, 1.0, 9.0, 1.0]], dtype=torch.float64)
    sorted_values = profile(Points(values.reshape(2, 8)[:1], counts))
    found = kmeans(sorted_values, 4, "random", 3)
    assert len(found.unique()) == 4


def test_random_starts_are_spread_over_all_values() -> None:
    values = profile(Points(normal()[0][:1]))
    found = {tuple(kmeans(values, 8, "random", seed).tolist()) for seed in range(20)}
    assert len(found) > 5  # local optima


# Scales of groups.


@pytest.mark.parametrize("size", [1e-30, 1e-7, 1e-5, 1.0, 1e5, 1e7, 1e30])
@pytest.mark.parametrize(
    "spelling", ["int4:group=32", "int8:group=32", "nf4", "fp8-e4m3:group=32", "int8:group=16:asym"]
)
def test_groups_keep_their_precision_at_any_size(spelling: str, size: float) -> None:
    x = torch.randn(8, 256, generator=torch.Generator().manual_seed(6))
    one = sqnr(x, fit(x, spelling, 0).apply(x))
    large = (x.double() * size).float()
    assert sqnr(large, fit(large, spelling, 0).apply(large)) == pytest.approx(one, abs=0.1)


# DoReFa-Net.

WEIGHTS = torch.tensor([-2.0, -0.5, -0.1, 0.0, 0.25, 1.0, 3.0])
THIRD = 1 / 3


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (1, [-0.9785714286] * 3 + [0.9785714286] * 4),
        (2, [-1, -THIRD, -THIRD, THIRD, THIRD, 1, 1]),
        (3, [-1, -0.42857143, -0.14285714, 0.14285714, 0.14285714, 0.71428571, 1]),
        (4, [-1, -0.46666667, -0.06666667, 0.06666667, 0.2, 0.73333333, 1]),
        (8, [-0.96862745, -0.46666667, -0.09803922, 0.00392157, 0.24705882, 0.76470588, 1]),
    ],
)
def test_dorefa_weights(bits: int, expected: list[float]) -> None:
    encoding = fit(WEIGHTS, f"dorefa-w{bits}")
    assert encoding.apply(WEIGHTS).tolist() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("bits", [2, 3, 5, 8])
def test_dorefa_weights_are_the_papers_formula(bits: int) -> None:
    w = normal()[0][0].double()
    steps = 2**bits - 1
    t = torch.tanh(w)
    shares = t / (2 * t.abs().max()) + 0.5
    expected = 2 * torch.round(shares * steps) / steps - 1
    wrong = (fit(w.float(), f"dorefa-w{bits}").apply(w.float()).double() - expected).abs() > 1e-6
    # Values within a rounding of a threshold may fall on either side.
    nearest = ((shares * steps - 0.5) - torch.round(shares * steps - 0.5)).abs()
    assert not bool((wrong & (nearest > 1e-5)).any())


def test_dorefa_activations() -> None:
    x = torch.tensor([-0.2, 0.1, 0.3, 0.5, 0.8, 1.4])
    encoding = find_encoding(measure(x), parse_scheme("dorefa-a2"))
    # 0.5·3 = 1.5 goes to the even 2.
    expected = [0, 0, THIRD, 2 * THIRD, 2 * THIRD, 1]
    assert encoding.apply(x).tolist() == pytest.approx(expected, abs=1e-7)


# Binary and ternary.


@cache
def law(name: str) -> Tensor:
    """A law of variance 1 as the means of 2,000,000 equal shares of it."""
    n = 1_000_000  # on either side of zero
    shares = np.arange(n + 1) / n
    with np.errstate(divide="ignore"):
        if name == "gauss":
            beyond = np.exp(-(ndtri(0.5 + shares / 2) ** 2) / 2) * math.sqrt(2 / math.pi)
        elif name == "laplace":
            edges = -np.log1p(-shares[:-1]) * math.sqrt(0.5)
            beyond = np.append((edges + math.sqrt(0.5)) * (1 - shares[:-1]), 0.0)
        else:
            beyond = (1 - shares**2) * math.sqrt(0.75)
    half = -np.diff(beyond) * n  # from ∫ t p(t) dt beyond the edges of the shares
    return torch.from_numpy(np.concatenate([-half[::-1], half])).float()


def measured(x: Tensor, spelling: str) -> tuple[float, float, float, float]:
    """(scale, mse, dB, share of zeros)."""
    stats, scheme = measure(x, keep=True), parse_scheme(spelling)
    encoding: Encoding = find_encoding(stats, scheme)
    assert isinstance(encoding, Scaled)
    error = measure_error(points_for(stats, encoding), encoding)
    zeros = float((encoding.apply(x) == 0).double().mean())
    return float(encoding.scale), error.mse, error.sqnr_db, zeros


# The spread inside the outermost shares is left out: up to 1e-6 of the variance.
SAMPLED = 1e-5


@pytest.mark.parametrize(
    ("name", "mse", "decibel"),
    [
        ("gauss", 0.363380227632, 4.396387),
        ("laplace", 0.5, 3.010300),
        ("uniform", 0.25, 6.020600),
    ],
)
def test_binary(name: str, mse: float, decibel: float) -> None:
    scale, found, sqnr_db, zeros = measured(law(name), "binary")
    assert scale == pytest.approx(float(law(name).abs().double().mean()), rel=1e-7)
    assert found == pytest.approx(mse, rel=SAMPLED)
    assert sqnr_db == pytest.approx(decibel, abs=5e-5)
    assert zeros == 0.0


@pytest.mark.parametrize(
    ("name", "alpha", "mse", "decibel", "zeros"),
    [
        ("gauss", 1.18416070, 0.1916247736, 7.17548, 0.42351),
        ("laplace", 1.20208153, 0.2824342360, 5.49083, 0.50341),
        ("uniform", 1.16913430, 0.1115312500, 9.52603, 0.35),
    ],
)
def test_ternary_weight_networks(
    name: str, alpha: float, mse: float, decibel: float, zeros: float
) -> None:
    found = measured(law(name), "ternary")
    assert found[0] == pytest.approx(alpha, rel=SAMPLED)
    assert found[1] == pytest.approx(mse, rel=SAMPLED)
    assert found[2] == pytest.approx(decibel, abs=5e-5)
    assert found[3] == pytest.approx(zeros, abs=6e-6)


@pytest.mark.parametrize(
    ("name", "mse", "decibel", "zeros"),
    [
        ("gauss", 0.1901740392, 7.20849, 0.45946),
        ("laplace", 0.2642411177, 5.78000, 0.63212),
        ("uniform", 1 / 9, 9.54243, 1 / 3),
    ],
)
def test_the_best_ternary_grid(name: str, mse: float, decibel: float, zeros: float) -> None:
    _, found, sqnr_db, share = measured(law(name), "ternary:mse")
    # The search's own ± 0.07 % of the scale; the share of zeros follows it.
    assert found == pytest.approx(mse, rel=SAMPLED)
    assert sqnr_db == pytest.approx(decibel, abs=5e-5)
    assert share == pytest.approx(zeros, abs=5e-4)


def test_ternary_thresholds_sit_at_seven_tenths_of_the_mean() -> None:
    w = torch.tensor([0.1, -0.2, 0.6, -0.7, 0.9, -1.1])  # mean|w| = 0.6, so the threshold is 0.42
    encoding = fit(w, "ternary")
    assert encoding.thresholds().tolist() == pytest.approx([-0.42, 0.42], rel=1e-6)
    assert float(encoding.scale) == pytest.approx((0.6 + 0.7 + 0.9 + 1.1) / 4, rel=1e-6)
    a = float(encoding.scale)
    assert encoding.apply(w).tolist() == pytest.approx([0, 0, a, -a, a, -a], abs=1e-7)


def test_binary_takes_the_mean_of_each_channel_and_zero_to_plus_one() -> None:
    w = torch.tensor([[1.0, -3.0, 0.0, 4.0], [0.5, 0.5, -0.5, 0.5]])
    encoding = fit(w, "binary:channel", 0)
    assert encoding.scale.tolist() == [2.0, 0.5]
    assert encoding.apply(w).tolist() == [[2.0, -2.0, 2.0, 2.0], [0.5, 0.5, -0.5, 0.5]]

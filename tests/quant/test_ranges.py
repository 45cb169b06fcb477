"""Range methods: their definitions, their optimality, and the exact tables of the literature."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from qviz.quant.encode import encode, find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.error import squared_error
from qviz.quant.measure import measure
from qviz.quant.points import Points
from qviz.quant.ranges import RANGE_METHODS
from qviz.quant.spelling import parse_scheme


@cache
def gauss(n: int = 200_001) -> Tensor:
    """Values that are the normal distribution: its quantiles at equal shares."""
    shares = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    quantiles: Tensor = torch.special.ndtri(shares)
    return quantiles.float()


def fit(x: Tensor, spelling: str, axis: int | None = None, keep: bool = True) -> Scaled:
    found = find_encoding(measure(x, axis, keep=keep), parse_scheme(spelling))
    assert isinstance(found, Scaled)
    return found


def sqnr(x: Tensor, encoding: Scaled) -> float:
    error = squared_error(Points(x.reshape(1, -1)), encoding)
    return 10 * math.log10(float(x.double().square().sum()) / float(error.sum()))


def ends(x: Tensor, spelling: str, keep: bool = True) -> tuple[float, float]:
    """The range itself, before it becomes a grid."""
    scheme = parse_scheme(spelling)
    low, high = RANGE_METHODS[scheme.range](measure(x, keep=keep), scheme)
    return float(low), float(high)


# Optimal mid-tread quantizers of N(0, 1): clip in sigma and SQNR in dB (N = 2**b - 1 levels).
GAUSS_OPTIMUM = [
    (2, 1.224006, 7.2085),
    (3, 1.952309, 13.2920),
    (4, 2.473879, 18.8977),
    (5, 2.898728, 24.3259),
    (6, 3.270115, 29.7090),
    (7, 3.607461, 35.1057),
    (8, 3.920501, 40.5400),
]


@pytest.mark.parametrize(("bits", "clip", "decibel"), GAUSS_OPTIMUM)
@pytest.mark.parametrize("keep", [True, False])
def test_mse_finds_the_optimal_gaussian_clip(
    bits: int, clip: float, decibel: float, keep: bool
) -> None:
    x = gauss() if bits < 7 else gauss(3_000_001)  # 7 and 8 bits see the tail beyond 4.5 sigma
    encoding = fit(x, f"int{bits}:mse", keep=keep and bits < 7)
    assert float(encoding.high) == pytest.approx(clip, rel=0.015)
    assert sqnr(x, encoding) == pytest.approx(decibel, abs=0.02)


@pytest.mark.parametrize("spelling", ["int4:full:mse", "int4:asym:mse", "uint4:mse"])
def test_sixteen_levels_gain_what_the_table_says(spelling: str) -> None:
    assert sqnr(gauss(), fit(gauss(), spelling)) == pytest.approx(19.2577, abs=0.02)


@pytest.mark.parametrize("bits", range(2, 9))
def test_max_abs_on_uniform_data_gives_twenty_log_of_its_steps(bits: int) -> None:
    x = torch.linspace(-1.0, 1.0, 200_001)
    wanted = 20 * math.log10(2**bits - 2)  # 48.097 dB at 8 bits
    assert sqnr(x, fit(x, f"int{bits}")) == pytest.approx(wanted, abs=0.01)


def test_a_small_channel_drowns_in_the_scale_of_a_large_one() -> None:
    line = torch.linspace(-1.0, 1.0, 20_001)
    x = torch.stack([line, 0.01 * line])
    small = x[1]
    shared, own = fit(x, "int8", 0), fit(x, "int8:channel", 0)
    assert sqnr(small, shared) == pytest.approx(8.81, abs=0.01)
    assert sqnr(small, own.row(1)) == pytest.approx(48.097, abs=0.01)


def test_minmax_is_exact_per_tensor_and_per_channel() -> None:
    x = torch.tensor([[-1.0, 2.0], [-6.0, 3.0]])
    assert ends(x, "uint8:minmax") == (-6.0, 2.0 + 1.0)
    encoding = fit(x, "int8:channel", 0)
    assert encoding.axis == 0
    assert encoding.scale.tolist() == torch.tensor([2.0 / 127, 6.0 / 127]).tolist()
    assert fit(x, "int8", 0).axis is None


@pytest.mark.parametrize(
    ("spelling", "top"),
    [
        ("int8:percentile=99", 99.0),  # of |x|: the 99th of 100 values
        ("int8:percentile=98.5", 99.0),
        ("int8:percentile=98", 98.0),
        ("int8:percentile=100", 100.0),
        ("uint8:percentile=99", 99.0),  # values of one sign: all is cut at that end
        ("uint8:percentile=90", 90.0),
    ],
)
def test_percentile_is_the_first_value_whose_share_reaches_it(spelling: str, top: float) -> None:
    x = torch.arange(1.0, 101.0)
    assert ends(x, spelling)[1] == top
    assert ends(-x, spelling)[0] == -top


@pytest.mark.parametrize("n", [1000, 2000, 10_000])
@pytest.mark.parametrize("percent", ["99", "99.9", "99.99"])
def test_percentile_counts_are_not_one_off(n: int, percent: str) -> None:
    x = torch.arange(1.0, n + 1)
    thousandths = n * int(float(percent) * 1000) // 100
    assert ends(x, f"int8:percentile={percent}")[1] == -(-thousandths // 1000)
    halves = torch.cat([x, -x])
    excess = 2 * n - 2 * -(-thousandths // 1000)
    assert ends(halves, f"uint8:percentile={percent}")[1] == n - excess // 2


def test_percentiles_of_the_normal_distribution() -> None:
    for percent, two_sided in ((99.0, 2.575829), (99.9, 3.290527), (99.99, 3.890592)):
        for spelling in (f"int8:percentile={percent}", f"uint8:percentile={percent}"):
            low, high = ends(gauss(), spelling)
            assert (-low, high) == pytest.approx((two_sided, two_sided), rel=4e-3)


@settings(max_examples=50)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["int8", "uint8"]),
    st.sampled_from([51.0, 90.0, 99.0, 99.9, 99.99, 100.0]),
    st.sampled_from([-3.0, 0.0, 3.0]),
)
def test_percentile_of_a_histogram_is_exact_to_a_bin(
    seed: int, kind: str, percent: float, shift: float
) -> None:
    x = torch.randn(777, generator=torch.Generator().manual_seed(seed)) + shift
    x = x.clamp(min=0.0) if shift == 0.0 else x
    spelling = f"{kind}:percentile={percent}"
    width = measure(x).width
    for exact, binned in zip(ends(x, spelling), ends(x, spelling, keep=False), strict=True):
        assert binned == pytest.approx(exact, abs=width * 1.001)


def test_percentile_per_channel_cuts_each_channel() -> None:
    x = torch.stack([torch.arange(1.0, 101.0), 10 * torch.arange(1.0, 101.0)])
    encoding = fit(x, "int8:channel:percentile=90", 0)
    assert encoding.high.tolist() == pytest.approx([90.0, 900.0], rel=1e-6)


SAMPLES: dict[str, Callable[[Tensor], Tensor]] = {
    "normal": lambda z: z,
    "relu": torch.relu,
    "negative": lambda z: -z.abs() - 0.1,
    "silu": lambda z: torch.nn.functional.silu(2 * z),
    "cubed": lambda z: z**3,
    "outlier below": lambda z: torch.cat([torch.special.ndtr(z), torch.tensor([-8.0])]),
    "outlier above": lambda z: torch.cat([z, torch.tensor([30.0])]),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("spelling", ["uint3:mse", "uint4:mse", "int4:mse", "int4:asym:mse"])
def test_mse_is_the_best_of_all_ranges(name: str, spelling: str) -> None:
    x = SAMPLES[name](torch.randn(1500, generator=torch.Generator().manual_seed(0)))
    scheme = parse_scheme(spelling)
    points = Points(x.reshape(1, -1))
    found = float(squared_error(points, fit(x, spelling)).sum())
    shares = torch.arange(1, 31, dtype=torch.float64) / 30
    lows, highs = torch.meshgrid(shares * float(x.min()), shares * float(x.max()), indexing="ij")
    if scheme.symmetric:
        lows, highs = lows.diag(), highs.diag()
    grids = encode(lows.flatten(), highs.flatten(), scheme, 0)
    every = squared_error(Points(x.expand(lows.numel(), -1)), grids)
    assert found <= 1.02 * float(every.min())


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1.0, 1e20])
@pytest.mark.parametrize("spelling", ["int4:channel:mse", "int4:mse", "int4:asym:channel:mse"])
def test_mse_does_not_depend_on_the_unit_of_the_weights(size: float, spelling: str) -> None:
    x = gauss(2001).reshape(3, 667).clone()
    x[0] *= 1e-3
    one = fit(x, spelling, 0)
    other = fit((x.double() * size).float(), spelling, 0)
    torch.testing.assert_close(other.scale.double() / size, one.scale.double(), rtol=0.02, atol=0)


@settings(max_examples=40)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["int3", "int4", "uint4", "int8", "int8:full", "int5:wide"]),
)
def test_mse_is_never_worse_than_minmax_and_channels_never_worse_than_one_range(
    seed: int, kind: str
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 100, generator=generator) * torch.logspace(-2, 1, 4).unsqueeze(1)
    rows = Points(x)

    def error(spelling: str) -> float:
        return float(squared_error(rows, fit(x, spelling, 0)).sum())

    assert error(f"{kind}:mse") <= error(kind)
    assert error(f"{kind}:channel:mse") <= error(f"{kind}:channel")
    assert error(f"{kind}:channel:mse") <= error(f"{kind}:mse") * 1.001


@pytest.mark.parametrize("law", ["aciq-gauss", "aciq-laplace"])
def test_aciq_has_one_more_bit_for_every_channel_of_one_sign(law: str) -> None:
    normal = gauss(4001)
    x = torch.stack([normal.relu(), -normal.relu(), normal])
    rows = fit(x, f"uint4:channel:{law}", 0)
    for channel, alone in enumerate(x):
        one = fit(alone.reshape(1, -1), f"uint4:{law}", 0)
        assert float(rows.scale[channel]) == pytest.approx(float(one.scale), rel=1e-6)
    assert float(rows.scale[2]) > 1.5 * float(rows.scale[0])


@pytest.mark.parametrize("outlier", [300.0, 3000.0])
def test_one_outlier_does_not_hide_the_percentile_and_the_least_error(outlier: float) -> None:
    x = gauss().clone()
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
    x[0] = outlier
    assert ends(x, "int8:percentile=99", keep=False)[1] == pytest.approx(2.576, rel=0.03)
    low, high = ends(x, "uint8:percentile=99", keep=False)
    assert (-low, high) == pytest.approx((2.576, 2.576), rel=0.03)
    for spelling in ("int4:mse", "lloyd4", "lloyd2"):
        binned, kept = (sqnr(x, fit(x, spelling, keep=keep)) for keep in (False, True))
        assert binned > kept - 0.3, spelling


def test_clip_sets_the_range_of_a_tensor_and_cuts_those_of_channels() -> None:
    x = torch.tensor([[-0.5, 0.25], [-8.0, 3.0], [0.5, 9.0]])
    whole = fit(x, "int8:asym:clip=-20..10", 0)
    assert (float(whole.low), float(whole.high)) == pytest.approx((-20.0, 10.0), abs=0.1)
    rows = fit(x, "int8:channel:clip=-1..2", 0)
    assert rows.high.tolist() == pytest.approx([0.5, 2.0, 2.0], rel=1e-6)
    rows = fit(x, "uint8:channel:clip=-1..2", 0)
    assert rows.low.tolist() == pytest.approx([-0.5, -1.0, 0.0], abs=0.01)
    assert rows.high.tolist() == pytest.approx([0.25, 2.0, 2.0], abs=0.01)


@pytest.mark.parametrize(
    "method",
    ["minmax", "average", "percentile", "mse", "aciq-gauss", "aciq-laplace", "clip=0..0.001"],
)
@pytest.mark.parametrize("kind", ["int8", "uint8", "int4:channel", "int8:asym:channel"])
def test_tensors_of_zeros_stay_zero_under_every_method(method: str, kind: str) -> None:
    if method == "average" and "channel" in kind:
        return  # channels have no moving average
    x = torch.zeros(3, 5)
    encoding = fit(x, f"{kind}:{method}", 0)
    assert bool(torch.isfinite(encoding.scale).all())
    assert float(squared_error(Points(x), encoding).sum()) == 0.0
    if "clip" not in method:
        assert set(encoding.scale.tolist()) == {1.0}

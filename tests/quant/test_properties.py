"""Laws that every format obeys, under each of its granularities, ranges, variants and roundings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Dynamic, Encoding, Scaled
from qviz.quant.error import measure_channels, measure_error, points_for, squared_error
from qviz.quant.formats import FORMATS, GROUP_SIZES, Format
from qviz.quant.grids import Integers
from qviz.quant.measure import measure
from qviz.quant.points import Points
from qviz.quant.ranges import RANGE_METHODS
from qviz.quant.scheme import Granularity, Scheme, plain
from qviz.quant.spelling import parse_scheme

NAMES = [name for name in FORMATS if name != "float"]
# Levels that are fitted to the values, or lie on both sides of zero, need not hold zero.
WITHOUT_ZERO = ("kmeans", "lloyd", "binary", "dorefa-w")
# Levels of a size of their own, whatever the values: a tensor of zeros moves to the nearest.
OWN_SIZE = [("binary", "unit"), ("dorefa-w", "unit")]
GRAINS: tuple[Granularity, ...] = ("tensor", "channel", "group")
INTEGER_OPTIONS = (
    "asym", "full", "wide", "pow2", "asym:pow2", "round=away", "round=up", "asym:round=zero",
    "round=zero", "stochastic=3", "asym:stochastic=4:channel", "sym",
)  # fmt: skip


def _choices(row: Format) -> Iterator[Scheme]:
    """Every granularity with every range it has and every variant."""
    for grain, variant in itertools.product(GRAINS, row.variants):
        if grain not in row.granularities:
            continue
        base = replace(plain(row.name), granularity=grain, group=0, variant=variant, seed=5)
        for name in base.ranges:
            clip = (-0.7, 0.9) if name == "clip" else None
            yield replace(base, range=name, clip=clip, percentile=97.0)


@cache
def schemes_of(name: str) -> tuple[Scheme, ...]:
    """All that a format can be given, an option of integers at a time."""
    row = FORMATS[name]
    found = list(_choices(row))
    if row.integer and row.bits > 1:
        options = [o for o in INTEGER_OPTIONS if row.signed or o not in ("full", "wide")]
        found += [parse_scheme(f"{name}:{option}") for option in options]
        found.append(parse_scheme(f"{name}:group=16:asym:pow2"))
    return tuple(dict.fromkeys(found))


EVERY = [scheme for name in NAMES for scheme in schemes_of(name)]
CHEAP = [scheme for scheme in EVERY if scheme.range != "entropy"]  # 2,048 histograms each
SOME_WIDTHS = (1, 2, 4, 6, 8, 16)
SOME = [scheme for scheme in CHEAP if scheme.bits in SOME_WIDTHS]


def rough(seed: int = 0) -> Tensor:
    """Channels of every size, one of zeros, one of ties, one constant; blocks are ragged."""
    x = torch.randn(6, 5, 7, generator=torch.Generator().manual_seed(seed))
    x[0] *= 1e-3
    x[1] = 0.0
    x[2] = (x[2] * 4).round() / 2
    x[3] = 0.7
    x[4] = x[4].abs()
    x[5, 0, 0] = 40.0
    return x


ADVERSARIAL: dict[str, Tensor] = {
    "rough": rough(),
    "zeros": torch.zeros(3, 4),
    "one value": torch.tensor([[-2.5]]),
    "single column": torch.tensor([[0.5], [-1.0], [0.0]]),
    "huge": torch.tensor([[1e38, -3e37, 1e36], [-1e38, 5.0, 0.0]]),
    "tiny": torch.tensor([[1e-38, -3e-39, 1e-45], [0.0, 2e-44, -1e-37]]),
    "mixed": torch.tensor([[1e30, 1e-30, -1.0, 0.0], [1e-20, -1e-20, 1e-21, 0.0]]),
}


def encoded(x: Tensor, scheme: Scheme, axis: int | None = 0) -> Scaled:
    """What the scheme becomes on a weight; activations-only formats have fixed scales too."""
    encoding = find_encoding(measure(x, axis, keep=True), scheme)
    assert isinstance(encoding, Scaled)
    return encoding


@cache
def adversary(kind: str, scheme: Scheme) -> Scaled:
    return encoded(ADVERSARIAL[kind], scheme)


def pieces(x: Tensor, encoding: Scaled) -> list[tuple[int, int, Tensor]]:
    """(channel, block, values) for every part of a tensor [channels, …] that shares a scale."""
    if encoding.axis is None and encoding.block is None:
        return [(0, 0, x.flatten())]
    rows = x.flatten(1)
    size = encoding.block or rows.shape[1]
    return [
        (channel, block, part)
        for channel, row in enumerate(rows)
        for block, part in enumerate(row.split(size))
    ]


def nearest(values: Tensor, levels: Tensor) -> Tensor:
    above = torch.searchsorted(levels, values).clamp(max=len(levels) - 1)
    pair = levels[torch.stack([(above - 1).clamp(min=0), above])]
    return pair.gather(0, (pair - values).abs().argmin(0, keepdim=True))[0]


def idempotent(scheme: Scheme) -> bool:
    """Whether quantizing twice is quantizing once, with the same encoding.

    Not so for stochastic rounding (draws again what lies a rounding error off the grid), for
    rounding toward zero (which loses a step where scale times code was rounded down), and for
    DoReFa's weights of two bits and more, whose levels are not the means of their cells.
    """
    if scheme.family == "dorefa-w":
        return scheme.bits == 1
    return scheme.rounding not in ("stochastic", "zero")


@pytest.mark.parametrize("name", NAMES)
def test_spellings_read_back(name: str) -> None:
    for scheme in schemes_of(name):
        assert parse_scheme(str(scheme)) == scheme
        for group in GROUP_SIZES if scheme.granularity == "group" else ():
            other = replace(scheme, group=group)
            assert parse_scheme(str(other)) == other


@pytest.mark.parametrize("kind", ADVERSARIAL)
@pytest.mark.parametrize("name", NAMES)
def test_values_stay_on_their_grid(name: str, kind: str) -> None:
    x = ADVERSARIAL[kind]
    for scheme in schemes_of(name):
        slow = scheme.range == "entropy"
        if (slow or kind != "rough") and scheme.bits not in SOME_WIDTHS:
            continue
        if slow and kind not in ("rough", "zeros", "one value"):
            continue
        encoding = adversary(kind, scheme)
        before = x.clone()
        out = encoding.apply(x)
        assert torch.equal(x, before), str(scheme)
        assert (out.shape, out.dtype) == (x.shape, x.dtype), str(scheme)
        assert bool(out.isfinite().all()), str(scheme)
        parts = zip(pieces(x, encoding), pieces(out, encoding), strict=True)
        for (channel, block, values), (_, _, snapped) in parts:
            levels = encoding.levels(channel, block)
            near = nearest(snapped.double(), levels)
            # A level is rounded to float32, then its product with the scale.
            off = (snapped.double() - near).abs() <= 1.3e-7 * near.abs() + 1e-45
            assert bool(off.all()), str(scheme)
            if scheme.rounding != "stochastic":
                order = values.argsort()
                assert bool((snapped[order].diff() >= 0).all()), str(scheme)
        if idempotent(scheme):
            assert torch.equal(encoding.apply(out), out), str(scheme)


@pytest.mark.parametrize("name", NAMES)
def test_zero_stays_zero(name: str) -> None:
    for scheme in schemes_of(name):
        if scheme.range == "entropy" or scheme.bits not in SOME_WIDTHS:
            continue
        for kind in ("rough", "huge", "tiny"):
            x = ADVERSARIAL[kind]
            encoding = adversary(kind, scheme)
            out = encoding.apply(torch.zeros_like(x))
            holds = bool((encoding.levels() == 0.0).any())
            assert holds or scheme.family in WITHOUT_ZERO
            if holds and encoding.step is None:
                assert int(out.count_nonzero()) == 0, str(scheme)


@pytest.mark.parametrize("name", NAMES)
def test_zeros_alone_stay_zero_without_any_error(name: str) -> None:
    x = rough()
    x[1] = 0.0
    for scheme in schemes_of(name):
        if (scheme.family, scheme.range) in OWN_SIZE or scheme.bits not in SOME_WIDTHS:
            continue
        encoding = adversary("zeros", scheme)
        zeros = ADVERSARIAL["zeros"]
        assert int(encoding.apply(zeros).count_nonzero()) == 0, str(scheme)
        stats = measure(zeros, 0, keep=True)
        found = measure_error(points_for(stats, encoding), encoding)
        assert (found.sqnr_db, found.mse, found.clipped) == (np.inf, 0.0, 0.0), str(scheme)
        if scheme.granularity == "channel" and scheme.range != "entropy":
            out = adversary("rough", scheme).apply(x)
            assert int(out[1].count_nonzero()) == 0, str(scheme)


@settings(max_examples=150)
@given(
    st.sampled_from([scheme for scheme in CHEAP if scheme.row.integer]),
    st.integers(0, 2**32),
    st.sampled_from([1e-20, 1e-3, 1.0, 1e20]),
)
def test_integers_err_by_half_a_step_inside_their_range(
    scheme: Scheme, seed: int, size: float
) -> None:
    x = rough(seed) * size
    encoding = encoded(x, scheme)
    share = {"zero": 1.0, "stochastic": 1.0}.get(scheme.rounding, 0.5)
    slack = 1.0 + 6e-7 * 2**scheme.bits  # the quotient and the product are rounded to float32
    for (channel, block, values), (_, _, out) in zip(
        pieces(x, encoding), pieces(encoding.apply(x), encoding), strict=True
    ):
        levels = encoding.levels(channel, block)
        step = float(levels[1] - levels[0])
        inside = (values.double() >= levels[0]) & (values.double() <= levels[-1])
        error = (out.double() - values.double()).abs()[inside]
        assert bool((error <= share * step * slack).all())
        beyond = out.double()[~inside]
        ends = torch.where(values[~inside] > 0, levels[-1], levels[0])
        torch.testing.assert_close(beyond, ends, rtol=1e-6, atol=0.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_are_quantized_in_float32_and_given_back(dtype: torch.dtype) -> None:
    x = rough().clamp(-3, 3).to(dtype)
    for scheme in SOME:
        encoding = adversary("rough", scheme)
        out = encoding.apply(x)
        assert (out.dtype, out.shape) == (dtype, x.shape)
        assert torch.equal(out, encoding.apply(x.float()).to(dtype)), str(scheme)


@pytest.mark.parametrize("axis", [1, -1])
def test_channels_lie_along_any_axis(axis: int) -> None:
    x = rough()
    moved = x.movedim(0, axis)
    for scheme in SOME:
        first = adversary("rough", scheme)
        if scheme.range == "mse":  # searched once for all axes
            other = replace(first, axis=None if first.axis is None else axis)
        else:
            other = encoded(moved, scheme, axis)
        assert torch.equal(other.apply(moved), first.apply(x).movedim(0, axis)), str(scheme)
        assert torch.equal(other.codes(moved), first.codes(x).movedim(0, axis)), str(scheme)


def test_a_channel_is_quantized_as_if_alone() -> None:
    x = rough()
    rows = x.flatten(1)
    for scheme in CHEAP:
        encoding = adversary("rough", scheme)
        if scheme.rounding == "stochastic":
            continue  # draws follow the order of all values
        together = encoding.apply(x).flatten(1)
        assert torch.equal(encoding.over_rows().apply(rows), together), str(scheme)
        for channel in range(len(x)):
            one = rows[channel : channel + 1]
            alone = encoding.row(channel).apply(one)
            assert torch.equal(alone[0], together[channel]), str(scheme)
            if scheme.granularity == "channel" and scheme.range == "percentile":
                fresh = encoded(one, scheme)
                assert torch.equal(fresh.apply(one)[0], together[channel]), str(scheme)


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 33, 65, 129])
def test_blocks_are_scaled_alone_and_the_last_may_be_short(columns: int) -> None:
    x = torch.randn(2, columns, generator=torch.Generator().manual_seed(columns))
    x[1, 8:] *= 1e-3
    for scheme in CHEAP:
        if scheme.granularity != "group" or scheme.rounding == "stochastic":
            continue
        if scheme.range == "mse" and scheme.bits > 4:
            continue  # nothing new but a long search
        encoding = encoded(x, scheme)
        assert encoding.block == scheme.group
        assert encoding.scale.shape == (2, -(-columns // scheme.group))
        out = encoding.apply(x)
        for channel, row in enumerate(x):
            for block, part in enumerate(row.split(scheme.group)):
                at = channel, slice(block, block + 1)
                alone = Scaled(encoding.grid, encoding.scale[at], encoding.zero_point[at], None)
                begin = block * scheme.group
                assert torch.equal(alone.apply(part), out[channel, begin : begin + len(part)])


@pytest.mark.parametrize("name", NAMES)
def test_equal_keys_mean_equal_results_and_change_with_the_result(name: str) -> None:
    x = rough()
    probe = x + torch.linspace(-9, 9, 7)
    results: dict[bytes, Tensor] = {}
    for scheme in schemes_of(name):
        if scheme.range == "entropy":
            continue
        encoding = adversary("rough", scheme)
        if scheme.range != "mse":
            assert encoded(x, scheme).key == encoding.key
        out = encoding.apply(probe)
        assert torch.equal(results.setdefault(encoding.key, out), out), str(scheme)


def test_a_key_depends_on_every_field() -> None:
    one, zero = torch.ones(2), torch.zeros(2, dtype=torch.int32)
    base = Scaled(Integers(-8, 7), one, zero, 0)
    others = [
        replace(base, grid=Integers(-7, 7)),
        replace(base, grid=Integers(-8, 7, "away")),
        replace(base, grid=Integers(-8, 7, "stochastic")),
        replace(base, grid=Integers(-8, 7, "stochastic", 1)),
        replace(base, scale=one * 2),
        replace(base, scale=torch.tensor([1.0, 2.0])),
        replace(base, zero_point=zero + 1),
        replace(base, axis=1),
        replace(base, step=one * 0.5),
        replace(base, scale=one.unsqueeze(1), zero_point=zero.unsqueeze(1), block=16),
        replace(base, scale=one.unsqueeze(1), zero_point=zero.unsqueeze(1), block=32),
    ]
    spellings = ("nf4", "pot3", "pot3:log", "fp4", "fp8", "fp8-e5m2", "float16", "bfloat16",
                 "kmeans2", "lloyd2", "mxfp4", "nvfp4")  # fmt: skip
    fits = [encoded(rough(), parse_scheme(text)) for text in spellings]
    live = Dynamic(fits[3].grid, "mxfp4", 1, 32)
    lively = [replace(live, axis=0), replace(live, format="mxfp6-e2m3"), replace(live, block=16),
              replace(live, tensor_scale=0.5)]  # fmt: skip
    every: list[Encoding] = [base, *others, *fits, live, *lively]
    keys = [encoding.key for encoding in every]
    assert len(set(keys)) == len(keys)
    assert replace(base).key == base.key
    assert replace(base, scale=torch.tensor([1.0, 1.0])).key == base.key


@pytest.mark.parametrize("name", NAMES)
def test_errors_are_those_of_numpy(name: str) -> None:
    x = rough()
    stats = measure(x, 0, keep=True)
    for scheme in schemes_of(name):
        if scheme.range == "entropy":
            continue
        encoding = adversary("rough", scheme)
        points = points_for(stats, encoding)
        found = measure_error(points, encoding)
        a = x.numpy().astype(np.float64).ravel()
        b = encoding.apply(x).numpy().astype(np.float64).ravel()
        noise = float(np.sum((a - b) ** 2))
        assert found.mse == pytest.approx(noise / a.size, rel=1e-12), str(scheme)
        assert float(squared_error(points, encoding).sum()) == pytest.approx(noise, rel=1e-6)
        decibel = 10 * np.log10(np.sum(a**2) / noise) if noise else np.inf
        assert found.sqnr_db == pytest.approx(decibel, rel=1e-9, abs=1e-9), str(scheme)
        assert found.max_error == np.abs(a - b).max(), str(scheme)
        product = np.linalg.norm(a) * np.linalg.norm(b)
        cosine = min(1.0, float(np.dot(a, b)) / product) if product else 0.0
        assert found.cosine == pytest.approx(cosine, abs=1e-12), str(scheme)
        rms = np.sqrt(np.mean(a**2))
        assert found.bias == pytest.approx(np.mean(b - a) / rms, abs=1e-12), str(scheme)
        rows = measure_channels(Points(x.flatten(1)), encoding)
        if scheme.rounding == "stochastic" and scheme.granularity == "group":
            continue
        assert float(rows.values["mse"].mean()) == pytest.approx(found.mse, rel=1e-12), str(scheme)
        assert float(rows.clipped.mean()) == pytest.approx(found.clipped, rel=1e-12), str(scheme)


BOTH = [
    scheme
    for scheme in EVERY
    if scheme.range == "mse" and scheme.granularity == "channel" and scheme.bits <= 8
]


@settings(max_examples=50)
@given(st.sampled_from(BOTH), st.integers(0, 2**32))
def test_a_range_for_every_channel_is_no_worse_than_one(scheme: Scheme, seed: int) -> None:
    x = torch.randn(4, 300, generator=torch.Generator().manual_seed(seed))
    x *= torch.logspace(-1, 1, 4).unsqueeze(1)
    points = Points(x)

    def error(scheme: Scheme) -> float:
        return float(squared_error(points, encoded(x, scheme)).sum())

    own = error(scheme)
    # Both are found by search, and the error of few values is jagged: a per cent may be missed.
    assert own <= 1.03 * error(replace(scheme, granularity="tensor"))
    assert own <= (1 + 1e-6) * error(replace(scheme, range=scheme.ranges[0]))


BLOCK_SCALED = [name for name, row in FORMATS.items() if row.family in ("mx", "nvfp4")]


@settings(max_examples=80)
@given(
    st.sampled_from(BLOCK_SCALED),
    st.integers(0, 2**32),
    st.sampled_from([1, 7, 16, 32, 33, 80]),
    st.sampled_from([1e-30, 1.0, 1e30]),
)
def test_activations_in_blocks_are_quantized_like_weights(
    name: str, seed: int, columns: int, size: float
) -> None:
    x = torch.randn(2, 3, columns, generator=torch.Generator().manual_seed(seed)) * size
    x[0, 1] = 0.0
    scheme = plain(name)
    for axis in (2, -1, 1):
        moved = x.movedim(2, axis)
        live = find_encoding(measure(moved, axis), scheme)
        assert isinstance(live, Dynamic)
        out = live.apply(moved)
        fixed = encoded(x.reshape(6, -1), scheme)
        wanted = fixed.apply(x.reshape(6, -1)).reshape(x.shape)
        assert torch.equal(out.movedim(axis, 2), wanted)
        assert torch.equal(live.apply(out), out) or name == "nvfp4"
    rows = x.reshape(6, -1)
    assert torch.equal(live.over_rows().apply(rows), fixed.apply(rows))
    stats = measure(x, 2)
    sampled = measure_error(points_for(stats, live), live)
    direct = measure_error(Points(rows), fixed)
    assert sampled.mse == pytest.approx(direct.mse, rel=1e-12)
    assert sampled.clipped == direct.clipped


def test_every_range_is_a_method_or_has_fixed_scales() -> None:
    named = {scheme.range for scheme in EVERY if scheme.family not in ("ternary", "binary")}
    assert named - {"unit", "mean", "stored"} == set(RANGE_METHODS)

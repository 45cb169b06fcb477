"""Statistics are exact where they say so, and merging is measuring all at once."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from qviz.quant.bins import CHANNEL_HALF, HALF
from qviz.quant.measure import measure
from qviz.quant.moving import AVERAGING
from qviz.quant.sample import SAMPLE_VALUES
from qviz.quant.statistics import TensorStats, merge

# Values of any size from 1e-12 to 1e12, zeros often, both signs.
VALUES = st.builds(
    lambda sign, mantissa, power: sign * mantissa * 10.0**power,
    st.sampled_from([-1, 0, 1]),
    st.floats(1.0, 10.0),
    st.integers(-12, 12),
)
CHUNKS = st.lists(st.lists(VALUES, min_size=1, max_size=30), min_size=1, max_size=5)


def alike(a: TensorStats, b: TensorStats) -> None:
    """Everything but the kept values, exact but for sums of floats."""
    assert (a.axis, a.count, a.zeros, a.exponent) == (b.axis, b.count, b.zeros, b.exponent)
    for name in ("minimum", "maximum", "bins", "channel_bins"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other), name
    largest = max(float(a.minimum.abs().max()), float(a.maximum.abs().max())) or 1.0
    for name, unit in (("mean", largest), ("square", largest**2), ("sums", largest)):
        one, other = getattr(a, name) / unit, getattr(b, name) / unit
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@given(CHUNKS)
def test_merging_in_any_order_equals_measuring_all_at_once(
    chunks: list[list[float]],
) -> None:
    parts = [measure(torch.tensor(chunk)) for chunk in chunks]
    whole = measure(torch.tensor([value for chunk in chunks for value in chunk]))
    alike(reduce(merge, parts), whole)
    alike(reduce(merge, parts[::-1]), whole)
    alike(reduce(lambda a, b: merge(b, a), parts), whole)
    middle = len(parts) // 2
    if middle:
        alike(merge(reduce(merge, parts[:middle]), reduce(merge, parts[middle:])), whole)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 2), st.integers(-30, 30))
def test_merging_batches_per_channel(seed: int, batches: int, axis: int, power: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2 * batches, 3, 4, generator=generator) * 2.0**power
    x[:2] *= 1e-6
    x[-1].clamp_(min=0.0)
    if axis == 0:  # channels cannot also be the batches
        x, axis = x.movedim(0, 1), 0
        parts = x.split(2, dim=1)
    else:
        parts = x.split(2, dim=0)
    alike(reduce(merge, [measure(part, axis) for part in parts]), measure(x, axis))


def test_a_batch_of_zeros_does_not_coarsen_the_histogram() -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 1e-6
    alone = measure(x)
    for merged in (merge(measure(torch.zeros(10)), alone), merge(alone, measure(torch.zeros(10)))):
        assert torch.equal(merged.bins, alone.bins)
        assert (merged.exponent, merged.zeros, merged.count) == (alone.exponent, 10, 1010)


def test_measures_are_those_of_numpy() -> None:
    x = np.random.default_rng(0).normal(1.0, 2.0, (4, 3, 5, 5)).astype(np.float32)
    x[0] = np.maximum(x[0], 0)
    stats = measure(torch.from_numpy(x), -3)
    rows = np.moveaxis(x, 1, 0).reshape(3, -1).astype(np.float64)
    assert stats.axis == 1
    assert (stats.channels, stats.count, stats.zeros) == (3, x.size, int((x == 0).sum()))
    assert stats.zeros > 0
    np.testing.assert_array_equal(stats.minimum.numpy(), rows.min(1))
    np.testing.assert_array_equal(stats.maximum.numpy(), rows.max(1))
    np.testing.assert_allclose(stats.mean.numpy(), rows.mean(1), rtol=1e-12)
    np.testing.assert_allclose(stats.square.numpy(), (rows**2).mean(1), rtol=1e-12)


def test_memory_does_not_grow() -> None:
    def size(stats: TensorStats) -> int:
        fields = [getattr(stats, name) for name in TensorStats.__slots__]
        return sum(field.numel() for field in fields if isinstance(field, Tensor))

    generator = torch.Generator().manual_seed(1)
    batches = [torch.randn(64, 8, generator=generator) for _ in range(20)]
    one = replace(measure(batches[0], 1), drawn=None)
    merged = reduce(merge, [measure(batch, 1) for batch in batches])
    assert size(replace(merged, drawn=None)) == size(one)
    assert merged.sample is not None
    assert torch.equal(merged.sample, torch.cat(batches))
    for _ in range(5):
        merged = merge(merged, merged)
    assert merged.sample is not None
    assert SAMPLE_VALUES // 2 < merged.sample.numel() <= SAMPLE_VALUES
    assert merge(measure(batches[0], keep=True), measure(batches[1], keep=True)).exact is None


@pytest.mark.parametrize("size", [1e-37, 1e-20, 1e-3, 1.0, 1e10, 1e30])
def test_histograms_hold_every_value_once(size: float) -> None:
    x = torch.randn(3, 400, generator=torch.Generator().manual_seed(2))
    x = (x * (x.abs() > 0.1)) * size
    stats = measure(x, 0)
    assert bool((stats.bins >= 0).all())
    edges, counts = (np.arange(2 * HALF + 1) - HALF) * stats.width, stats.bins.double().numpy()
    counts[HALF] += stats.zeros
    assert counts.sum() == stats.count == x.numel()
    np.testing.assert_array_equal(counts, np.histogram(x.double().numpy(), edges)[0])
    for channel in range(3):
        found = stats.channel_histogram(channel)
        assert found is not None
        coarse, held = found
        np.testing.assert_array_equal(
            held.numpy(), np.histogram(x[channel].double().numpy(), coarse.numpy())[0]
        )
        assert float(held.sum()) == 400


@pytest.mark.parametrize("top", [0.5, 1.0, 127.0, 1e-3])
def test_half_of_a_side_is_always_used(top: float) -> None:
    stats = measure(torch.tensor([top]))
    filled = int(stats.bins.nonzero()) - HALF
    assert HALF // 2 <= filled < HALF
    assert math.log2(stats.width) == stats.exponent


def test_bins_are_represented_by_their_mean_and_exactly_for_integers() -> None:
    x = torch.tensor([-3.0, -3.0, 0.0, 0.0, 1.0, 7.0, 7.0, 7.0])
    points = measure(x).points()
    assert points.counts is not None
    pairs = zip(points.values[0].tolist(), points.counts[0].tolist(), strict=True)
    assert sorted(pairs) == [(-3.0, 2.0), (0.0, 2.0), (1.0, 1.0), (7.0, 3.0)]
    close = measure(torch.tensor([1000.01, 1000.03, -2000.0])).points()
    assert close.values[0].tolist()[1] == pytest.approx(1000.02, abs=1e-4)


def test_weights_are_kept_and_activations_are_not() -> None:
    x = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(3))
    kept = measure(x, 1, keep=True)
    assert torch.equal(kept.points(channel=True).values, x.movedim(1, 0).flatten(1))
    assert torch.equal(kept.points().values, x.movedim(1, 0).reshape(1, -1))
    assert kept.points(limit=24).counts is None
    assert kept.points(limit=23).counts is not None
    assert measure(x, 1).exact is None


@pytest.mark.parametrize("x", [torch.zeros(0), torch.zeros(3, 0), torch.zeros(()), torch.zeros(5)])
def test_empty_and_zero_tensors(x: Tensor) -> None:
    for axis in (None, 0):
        stats = measure(x, axis)
        assert float(stats.minimum.min()) == float(stats.maximum.max()) == 0.0
        assert stats.count == stats.zeros == x.numel()
        assert not bool(stats.bins.any())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_count_as_zeros(bad: float) -> None:
    spoilt, without = torch.tensor([[1.0, bad], [-2.0, 0.5]]), torch.tensor([[1.0, 0.0], [-2, 0.5]])
    stats, wanted = measure(spoilt, 1), measure(without, 1)
    alike(stats, wanted)
    assert (stats.finite, wanted.finite) == (False, True)
    assert [merge(a, b).finite for a in (stats, wanted) for b in (stats, wanted)] == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float8_e5m2])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_kept_weights_that_are_not_finite_say_so(bad: float, dtype: torch.dtype) -> None:
    spoilt = torch.tensor([[1.0, bad], [-2.0, 0.5]]).to(dtype)
    for keep in (True, lambda: spoilt):
        stats = measure(spoilt, 0, keep=keep)
        assert not stats.finite
        assert stats.exact is not None
        assert stats.exact.tolist() == [[1.0, 0.0], [-2.0, 0.5]]
    assert measure(torch.tensor([[1e300]], dtype=torch.float64), keep=True).finite is False


def test_many_channels_have_no_histogram_of_their_own() -> None:
    generator = torch.Generator().manual_seed(4)
    stats = measure(torch.randn(2, 2049, generator=generator), 1)
    assert stats.channel_bins is None
    assert stats.channel_histogram(0) is None
    assert merge(stats, stats).channel_bins is None
    assert stats.channels == 2049


def test_channel_histograms_sum_to_the_tensors() -> None:
    x = torch.randn(5, 2000, generator=torch.Generator().manual_seed(5))
    stats = measure(x, 0)
    assert stats.channel_bins is not None
    fine = stats.bins.clone()
    fine[HALF] += stats.zeros
    coarse = fine.reshape(2 * CHANNEL_HALF, -1).sum(1)
    assert torch.equal(stats.channel_bins.sum(0), coarse)
    for a, b in itertools.pairwise(range(5)):
        assert not torch.equal(stats.channel_bins[a], stats.channel_bins[b])


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_the_moving_range_takes_every_sample_in_order(seed: int, sizes: list[int]) -> None:
    x = torch.randn(sum(sizes), 3, 5, generator=torch.Generator().manual_seed(seed))
    merged = reduce(merge, [measure(batch, 1) for batch in x.split(sizes)]).moving
    low, high = float(x[0].min()), float(x[0].max())
    for sample in x[1:].double():
        low += AVERAGING * (float(sample.min()) - low)
        high += AVERAGING * (float(sample.max()) - high)
    assert merged is not None
    assert merged.value == pytest.approx((low, high), rel=1e-12)


def test_a_sample_keeps_its_rows_along_the_channels_and_nothing_infinite() -> None:
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(6))
    kept = measure(x, 1).sample
    assert kept is not None
    assert torch.equal(kept, x.movedim(1, -1).reshape(-1, 3))
    large = torch.arange(10.0 * SAMPLE_VALUES).reshape(-1, 8)
    sample = measure(large, 1).sample
    assert sample is not None
    assert SAMPLE_VALUES // 2 < sample.numel() <= SAMPLE_VALUES
    assert sample.shape[1] == 8
    assert float(sample[-1, 0]) > 0.9 * large.numel()  # taken from the whole of it
    bad = measure(torch.tensor([[1.0, math.nan], [math.inf, 2.0]]), 1).sample
    assert bad is not None
    assert bad.tolist() == [[1.0, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize("shape", [(64, 3), (5, 3, 40, 41), (3, 5000), (2, 100_000), (70_000,), ()])
def test_a_sample_takes_from_every_batch_its_share(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(7)
    axis = 1 if len(shape) > 1 else None
    batches = [torch.rand(shape, generator=generator) + number for number in range(40)]
    merged = reduce(merge, [measure(batch, axis) for batch in batches])
    again = reduce(merge, [measure(batch, axis) for batch in batches])
    assert merged.sample is not None
    assert again.sample is not None
    assert torch.equal(merged.sample, again.sample)
    assert merged.sample.numel() <= SAMPLE_VALUES
    shares = torch.bincount(merged.sample.flatten().long(), minlength=40) / merged.sample.numel()
    assert shares.tolist() == pytest.approx([1 / 40] * 40, abs=0.015)
    assert merged.drawn is not None
    kept = merged.sample.numel() * merged.drawn.every
    assert kept == pytest.approx(merged.count, rel=0.1)


def test_a_sample_of_images_is_not_of_one_column_only() -> None:
    x = torch.arange(64.0).expand(32, 8, 64, 64)  # every value is the number of its column
    sample = measure(x, 1).sample
    assert sample is not None
    assert len(sample.unique()) == 64


def test_rows_of_a_sample_are_whole_blocks_of_the_values() -> None:
    x = torch.arange(40 * 4096.0).reshape(40, 4096)
    sample = measure(x, 1).sample
    assert sample is not None
    assert len(sample) >= 16
    assert bool((sample.diff(dim=1) == 1.0).all())
    assert bool((sample[:, 0] % 32 == 0).all())


def test_the_spread_inside_the_bins_is_exact() -> None:
    x = torch.randn(50_000, generator=torch.Generator().manual_seed(8)) * 3 + 1
    x[0] = 900.0
    stats = merge(measure(x[:20_000]), measure(x[20_000:]))
    at = torch.floor(x[x != 0].double() / stats.width).long()
    _, inverse, counts = at.unique(return_inverse=True, return_counts=True)
    means = (
        torch.zeros(len(counts), dtype=torch.float64).scatter_add_(0, inverse, x.double()) / counts
    )
    wanted = float((x.double() - means[inverse]).square().sum())
    assert stats.inside_bins == pytest.approx(wanted, rel=1e-4)
    whole = torch.randint(-500, 500, (50_000,), generator=torch.Generator().manual_seed(9)).float()
    assert measure(whole / 255).inside_bins == 0.0  # a value to a bin


def test_sampled_points_have_the_counts_of_the_bins() -> None:
    x = torch.randn(300_000, generator=torch.Generator().manual_seed(10)).relu()
    x[77] = 50.0
    stats = measure(x.reshape(-1, 10), 1)
    points = stats.sampled_points()
    assert points.counts is not None
    assert stats.sample is not None
    assert points.sampled == stats.sample.numel() <= SAMPLE_VALUES
    assert float(points.counts.sum()) == pytest.approx(len(x), rel=1e-12)
    assert float(points.values.max()) == 50.0
    assert float(points.counts[points.values == 0.0].sum()) == stats.zeros
    mean = float((points.values * points.counts).sum()) / len(x)
    assert mean == pytest.approx(float(x.double().mean()), rel=1e-3)
    few = measure(x[:900].reshape(-1, 10), 1).sampled_points()
    assert few.sampled is None  # they are all the values
    assert few.counts is not None
    assert set(few.counts[0, :-1].tolist()) == {1.0}


def test_batches_without_values_change_nothing() -> None:
    x = torch.rand(5, 3, generator=torch.Generator().manual_seed(11)) + 1.0
    alone, empty = measure(x, 1), measure(torch.zeros(0, 3), 1)
    assert (empty.count, empty.zeros, int(empty.bins.sum())) == (0, 0, 0)
    for merged in (merge(empty, alone), merge(alone, empty)):
        alike(merged, alone)
        assert torch.equal(merged.minimum, alone.minimum)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_bad_value_does_not_hide_the_rest_of_its_sample(bad: float) -> None:
    x = torch.randn(4, 10, generator=torch.Generator().manual_seed(12))
    spoilt, without = x.clone(), x.clone()
    spoilt[0, 0], without[0, 0] = bad, 0.0
    found, wanted = measure(spoilt).moving, measure(without).moving
    assert found is not None
    assert wanted is not None
    assert found.value == wanted.value

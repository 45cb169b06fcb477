"""Confidence sequences of a mean: golden values, coverage while watched, exact at the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from qviz.engine.estimates import MeanSequence, interval, wilson
from qviz.engine.estimates.interval import watched_z

T = np.arange(1000)
NINE_OF_TEN = ((7 * T % 10) < 9).astype(float)
PAIRED = np.isin(13 * T % 100, (0, 50)).astype(float) - ((17 * T + 3) % 100 == 0)

GOLDEN = [
    (None, 100, 0.802301, 0.973960),
    (None, 500, 0.854301, 0.943353),
    (1000, 100, 0.807018, 0.971993),
    (1000, 500, 0.864436, 0.936262),
]
GOLDEN_PAIRED = [
    (None, 500, -0.014724, 0.037021),
    (None, 1000, -0.007056, 0.028921),
    (1000, 500, -0.008233, 0.030805),
]


@pytest.mark.parametrize(("population", "n", "low", "high"), GOLDEN)
def test_hedged_betting_golden_values(
    population: int | None, n: int, low: float, high: float
) -> None:
    sequence = MeanSequence(population, cells=20_000)
    sequence.add(NINE_OF_TEN[:n])
    found = sequence.estimate()
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.low <= low  # rounded outwards to a cell
    assert found.high >= high
    assert found.kind == "always valid"


@pytest.mark.parametrize(("population", "n", "low", "high"), GOLDEN_PAIRED)
def test_paired_golden_values(population: int | None, n: int, low: float, high: float) -> None:
    sequence = MeanSequence(population, cells=20_000)
    sequence.add((PAIRED[:n] + 1) / 2)
    found = sequence.estimate()
    assert (2 * found.low - 1, 2 * found.high - 1) == pytest.approx((low, high), abs=5e-5)


def test_how_values_are_chunked_changes_only_the_rounding() -> None:
    chunked, at_once = MeanSequence(1000), MeanSequence(1000)
    for start in range(0, 500, 50):
        chunked.add(NINE_OF_TEN[start : start + 50])
    at_once.add(NINE_OF_TEN[:500])
    one, other = chunked.estimate(), at_once.estimate()
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=2e-3)


def test_it_closes_on_the_mean_when_all_are_seen() -> None:
    sequence = MeanSequence(1000)
    sequence.add(NINE_OF_TEN)
    found = sequence.estimate()
    assert found.exact
    assert found.low == found.value == found.high == NINE_OF_TEN.mean()


def test_it_holds_at_every_moment() -> None:
    pool = np.random.default_rng(0).beta(8, 2, 600)
    held = 0
    for seed in range(100):
        order = np.random.default_rng(seed).permutation(pool)
        sequence = MeanSequence(600)
        whole = True
        for start in range(0, 600, 50):
            sequence.add(order[start : start + 50])
            found = sequence.estimate()
            whole &= found.low - 1e-12 <= pool.mean() <= found.high + 1e-12
        held += whole
    assert held >= 95


def test_it_refuses_what_is_no_share_and_more_than_there_is() -> None:
    with pytest.raises(ValueError, match="outside"):
        MeanSequence(10).add(np.array([1.5]))
    with pytest.raises(ValueError, match="outside"):
        MeanSequence(10).add(np.array([np.nan]))
    with pytest.raises(ValueError, match="more values"):
        MeanSequence(10).add(np.zeros(11))


def test_watching_costs_half_as_much_width_again() -> None:
    assert watched_z(256.0) == pytest.approx(3.04, abs=0.01)
    assert watched_z(1.0) > watched_z(64.0) > watched_z(256.0) < watched_z(4096.0) < 4.0


def test_a_watched_interval_of_any_metric_holds_at_every_look() -> None:
    # Skewed like a KL divergence; looks after every 50 samples up to the last.
    pool = torch.from_numpy(np.random.default_rng(1).exponential(0.1, 1500))
    kept = {True: 0, False: 0}
    for seed in range(200):
        x = pool[torch.from_numpy(np.random.default_rng(seed).permutation(1500))]
        for watched in kept:
            whole = True
            for n in range(50, 1501, 50):
                value = float(x[:n].mean())
                low, high = interval(value, x[:n] - value, 1500, proportion=False, watched=watched)
                whole &= low - 1e-12 <= float(pool.mean()) <= high + 1e-12
            kept[watched] += whole
    assert kept[True] >= 190
    assert kept[False] < 190  # which is why it is needed


def test_one_correction_of_finite_pools_serves_both_intervals() -> None:
    influence = torch.zeros(100, dtype=torch.float64)
    assert interval(0.9, influence, 1000, proportion=True) == wilson(0.9, 100, 1000)

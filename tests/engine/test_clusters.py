"""Shares of positions: intervals over samples, not over positions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qviz.engine.estimates.clusters import ratio, student
from qviz.engine.estimates.interval import wilson


@pytest.mark.parametrize(
    ("freedom", "quantile", "within"),
    [(2, 4.3027, 0.04), (5, 2.5706, 2e-3), (10, 2.2281, 1e-4), (1000, 1.9623, 1e-4)],
)
def test_students_quantile(freedom: int, quantile: float, within: float) -> None:
    """Values of the usual tables."""
    assert student(freedom) == pytest.approx(quantile, rel=within)


def test_of_samples_of_one_position_it_is_nearly_wilsons() -> None:
    hits = (np.arange(1000) % 4 > 0).astype(np.int64)
    value, low, high = ratio(hits, np.ones_like(hits))
    assert value == 0.75
    assert (low, high) == pytest.approx(wilson(0.75, 1000), abs=2e-4)


def test_many_like_positions_count_no_more_than_their_samples() -> None:
    """Whether a sample has one position or a thousand of the same answer."""
    hits = (np.arange(60) % 3 > 0).astype(np.int64)
    one = ratio(hits, np.ones_like(hits))
    assert ratio(1000 * hits, np.full_like(hits, 1000)) == pytest.approx(one)


def test_a_hand_made_case() -> None:
    """Three samples of 10: residuals -3, 0, 3 over 1 - 1/3, so a variance of 2/3·40.5/900."""
    value, low, high = ratio(np.array([2, 5, 8]), np.full(3, 10))
    alone = 0.25 / (2 / 3 * 2 * (3 / (2 / 3)) ** 2 / 900)
    assert (value, low, high) == pytest.approx(
        (0.5, *wilson(0.5, alone * (1.95996 / 4.1712) ** 2)), rel=1e-4
    )


def test_samples_without_positions_say_nothing() -> None:
    hits, of = np.array([3, 0, 5, 2, 0]), np.array([6, 0, 9, 7, 0])
    which = of > 0
    assert ratio(hits, of) == ratio(hits[which], of[which])


def test_few_samples_tell_little_and_the_ends_stay_open() -> None:
    assert ratio(np.array([90, 80]), np.array([100, 100])) == (0.85, 0.0, 1.0)
    value, low, high = ratio(np.zeros(2, np.int64), np.zeros(2, np.int64))
    assert math.isnan(value)
    assert (low, high) == (0.0, 1.0)
    none, everything = np.zeros(20, np.int64), np.full(20, 50)
    assert ratio(none, everything)[:2] == pytest.approx((0.0, 0.0))
    assert 0.05 < ratio(none, everything)[2] < 0.25
    assert 0.75 < ratio(everything, everything)[1] < 0.95
    same = ratio(everything // 2, everything)  # all samples alike: as many as positions
    assert same[2] - same[1] == pytest.approx(2 * 1.96 * math.sqrt(0.25 / 1000), rel=0.1)


@pytest.mark.parametrize(("count", "share", "alike"), [(30, 0.7, 5.0), (100, 0.95, 20.0)])
def test_it_holds_the_share_of_all_pictures(count: int, share: float, alike: float) -> None:
    """Pictures of unlike sizes, each with a share of its own; pixels alone hold it in a third."""
    rng = np.random.default_rng(0)
    held = independent = 0
    for _ in range(600):
        sizes = rng.lognormal(5.0, 1.0, count).astype(np.int64) + 1
        hits = rng.binomial(sizes, rng.beta(share * alike, (1.0 - share) * alike, count))
        value, low, high = ratio(hits, sizes)
        held += low <= share <= high
        low, high = wilson(value, float(sizes.sum()))
        independent += low <= share <= high
    assert held >= 0.91 * 600
    assert independent < 0.4 * 600

"""Estimates: intervals around a value seen on some of the samples."""

from __future__ import annotations

import math

from torch import Tensor

Z95 = 1.959963984540054
ROUNDING = 1e-9  # by which a share of 0 or 1 may miss it


def interval(
    value: float,
    influence: Tensor,
    population: int,
    *,
    proportion: bool,
    share: bool = False,
    draws: int | None = None,
) -> tuple[float, float]:
    """95 % interval of a metric seen on some samples of a finite population.

    A proportion gets Wilson's, others value ± z·s/√n with the standard deviation s of the samples'
    influences [n] and the finite-population correction. A `share` stays in 0..1, and at either end,
    where s is 0, reaches 3/n from it (rule of three, Hanley and Lippman-Hand 1983). `draws` of the
    samples are what a proportion or share is of; all by default. Valid for a number of samples
    fixed beforehand; of fewer than two samples nothing is known.
    """
    n = len(influence)
    if n >= population or not math.isfinite(value):
        return value, value
    counted = n if draws is None else draws
    remaining = (population - n) / (population - 1)
    if proportion:
        return _wilson(value, counted / remaining)
    low, high = (0.0, 1.0) if share else (-math.inf, math.inf)
    if n < 2:
        return low, high
    spread = Z95 * float(influence.std()) * math.sqrt(remaining / n)
    if share and not ROUNDING < value < 1.0 - ROUNDING:
        spread = max(spread, 3.0 * remaining / max(counted, 1))
    return max(low, value - spread), min(high, value + spread)


def wilson(mean: float, n: int, population: int | None = None) -> tuple[float, float]:
    """95 % Wilson score interval of a proportion seen on `n` samples.

    With a finite `population` the sample counts for n·(N-1)/(N-n) draws, so that the interval
    closes on the exact value when all samples have been seen (finite-population correction).
    Valid for a number of samples fixed beforehand.
    """
    if n == 0:
        return 0.0, 1.0
    if population is not None:
        if n >= population:
            return mean, mean
        n_effective = n * (population - 1) / (population - n)
    else:
        n_effective = float(n)
    return _wilson(mean, n_effective)


def _wilson(mean: float, n_effective: float) -> tuple[float, float]:
    mean = min(max(mean, 0.0), 1.0)  # rounding aside
    z2 = Z95 * Z95
    centre = mean + z2 / (2 * n_effective)
    spread = Z95 * math.sqrt(mean * (1 - mean) / n_effective + z2 / (4 * n_effective**2))
    scale = 1 + z2 / n_effective
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)

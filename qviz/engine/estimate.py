"""Estimates: intervals around a value seen on some of the samples."""

from __future__ import annotations

import math

from torch import Tensor

Z95 = 1.959963984540054


def interval(
    value: float, influence: Tensor, population: int, *, proportion: bool
) -> tuple[float, float]:
    """95 % interval of a metric seen on some samples of a finite population.

    A proportion gets Wilson's, others value ± z·s/√n with the standard deviation s of the samples'
    influences [n] and the finite-population correction. Valid for a number of samples fixed
    beforehand; of fewer than two samples nothing is known.
    """
    n = len(influence)
    if n >= population or not math.isfinite(value):
        return value, value
    if proportion:
        return wilson(value, n, population)
    if n < 2:
        return -math.inf, math.inf
    remaining = (population - n) / (population - 1)
    spread = Z95 * float(influence.std()) * math.sqrt(remaining / n)
    return value - spread, value + spread


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
    z2 = Z95 * Z95
    centre = mean + z2 / (2 * n_effective)
    spread = Z95 * math.sqrt(mean * (1 - mean) / n_effective + z2 / (4 * n_effective**2))
    scale = 1 + z2 / n_effective
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)

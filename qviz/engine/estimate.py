"""Estimates: intervals around a proportion seen on some of the samples."""

from __future__ import annotations

import math

Z95 = 1.959963984540054


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

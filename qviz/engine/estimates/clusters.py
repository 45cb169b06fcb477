"""Shares of positions, of which a sample has many: a sample is drawn, not a position."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qviz.engine.estimates.interval import Z95, wilson

FEWEST = 3  # samples of which anything is told
Counts = NDArray[np.int64]


def ratio(hits: Counts, of: Counts) -> tuple[float, float, float]:
    """(Σ hits / Σ of, low, high) of samples with so many hits [n] of so many positions [n].

    The variance of a ratio of means over clusters of unlike sizes by the delta method (Cochran,
    Sampling Techniques, 1977, §6.3), every residual over what its cluster leaves to the others
    (the jackknife's); its 95 % interval is Wilson's of the number of positions drawn one by one
    that would vary as much, less by Student's quantile (Korn and Graubard 1998). Of all samples
    alike, seen or not. Fewer than 3 samples with positions tell nothing; NaN without any.
    """
    which = of > 0
    n, total = int(which.sum()), int(of.sum())
    if not n:
        return math.nan, 0.0, 1.0
    value = float(hits.sum() / total)
    if n < FEWEST:
        return value, 0.0, 1.0
    left = (hits[which] - value * of[which]) / (1.0 - of[which] / total)
    variance = (n - 1) / n * float(left @ left) / total**2
    alone = float(n)  # where all are hits, or none
    if 0.0 < value < 1.0:
        alone = min(value * (1.0 - value) / variance, float(total)) if variance else float(total)
    return value, *wilson(value, alone * (Z95 / student(n - 1)) ** 2)


def student(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t; 3 % off at 2 degrees of freedom, 0.1 % at 5.

    The series in 1/freedom (Abramowitz and Stegun 1964, 26.7.5).
    """
    z, v = Z95, float(freedom)
    terms = (
        (z**3 + z) / 4.0,
        (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0,
        (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0,
    )
    return z + sum(term / v**power for power, term in enumerate(terms, 1))

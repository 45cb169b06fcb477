"""Intervals of any metric from its samples' influences, and of proportions."""

from __future__ import annotations

import math

from torch import Tensor

Z95 = 1.959963984540054
ALPHA = 0.05
ROUNDING = 1e-9  # by which a share of 0 or 1 may miss it
TUNED = 256.0  # draws at which the watched interval is narrowest beside the fixed one


def interval(
    value: float,
    influence: Tensor,
    population: int,
    *,
    proportion: bool,
    share: bool = False,
    draws: int | None = None,
    watched: bool = False,
) -> tuple[float, float]:
    """95 % interval of a metric seen on some samples of a finite population.

    A proportion gets Wilson's, others value ± z·s/√n with the standard deviation s of the samples'
    influences [n] and the finite-population correction. A `share` stays in 0..1, and at either end,
    where s is 0, reaches 3/n from it (rule of three, Hanley and Lippman-Hand 1983). `draws` of the
    samples are what a proportion or share is of; all by default. Valid for a number of samples
    fixed beforehand, or, `watched`, at every look as far as the normal approximation holds; of
    fewer than two samples nothing is known.
    """
    n = len(influence)
    if n >= population or not math.isfinite(value):
        return value, value
    counted = n if draws is None else draws
    finite = effective(n, population) / n if n else 1.0
    z = watched_z((counted if proportion else n) * finite) if watched else Z95
    if proportion:
        return _score(value, counted * finite, z) if counted else (0.0, 1.0)
    low, high = (0.0, 1.0) if share else (-math.inf, math.inf)
    if n < 2:
        return low, high
    spread = z * float(influence.std()) / math.sqrt(n * finite)
    if share and not ROUNDING < value < 1.0 - ROUNDING:
        # True at every look: with a share of p, 3/n falls below p once, and then P = (1-p)^n ≤ 5 %.
        spread = max(spread, 3.0 / (finite * max(counted, 1)))
    return max(low, value - spread), min(high, value + spread)


def wilson(mean: float, n: float, population: int | None = None) -> tuple[float, float]:
    """95 % Wilson score interval of a proportion seen on `n` samples.

    With a finite `population` it closes on the exact value when all samples have been seen.
    Valid for a number of samples fixed beforehand.
    """
    if n == 0:
        return 0.0, 1.0
    if population is None:
        return _score(mean, float(n), Z95)
    return (mean, mean) if n >= population else _score(mean, effective(n, population), Z95)


def effective(n: float, population: int) -> float:
    """What n draws without replacement from N count for: n·(N-1)/(N-n), all N for infinitely many.

    Also the clock of a watched mean: n·(N-1)/(N-n)·(x̄ - μ) is a martingale whose variance is σ²
    times it (Serfling 1974), as a sum of draws with replacement is at their number.
    """
    return n * (population - 1) / (population - n)


def watched_z(n: float, tuned: float = TUNED) -> float:
    """The z for which value ± z·s/√n holds at every n at once (95 %), as n grows.

    Robbins' normal mixture as an asymptotic confidence sequence (Waudby-Smith et al., Time-uniform
    central limit theory, 2103.06476, theorem 2.2), narrowest near n = `tuned`: 3.0, then slowly up.
    """
    if n <= 0.0:
        return math.inf
    budget = -2.0 * math.log(ALPHA)
    seen = n / tuned * (budget + math.log(budget) + 1.0)
    return math.sqrt((1.0 + 1.0 / seen) * (math.log1p(seen) + budget))


def _score(mean: float, n: float, z: float) -> tuple[float, float]:
    """The proportions p with |mean - p| ≤ z·√(p(1-p)/n) (Wilson 1927)."""
    mean = min(max(mean, 0.0), 1.0)  # rounding aside
    z2 = z * z
    centre = mean + z2 / (2 * n)
    spread = z * math.sqrt(mean * (1 - mean) / n + z2 / (4 * n**2))
    scale = 1 + z2 / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)

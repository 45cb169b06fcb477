"""Two models on the same samples: only those that one alone gets right tell them apart.

`b` counts the samples that float alone gets right, `c` those that the quantized model alone does.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.special import bdtr, betaln

from qviz.engine.estimates.interval import Z95


def tango(b: int, c: int, n: int) -> tuple[float, float]:
    """95 % score interval of (b - c)/n, the accuracy lost (Tango 1998), for a fixed n.

    Finite where nothing differs: ± z²/(n + z²).
    """
    if n == 0:
        return -1.0, 1.0
    difference = (b - c) / n

    def end(side: float) -> float:
        def excess(delta: float) -> float:
            return abs(_tango_statistic(b, c, n, delta)) - Z95

        inner, outer = difference, side * (1.0 - 1e-12)
        if abs(inner) >= abs(outer) and inner * side > 0.0:
            return side
        return float(brentq(excess, inner, outer, xtol=1e-13))

    return end(-1.0), end(1.0)


def _tango_statistic(b: int, c: int, n: int, delta: float) -> float:
    """(b - c - nΔ) / √(n(2q + Δ(1-Δ))), q the share of c under Δ by maximum likelihood."""
    first = 2.0 * n
    second = -b - c + (2.0 * n - b + c) * delta
    third = -c * delta * (1.0 - delta)
    q = (math.sqrt(max(second * second - 4.0 * first * third, 0.0)) - second) / (2.0 * first)
    variance = n * (2.0 * q + delta * (1.0 - delta))
    gap = b - c - n * delta
    if variance <= 0.0:
        return math.copysign(math.inf, gap) if abs(gap) > 1e-9 else 0.0
    return gap / math.sqrt(variance)


def mcnemar(b: int, c: int, *, mid: bool = False) -> float:
    """Two-sided exact p-value of "both are equally often right alone"; `mid` halves the tie.

    min(1, 2·P(Bin(b+c, ½) ≤ min(b, c))), less P(= min) for the mid-p (Lancaster 1961).
    """
    fewer, both = min(b, c), b + c
    p = 2.0 * float(bdtr(fewer, both, 0.5))
    if mid:
        p -= math.exp(-_log_evidence(b, c)) / (both + 1)
    return min(1.0, p)


def e_value(b: int, c: int) -> float:
    """Evidence against "both are equally often right alone": 2^(b+c)·B(b+1, c+1).

    A mixture of likelihood ratios over all shares, which may be watched: to stop at 20 is wrong in
    at most 5 % of cases, whenever one looks (Robbins 1970).
    """
    log = _log_evidence(b, c)
    return math.exp(log) if log < 700.0 else math.inf


def _log_evidence(b: int, c: int) -> float:
    """Logarithm of 2^(b+c)·B(b+1, c+1) = 1 / ((b+c+1)·P(Bin(b+c, ½) = b))."""
    return (b + c) * math.log(2.0) + float(betaln(b + 1, c + 1))

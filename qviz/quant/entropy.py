"""Entropy calibration: the clip whose quantized histogram diverges least from the float one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.quant.bins import HALF
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

BINS = 2048
Floats = NDArray[np.float64]


def thresholds(stats: TensorStats, scheme: Scheme, *, channels: bool) -> Tensor:
    """Clip of |x| per channel or for the tensor, float64.

    Zeros are left out: they are on every grid, and after a ReLU their bin would drown the others.
    That departs from TensorRT's procedure, whose P has the first bin as it is.
    """
    one_sided = not scheme.symmetric and bool(
        (stats.minimum.min() >= 0.0) | (stats.maximum.max() <= 0.0)
    )
    levels = 2**scheme.bits if one_sided else 2 ** (scheme.bits - 1)
    exact = stats.exact
    if exact is None:
        counts, width = _folded(stats)
        return torch.tensor([threshold(counts, width, levels)], dtype=torch.float64)
    rows = exact if channels else exact.reshape(1, -1)
    tops = []
    for row in rows.abs():
        largest = float(row.max()) or 1.0
        counts = torch.histc(row[row > 0], BINS, 0.0, largest).double().numpy()
        tops.append(threshold(counts, largest / BINS, levels))
    return torch.tensor(tops, dtype=torch.float64)


def _folded(stats: TensorStats) -> tuple[Floats, float]:
    """Counts of |x| in 2,048 bins of two fine bins each, zeros left out."""
    counts = stats.bins.double()
    folded = counts[HALF:] + counts[:HALF].flip(0)
    joined: Floats = folded.reshape(BINS, HALF // BINS).sum(1).numpy()
    return joined, stats.width * (HALF // BINS)


def threshold(counts: Floats, width: float, levels: int = 128) -> float:
    """(i + ½)·width for the i of least KL(P‖Q), i = levels … bins (TensorRT, GTC 2017, s7310).

    P is the first i bins with all counts beyond added to its last one. Q is the first i bins
    alone, merged to `levels` by ⌊j·levels/i⌋, each level's counts spread evenly over its bins that
    P fills. onnxruntime merges by j // (i // levels) with the remainder in the last level.
    """
    bins = len(counts)
    if levels >= bins:
        return bins * width
    best, best_at = np.inf, bins
    for at in range(levels, bins + 1):
        found = divergence(counts, at, levels)
        if found < best:
            best, best_at = found, at
    return min((best_at + 0.5), float(bins)) * width


def divergence(counts: Floats, at: int, levels: int) -> float:
    """KL(P‖Q) for a clip after bin `at`."""
    head = counts[:at]
    p = head.copy()
    p[-1] += counts[at:].sum()
    level = np.arange(at) * levels // at
    filled = p > 0
    mass = np.bincount(level, weights=head, minlength=levels)
    share = np.bincount(level, weights=filled, minlength=levels)
    q = np.where(filled, (mass / np.maximum(share, 1.0))[level], 0.0)
    total_p, total_q = p.sum(), q.sum()
    if total_p == 0.0 or total_q == 0.0 or bool((q[filled] == 0.0).any()):
        return float(np.inf)
    p, q = p[filled] / total_p, q[filled] / total_q
    return float((p * np.log(p / q)).sum())

"""Percentiles of a tensor, exact for weights, from the fine histogram for activations."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qviz.quant.statistics import HALF, TensorStats


def cut(
    stats: TensorStats, symmetric: bool, percentile: float, *, channels: bool
) -> tuple[Tensor, Tensor]:
    """(low, high) that leave out `100 - percentile` percent, per channel or for the tensor."""
    excess = 1.0 - percentile / 100.0
    exact = stats.exact
    if exact is None:
        found = [_cut_bins(stats, symmetric, excess)]
    else:
        rows = exact if channels else exact.reshape(1, -1)
        found = [_cut_values(row, symmetric, excess) for row in rows]
    low, high = torch.tensor(found, dtype=torch.float64).T
    return low, high


def upper_edge(counts: Tensor, share: float) -> int:
    """How many bins it takes to reach a share of all counts."""
    cumulative = counts.cumsum(0)
    target = torch.tensor(_reached(share, float(cumulative[-1])), dtype=torch.float64)
    return int(torch.searchsorted(cumulative, target)) + 1


def _tails(minimum: float, maximum: float, excess: float) -> tuple[float, float]:
    """Shares to cut at the low and the high end."""
    if minimum >= 0.0:
        return 0.0, excess
    if maximum <= 0.0:
        return excess, 0.0
    return excess / 2, excess / 2


def _cut_values(values: Tensor, symmetric: bool, excess: float) -> tuple[float, float]:
    """First value whose cumulative share reaches the percentile, exact on the sorted values."""
    if symmetric:
        top = _order_statistic(values.abs(), 1.0 - excess)
        return -top, top
    low, high = _tails(float(values.min()), float(values.max()), excess)
    return -_order_statistic(-values, 1.0 - low), _order_statistic(values, 1.0 - high)


def _order_statistic(values: Tensor, share: float) -> float:
    n = values.numel()
    rank = min(max(math.ceil(_reached(share, n)), 1), n)
    return float(torch.kthvalue(values, rank).values)


def _reached(share: float, total: float) -> float:
    """Values to count up to; a hair less than the product, which may round up past a whole one."""
    return share * total * (1.0 - 1e-12)


def _cut_bins(stats: TensorStats, symmetric: bool, excess: float) -> tuple[float, float]:
    """Upper edge of the first bin whose cumulative share reaches the percentile."""
    counts = stats.bins.double()
    counts[HALF] += stats.zeros
    if symmetric:
        folded = counts[HALF:] + counts[:HALF].flip(0)
        top = upper_edge(folded, 1.0 - excess) * stats.width
        return -top, top
    low, high = _tails(float(stats.minimum.min()), float(stats.maximum.max()), excess)
    bottom = upper_edge(counts.flip(0), 1.0 - low) - HALF
    return -bottom * stats.width, (upper_edge(counts, 1.0 - high) - HALF) * stats.width

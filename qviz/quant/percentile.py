"""Percentiles of a tensor, exact for weights, for activations from the sample in its bins.

This is the percentile calibration of onnxruntime and TensorRT, which take a bin's edge.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qviz.quant.points import Points
from qviz.quant.statistics import TensorStats


def cut(
    stats: TensorStats, symmetric: bool, percentile: float, *, channels: bool
) -> tuple[Tensor, Tensor]:
    """(low, high) that leave out `100 - percentile` percent, per channel or for the tensor."""
    excess = 1.0 - percentile / 100.0
    exact = stats.exact
    if exact is None:
        found = [_cut_points(stats.sampled_points(), symmetric, excess)]
    else:
        rows = exact if channels else exact.reshape(1, -1)
        found = [_cut_values(row, symmetric, excess) for row in rows]
    low, high = torch.tensor(found, dtype=torch.float64).T
    return low, high


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


def _cut_points(points: Points, symmetric: bool, excess: float) -> tuple[float, float]:
    """The same of one row of weighted values."""
    values = points.values[0]
    counts = torch.ones_like(values) if points.counts is None else points.counts[0]
    if symmetric:
        top = _weighted_statistic(values.abs(), counts, 1.0 - excess)
        return -top, top
    low, high = _tails(float(values.min()), float(values.max()), excess)
    bottom = _weighted_statistic(-values, counts, 1.0 - low)
    return -bottom, _weighted_statistic(values, counts, 1.0 - high)


def _weighted_statistic(values: Tensor, counts: Tensor, share: float) -> float:
    ordered, order = values.sort()
    cumulative = counts[order].double().cumsum(0)
    target = torch.tensor(_reached(share, float(cumulative[-1])), dtype=torch.float64)
    at = int(torch.searchsorted(cumulative, target))
    return float(ordered[min(at, len(ordered) - 1)])

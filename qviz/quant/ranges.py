"""Range methods: statistics + scheme -> encoding, one function each."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from qviz.quant.error import squared_error
from qviz.quant.grids import Encoding, encode
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import HALF, Points, TensorStats

Range = tuple[Tensor, Tensor]  # low, high: float64, one entry per channel
RangeFunction = Callable[[TensorStats, Scheme], Range]

RANGE_METHODS: dict[str, RangeFunction] = {}


def range_method(name: str) -> Callable[[RangeFunction], RangeFunction]:
    """Register a range method under the word that spells it."""

    def register(function: RangeFunction) -> RangeFunction:
        RANGE_METHODS[name] = function
        return function

    return register


def find_encoding(stats: TensorStats, scheme: Scheme) -> Encoding:
    """What an integer scheme becomes on the tensor that `stats` describes."""
    low, high = RANGE_METHODS[scheme.range](stats, scheme)
    return encode(low, high, scheme, stats.axis if _per_channel(stats, scheme) else None)


def _per_channel(stats: TensorStats, scheme: Scheme) -> bool:
    return scheme.granularity == "channel" and stats.axis is not None


@range_method("minmax")
def minmax(stats: TensorStats, scheme: Scheme) -> Range:
    """The smallest and largest value seen."""
    if _per_channel(stats, scheme):
        return stats.minimum, stats.maximum
    return stats.minimum.min().reshape(1), stats.maximum.max().reshape(1)


@range_method("clip")
def clip(stats: TensorStats, scheme: Scheme) -> Range:
    """The range set by hand; per channel it cuts each channel's own min-max range."""
    low, high = minmax(stats, scheme)
    if scheme.clip is None:
        return low, high
    bounds = [torch.full_like(low, value) for value in scheme.clip]
    if not _per_channel(stats, scheme):
        return bounds[0], bounds[1]
    return torch.maximum(low, bounds[0]), torch.minimum(high, bounds[1])


@range_method("percentile")
def percentile(stats: TensorStats, scheme: Scheme) -> Range:
    """Cut the tails beyond a percentile; symmetric grids use the percentile of |x|.

    Asymmetric grids cut half of the excess at each end (onnxruntime's percentile calibrator),
    or all of it at one end when every value has the same sign.
    """
    low, high = minmax(stats, scheme)
    excess = 1.0 - scheme.percentile / 100.0
    if _per_channel(stats, scheme) and stats.exact is not None:
        rows = stats.exact
        cut = [_cut_values(row, scheme.symmetric, excess) for row in rows]
        lows, highs = torch.tensor([c[0] for c in cut]), torch.tensor([c[1] for c in cut])
    elif stats.exact is not None:
        one = _cut_values(stats.exact.flatten(), scheme.symmetric, excess)
        lows, highs = torch.tensor([one[0]]), torch.tensor([one[1]])
    else:
        one = _cut_bins(stats, scheme.symmetric, excess)
        lows, highs = torch.tensor([one[0]]), torch.tensor([one[1]])
    return torch.maximum(low, lows.double()), torch.minimum(high, highs.double())


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
        top = _edge(folded, 1.0 - excess) * stats.width
        return -top, top
    low, high = _tails(float(stats.minimum.min()), float(stats.maximum.max()), excess)
    bottom = _edge(counts.flip(0), 1.0 - low) - HALF
    return -bottom * stats.width, (_edge(counts, 1.0 - high) - HALF) * stats.width


def _edge(counts: Tensor, share: float) -> int:
    cumulative = counts.cumsum(0)
    target = torch.tensor(_reached(share, float(cumulative[-1])), dtype=torch.float64)
    return int(torch.searchsorted(cumulative, target)) + 1


# Shares of the min-max range tried first: quarter octaves down to 1/256 of it.
_COARSE = 2.0 ** (-torch.arange(0, 33, dtype=torch.float64) / 4)
_COARSE_BOTH_WAYS = torch.cat([_COARSE[::2], 1.0 / _COARSE[2::2]])


@range_method("mse")
def mse(stats: TensorStats, scheme: Scheme) -> Range:
    """The range of least squared error: a coarse search, then two refinements around the best.

    Asymmetric ranges with values on both sides of zero search each end in turn.
    """
    low, high = minmax(stats, scheme)
    points = stats.points(channel=_per_channel(stats, scheme))
    ends = _Ends(torch.ones_like(low), torch.ones_like(high))
    ends = _search(points, scheme, (low, high), ends, _COARSE, both=True)
    two_sided = not scheme.symmetric and bool(((low < 0) & (high > 0)).any())
    fine = [
        torch.logspace(-1, 1, 11, base=spread, dtype=torch.float64)
        for spread in (2.0**0.25, 2.0**0.05)
    ]
    for factors in [_COARSE_BOTH_WAYS, *fine] if two_sided else fine:
        if two_sided:
            ends = _search(points, scheme, (low, high), ends, factors, both=False, end=0)
            ends = _search(points, scheme, (low, high), ends, factors, both=False, end=1)
        else:
            ends = _search(points, scheme, (low, high), ends, factors, both=True)
    return low * ends.low, high * ends.high


class _Ends:
    """Shares of the min-max range kept at the low and the high end, one entry per channel."""

    def __init__(self, low: Tensor, high: Tensor) -> None:
        self.low, self.high = low, high

    def scaled(self, factor: float, both: bool, end: int) -> _Ends:
        low = (self.low * factor).clamp(max=1.0) if both or end == 0 else self.low
        high = (self.high * factor).clamp(max=1.0) if both or end == 1 else self.high
        return _Ends(low, high)


def _search(
    points: Points,
    scheme: Scheme,
    full: Range,
    start: _Ends,
    factors: Tensor,
    *,
    both: bool,
    end: int = 0,
) -> _Ends:
    """The best of `start` scaled by each factor, chosen per channel; never worse than `start`."""
    best, best_error = start, _range_error(points, scheme, full, start)
    for factor in factors.tolist():
        trial = start.scaled(factor, both, end)
        error = _range_error(points, scheme, full, trial)
        better = error < best_error
        best = _Ends(
            torch.where(better, trial.low, best.low), torch.where(better, trial.high, best.high)
        )
        best_error = torch.where(better, error, best_error)
    return best


def _range_error(points: Points, scheme: Scheme, full: Range, ends: _Ends) -> Tensor:
    encoding = encode(full[0] * ends.low, full[1] * ends.high, scheme, axis=0)
    return squared_error(points, encoding)

"""Range methods: statistics + scheme -> encoding, one function each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

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


Factors = tuple[float, float]  # of the low and of the high end of a range

# Shares of the min-max range tried first: quarter octaves down to 1/256 of it. Ranges with two free
# ends also try pairs of half octaves down to 1/16, because the ends trade off against each other.
_COARSE: list[Factors] = [(2.0 ** (-k / 4), 2.0 ** (-k / 4)) for k in range(1, 33)]
_PAIRS: list[Factors] = [(2.0 ** (-i / 2), 2.0 ** (-k / 2)) for i in range(9) for k in range(9)]
_FINE = ([2.0 ** (k / 20) for k in range(-5, 6)], [2.0 ** (k / 100) for k in range(-5, 6)])


@range_method("mse")
def mse(stats: TensorStats, scheme: Scheme) -> Range:
    """The range of least squared error: a coarse search, then two refinements around the best.

    Asymmetric ranges with values on both sides of zero refine each end in turn.
    """
    low, high = minmax(stats, scheme)
    points = stats.points(channel=_per_channel(stats, scheme))
    two_sided = not scheme.symmetric and bool(((low < 0) & (high > 0)).any())
    ends = _Ends(torch.ones_like(low), torch.ones_like(high))
    ends = _search(points, scheme, (low, high), ends, _COARSE + _PAIRS if two_sided else _COARSE)
    for factors in _FINE:
        if two_sided:
            ends = _search(points, scheme, (low, high), ends, [(f, 1.0) for f in factors])
            ends = _search(points, scheme, (low, high), ends, [(1.0, f) for f in factors])
        else:
            ends = _search(points, scheme, (low, high), ends, [(f, f) for f in factors])
    return low * ends.low, high * ends.high


class _Ends:
    """Shares of the min-max range kept at the low and the high end, one entry per channel."""

    def __init__(self, low: Tensor, high: Tensor) -> None:
        self.low, self.high = low, high

    def scaled(self, factors: Factors) -> _Ends:
        low, high = factors
        return _Ends((self.low * low).clamp(max=1.0), (self.high * high).clamp(max=1.0))


def _search(
    points: Points, scheme: Scheme, full: Range, start: _Ends, trials: Sequence[Factors]
) -> _Ends:
    """The best of `start` scaled by each trial, chosen per channel; never worse than `start`."""
    best, best_error = start, _range_error(points, scheme, full, start)
    for factors in trials:
        trial = start.scaled(factors)
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

"""Range methods: statistics + scheme -> the range that the grid should cover, one function each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from qviz.quant import aciq, entropy, percentile, search
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

Range = tuple[Tensor, Tensor]  # low, high: float64, one entry per channel or one for the tensor
RangeFunction = Callable[[TensorStats, Scheme], Range]

RANGE_METHODS: dict[str, RangeFunction] = {}


def range_method(name: str) -> Callable[[RangeFunction], RangeFunction]:
    """Register a range method under the word that spells it."""

    def register(function: RangeFunction) -> RangeFunction:
        RANGE_METHODS[name] = function
        return function

    return register


def per_channel(stats: TensorStats, scheme: Scheme) -> bool:
    """Whether the scheme has a range for every channel of this tensor."""
    return scheme.granularity == "channel" and stats.axis is not None


@range_method("minmax")
def minmax(stats: TensorStats, scheme: Scheme) -> Range:
    """The smallest and largest value seen."""
    if per_channel(stats, scheme):
        return stats.minimum, stats.maximum
    return stats.minimum.min().reshape(1), stats.maximum.max().reshape(1)


@range_method("average")
def average(stats: TensorStats, scheme: Scheme) -> Range:
    """Moving average of each sample's extremes (torch's MovingAverageMinMaxObserver, c = 0.01).

    Weights, and channels, which come once, keep their smallest and largest value.
    """
    if stats.moving is None or per_channel(stats, scheme):
        return minmax(stats, scheme)
    low, high = stats.moving.value
    return torch.tensor([low], dtype=torch.float64), torch.tensor([high], dtype=torch.float64)


@range_method("clip")
def clip(stats: TensorStats, scheme: Scheme) -> Range:
    """The range set by hand; per channel it cuts each channel's own min-max range."""
    low, high = minmax(stats, scheme)
    if scheme.clip is None:
        return low, high
    bounds = [torch.full_like(low, value) for value in scheme.clip]
    if not per_channel(stats, scheme):
        return bounds[0], bounds[1]
    return torch.maximum(low, bounds[0]), torch.minimum(high, bounds[1])


@range_method("percentile")
def at_percentile(stats: TensorStats, scheme: Scheme) -> Range:
    """Cut the tails beyond a percentile; symmetric grids use the percentile of |x|.

    Asymmetric grids cut half of the excess at each end (onnxruntime's percentile calibrator),
    or all of it at one end when every value has the same sign.
    """
    low, high = minmax(stats, scheme)
    cut_low, cut_high = percentile.cut(
        stats, scheme.symmetric, scheme.percentile, channels=per_channel(stats, scheme)
    )
    return torch.maximum(low, cut_low), torch.minimum(high, cut_high)


@range_method("mse")
def least_squares(stats: TensorStats, scheme: Scheme) -> Range:
    """The range of least squared error under the scheme's own grid."""
    return search.best_range(
        stats, scheme, minmax(stats, scheme), channels=per_channel(stats, scheme)
    )


@range_method("entropy")
def least_divergence(stats: TensorStats, scheme: Scheme) -> Range:
    """TensorRT's entropy calibration on 2,048 bins of |x|."""
    low, high = minmax(stats, scheme)
    tops = entropy.thresholds(stats, scheme, channels=per_channel(stats, scheme))
    return torch.maximum(low, -tops), torch.minimum(high, tops)


@range_method("aciq-gauss")
def aciq_gauss(stats: TensorStats, scheme: Scheme) -> Range:
    """Banner et al. 2019: the clip that is best if the values are Gaussian."""
    return aciq.cut(stats, scheme, minmax(stats, scheme), "gauss", per_channel(stats, scheme))


@range_method("aciq-laplace")
def aciq_laplace(stats: TensorStats, scheme: Scheme) -> Range:
    """Banner et al. 2019: the clip that is best if the values are Laplacian."""
    return aciq.cut(stats, scheme, minmax(stats, scheme), "laplace", per_channel(stats, scheme))

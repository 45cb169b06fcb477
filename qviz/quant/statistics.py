"""TensorStats: what is known of a tensor's values, streamed and merged in constant memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from qviz.quant.axes import Axes
from qviz.quant.bins import CHANNEL_HALF, HALF, bin_of, coarsened
from qviz.quant.encoding import Scaled
from qviz.quant.moving import MovingRange
from qviz.quant.points import Points, share_of
from qviz.quant.sample import Sample, evenly

ROUNDED = 1e-12  # of the sum of squares: what may be left of rounding after a subtraction


@dataclass(frozen=True, eq=False, slots=True)
class TensorStats:
    """Mergeable statistics of a tensor, per tensor and per channel along `axis`.

    Zeros are counted apart from the histogram because zero is on every grid and costs no error.
    Bins hold the sum of their values, so each is represented by its mean and not by its centre.
    """

    axis: Axes
    count: int
    zeros: int
    minimum: Tensor  # [channels] float64 ([1] without a channel axis)
    maximum: Tensor
    mean: Tensor
    square: Tensor  # mean of squares
    exponent: int  # bin width is 2**exponent
    bins: Tensor  # [2·HALF] int64, zeros excluded
    sums: Tensor  # [2·HALF] float64
    channel_bins: Tensor | None  # [channels, 2·CHANNEL_HALF] int64, zeros included
    source: Callable[[], Tensor] | None = None  # reads `exact`; for weights only
    moving: MovingRange | None = None  # for activations only
    drawn: Sample | None = None  # for activations only
    stored: Scaled | None = None  # the scales that an already quantized file holds for it
    finite: bool = True  # whether all values were; NaN and infinite ones count as zeros

    @property
    def kept(self) -> bool:
        """Whether the values themselves can be read: of weights, not of activations."""
        return self.source is not None

    @property
    def exact(self) -> Tensor | None:
        """The values themselves [channels, n], float32, where they are `kept`."""
        return None if self.source is None else self.source()

    @property
    def sample(self) -> Tensor | None:
        """Some values of an activation [rows, n], each row along the channel axis."""
        return None if self.drawn is None else self.drawn.rows

    @property
    def channels(self) -> int:
        """Number of channels; 0 without a channel axis."""
        return 0 if self.axis is None else self.minimum.numel()

    @property
    def width(self) -> float:
        """Bin width of the histogram."""
        return float(2.0**self.exponent)

    def leading(self, limit: int, block: int) -> Points:
        """The first blocks of every channel of a weight, about `limit` values, as they lie."""
        exact = self.exact
        if exact is None:
            raise ValueError("an activation's values are not kept")
        columns = max(block, limit // len(exact) // block * block)
        taken = exact[:, :columns]
        return share_of(exact, taken)

    def points(self, channel: bool = False, limit: int | None = None) -> Points:
        """The values to measure errors on: exact for weights, bin means for activations.

        `channel` asks for one row per channel (weights only). For a weight of more than `limit`
        values the histogram stands in, or an even subsample of every channel.
        """
        whole = limit is None or self.count <= limit
        exact = self.exact if channel or whole else None
        if exact is not None and channel and limit is not None:
            stride = math.ceil(exact.numel() / limit)
            return share_of(exact, exact[:, ::stride])
        if exact is not None:
            return Points(exact if channel else exact.reshape(1, -1))
        return self._with_zeros(*self._means(self.bins > 0))

    def _means(self, which: Tensor) -> tuple[Tensor, Tensor]:
        """(means, counts) of some bins."""
        counts = self.bins[which].double()
        return (self.sums[which] / counts).float(), counts

    def _with_zeros(self, values: Tensor, counts: Tensor, sampled: int | None = None) -> Points:
        zeros = torch.tensor([float(self.zeros)], dtype=torch.float64)
        values, counts = torch.cat([values, torch.zeros(1)]), torch.cat([counts, zeros])
        return Points(values.unsqueeze(0), counts.unsqueeze(0), sampled)

    @property
    def inside_bins(self) -> float:
        """Σ(x - the mean of its bin)², which the histogram does not show."""
        means, counts = self._means(self.bins > 0)
        total = float(self.square.mean()) * self.count
        left = total - float((means.double().square() * counts).sum())
        return max(left - ROUNDED * total, 0.0)

    def sampled_points(self) -> Points:
        """The sample of an activation, its values weighted so that every bin has its own count.

        A bin that the sample misses is represented by its only value, or by a place inside it: no
        outlier is lost. (This is post-stratification: Holt and Smith 1979.)
        """
        if self.sample is None:
            return self.points()
        values = self.sample[self.sample != 0.0]
        at = bin_of(values, self.exponent)
        held = torch.bincount(at, minlength=len(self.bins))
        missed = torch.nonzero((self.bins > 0) & (held == 0)).flatten()
        means, counts = self._means(missed)
        # Means of many values lie at the centres of the bins, all on the grid or all between.
        places = (missed - HALF + evenly(missed)) * self.width
        others = torch.where(counts > 1.0, places.float(), means)
        weights = (self.bins.double() / held)[at]
        return self._with_zeros(
            torch.cat([values, others]), torch.cat([weights, counts]), self._sampled
        )

    def as_it_lies(self) -> Points:
        """The rows of an activation's sample, as they lie along the channel axis.

        Where a few channels hold most of the signal, so do a few values of the sample: then its
        errors can be dB away from those of all values.
        """
        if self.sample is None:
            return self.points()
        return Points(self.sample, sampled=self._sampled)

    @property
    def _sampled(self) -> int | None:
        size = 0 if self.sample is None else self.sample.numel()
        return None if size == self.count else min(size, self.count)

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        mean = float(self.mean.mean())
        return math.sqrt(max(float(self.square.mean()) - mean * mean, 0.0))

    def channel_histogram(self, channel: int) -> tuple[Tensor, Tensor] | None:
        """(edges [n+1], counts [n]) over the used bins of a channel, zeros included, float64.

        None when channels were not counted.
        """
        if self.channel_bins is None:
            return None
        counts, width = self.channel_bins[channel].double(), self.width * (HALF // CHANNEL_HALF)
        used = torch.nonzero(counts).flatten()
        if not used.numel():
            return torch.tensor([-width, 0.0, width], dtype=torch.float64), counts[:2]
        first, last = int(used[0]), int(used[-1]) + 1
        edges = (torch.arange(first, last + 1, dtype=torch.float64) - CHANNEL_HALF) * width
        return edges, counts[first:last]


def merge(a: TensorStats, b: TensorStats) -> TensorStats:
    """Statistics of both together; the order matters to the moving average and the sample only.

    When the number of channels differs (the axis turned out to be the batch), channels are
    given up and the tensor's statistics remain.
    """
    if a.minimum.numel() != b.minimum.numel():
        a, b = _without_channels(a), _without_channels(b)
    if not a.count or not b.count:
        return b if not a.count else a
    exponent = max(a.exponent, b.exponent)
    count = a.count + b.count
    share = b.count / count
    channel_bins = None
    if a.channel_bins is not None and b.channel_bins is not None:
        channel_bins = coarsened(a.channel_bins, exponent - a.exponent) + coarsened(
            b.channel_bins, exponent - b.exponent
        )
    return TensorStats(
        axis=a.axis,
        count=count,
        zeros=a.zeros + b.zeros,
        minimum=torch.minimum(a.minimum, b.minimum),
        maximum=torch.maximum(a.maximum, b.maximum),
        mean=a.mean + (b.mean - a.mean) * share,
        square=a.square + (b.square - a.square) * share,
        exponent=exponent,
        bins=coarsened(a.bins, exponent - a.exponent) + coarsened(b.bins, exponent - b.exponent),
        sums=coarsened(a.sums, exponent - a.exponent) + coarsened(b.sums, exponent - b.exponent),
        channel_bins=channel_bins,
        moving=a.moving if a.moving is None or b.moving is None else a.moving.then(b.moving),
        drawn=a.drawn if a.drawn is None or b.drawn is None else a.drawn.then(b.drawn),
        stored=a.stored,
        finite=a.finite and b.finite,
    )


def _without_channels(stats: TensorStats) -> TensorStats:
    return replace(
        stats,
        axis=None,
        minimum=stats.minimum.amin(0, keepdim=True),
        maximum=stats.maximum.amax(0, keepdim=True),
        mean=stats.mean.mean(0, keepdim=True),
        square=stats.square.mean(0, keepdim=True),
        channel_bins=None,
    )

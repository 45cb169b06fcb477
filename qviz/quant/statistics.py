"""TensorStats: what is known of a tensor's values, streamed and merged in constant memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

# Bins per side of zero. The width is a power of two chosen so that at least half of a side is
# used: 2,048 bins up to the largest value, 8 per step of an 8-bit grid (errors within 0.05 %).
HALF = 4096
FINEST = -126  # exponent of the narrowest bin: 2**126 and 2**-126 are both float32
CHANNEL_HALF = 128
CACHE_VALUES = 1 << 17  # values binned at a time, so that their indices stay in cache
BLOCK_VALUES = 1 << 20  # values widened at a time, so that a large tensor is never copied whole
CHANNEL_HISTOGRAM_LIMIT = 2048  # channels; beyond it, per-channel histograms cost too much memory
SAMPLE_VALUES = 1 << 15  # of an activation, kept as they lie for formats with block scales
AVERAGING = 0.01  # torch's and onnxruntime's averaging constant


@dataclass(frozen=True, eq=False, slots=True)
class Points:
    """Weighted sample values: `values` [channels, n] float32, `counts` [channels, n] float64."""

    values: Tensor
    counts: Tensor | None = None  # None: every value counts once


@dataclass(frozen=True, eq=False, slots=True)
class MovingRange:
    """Moving average m <- m + c·(x - m) of each sample's (smallest, largest) value, in order.

    Kept as the affine map that the samples apply to the first one, so that it can be merged.
    """

    first: Tensor  # [2] float64
    offset: Tensor  # [2]
    decay: float

    @property
    def value(self) -> tuple[float, float]:
        """The average (smallest, largest) value."""
        low, high = (self.offset + self.decay * self.first).tolist()
        return low, high

    def then(self, later: MovingRange) -> MovingRange:
        """Both together, the samples of `later` after these."""
        return MovingRange(
            self.first, self.offset * later.decay + later.offset, self.decay * later.decay
        )


@dataclass(frozen=True, eq=False, slots=True)
class TensorStats:
    """Mergeable statistics of a tensor, per tensor and per channel along `axis`.

    Zeros are counted apart from the histogram because zero is on every grid and costs no error.
    Bins hold the sum of their values, so each is represented by its mean and not by its centre.
    """

    axis: int | None
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
    sample: Tensor | None = None  # [rows, n] activations, each row along the channel axis

    @property
    def kept(self) -> bool:
        """Whether the values themselves can be read: of weights, not of activations."""
        return self.source is not None

    @property
    def exact(self) -> Tensor | None:
        """The values themselves [channels, n], float32, where they are `kept`."""
        return None if self.source is None else self.source()

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
        share = exact.shape[1] / taken.shape[1]
        return Points(taken, torch.full(taken.shape, share, dtype=torch.float64))

    def points(self, channel: bool = False, limit: int | None = None) -> Points:
        """The values to measure errors on: exact for weights, bin means for activations.

        `channel` asks for one row per channel (weights only). For a weight of more than `limit`
        values the histogram stands in, or an even subsample of every channel.
        """
        whole = limit is None or self.count <= limit
        exact = self.exact if channel or whole else None
        if exact is not None and channel and limit is not None:
            stride = math.ceil(exact.numel() / limit)
            taken = exact[:, ::stride]
            share = exact.shape[1] / taken.shape[1]
            return Points(taken, torch.full(taken.shape, share, dtype=torch.float64))
        if exact is not None:
            return Points(exact if channel else exact.reshape(1, -1))
        full = self.bins > 0
        counts = self.bins[full].double()
        values = torch.cat([self.sums[full] / counts, torch.zeros(1, dtype=torch.float64)])
        weights = torch.cat([counts, torch.tensor([float(self.zeros)], dtype=torch.float64)])
        return Points(values.float().unsqueeze(0), weights.unsqueeze(0))

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        mean = float(self.mean.mean())
        return math.sqrt(max(float(self.square.mean()) - mean * mean, 0.0))

    def histogram(self) -> tuple[Tensor, Tensor]:
        """(edges [n+1], counts [n]) over the used bins, zeros included, float64."""
        counts = self.bins.double()
        counts[HALF] += self.zeros
        return self._trimmed(counts, HALF, self.width)

    def channel_histogram(self, channel: int) -> tuple[Tensor, Tensor] | None:
        """The same for one channel, coarser; None when channels were not counted."""
        if self.channel_bins is None:
            return None
        return self._trimmed(
            self.channel_bins[channel].double(), CHANNEL_HALF, self.width * (HALF // CHANNEL_HALF)
        )

    def _trimmed(self, counts: Tensor, half: int, width: float) -> tuple[Tensor, Tensor]:
        used = torch.nonzero(counts).flatten()
        if not used.numel():
            return torch.tensor([-width, 0.0, width], dtype=torch.float64), counts[:2]
        first, last = int(used[0]), int(used[-1]) + 1
        edges = (torch.arange(first, last + 1, dtype=torch.float64) - half) * width
        return edges, counts[first:last]


def measure(
    x: Tensor, axis: int | None = None, *, keep: bool | Callable[[], Tensor] = False
) -> TensorStats:
    """Statistics of one tensor, or one batch of it; `keep` retains a weight for exact errors.

    A weight that is too large to stay in memory gives instead the function that reads it again.
    NaN and infinite values, which no grid can hold, count as zeros.
    """
    if axis is not None:
        axis = axis % x.ndim if x.ndim else None
    rows = _rows(x, axis)
    source: Callable[[], Tensor] | None = None
    if keep is True:
        rows = _exact(rows)
        source = rows.detach
    elif keep:
        source = partial(_read_exact, keep, axis)
    moments = _moments(rows)
    exponent = _exponent(moments.largest)
    bins, sums = _histogram(rows, exponent, moments.finite)
    bins[HALF] -= moments.zeros
    counted = not keep and axis is not None
    return TensorStats(
        axis=axis,
        count=rows.numel(),
        zeros=moments.zeros,
        minimum=moments.minimum.double(),
        maximum=moments.maximum.double(),
        mean=moments.sums / rows.shape[1],
        square=moments.squares / rows.shape[1],
        exponent=exponent,
        bins=bins,
        sums=sums,
        channel_bins=_channel_bins(rows, exponent, moments.finite) if counted else None,
        source=source,
        moving=None if keep else _moving(x),
        sample=None if keep else _sample(x, axis),
    )


def _rows(x: Tensor, axis: int | None) -> Tensor:
    """[channels, n] of the tensor's own type; shares memory with `x` where it can."""
    rows = x.detach()
    rows = rows.reshape(1, -1) if axis is None else rows.unsqueeze(-1).movedim(axis, 0).flatten(1)
    if rows.numel() == 0:
        rows = rows.new_zeros((max(rows.shape[0], 1), 1))
    return rows


def _exact(rows: Tensor) -> Tensor:
    """The rows as contiguous float32, finite; the same memory where they are that already."""
    rows = rows.float().contiguous()
    return rows if math.isfinite(_largest(rows)) else _finite(rows)


def _read_exact(read: Callable[[], Tensor], axis: int | None) -> Tensor:
    return _exact(_rows(read(), axis))


def _finite(values: Tensor) -> Tensor:
    return torch.where(values.isfinite(), values, 0.0)


def _blocks(rows: Tensor) -> Iterator[tuple[int, Tensor]]:
    """(first row, block of float32) in the order of the values: whole rows, or parts of one."""
    height = max(1, BLOCK_VALUES // rows.shape[1])
    for first in range(0, len(rows), height):
        for part in rows[first : first + height].split(BLOCK_VALUES, dim=1):
            yield first, part.float()


@dataclass(frozen=True, eq=False, slots=True)
class _Moments:
    """What one pass over the rows finds; tensors are [channels]."""

    minimum: Tensor  # float32
    maximum: Tensor
    sums: Tensor  # float64
    squares: Tensor
    zeros: int
    finite: bool  # whether all values were

    @property
    def largest(self) -> float:
        return max(-float(self.minimum.min()), float(self.maximum.max()))


def _moments(rows: Tensor) -> _Moments:
    """Range, sums and zeros of every row, a block at a time; values that are not finite are 0."""
    channels = len(rows)
    minimum, maximum = torch.full((channels,), math.inf), torch.full((channels,), -math.inf)
    sums, squares = torch.zeros(2, channels, dtype=torch.float64)
    zeros, finite = 0, True
    for first, given in _blocks(rows):
        block, low, high = given, given.amin(1), given.amax(1)
        if not bool(low.isfinite().all() & high.isfinite().all()):
            finite, block = False, _finite(given)
            low, high = block.amin(1), block.amax(1)
        here = slice(first, first + len(block))
        torch.minimum(minimum[here], low, out=minimum[here])
        torch.maximum(maximum[here], high, out=maximum[here])
        zeros += block.numel() - int(torch.count_nonzero(block))
        wide = block.double()
        sums[here] += wide.sum(1)
        squares[here] += wide.square_().sum(1)
    return _Moments(minimum, maximum, sums, squares, zeros, finite)


def _moving(x: Tensor) -> MovingRange | None:
    if x.ndim == 0 or x.numel() == 0:
        return None
    samples = x.detach().float().flatten(1) if x.ndim > 1 else x.detach().float().unsqueeze(0)
    # amin and amax use all threads on one long row, torch.aminmax(dim=1) does not.
    ends = torch.stack([samples.amin(1), samples.amax(1)], 1).double().nan_to_num(0.0, 0.0, 0.0)
    ages = torch.arange(len(ends) - 1, -1, -1, dtype=torch.float64)
    weights = AVERAGING * (1.0 - AVERAGING) ** ages
    return MovingRange(ends[0], weights @ ends, (1.0 - AVERAGING) ** len(ends))


def _sample(x: Tensor, axis: int | None) -> Tensor | None:
    if x.ndim == 0 or x.numel() == 0:
        return None
    last = x.detach().movedim(-1 if axis is None else axis, -1)
    rows = last.reshape(-1, last.shape[-1])[:, :SAMPLE_VALUES]
    wanted = max(1, SAMPLE_VALUES // rows.shape[1])
    taken = rows[:: max(1, len(rows) // wanted)][:wanted].float()
    return torch.where(taken.isfinite(), taken, 0.0)


def _largest(rows: Tensor) -> float:
    """Largest magnitude; NaN or infinite where a value is."""
    low, high = torch.aminmax(rows)
    return float(torch.maximum(-low, high))


def _exponent(largest: float) -> int:
    """The power of two whose HALF bins per side just reach `largest`.

    The finest for zeros alone, so that merging them with others widens no bin.
    """
    if largest == 0.0:
        return FINEST
    return max(math.frexp(largest)[1] - (HALF.bit_length() - 1), FINEST)


def _bin_of(values: Tensor, exponent: int) -> Tensor:
    """The bin of every value, int64, when bins are 2**exponent wide."""
    return (values * 2.0**-exponent).floor_().to(torch.int64).add_(HALF).clamp_(0, 2 * HALF - 1)


def _histogram(rows: Tensor, exponent: int, finite: bool) -> tuple[Tensor, Tensor]:
    """How many values every bin holds, and their sum, a cacheful of values at a time."""
    bins = torch.zeros(2 * HALF, dtype=torch.int64)
    sums = torch.zeros(2 * HALF, dtype=torch.float64)
    for _, block in _blocks(rows):
        for part in (block if finite else _finite(block)).reshape(-1).split(CACHE_VALUES):
            index = _bin_of(part, exponent)
            bins += torch.bincount(index, minlength=2 * HALF)
            sums.scatter_add_(0, index, part.double())
    return bins, sums


def _channel_bins(rows: Tensor, exponent: int, finite: bool) -> Tensor | None:
    """The counts of every channel, as many whole channels at a time as fit the cache."""
    if len(rows) > CHANNEL_HISTOGRAM_LIMIT:
        return None
    width = 2 * CHANNEL_HALF
    parts = []
    for given in rows.split(max(1, CACHE_VALUES // rows.shape[1])):
        part = given.float() if finite else _finite(given.float())
        index = _bin_of(part, exponent).div_(HALF // CHANNEL_HALF, rounding_mode="floor")
        index += torch.arange(len(part)).unsqueeze(1) * width
        parts.append(torch.bincount(index.flatten(), minlength=len(part) * width))
    return torch.cat(parts).reshape(-1, width)


def merge(a: TensorStats, b: TensorStats) -> TensorStats:
    """Statistics of both together; the order matters to the moving average and the sample only.

    When the number of channels differs (the axis turned out to be the batch), channels are
    given up and the tensor's statistics remain.
    """
    if a.minimum.numel() != b.minimum.numel():
        a, b = _without_channels(a), _without_channels(b)
    exponent = max(a.exponent, b.exponent)
    count = a.count + b.count
    share = b.count / count
    channel_bins = None
    if a.channel_bins is not None and b.channel_bins is not None:
        channel_bins = _coarsened(a.channel_bins, exponent - a.exponent) + _coarsened(
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
        bins=_coarsened(a.bins, exponent - a.exponent) + _coarsened(b.bins, exponent - b.exponent),
        sums=_coarsened(a.sums, exponent - a.exponent) + _coarsened(b.sums, exponent - b.exponent),
        channel_bins=channel_bins,
        moving=a.moving if a.moving is None or b.moving is None else a.moving.then(b.moving),
        sample=_joined(a.sample, b.sample),
    )


def _joined(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Rows of both, up to the limit; rows of another length are left out."""
    if a is None or b is None or a.shape[1] != b.shape[1]:
        return b if a is None else a
    room = max(1, SAMPLE_VALUES // a.shape[1]) - len(a)
    return a if room <= 0 else torch.cat([a, b[:room]])


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


def _coarsened(bins: Tensor, doublings: int) -> Tensor:
    """Histogram bins (last axis, symmetric about zero) after doubling their width repeatedly."""
    size = bins.shape[-1]
    for _ in range(min(doublings, size.bit_length())):
        pairs = bins.reshape(*bins.shape[:-1], size // 2, 2).sum(-1)
        bins = torch.nn.functional.pad(pairs, (size // 4, size // 4))
    return bins

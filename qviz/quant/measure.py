"""From a tensor to its statistics, a block at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from qviz.quant.bins import (
    HALF,
    count_channels,
    count_values,
    exponent_for,
    finite_values,
    float_blocks,
)
from qviz.quant.moving import moving_range
from qviz.quant.sample import draw
from qviz.quant.statistics import TensorStats


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
    zeros = moments.zeros if x.numel() else 0  # no value at all is no zero either
    exponent = exponent_for(moments.largest)
    bins, sums = count_values(rows, exponent, moments.finite)
    bins[HALF] -= moments.zeros
    counted = not keep and axis is not None
    return TensorStats(
        axis=axis,
        count=x.numel(),
        zeros=zeros,
        minimum=moments.minimum.double(),
        maximum=moments.maximum.double(),
        mean=moments.sums / rows.shape[1],
        square=moments.squares / rows.shape[1],
        exponent=exponent,
        bins=bins,
        sums=sums,
        channel_bins=count_channels(rows, exponent, moments.finite) if counted else None,
        source=source,
        moving=None if keep else moving_range(x),
        drawn=None if keep else draw(x, axis),
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
    return rows if math.isfinite(largest(rows)) else finite_values(rows)


def _read_exact(read: Callable[[], Tensor], axis: int | None) -> Tensor:
    return _exact(_rows(read(), axis))


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
    for first, given in float_blocks(rows):
        block, low, high = given, given.amin(1), given.amax(1)
        if not math.isfinite(float(low.min()) - float(high.max())):
            finite, block = False, finite_values(given)
            low, high = block.amin(1), block.amax(1)
        here = slice(first, first + len(block))
        torch.minimum(minimum[here], low, out=minimum[here])
        torch.maximum(maximum[here], high, out=maximum[here])
        zeros += block.numel() - int(torch.count_nonzero(block))
        wide = block.double()
        sums[here] += wide.sum(1)
        squares[here] += wide.square_().sum(1)
    return _Moments(minimum, maximum, sums, squares, zeros, finite)


def largest(rows: Tensor) -> float:
    """Largest magnitude; NaN or infinite where a value is."""
    low, high = torch.aminmax(rows)
    return float(torch.maximum(-low, high))

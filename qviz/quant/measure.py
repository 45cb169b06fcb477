"""From a tensor to its statistics, a block at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from qviz.quant.axes import Axes, to_rows
from qviz.quant.bins import HALF, finite_values
from qviz.quant.moving import moving_range
from qviz.quant.sample import draw
from qviz.quant.statistics import TensorStats
from qviz.quant.tally import Room, Tally


def measure(
    x: Tensor,
    axis: Axes = None,
    *,
    keep: bool | Callable[[], Tensor] = False,
    room: Room | None = None,
) -> TensorStats:
    """Statistics of one tensor, or one batch of it; `keep` retains a weight for exact errors.

    A weight that is too large to stay in memory gives instead the function that reads it again.
    NaN and infinite values, which no grid can hold, count as zeros, and `finite` tells of them.
    `room` is memory to work in, for those who measure many tensors.
    """
    if isinstance(axis, int):
        axis = axis % x.ndim if x.ndim else None
    values = _by_channel(x, axis)
    found = Tally(len(values), counted=not keep and axis is not None)
    found.add(values, room or Room())
    source: Callable[[], Tensor] | None = None
    if keep is True:
        source = _exact(x, axis, found.finite).detach
    elif keep:
        source = partial(_read_exact, keep, axis, found.finite)
    zeros = found.zeros if x.numel() else 0  # no value at all is no zero either
    each = values[0].numel()
    bins, sums = found.histogram()
    bins[HALF] -= found.zeros
    return TensorStats(
        axis=axis,
        count=x.numel(),
        zeros=zeros,
        minimum=found.minimum.double(),
        maximum=found.maximum.double(),
        mean=found.totals / each,
        square=found.squares / each,
        exponent=found.exponent,
        bins=bins,
        sums=sums,
        channel_bins=found.channel_bins,
        source=source,
        moving=None if keep else moving_range(x),
        drawn=None if keep else draw(x, axis if isinstance(axis, int) else None),
        finite=found.finite,
    )


def _by_channel(x: Tensor, axis: Axes) -> Tensor:
    """[channels, samples, positions] in the tensor's own type; a view of all common layouts."""
    x = x.detach()
    if isinstance(axis, tuple):
        x, axis = to_rows(x, axis), 0
    if x.numel() == 0:
        return x.new_zeros((max(1 if axis is None else x.shape[axis], 1), 1, 1))
    if axis is None:  # as the values lie in memory, whatever the order of the axes
        return x.permute(sorted(range(x.ndim), key=x.stride, reverse=True)).reshape(1, 1, -1)
    sizes = x.shape[:axis].numel(), x.shape[axis], x.shape[axis + 1 :].numel()
    return x.reshape(sizes).transpose(0, 1)


def _exact(x: Tensor, axis: Axes, finite: bool) -> Tensor:
    """Rows [channels, n], contiguous float32, finite; the same memory where they are that."""
    rows = x.detach().float()
    rows = rows.reshape(1, -1).contiguous() if axis is None else to_rows(rows, axis).flatten(1)
    return rows if finite else finite_values(rows)


def _read_exact(read: Callable[[], Tensor], axis: Axes, finite: bool) -> Tensor:
    return _exact(read(), axis, finite)

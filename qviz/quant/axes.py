"""Axes: along which axes of a tensor its channels lie, and the tensor as a row per channel."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

# One axis of channels; or several, every place along which is a channel of its own, as each row of
# each of a stack of matrices; or none. An axis is negative where the tensor's rank is unknown.
Axes = int | tuple[int, ...] | None


def channel_count(shape: Sequence[int], axes: Axes) -> int:
    """How many channels a tensor of this shape has; 1 without an axis of them."""
    every = axes if isinstance(axes, tuple) else () if axes is None else (axes,)
    return math.prod(shape[axis] for axis in every)


def to_rows(x: Tensor, axes: int | tuple[int, ...]) -> Tensor:
    """[channels, …], contiguous: of several axes the last one is counted first."""
    if isinstance(axes, int):
        return x.movedim(axes, 0).contiguous()
    moved = x.movedim(axes, tuple(range(len(axes))))
    return moved.flatten(0, len(axes) - 1).contiguous()


def from_rows(rows: Tensor, axes: int | tuple[int, ...], shape: Sequence[int]) -> Tensor:
    """What `to_rows` made rows of, in its own shape."""
    if isinstance(axes, int):
        return rows.movedim(0, axes)
    sizes = [shape[axis] for axis in axes]
    apart: Tensor = rows.unflatten(0, sizes)
    return apart.movedim(tuple(range(len(axes))), axes)

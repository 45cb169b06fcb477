"""Blocks: a tensor cut into cachefuls, as its values lie in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

CACHE_VALUES = 1 << 17  # values at a time, so that all passes but the first find them in cache
_LANES = 64  # columns that torch reduces at once; what is left of a row it takes one by one
_MOST_CHANNELS = 128  # of a block of planes


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """Values of some channels: planes [channels, n], or rows of all channels, some side by side."""

    values: Tensor  # [channels, n] or [n, rows·channels], float32, contiguous
    channels: slice
    numbers: Tensor  # of the channels, int32, broadcast over `values`
    planes: bool

    def reduced(self, values: Tensor, reduce: Callable[[Tensor, int], Tensor]) -> Tensor:
        """Values that lie as the block's, reduced to one per channel."""
        if self.planes:
            return reduce(values, 1)
        side_by_side = reduce(values, 0).view(-1, self.channels.stop)
        return side_by_side[0] if len(side_by_side) == 1 else reduce(side_by_side, 0)


def blocks(x: Tensor) -> Iterator[Block]:
    """All values of x [channels, samples, positions], at most CACHE_VALUES in each block."""
    by_row = x.permute(1, 2, 0)
    if 1 < len(x) <= CACHE_VALUES // _LANES and by_row.is_contiguous():
        return _rows(by_row.reshape(-1, len(x)))
    return _planes(x)


def _rows(x: Tensor) -> Iterator[Block]:
    """Blocks of x [n, channels], with rows side by side until they fill the lanes."""
    count, channels = x.shape
    beside = _LANES // math.gcd(channels, _LANES)
    numbers = torch.arange(channels, dtype=torch.int32).repeat(beside)
    height = CACHE_VALUES // (beside * channels) * beside
    even = count // beside * beside
    for start in range(0, even, height):
        rows = x[start : min(start + height, even)].float()
        yield Block(rows.view(-1, beside * channels), slice(0, channels), numbers, planes=False)
    if even < count:
        yield Block(x[even:].float(), slice(0, channels), numbers[:channels], planes=False)


def _planes(x: Tensor) -> Iterator[Block]:
    """Blocks of some channels each, whole planes where the values of a channel lie together."""
    channels, samples, positions = x.shape
    height = math.ceil(channels / math.ceil(channels / _MOST_CHANNELS))
    if x.stride(2) == 1:
        height = max(1, min(height, CACHE_VALUES // positions))
    width = min(positions, CACHE_VALUES // height)
    depth = max(1, CACHE_VALUES // (height * width))
    for first in range(0, channels, height):
        here = slice(first, min(first + height, channels))
        numbers = torch.arange(here.start, here.stop, dtype=torch.int32).unsqueeze(1)
        for sample in range(0, samples, depth):
            for piece in x[here, sample : sample + depth].split(width, dim=2):
                values = piece.float().reshape(len(piece), -1).contiguous()
                yield Block(values, here, numbers, planes=True)

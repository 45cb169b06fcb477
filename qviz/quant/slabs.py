"""Slabs: a large table of values and its encoding, cut so that a part at a time is widened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from qviz.quant.encoding import Dynamic, Encoding, Scaled
from qviz.quant.grids import Integers
from qviz.quant.points import Points

SLAB = 1 << 19  # values


def can_cut(points: Points, encoding: Encoding) -> bool:
    """Whether a table is worth cutting, and its parts are quantized like the whole.

    Stochastic rounding draws along the whole tensor.
    """
    grid = encoding.grid
    stochastic = isinstance(grid, Integers) and grid.rounding == "stochastic"
    return points.values.numel() > 2 * SLAB and not stochastic


def slabs(points: Points, encoding: Encoding) -> Iterator[tuple[Points, Encoding]]:
    """Parts of a table [rows, n] with the encoding of each: whole rows, or pieces of one row."""
    grid = encoding.over_rows()
    rows, columns = points.values.shape
    if rows == 1:
        block = grid.block or 1
        step = -(-SLAB // block) * block
        for start in range(0, columns, step):
            at = (slice(None), slice(start, start + step))
            yield _part(points, at), _pieces(grid, start // block, (start + step) // block)
        return
    step = max(SLAB // max(columns, 1), 1)
    for start in range(0, rows, step):
        yield _part(points, (slice(start, start + step),)), _rows(grid, start, start + step)


def _part(points: Points, at: tuple[slice, ...]) -> Points:
    counts = None if points.counts is None else points.counts.expand_as(points.values)[at]
    return Points(points.values[at], counts, points.sampled)


def _rows(grid: Encoding, start: int, end: int) -> Encoding:
    if isinstance(grid, Dynamic) or grid.scale.shape[0] == 1:
        return grid
    step = None if grid.step is None else grid.step[start:end]
    return replace(
        grid, scale=grid.scale[start:end], zero_point=grid.zero_point[start:end], step=step
    )


def _pieces(grid: Encoding, start: int, end: int) -> Encoding:
    """The blocks of one row."""
    if not isinstance(grid, Scaled) or grid.block is None:
        return grid
    return replace(grid, scale=grid.scale[:, start:end], zero_point=grid.zero_point[:, start:end])

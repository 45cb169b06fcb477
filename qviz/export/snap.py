"""Snap: quotients to the levels of a grid, in standard operators."""

from __future__ import annotations

import onnx_ir as ir
import torch

from qviz.export.levels import write_levels
from qviz.export.nodes import Nodes
from qviz.quant.grids import Codebook, Grid, Integers, NarrowFloat
from qviz.quant.scheme import Rounding


def cast(nodes: Nodes, x: ir.Value, dtype: ir.DataType) -> ir.Value:
    """The value in another type."""
    return nodes.op("Cast", x, attributes={"to": int(dtype)})


def write_snap(nodes: Nodes, ratio: ir.Value, grid: Grid, zero: int = 0) -> ir.Value:
    """The level of every quotient, in units of the scale.

    Raises:
        ValueError: rounding by chance.
    """
    if isinstance(grid, Codebook):
        return write_levels(nodes, ratio, grid)
    if isinstance(grid, NarrowFloat):
        largest = float(torch.finfo(grid.dtype).max)
        held = nodes.op("Clip", ratio, -largest, largest)
        narrow = cast(nodes, held, ir.tensor_adapters.from_torch_dtype(grid.dtype))
        return cast(nodes, narrow, ir.DataType.FLOAT)
    if not isinstance(grid, Integers):
        raise ValueError("an unknown kind of grid")
    rounded = _rounded(nodes, ratio, grid.rounding)
    return nodes.op("Clip", rounded, float(grid.qmin - zero), float(grid.qmax - zero))


def _rounded(nodes: Nodes, x: ir.Value, mode: Rounding) -> ir.Value:
    match mode:
        case "even":
            return nodes.op("Round", x)
        case "up":
            return _half_up(nodes, x)
        case "away":
            return nodes.op("Mul", nodes.op("Sign", x), _half_up(nodes, nodes.op("Abs", x)))
        case "zero":
            return nodes.op("Mul", nodes.op("Sign", x), nodes.op("Floor", nodes.op("Abs", x)))
    raise ValueError("a draw for every activation has no operator")


def _half_up(nodes: Nodes, x: ir.Value) -> ir.Value:
    """⌊x + ½⌋ without the sum, as `round_to_integers` does it."""
    halves = nodes.op("Mul", nodes.op("Floor", nodes.op("Mul", x, 2.0)), 0.5)
    return nodes.op("Ceil", halves)

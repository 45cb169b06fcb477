"""Levels: a binary search for the level of every value, in standard operators."""

from __future__ import annotations

import onnx_ir as ir
import torch
from torch import Tensor

from qviz.export.nodes import Nodes
from qviz.quant.grids import Codebook


def write_levels(nodes: Nodes, ratio: ir.Value, grid: Codebook) -> ir.Value:
    """The level of every quotient: bit by bit, whether it reaches the bound in the middle."""
    return nodes.op("Gather", grid.values, write_position(nodes, ratio, grid.bounds))


def write_position(nodes: Nodes, x: ir.Value, bounds: Tensor) -> ir.Value:
    """How many of the ascending bounds (float32) each value reaches, int64."""
    bits = max(len(bounds), 1).bit_length()
    filled = torch.full((2**bits - 1,), torch.inf)
    filled[: len(bounds)] = bounds
    table = nodes.constant("bounds", filled)
    position: ir.Value | None = None
    for bit in reversed(range(bits)):
        size = 2**bit
        if position is None:
            bound = nodes.op("Gather", table, size - 1)
            reached = nodes.op("GreaterOrEqual", x, bound)
            position = nodes.op("Where", reached, size, 0)
            continue
        bound = nodes.op("Gather", table, nodes.op("Add", position, size - 1))
        reached = nodes.op("GreaterOrEqual", x, bound)
        position = nodes.op("Where", reached, nodes.op("Add", position, size), position)
    if position is None:
        raise ValueError("no bounds")
    return position

"""Blocks: scales that are taken from the values themselves, MX and NVFP4, in standard operators."""

from __future__ import annotations

import onnx_ir as ir
import torch

from qviz.export.levels import write_position
from qviz.export.nodes import Nodes
from qviz.export.snap import write_snap
from qviz.quant.encoding import MX_EXPONENTS, Dynamic

_LOWEST, _HIGHEST = -126, 127  # exponents of block scales, see `block_scales`


def write_blocks(nodes: Nodes, x: ir.Value, encoding: Dynamic) -> ir.Value:
    """Cut the reduction axis into blocks, scale and snap each, and put them together again."""
    axis = -1 if encoding.axis is None else encoding.axis
    if x.shape is None:
        raise ValueError("the rank of the value is not known")
    rank = len(x.shape)
    last = axis % rank == rank - 1
    order = [at for at in range(rank) if at != axis % rank] + [axis % rank]
    moved = x if last else nodes.op("Transpose", x, attributes={"perm": order})
    shape = nodes.op("Shape", moved)
    width = nodes.op("Gather", shape, [rank - 1])
    filled = _filled(nodes, moved, width, encoding.block, rank)
    blocks = nodes.op("Reshape", filled, [0] * (rank - 1) + [-1, encoding.block])
    scale = _scale(nodes, blocks, encoding)
    snapped = write_snap(nodes, nodes.op("Div", blocks, scale), encoding.grid)
    whole = nodes.op("Reshape", nodes.op("Mul", snapped, scale), [0] * (rank - 1) + [-1])
    done = nodes.op("Slice", whole, [0], width, [rank - 1])
    back = [order.index(at) for at in range(rank)]
    return done if last else nodes.op("Transpose", done, attributes={"perm": back})


def _filled(nodes: Nodes, x: ir.Value, width: ir.Value, block: int, rank: int) -> ir.Value:
    """With zeros up to a whole number of blocks."""
    over = nodes.op("Mod", width, [block])
    missing = nodes.op("Mod", nodes.op("Sub", [block], over), [block])
    pads = nodes.op("Concat", [0] * (2 * rank - 1), missing, attributes={"axis": 0})
    return nodes.op("Pad", x, pads)


def _scale(nodes: Nodes, blocks: ir.Value, encoding: Dynamic) -> ir.Value:
    """The scale of every block, [..., 1]."""
    largest = nodes.op("ReduceMax", nodes.op("Abs", blocks), [-1], attributes={"keepdims": 1})
    if encoding.tensor_scale is None:
        return _power_of_two(nodes, largest, MX_EXPONENTS[encoding.format])
    relative = nodes.op("Div", nodes.op("Div", largest, 6.0), float(encoding.tensor_scale))
    held = nodes.op("Clip", relative, None, 448.0)
    narrow = nodes.op("Cast", held, attributes={"to": int(ir.DataType.FLOAT8E4M3FN)})
    small = nodes.op("Cast", narrow, attributes={"to": int(ir.DataType.FLOAT)})
    some = nodes.op("Greater", small, 0.0)
    return nodes.op("Mul", nodes.op("Where", some, small, 1.0), float(encoding.tensor_scale))


def _power_of_two(nodes: Nodes, largest: ir.Value, reach: int) -> ir.Value:
    """2^(⌊log2 max|v|⌋ - emax), looked up, since logarithms round near powers of two."""
    exponents = torch.arange(_LOWEST + reach + 1, _HIGHEST + 1, dtype=torch.float64)
    bounds = torch.exp2(exponents).float()
    scales = torch.exp2(torch.arange(len(bounds) + 1, dtype=torch.float64) + _LOWEST).float()
    found = nodes.op("Gather", scales, write_position(nodes, largest, bounds))
    some = nodes.op("Greater", largest, 0.0)
    return nodes.op("Where", some, found, 1.0)

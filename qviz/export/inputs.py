"""Inputs: the operators that quantize a computed value and give its floats again."""

from __future__ import annotations

import onnx_ir as ir
import torch

from qviz.export.blocks import write_blocks
from qviz.export.containers import LEAST_OPSET, Container, container_of, packed
from qviz.export.linear import dequantize_linear, quantize_linear
from qviz.export.nodes import Nodes
from qviz.export.snap import cast, write_snap
from qviz.quant.encoding import Dynamic, Encoding, Scaled
from qviz.quant.grids import Integers

Spread = tuple[int, int]  # an axis and its size


def write_input(
    nodes: Nodes, x: ir.Value, encoding: Encoding, spread: Spread | None = None
) -> ir.Value:
    """What an encoding makes of a computed value, in the value's own type.

    `spread` repeats the one scale along an axis: see `kernels.py`.

    Raises:
        ValueError: an encoding with several fixed scales, or rounding by chance.
    """
    dtype = x.dtype or ir.DataType.FLOAT
    wide = x if dtype == ir.DataType.FLOAT else cast(nodes, x, ir.DataType.FLOAT)
    nodes.container = ""
    if isinstance(encoding, Dynamic):
        done = write_blocks(nodes, wide, encoding)
    else:
        done = _scaled(nodes, wide, encoding, spread)
    return done if dtype == ir.DataType.FLOAT else cast(nodes, done, dtype)


def input_container(encoding: Encoding) -> Container | None:
    """The type of an input's codes; None where no QuantizeLinear makes it."""
    grid = encoding.grid
    if isinstance(encoding, Dynamic) or not isinstance(grid, Integers) or grid.rounding != "even":
        return None
    zero = int(encoding.zero_point.reshape(-1)[0])
    return container_of(min(grid.qmin, zero), max(grid.qmax, zero), LEAST_OPSET)


def _scaled(nodes: Nodes, x: ir.Value, encoding: Scaled, spread: Spread | None) -> ir.Value:
    if encoding.scale.numel() != 1 or encoding.block is not None:
        raise ValueError("an input has one scale")
    scale, zero = encoding.scale.reshape(()), int(encoding.zero_point.reshape(-1)[0])
    step = scale if encoding.step is None else encoding.step.reshape(())
    grid = encoding.grid
    kind = input_container(encoding)
    if kind is not None and isinstance(grid, Integers):
        return _codes(nodes, x, encoding, grid, kind, spread)
    ratio = x if encoding.unbounded else nodes.op("Div", x, step)
    snapped = write_snap(nodes, ratio, grid, zero)
    return snapped if encoding.unbounded else nodes.op("Mul", snapped, scale)


def _codes(
    nodes: Nodes,
    x: ir.Value,
    encoding: Scaled,
    grid: Integers,
    kind: Container,
    spread: Spread | None,
) -> ir.Value:
    """Codes and their floats; a narrower width lies in a wider type, its ends limited before."""
    scale, zero = encoding.scale.reshape(()), int(encoding.zero_point.reshape(-1)[0])
    step = scale if encoding.step is None else encoding.step.reshape(())
    nodes.container = kind.dtype.name.lower()
    if (grid.qmin, grid.qmax) != (kind.low, kind.high):
        ends = ((code - zero) * step.double() for code in (grid.qmin, grid.qmax))
        x = nodes.op("Clip", x, *(end.float() for end in ends))
    held_step = nodes.constant("scale", step)
    zeros = nodes.stored("zero_point", packed(torch.tensor(zero), kind))
    codes = quantize_linear(nodes, x, held_step, zeros)
    axis, count = spread or (None, 0)
    if count == 1:  # one scale however it is written: the same in single operators
        numbers = cast(nodes, codes, ir.DataType.FLOAT)
        numbers = nodes.op("Sub", numbers, float(zero)) if zero else numbers
        return nodes.op("Mul", numbers, scale)
    if axis is not None:
        scales = nodes.constant("scales", scale.repeat(count))
        # Written even where all are 0: onnxruntime's optimiser would add one, of the wrong shape.
        zeros = nodes.stored("zero_points", packed(torch.tensor(zero).repeat(count), kind))
        return dequantize_linear(nodes, codes, scales, zeros, axis)
    held = held_step if encoding.step is None else nodes.constant("scale", scale)
    return dequantize_linear(nodes, codes, held, zeros)

"""Weights: a constant as codes, and the operators that turn them into its floats again."""

from __future__ import annotations

import math

import onnx_ir as ir
import torch
from torch import Tensor

from qviz.export.containers import BLOCKS_OPSET, Container, container_of, packed
from qviz.export.linear import dequantize_linear
from qviz.export.nodes import Nodes
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.grids import Codebook, Integers, NarrowFloat

_FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)


def write_weight(nodes: Nodes, weight: Tensor, encoding: Encoding) -> ir.Value:
    """Store a weight as its codes; gives the value that holds what the encoding makes of it.

    Raises:
        ValueError: an encoding whose scales come with the values.
    """
    if not isinstance(encoding, Scaled):
        raise ValueError("a weight's scales are known beforehand")
    if encoding.unbounded:
        return _cast(nodes, weight, encoding)
    whole = isinstance(encoding.grid, Integers) and not nodes.quantizers
    rows = _Rows(
        weight,
        encoding,
        whole and encoding.block is not None and weight.dim() == 2 and encoding.axis == 1,
    )
    found = _as_integers(encoding, rows)
    if found is not None:
        floats = _dequantize(nodes, rows, encoding, *found)
    elif isinstance(encoding.grid, NarrowFloat) and encoding.grid.dtype in _FLOAT8:
        floats = _small_floats(nodes, rows, encoding, encoding.grid.dtype)
    else:
        floats = _look_up(nodes, rows, encoding)
    floats = rows.restore(nodes, floats)
    if weight.dtype == torch.float32:
        return floats
    return nodes.op("Cast", floats, attributes={"to": int(_onnx_type(weight.dtype))})


def _onnx_type(dtype: torch.dtype) -> ir.DataType:
    return ir.tensor_adapters.from_torch_dtype(dtype)


def _cast(nodes: Nodes, weight: Tensor, encoding: Scaled) -> ir.Value:
    """A 16-bit float, stored as such."""
    if not isinstance(encoding.grid, NarrowFloat):
        raise ValueError("only floats are cast")
    floats = encoding.apply(weight.float()).to(encoding.grid.dtype).contiguous()
    held = nodes.codes(ir.tensor_adapters.TorchTensor(floats))
    return nodes.op("Cast", held, attributes={"to": int(_onnx_type(weight.dtype))})


class _Rows:
    """A weight as it is stored: in its own shape, or as rows [channels, n].

    Rows are for block scales, and for channels that lie along several axes. `axis` is that of the
    scales, or of the blocks, among the stored axes.
    """

    def __init__(self, weight: Tensor, encoding: Scaled, columns: bool) -> None:
        """`columns`: blocks down the columns of a matrix stay there, as MatMulNBits wants them."""
        given = encoding.axis
        axes = given if isinstance(given, tuple) else () if given is None else (given,)
        self.shape = tuple(weight.shape)
        self.scale, self.zero = encoding.scale, encoding.zero_point
        self.axis: int | None = axes[0] if axes else None
        self.codes = encoding.codes(weight)
        self.order: list[int] | None = None  # of the axes in the rows
        if columns:
            self.scale, self.zero, self.axis = self.scale.T, self.zero.T, 0
        elif encoding.block is not None or len(axes) > 1:
            self.order = [*axes, *(at for at in range(weight.dim()) if at not in axes)]
            rows = math.prod(self.shape[at] for at in axes)
            self.codes = self.codes.permute(self.order).reshape(rows, -1).contiguous()
            self.axis = 0 if encoding.block is None else 1

    @property
    def stored(self) -> tuple[int, ...]:
        """The shape that is stored."""
        return tuple(self.codes.shape)

    def restore(self, nodes: Nodes, floats: ir.Value) -> ir.Value:
        """The floats of the rows in the weight's own shape."""
        if self.order is None:
            return floats
        ordered = tuple(self.shape[at] for at in self.order)
        value = floats if ordered == self.stored else nodes.op("Reshape", floats, ordered)
        back = [self.order.index(at) for at in range(len(self.order))]
        same = back == sorted(back)
        return value if same else nodes.op("Transpose", value, attributes={"perm": back})


def _as_integers(encoding: Scaled, rows: _Rows) -> tuple[Tensor, int, int] | None:
    """Whole numbers and their bounds where every level is one: affine codes, -1, 0 and +1."""
    grid = encoding.grid
    if isinstance(grid, Integers):
        return rows.codes, grid.qmin, grid.qmax
    if not isinstance(grid, Codebook):
        return None
    whole = grid.levels.round()
    low, high = int(whole[0]), int(whole[-1])
    if not torch.equal(whole, grid.levels) or high - low >= 2 ** (_bits(grid) + 1):
        return None
    return whole[rows.codes.long()].to(torch.int32), low, high


def _bits(grid: Codebook) -> int:
    return max(math.ceil(math.log2(max(len(grid.levels), 2))), 1)


def _dequantize(
    nodes: Nodes, rows: _Rows, encoding: Scaled, codes: Tensor, low: int, high: int
) -> ir.Value:
    """(code - zero point) · scale."""
    zeros = rows.zero
    some = bool(zeros.any())
    if some:
        low, high = min(low, int(zeros.min())), max(high, int(zeros.max()))
    opset = BLOCKS_OPSET if nodes.quantizers else nodes.opset
    container = container_of(low, high, opset)
    if encoding.block is not None and nodes.quantizers:
        return _by_blocks(nodes, rows, encoding, codes, container)
    held = nodes.codes(packed(codes, container))
    return _affine(nodes, rows, encoding, held, container if some else None)


def _affine(
    nodes: Nodes, rows: _Rows, encoding: Scaled, held: ir.Value, zeros: Container | None
) -> ir.Value:
    scale, zero = _as_parameter(rows.scale), _as_parameter(rows.zero)
    factor = nodes.constant("scale", scale)
    shift = None if zeros is None else nodes.stored("zero_point", packed(zero, zeros))
    axis = (rows.axis or 0) if scale.dim() else None
    return dequantize_linear(nodes, held, factor, shift, axis, encoding.block)


def _as_parameter(values: Tensor) -> Tensor:
    """One number without axes, one for each channel, or one for each block of the rows."""
    return values.reshape(()) if values.numel() == 1 and values.dim() == 1 else values


def _small_floats(nodes: Nodes, rows: _Rows, encoding: Scaled, dtype: torch.dtype) -> ir.Value:
    """Eight-bit floats, whose zero point is none."""
    floats = encoding.grid.levels[rows.codes.long()].to(dtype)
    held = nodes.codes(ir.tensor_adapters.TorchTensor(floats))
    return _affine(nodes, rows, encoding, held, None)


def _look_up(nodes: Nodes, rows: _Rows, encoding: Scaled) -> ir.Value:
    """A table of levels, read at each code, times the scale."""
    levels = encoding.grid.levels.float()
    codes = rows.codes if encoding.block is None else _whole_blocks(rows.codes, encoding.block)
    container = container_of(0, len(levels) - 1, nodes.opset)
    held = nodes.codes(packed(codes, container))
    place = nodes.op("Cast", held, attributes={"to": int(ir.DataType.INT32)})
    table = nodes.constant("levels", levels)
    found = nodes.op("Gather", table, place, attributes={"axis": 0})
    if encoding.block is None:
        return nodes.op("Mul", found, nodes.constant("scale", _spread(rows)))
    return _scaled_blocks(nodes, rows, found, encoding.block)


def _by_blocks(
    nodes: Nodes, rows: _Rows, encoding: Scaled, codes: Tensor, container: Container
) -> ir.Value:
    """Blocks of integers for quantizers that have none: numbers, less zero points, times scales."""
    block = encoding.block or 1
    held = nodes.codes(packed(_whole_blocks(codes, block), container))
    numbers = dequantize_linear(nodes, held, nodes.constant("one", torch.tensor(1.0)))
    return _scaled_blocks(nodes, rows, numbers, block, rows.zero)


def _whole_blocks(codes: Tensor, block: int) -> Tensor:
    """Rows filled up to a whole number of blocks."""
    return torch.nn.functional.pad(codes, (0, -codes.shape[-1] % block))


def _scaled_blocks(
    nodes: Nodes, rows: _Rows, values: ir.Value, block: int, zero: Tensor | None = None
) -> ir.Value:
    """Rows of whole blocks, less a zero point and times a scale each, without what filled them."""
    channels, width = rows.codes.shape
    blocks = nodes.op("Reshape", values, [channels, -1, block])
    if zero is not None and bool(zero.any()):
        blocks = nodes.op("Sub", blocks, zero.reshape(channels, -1, 1).float())
    scale = nodes.constant("scale", rows.scale.reshape(channels, -1, 1))
    filled = width + -width % block
    whole = nodes.op("Reshape", nodes.op("Mul", blocks, scale), [channels, filled])
    return whole if filled == width else nodes.op("Slice", whole, [0], [width], [1])


def _spread(rows: _Rows) -> Tensor:
    """The scales shaped to go along their axis."""
    if rows.scale.numel() == 1 or rows.axis is None:
        return rows.scale.reshape(())
    shape = [1] * len(rows.stored)
    shape[rows.axis] = -1
    return rows.scale.reshape(shape)


def needed_opset(encoding: Encoding, wanted: int) -> int:
    """The least opset at or above the wanted one that has what a weight's encoding needs."""
    if not isinstance(encoding, Scaled):
        return wanted
    grid, least = encoding.grid, wanted
    if isinstance(grid, Integers):
        zeros = encoding.zero_point
        low = min(grid.qmin, int(zeros.min()))
        least = max(least, container_of(low, max(grid.qmax, int(zeros.max())), 21).opset)
    elif isinstance(grid, NarrowFloat) and grid.dtype in _FLOAT8:
        least = max(least, 19)
    elif isinstance(grid, Codebook) and len(grid.levels) <= 16:
        least = max(least, 21)  # four bits each
    return max(least, BLOCKS_OPSET) if encoding.block is not None else least

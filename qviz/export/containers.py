"""Containers: the ONNX types that codes are stored in, and the opset from which they are known."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np
import onnx_ir as ir
from torch import Tensor

from qviz.model.tensors import to_numpy

LEAST_OPSET = 13  # per-channel scales
BLOCKS_OPSET = 21  # blocks of scales


@dataclass(frozen=True, slots=True)
class Container:
    """An integer type of QuantizeLinear, its codes, and the first opset that has it there."""

    dtype: ir.DataType
    low: int
    high: int
    opset: int

    def holds(self, low: int, high: int) -> bool:
        """Whether these codes are among its own."""
        return self.low <= low and high <= self.high


# ONNX QuantizeLinear of opsets 10, 21 and 25; the smallest first.
_INTEGERS = (
    Container(ir.DataType.INT2, -2, 1, 25),
    Container(ir.DataType.UINT2, 0, 3, 25),
    Container(ir.DataType.INT4, -8, 7, 21),
    Container(ir.DataType.UINT4, 0, 15, 21),
    Container(ir.DataType.INT8, -128, 127, 10),
    Container(ir.DataType.UINT8, 0, 255, 10),
    Container(ir.DataType.INT16, -32768, 32767, 21),
    Container(ir.DataType.UINT16, 0, 65535, 21),
)
_INT32 = Container(ir.DataType.INT32, -(2**31), 2**31 - 1, 10)  # DequantizeLinear alone has it
_NARROW = {
    ir.DataType.INT2: ml_dtypes.int2,
    ir.DataType.UINT2: ml_dtypes.uint2,
    ir.DataType.INT4: ml_dtypes.int4,
    ir.DataType.UINT4: ml_dtypes.uint4,
}


def container_of(low: int, high: int, opset: int) -> Container:
    """The smallest type of an opset that holds the codes low … high.

    Types that the opset lacks do not count, except that 16 bits ask for a newer one.
    """
    for each in _INTEGERS:
        if each.holds(low, high) and (each.opset <= opset or each.high > 255):
            return each
    return _INT32


def packed(codes: Tensor, container: Container) -> ir.TensorProtocol:
    """Codes in their container, several in a byte where it is narrower."""
    array = to_numpy(codes)
    narrow = _NARROW.get(container.dtype)
    if narrow is not None:
        return ir.Tensor(array.astype(narrow), dtype=container.dtype)
    kinds = {ir.DataType.INT8: np.int8, ir.DataType.UINT8: np.uint8, ir.DataType.INT16: np.int16}
    wide = np.uint16 if container.dtype == ir.DataType.UINT16 else np.int32
    return ir.Tensor(array.astype(kinds.get(container.dtype, wide)), dtype=container.dtype)

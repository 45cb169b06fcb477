"""Tensors between ONNX, numpy and torch, bit for bit."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray

# Types torch has no tensor for; they travel as numpy arrays.
OPAQUE = frozenset(
    {
        ir.DataType.STRING,
        ir.DataType.INT4,
        ir.DataType.UINT4,
        ir.DataType.INT2,
        ir.DataType.UINT2,
        ir.DataType.FLOAT4E2M1,
        ir.DataType.FLOAT6E2M3,
        ir.DataType.FLOAT6E3M2,
    }
)

# numpy has no such types of its own: the same bits travel as unsigned integers.
_BITS = {torch.bfloat16: (np.uint16, torch.uint16)} | {
    getattr(torch, f"float8_{name}"): (np.uint8, torch.uint8)
    for name in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")
    if hasattr(torch, f"float8_{name}")
}


def torch_dtype(dtype: ir.DataType) -> torch.dtype | None:
    """The torch type of an ONNX type; None for types torch has no tensor for."""
    if dtype in OPAQUE or dtype == ir.DataType.UNDEFINED:
        return None
    return ir.tensor_adapters.to_torch_dtype(dtype)


def onnx_dtype(value: torch.Tensor | NDArray[Any]) -> ir.DataType:
    """The ONNX type of a tensor or array; object and text arrays are strings."""
    if isinstance(value, torch.Tensor):
        return ir.tensor_adapters.from_torch_dtype(value.dtype)
    if value.dtype.kind in "OUS":
        return ir.DataType.STRING
    return ir.DataType.from_numpy(value.dtype)


def from_numpy(array: NDArray[Any]) -> torch.Tensor | NDArray[Any]:
    """The array as a tensor (may share memory); types torch lacks come back as they are."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    dtype = onnx_dtype(array)
    if dtype == ir.DataType.STRING:
        return array.astype(object)
    array = array.view(dtype.numpy())  # torch knows one name of C's several integer types
    target = torch_dtype(dtype)
    if target is None:
        return array
    if not array.flags.writeable or not array.flags.c_contiguous:
        array = np.array(array, order="C")
    if target in _BITS:
        return torch.from_numpy(array.view(_BITS[target][0])).view(target)
    return torch.from_numpy(array)


def to_numpy(value: torch.Tensor | NDArray[Any]) -> NDArray[Any]:
    """The tensor as an array (may share memory); bfloat16 and float8 as ml_dtypes."""
    if not isinstance(value, torch.Tensor):
        return value
    tensor = value.detach()
    if tensor.dtype in _BITS:
        bits: NDArray[Any] = tensor.contiguous().view(_BITS[tensor.dtype][1]).numpy()
        return bits.view(onnx_dtype(tensor).numpy())
    array: NDArray[Any] = tensor.resolve_conj().numpy()
    return array


def from_onnx(tensor: ir.TensorProtocol) -> torch.Tensor | NDArray[Any]:
    """Copy an ONNX tensor out of its file."""
    if tensor.dtype == ir.DataType.STRING:
        text = [piece.decode() for piece in np.asarray(tensor.numpy(), dtype=object).flat]
        return np.array(text, dtype=object).reshape(tensor.shape.numpy())
    return from_numpy(np.array(tensor.numpy(), order="C"))


def to_onnx(value: torch.Tensor | NDArray[Any], name: str) -> ir.TensorProtocol:
    """Wrap a constant for the ONNX graph, without a copy where torch holds it."""
    if isinstance(value, torch.Tensor):
        return ir.tensor_adapters.TorchTensor(value.detach().contiguous(), name=name)
    if onnx_dtype(value) == ir.DataType.STRING:
        encoded = [str(piece).encode() for piece in value.flat]
        return ir.StringTensor(encoded, shape=ir.Shape(value.shape), name=name)
    return ir.Tensor(value, dtype=onnx_dtype(value), name=name)


def size_bytes(value: torch.Tensor | NDArray[Any]) -> int:
    """Bytes the value takes in memory."""
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    return int(value.nbytes)


def is_float(value: torch.Tensor) -> bool:
    """Whether the tensor holds real floating-point numbers."""
    return value.dtype.is_floating_point


def widened(array: NDArray[Any]) -> torch.Tensor:
    """An array of a type torch lacks, with the same values in the next type torch has."""
    if array.dtype in (np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.int2)):
        return torch.from_numpy(array.astype(np.int8))
    if array.dtype in (np.dtype(ml_dtypes.uint4), np.dtype(ml_dtypes.uint2)):
        return torch.from_numpy(array.astype(np.uint8))
    return torch.from_numpy(array.astype(np.float32))

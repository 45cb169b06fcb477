"""The parts of a node that the passes look at: inputs, the constants among them, attributes."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray
from torch import Tensor

from qviz.model.tensors import from_onnx, onnx_dtype, widened

FLOAT_STATE = "float state"  # in a node's `meta`: the file quantizes its state, which is float here
ORT = "com.microsoft"  # onnxruntime's domain, which has 4- and 16-bit codes before opset 21


def is_op(node: ir.Node, op: str) -> bool:
    """Whether the node is this operator of ONNX or of onnxruntime."""
    return node.op_type == op and node.domain in ("", ORT)


def inputs_of(node: ir.Node, count: int) -> list[ir.Value | None]:
    """The node's inputs, filled up with None."""
    return [*node.inputs, *[None] * (count - len(node.inputs))]


def number(node: ir.Node, name: str, default: float) -> float:
    """An attribute that is a number."""
    attr = node.attributes.get(name)
    return default if attr is None else float(attr.value)


def whole(node: ir.Node, name: str, default: int) -> int:
    """An attribute that is a whole number."""
    attr = node.attributes.get(name)
    return default if attr is None else attr.as_int()


def constant_tensor(value: ir.Value | None) -> Tensor | NDArray[Any] | None:
    """A constant's tensor, or numpy array of a type that torch lacks; None for all else."""
    held = None if value is None else ir.convenience.get_const_tensor(value)
    return None if held is None or held.dtype == ir.DataType.STRING else from_onnx(held)


def constant_codes(value: ir.Value | None) -> tuple[Tensor, str] | None:
    """A constant's tensor, types torch lacks widened, and the name of its ONNX type."""
    tensor = constant_tensor(value)
    if tensor is None:
        return None
    code = onnx_dtype(tensor).name.lower()
    return (tensor if isinstance(tensor, Tensor) else widened(tensor)), code


def constant_sizes(value: ir.Value) -> tuple[int, ...]:
    """The shape of a constant; () for computed values."""
    return () if value.const_value is None else tuple(value.const_value.shape.numpy())


def single(value: ir.Value | None) -> bool:
    """Whether a parameter is known to be one number, or absent."""
    found = constant_codes(value)
    if value is None or found is not None:
        return found is None or found[0].numel() == 1
    producer = value.producer()
    if producer is not None and producer.op_type == "DynamicQuantizeLinear":
        return True
    return value.shape is not None and all(size == 1 for size in value.shape)

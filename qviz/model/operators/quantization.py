"""ONNX's own quantization operators, so that models that are already quantized open too."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.model.model import Step
from qviz.model.operators.axes import positive
from qviz.model.operators.registry import UnsupportedError, operator
from qviz.model.tensors import onnx_dtype, torch_dtype, widened

_INTEGERS = (torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int32)


@operator("QuantizeLinear")
def quantize_linear(
    step: Step, x: Tensor, scale: Tensor, zero_point: Tensor | None = None
) -> Tensor:
    """Divide, round half to even, add the zero point, saturate."""
    target = _integer_type(step, zero_point)
    limits = torch.iinfo(target)
    if not x.dtype.is_floating_point or step.attributes.get("precision", 0):
        raise UnsupportedError("QuantizeLinear in another precision")
    scaled = torch.round(x / _spread(step, scale, x).to(x.dtype)).to(torch.float64)
    if zero_point is not None:
        scaled = scaled + _spread(step, zero_point, x).to(torch.float64)
    return scaled.clamp(limits.min, limits.max).to(torch.int64).to(target)


@operator("DequantizeLinear", any_value=True)
def dequantize_linear(
    step: Step,
    x: Tensor | NDArray[Any],
    scale: Tensor,
    zero_point: Tensor | NDArray[Any] | None = None,
) -> Tensor:
    """(x - zero point) · scale, in the type of the scale."""
    codes = _codes(x)
    factors = _spread(step, scale, codes)
    if zero_point is not None:
        codes = codes - _spread(step, _codes(zero_point), codes)
    chosen = step.attributes.get("output_dtype", 0)
    dtype = torch_dtype(ir.DataType(chosen)) if chosen else scale.dtype
    return (codes.to(torch.float32) * factors.to(torch.float32)).to(dtype)


@operator("DynamicQuantizeLinear")
def dynamic_quantize_linear(_step: Step, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """uint8 codes, scale and zero point from the tensor's own range."""
    if x.numel() == 0:
        raise UnsupportedError("a range of nothing")
    low, high = x.amin().clamp(max=0), x.amax().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero_point = torch.round((0 - low / scale).clamp(0, 255))
    codes = (torch.round(x / scale) + zero_point).clamp(0, 255)
    return codes.to(torch.uint8), scale, zero_point.to(torch.uint8)


def _integer_type(step: Step, zero_point: Tensor | None) -> torch.dtype:
    if zero_point is not None:
        target = zero_point.dtype
    else:
        chosen = step.attributes.get("output_dtype", 0) or ir.DataType.UINT8
        target = torch_dtype(ir.DataType(chosen)) or torch.float32
    if target not in _INTEGERS:
        raise UnsupportedError(f"codes of type {target}")
    return target


def _codes(x: Tensor | NDArray[Any]) -> Tensor:
    """Integer codes wide enough to subtract a zero point."""
    if isinstance(x, np.ndarray):
        if onnx_dtype(x) == ir.DataType.STRING:
            raise UnsupportedError("text")
        x = widened(x)
    return x.to(torch.float32) if x.dtype.is_floating_point else x.to(torch.int64)


def _spread(step: Step, parameter: Tensor, x: Tensor) -> Tensor:
    """A scale or zero point shaped to broadcast over x: per tensor, per axis or per block."""
    if parameter.numel() == 1 and parameter.dim() <= 1:
        return parameter.reshape(())
    axis = positive(step.attributes.get("axis", 1), x.dim())
    if parameter.dim() == 1:
        shape = [1] * x.dim()
        shape[axis] = -1
        return parameter.reshape(shape)
    block = step.attributes.get("block_size", 0)
    if not block:
        raise UnsupportedError("scales of this shape")
    return parameter.repeat_interleave(block, dim=axis).narrow(axis, 0, x.shape[axis])

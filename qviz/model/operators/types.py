"""Changes of element type."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.model.model import Step
from qviz.model.operators.registry import UnsupportedError, operator
from qviz.model.tensors import OPAQUE, onnx_dtype, torch_dtype, widened


@operator("Cast", any_value=True)
def cast(step: Step, x: Tensor | NDArray[Any]) -> Tensor:
    """To the type of the attribute `to`."""
    return _converted(x, ir.DataType(step.attributes["to"]))


@operator("CastLike", any_value=True)
def cast_like(_step: Step, x: Tensor | NDArray[Any], like: Tensor | NDArray[Any]) -> Tensor:
    """To the type of the second input."""
    return _converted(x, onnx_dtype(like))


def _converted(x: Tensor | NDArray[Any], target: ir.DataType) -> Tensor:
    if isinstance(x, np.ndarray):
        if onnx_dtype(x) == ir.DataType.STRING:
            raise UnsupportedError("text")
        x = widened(x)
    dtype = torch_dtype(target)
    if target in OPAQUE or dtype is None or (dtype.itemsize == 1 and dtype.is_floating_point):
        raise UnsupportedError(f"conversion to {target.name}")
    if x.dtype.itemsize == 1 and x.dtype.is_floating_point:
        x = x.to(torch.float32)
    return x.to(dtype)

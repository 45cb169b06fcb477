"""Arithmetic, element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from qviz.model.model import Step
from qviz.model.operators.registry import UnsupportedError, operator

_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "BitwiseNot": torch.bitwise_not,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "Log": torch.log,
    "Neg": torch.neg,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
}
_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "BitwiseAnd": torch.bitwise_and,
    "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor,
}


@operator(*_UNARY)
def unary(step: Step, x: Tensor) -> Tensor:
    """A function of one tensor, by the operator's name."""
    return _UNARY[step.op](x)


@operator(*_BINARY)
def binary(step: Step, a: Tensor, b: Tensor) -> Tensor:
    """A function of two broadcast tensors, by the operator's name."""
    return _BINARY[step.op](a, b)


@operator("Div")
def div(_step: Step, a: Tensor, b: Tensor) -> Tensor:
    """Division; integers round towards zero."""
    if a.dtype.is_floating_point:
        return torch.div(a, b)
    return torch.div(a, b, rounding_mode="trunc")


@operator("Pow")
def power(_step: Step, a: Tensor, b: Tensor) -> Tensor:
    """Power a ^ b, in the type of a."""
    if not a.dtype.is_floating_point and not b.dtype.is_floating_point and bool((b < 0).any()):
        raise UnsupportedError("negative powers of integers")
    return torch.pow(a, b).to(a.dtype)


@operator("Mod")
def mod(step: Step, a: Tensor, b: Tensor) -> Tensor:
    """Remainder with the divisor's sign, or the dividend's when fmod is set."""
    return torch.fmod(a, b) if step.attributes.get("fmod", 0) else torch.remainder(a, b)


@operator("Max")
def maximum(_step: Step, *tensors: Tensor) -> Tensor:
    """Largest of several broadcast tensors."""
    return reduce(torch.maximum, tensors)


@operator("Min")
def minimum(_step: Step, *tensors: Tensor) -> Tensor:
    """Smallest of several broadcast tensors."""
    return reduce(torch.minimum, tensors)


@operator("Sum")
def add_all(_step: Step, *tensors: Tensor) -> Tensor:
    """Sum of several broadcast tensors."""
    return reduce(torch.add, tensors)


@operator("Mean")
def mean(_step: Step, *tensors: Tensor) -> Tensor:
    """Mean of several broadcast tensors."""
    return reduce(torch.add, tensors) / len(tensors)


@operator("Clip", until=10)
def clip_by_attributes(step: Step, x: Tensor) -> Tensor:
    """Limit to the attributes min and max."""
    if not {"min", "max"} & step.attributes.keys():
        return x
    return torch.clamp(x, step.attributes.get("min"), step.attributes.get("max"))


@operator("Clip", since=11)
def clip(_step: Step, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Limit to the scalars low and high; high wins when they cross."""
    if low is None and high is None:
        return x
    # One pass over x, where tensors as limits take two and spread each limit over all values.
    return torch.clamp(
        x, None if low is None else low.item(), None if high is None else high.item()
    )


@operator("BitShift")
def bit_shift(step: Step, a: Tensor, b: Tensor) -> Tensor:
    """Shift the bits of a by b places."""
    left = step.attributes["direction"] == "LEFT"
    return torch.bitwise_left_shift(a, b) if left else torch.bitwise_right_shift(a, b)

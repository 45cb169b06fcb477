"""Comparisons, logic and selection."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from qviz.model.model import Step
from qviz.model.operators.registry import operator

_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
    "Equal": torch.eq,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
}


@operator(*_BINARY)
def compare(step: Step, a: Tensor, b: Tensor) -> Tensor:
    """A truth value of two broadcast tensors, by the operator's name."""
    return _BINARY[step.op](a, b)


@operator("Not")
def logical_not(_step: Step, x: Tensor) -> Tensor:
    """Negation."""
    return torch.logical_not(x)


@operator("IsNaN")
def is_nan(_step: Step, x: Tensor) -> Tensor:
    """Where x is not a number."""
    return torch.isnan(x)


@operator("IsInf")
def is_inf(step: Step, x: Tensor) -> Tensor:
    """Where x is infinite, of the signs asked for."""
    positive = bool(step.attributes.get("detect_positive", 1))
    negative = bool(step.attributes.get("detect_negative", 1))
    if positive and negative:
        return torch.isinf(x)
    if positive:
        return torch.isposinf(x)
    return torch.isneginf(x) if negative else torch.zeros_like(x, dtype=torch.bool)


@operator("Where")
def where(_step: Step, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """From a where the condition holds, else from b."""
    return torch.where(condition, a, b)

"""Activation functions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from qviz.model.model import Step
from qviz.model.operators.registry import operator


@operator("Relu")
def relu(_step: Step, x: Tensor) -> Tensor:
    """max(x, 0)."""
    return torch.relu(x)


@operator("LeakyRelu")
def leaky_relu(step: Step, x: Tensor) -> Tensor:
    """x, or alpha · x below zero."""
    return functional.leaky_relu(x, step.attributes.get("alpha", 0.01))


@operator("PRelu")
def prelu(_step: Step, x: Tensor, slope: Tensor) -> Tensor:
    """x, or slope · x below zero; the slope broadcasts."""
    return torch.where(x < 0, x * slope, x)


@operator("Elu")
def elu(step: Step, x: Tensor) -> Tensor:
    """x, or alpha · (exp(x) - 1) below zero."""
    return functional.elu(x, step.attributes.get("alpha", 1.0))


@operator("Selu")
def selu(step: Step, x: Tensor) -> Tensor:
    """The Elu of x, times gamma: gamma · (x, or alpha · (exp(x) - 1) below zero)."""
    alpha: float = step.attributes.get("alpha", 1.6732632423543772)
    gamma: float = step.attributes.get("gamma", 1.0507009873554805)
    return gamma * functional.elu(x, alpha)


@operator("Celu")
def celu(step: Step, x: Tensor) -> Tensor:
    """max(0, x) + min(0, alpha · (exp(x / alpha) - 1))."""
    return functional.celu(x, step.attributes.get("alpha", 1.0))


@operator("ThresholdedRelu")
def thresholded_relu(step: Step, x: Tensor) -> Tensor:
    """The input above alpha, else 0."""
    return functional.threshold(x, step.attributes.get("alpha", 1.0), 0.0)


@operator("Shrink")
def shrink(step: Step, x: Tensor) -> Tensor:
    """The input pulled towards zero by bias, and 0 within lambd of zero."""
    lambd, bias = step.attributes.get("lambd", 0.5), step.attributes.get("bias", 0.0)
    below = torch.where(x < -lambd, x + bias, torch.zeros_like(x))
    return torch.where(x > lambd, x - bias, below).to(x.dtype)


@operator("Sigmoid")
def sigmoid(_step: Step, x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return torch.sigmoid(x)


@operator("HardSigmoid")
def hard_sigmoid(step: Step, x: Tensor) -> Tensor:
    """The line alpha · x + beta, clipped to 0..1."""
    alpha: float = step.attributes.get("alpha", 0.2)
    beta: float = step.attributes.get("beta", 0.5)
    return (alpha * x + beta).clamp(0, 1)


@operator("HardSwish")
def hard_swish(_step: Step, x: Tensor) -> Tensor:
    """Product x · max(0, min(1, x / 6 + 0.5))."""
    return functional.hardswish(x)


@operator("Swish")
def swish(step: Step, x: Tensor) -> Tensor:
    """Product x · sigmoid(alpha · x)."""
    return x * torch.sigmoid(step.attributes.get("alpha", 1.0) * x)


@operator("Tanh")
def tanh(_step: Step, x: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return torch.tanh(x)


@operator("Softplus")
def softplus(_step: Step, x: Tensor) -> Tensor:
    """log(1 + exp(x))."""
    return torch.logaddexp(x, torch.zeros_like(x))


@operator("Softsign")
def softsign(_step: Step, x: Tensor) -> Tensor:
    """Quotient x / (1 + |x|)."""
    return functional.softsign(x)


@operator("Mish")
def mish(_step: Step, x: Tensor) -> Tensor:
    """Product x · tanh(softplus(x))."""
    return functional.mish(x)


@operator("Gelu")
def gelu(step: Step, x: Tensor) -> Tensor:
    """Product x · Phi(x), exact or by the tanh approximation."""
    return functional.gelu(x, approximate=step.attributes.get("approximate", "none"))


@operator("Softmax", "LogSoftmax", "Hardmax", until=12)
def softmax_flattened(step: Step, x: Tensor) -> Tensor:
    """Before opset 13 all axes from `axis` on are normalized together."""
    axis = step.attributes.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    rows = x.reshape(int(torch.Size(x.shape[:axis]).numel()), -1)
    return _softmax(step.op, rows, 1).reshape(x.shape)


@operator("Softmax", "LogSoftmax", "Hardmax", since=13)
def softmax(step: Step, x: Tensor) -> Tensor:
    """Normalized along one axis."""
    return _softmax(step.op, x, step.attributes.get("axis", -1))


def _softmax(op: str, x: Tensor, axis: int) -> Tensor:
    if op == "Softmax":
        return torch.softmax(x, axis)
    if op == "LogSoftmax":
        return torch.log_softmax(x, axis)
    first = x.argmax(axis, keepdim=True)
    return torch.zeros_like(x).scatter(axis, first, 1)

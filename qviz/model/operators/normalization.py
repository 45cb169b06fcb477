"""Normalizations."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from qviz.model.model import Step
from qviz.model.operators.axes import positive
from qviz.model.operators.registry import UnsupportedError, operator


@operator("BatchNormalization")
def batch_normalization(
    step: Step, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor
) -> Tensor:
    """Inference: normalized per channel with stored statistics."""
    training = step.attributes.get("training_mode", 0)
    mixed = len({x.dtype, scale.dtype, mean.dtype}) > 1
    if training or mixed or not step.attributes.get("spatial", 1) or len(step.outputs) > 1:
        raise UnsupportedError("this form of BatchNormalization")
    epsilon = step.attributes.get("epsilon", 1e-5)
    return functional.batch_norm(x, mean, var, scale, bias, training=False, eps=epsilon)


@operator("InstanceNormalization")
def instance_normalization(step: Step, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Normalized per sample and channel."""
    axes = tuple(range(2, x.dim()))
    shape = (-1, *(1,) * len(axes))
    normal = _standardized(x, axes, step.attributes.get("epsilon", 1e-5))
    return normal * scale.reshape(shape) + bias.reshape(shape)


@operator("LayerNormalization")
def layer_normalization(
    step: Step, x: Tensor, scale: Tensor, bias: Tensor | None = None
) -> Tensor | tuple[Tensor, ...]:
    """Normalized over the last axes; optional outputs are the mean and 1 / deviation."""
    axis = positive(step.attributes.get("axis", -1), x.dim())
    epsilon = step.attributes.get("epsilon", 1e-5)
    shape = x.shape[axis:]
    if len(step.outputs) == 1 and scale.shape == shape and (bias is None or bias.shape == shape):
        return functional.layer_norm(x, shape, scale, bias, epsilon)
    axes = tuple(range(axis, x.dim()))
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    mean = wide.mean(axes, keepdim=True)
    inverse = torch.rsqrt((wide - mean).square().mean(axes, keepdim=True) + epsilon)
    y = ((wide - mean) * inverse).to(x.dtype) * scale
    y = y if bias is None else y + bias
    return (y, mean, inverse)[: len(step.outputs)]


@operator("RMSNormalization")
def rms_normalization(step: Step, x: Tensor, scale: Tensor) -> Tensor:
    """Divided by the root mean square over the last axes."""
    axis = positive(step.attributes.get("axis", -1), x.dim())
    axes = tuple(range(axis, x.dim()))
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    epsilon = step.attributes.get("epsilon", 1e-5)
    normal = wide * torch.rsqrt(wide.square().mean(axes, keepdim=True) + epsilon)
    return normal.to(scale.dtype) * scale


@operator("GroupNormalization")
def group_normalization(step: Step, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Normalized per sample and group; before opset 21 scale and bias are per group."""
    groups = step.attributes["num_groups"]
    if step.version < 21:
        each = x.shape[1] // groups
        scale, bias = scale.repeat_interleave(each), bias.repeat_interleave(each)
    return functional.group_norm(x, groups, scale, bias, step.attributes.get("epsilon", 1e-5))


@operator("LRN")
def local_response_normalization(step: Step, x: Tensor) -> Tensor:
    """Quotient x / (bias + alpha / size · sum of squares over neighboring channels) ^ beta."""
    size: int = step.attributes["size"]
    bias: float = step.attributes.get("bias", 1.0)
    alpha: float = step.attributes.get("alpha", 1e-4)
    before = (size - 1) // 2
    pads = [0, 0] * (x.dim() - 2) + [before, size - 1 - before]
    squares = functional.pad(x.square(), pads).unfold(1, size, 1).sum(-1)
    base = bias + alpha / size * squares
    return x / base.pow(step.attributes.get("beta", 0.75))


@operator("LpNormalization")
def lp_normalization(step: Step, x: Tensor) -> Tensor:
    """Divided by the p-norm along one axis; zero stays zero."""
    axis, p = step.attributes.get("axis", -1), step.attributes.get("p", 2)
    norm = torch.linalg.vector_norm(x, ord=p, dim=axis, keepdim=True)
    return torch.where(norm == 0, torch.zeros_like(x), x / norm)


@operator("MeanVarianceNormalization")
def mean_variance_normalization(step: Step, x: Tensor) -> Tensor:
    """(x - mean) / (deviation + 1e-9) over the axes."""
    axes = tuple(step.attributes.get("axes", (0, 2, 3)))
    centered = x - x.mean(axes, keepdim=True)
    return centered / (centered.square().mean(axes, keepdim=True).sqrt() + 1e-9)


def _standardized(x: Tensor, axes: tuple[int, ...], epsilon: float) -> Tensor:
    centered = x - x.mean(axes, keepdim=True)
    return centered * torch.rsqrt(centered.square().mean(axes, keepdim=True) + epsilon)

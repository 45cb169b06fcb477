"""Reductions, extremes, cumulative sums and sorting."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from qviz.model.model import Step
from qviz.model.operators.axes import positive, read_axes
from qviz.model.operators.registry import UnsupportedError, operator

Axes = tuple[int, ...]


def _prod(x: Tensor, axes: Axes, keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep, dtype=x.dtype)
    return x


_REDUCTIONS: dict[str, Callable[[Tensor, Axes, bool], Tensor]] = {
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdim=keep, dtype=x.dtype),
    "ReduceMean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "ReduceMax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "ReduceMin": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "ReduceProd": _prod,
    "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep, dtype=x.dtype),
    "ReduceL2": lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt(),
    "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keepdim=keep).log(),
    "ReduceLogSumExp": lambda x, axes, keep: x.logsumexp(axes, keepdim=keep),
    "ReduceSumSquare": lambda x, axes, keep: x.square().sum(axes, keepdim=keep, dtype=x.dtype),
}
_FLOAT_ONLY = {"ReduceMean", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"}
_NEEDS_ELEMENTS = {"ReduceMax", "ReduceMin", "ReduceMean"}


@operator(*_REDUCTIONS)
def reduce(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """One reduction by the operator's name, over the axes or over all of them."""
    if step.op in _FLOAT_ONLY and not x.dtype.is_floating_point:
        raise UnsupportedError(f"{step.op} of integers")
    if step.op in _NEEDS_ELEMENTS and x.numel() == 0:
        raise UnsupportedError(f"{step.op} of nothing")
    chosen = read_axes(step, axes)
    if not chosen:
        if step.attributes.get("noop_with_empty_axes", 0):
            return _REDUCTIONS[step.op](x.unsqueeze(0), (0,), False)
        chosen = tuple(range(x.dim()))
    if x.dim() == 0:
        return _REDUCTIONS[step.op](x.unsqueeze(0), (0,), False)
    chosen = tuple(positive(axis, x.dim()) for axis in chosen)
    return _REDUCTIONS[step.op](x, chosen, bool(step.attributes.get("keepdims", 1)))


@operator("ArgMax", "ArgMin")
def arg_extreme(step: Step, x: Tensor) -> Tensor:
    """Index of the extreme along one axis; of the first one, or of the last when asked."""
    axis: int = step.attributes.get("axis", 0)
    keep = bool(step.attributes.get("keepdims", 1))
    find = torch.argmax if step.op == "ArgMax" else torch.argmin
    if step.attributes.get("select_last_index", 0):
        return x.shape[axis] - 1 - find(x.flip(axis), axis, keepdim=keep)
    return find(x, axis, keepdim=keep)


@operator("CumSum")
def cumulative_sum(step: Step, x: Tensor, axis: Tensor) -> Tensor:
    """Running sum along one axis, optionally reversed or without the element itself."""
    dim = int(axis.item())
    reverse = bool(step.attributes.get("reverse", 0))
    source = x.flip(dim) if reverse else x
    total = source.cumsum(dim, dtype=x.dtype)
    if step.attributes.get("exclusive", 0):
        total = total - source
    return total.flip(dim) if reverse else total


@operator("TopK")
def top_k(step: Step, x: Tensor, k: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The k largest or smallest along one axis; of equal values the first comes first."""
    count = int(step.attributes["k"] if k is None else k.item())
    axis = step.attributes.get("axis", -1)
    largest = bool(step.attributes.get("largest", 1))
    values, indices = torch.sort(x, dim=axis, descending=largest, stable=True)
    return values.narrow(axis, 0, count), indices.narrow(axis, 0, count)

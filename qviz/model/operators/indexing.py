"""Reading and writing by index."""

from __future__ import annotations

import torch
from torch import Tensor

from qviz.model.model import Step
from qviz.model.operators.axes import positive, wrapped
from qviz.model.operators.registry import UnsupportedError, operator

_SCATTER = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@operator("Gather")
def gather(step: Step, x: Tensor, indices: Tensor) -> Tensor:
    """Slices of x along one axis; the indices' shape takes the axis's place."""
    axis = positive(step.attributes.get("axis", 0), x.dim())
    picked = x.index_select(axis, wrapped(indices, x.shape[axis]).reshape(-1))
    return picked.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


@operator("GatherElements")
def gather_elements(step: Step, x: Tensor, indices: Tensor) -> Tensor:
    """One element of x for each index along one axis."""
    axis = step.attributes.get("axis", 0)
    return torch.gather(x, axis, wrapped(indices, x.shape[axis]))


@operator("GatherND")
def gather_nd(step: Step, x: Tensor, indices: Tensor) -> Tensor:
    """Slices of x at index tuples held in the last axis of indices."""
    batch = step.attributes.get("batch_dims", 0)
    count = torch.Size(x.shape[:batch]).numel()
    depth = indices.shape[-1]
    data = x.reshape(count, *x.shape[batch:])
    flat = indices.reshape(count, -1, depth)
    places = [wrapped(flat[..., i], x.shape[batch + i]) for i in range(depth)]
    picked = data[(torch.arange(count)[:, None], *places)]
    return picked.reshape((*indices.shape[:-1], *x.shape[batch + depth :]))


@operator("ScatterElements", "Scatter")
def scatter_elements(step: Step, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """A copy of x with the updates written, or combined, along one axis."""
    axis = step.attributes.get("axis", 0)
    places = wrapped(indices, x.shape[axis])
    reduction = step.attributes.get("reduction", "none")
    if reduction == "none":
        return x.scatter(axis, places, updates)
    return x.scatter_reduce(axis, places, updates, _SCATTER[reduction])


@operator("ScatterND")
def scatter_nd(step: Step, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """A copy of x with the updates written, or added, at index tuples."""
    reduction = step.attributes.get("reduction", "none")
    if reduction not in ("none", "add"):
        raise UnsupportedError(f"ScatterND with {reduction}")
    places = tuple(wrapped(indices[..., i], x.shape[i]) for i in range(indices.shape[-1]))
    return x.index_put(places, updates, accumulate=reduction == "add")


@operator("Slice", until=9)
def slice_by_attributes(step: Step, x: Tensor) -> Tensor:
    """Starts, ends and axes from attributes."""
    starts, ends = step.attributes["starts"], step.attributes["ends"]
    axes = step.attributes.get("axes") or range(len(starts))
    for start, end, axis in zip(starts, ends, axes, strict=True):
        x = _sliced(x, start, end, axis, 1)
    return x


@operator("Slice", since=10)
def slice_by_inputs(
    _step: Step,
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    """Starts, ends, axes and steps from inputs."""
    count = starts.numel()
    chosen = list(range(count)) if axes is None else axes.tolist()
    strides = [1] * count if steps is None else steps.tolist()
    for start, end, axis, stride in zip(
        starts.tolist(), ends.tolist(), chosen, strides, strict=True
    ):
        x = _sliced(x, start, end, axis, stride)
    return x


@operator("OneHot")
def one_hot(step: Step, indices: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    """On-values at the indices along a new axis; indices outside give only off-values."""
    size = int(depth.reshape(-1)[0].item())
    rank = indices.dim() + 1
    axis = positive(step.attributes.get("axis", -1), rank)
    places = torch.where(indices < 0, indices + size, indices).unsqueeze(axis)
    shape = [1] * rank
    shape[axis] = size
    hot = places == torch.arange(size).reshape(shape)
    return torch.where(hot, values[1], values[0])


@operator("NonZero")
def non_zero(_step: Step, x: Tensor) -> Tensor:
    """Positions of the nonzero elements, one column each."""
    if x.dim() == 0:
        raise UnsupportedError("NonZero of a scalar")
    return torch.nonzero(x).t()


@operator("Compress")
def compress(step: Step, x: Tensor, condition: Tensor) -> Tensor:
    """The slices along an axis where the condition holds; of the flat tensor without an axis."""
    axis = step.attributes.get("axis")
    if axis is None:
        x, axis = x.reshape(-1), 0
    return x.index_select(axis, torch.nonzero(condition).reshape(-1))


def _sliced(x: Tensor, start: int, end: int, axis: int, stride: int) -> Tensor:
    """One axis sliced as ONNX does it: backwards, a start before the first element is the first."""
    size = x.shape[axis]
    if stride < 0:
        first = min(max(positive(start, size), 0), size - 1)
        last = min(max(positive(end, size), -1), size - 1)
        places = torch.arange(0, max(first - last, 0), -stride)
        return x.index_select(axis, first - places)
    first, last, _ = slice(start, end, stride).indices(size)
    index = [slice(None)] * x.dim()
    index[axis] = slice(first, max(first, last), stride)
    return x[tuple(index)]

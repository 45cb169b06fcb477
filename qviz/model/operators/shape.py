"""Shapes: how many elements, in which order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from qviz.model.model import Step, Value
from qviz.model.operators.axes import positive, read_axes
from qviz.model.operators.registry import UnsupportedError, operator


@operator("Identity", any_value=True)
def identity(_step: Step, x: Value) -> Value:
    """The input itself."""
    return x


@operator("Dropout")
def dropout(
    step: Step, x: Tensor, _ratio: Tensor | None = None, training: Tensor | None = None
) -> Tensor | tuple[Tensor, ...]:
    """Inference: the input itself, and a mask that keeps everything."""
    if training is not None and bool(training.item()):
        raise UnsupportedError("Dropout in training mode")
    if len(step.outputs) == 1:
        return x
    return x, torch.ones_like(x, dtype=torch.bool if step.version >= 10 else x.dtype)


@operator("Constant", any_value=True)
def constant(step: Step) -> Any:
    """The attribute's value as a tensor."""
    name, value = next(iter(step.attributes.items()))
    if name == "value":
        return value
    if name in ("value_float", "value_floats"):
        return torch.tensor(value, dtype=torch.float32)
    if name in ("value_int", "value_ints"):
        return torch.tensor(value, dtype=torch.int64)
    raise UnsupportedError(f"Constant with {name}")


@operator("ConstantOfShape")
def constant_of_shape(step: Step, shape: Tensor) -> Tensor:
    """A tensor of this shape filled with one value."""
    fill = step.attributes.get("value", torch.zeros(1))
    if not isinstance(fill, Tensor):
        raise UnsupportedError("a fill value torch cannot hold")
    return fill.reshape(()).expand(shape.tolist()).clone()


@operator("Shape")
def shape_of(step: Step, x: Tensor) -> Tensor:
    """The shape, or a slice of it."""
    start, end = step.attributes.get("start", 0), step.attributes.get("end")
    return torch.tensor(list(x.shape)[slice(start, end)], dtype=torch.int64)


@operator("Size")
def size_of(_step: Step, x: Tensor) -> Tensor:
    """The number of elements."""
    return torch.tensor(x.numel(), dtype=torch.int64)


@operator("Reshape")
def reshape(step: Step, x: Tensor, shape: Tensor) -> Tensor:
    """The same elements in another shape; 0 keeps a dimension, -1 takes what is left."""
    wanted = shape.tolist()
    if not step.attributes.get("allowzero", 0):
        wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return x.reshape(wanted)


@operator("Flatten")
def flatten(step: Step, x: Tensor) -> Tensor:
    """Two dimensions: the axes before `axis`, and the others."""
    axis = positive(step.attributes.get("axis", 1), x.dim())
    rows = torch.Size(x.shape[:axis]).numel()
    columns = torch.Size(x.shape[axis:]).numel()
    return x.reshape(rows, columns)


@operator("Squeeze")
def squeeze(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Without the given axes of size 1, or without all of them."""
    chosen = read_axes(step, axes)
    return x.squeeze() if chosen is None else x.squeeze(chosen)


@operator("Unsqueeze")
def unsqueeze(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """With new axes of size 1 at these places of the output."""
    chosen = read_axes(step, axes) or ()
    rank = x.dim() + len(chosen)
    for axis in sorted(positive(axis, rank) for axis in chosen):
        x = x.unsqueeze(axis)
    return x


@operator("Transpose")
def transpose(step: Step, x: Tensor) -> Tensor:
    """The axes in another order; reversed by default."""
    order = step.attributes.get("perm") or tuple(reversed(range(x.dim())))
    return x.permute(order)


@operator("Concat")
def concat(step: Step, *tensors: Tensor) -> Tensor:
    """Tensors one after the other along an axis."""
    return torch.cat(tensors, dim=step.attributes.get("axis", 1))


@operator("Split")
def split(step: Step, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    """Pieces along an axis: of the given sizes, or equal ones with a smaller last."""
    axis = step.attributes.get("axis", 0)
    given = step.attributes.get("split") if sizes is None else sizes.tolist()
    if given is None:
        pieces = step.attributes.get("num_outputs", len(step.outputs))
        each = -(-x.shape[axis] // pieces)
        given = [each] * (pieces - 1) + [x.shape[axis] - each * (pieces - 1)]
    return tuple(torch.split(x, list(given), dim=axis))


@operator("Expand")
def expand(_step: Step, x: Tensor, shape: Tensor) -> Tensor:
    """Broadcast to the shape, in both directions."""
    wanted = [int(size) for size in shape.tolist()]
    own = list(x.shape)
    rank = max(len(wanted), len(own))
    wanted = [1] * (rank - len(wanted)) + wanted
    own = [1] * (rank - len(own)) + own
    return x.expand([have if want == 1 else want for want, have in zip(wanted, own, strict=True)])


@operator("Tile")
def tile(_step: Step, x: Tensor, repeats: Tensor) -> Tensor:
    """The tensor repeated along each axis."""
    return x.repeat(repeats.tolist())


@operator("Range")
def arange(_step: Step, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """start, start + delta, ... up to but not including limit."""
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


@operator("EyeLike")
def eye_like(step: Step, x: Tensor) -> Tensor:
    """Ones on the k-th diagonal of a matrix shaped like x."""
    if "dtype" in step.attributes:
        raise UnsupportedError("EyeLike with another type")
    rows, columns = x.shape
    offset = torch.arange(columns)[None, :] - torch.arange(rows)[:, None]
    return torch.eq(offset, step.attributes.get("k", 0)).to(x.dtype)


@operator("Trilu")
def triangle(step: Step, x: Tensor, k: Tensor | None = None) -> Tensor:
    """The upper or lower triangle, the rest zero."""
    offset = 0 if k is None else int(k.item())
    return torch.triu(x, offset) if step.attributes.get("upper", 1) else torch.tril(x, offset)


@operator("DepthToSpace")
def depth_to_space(step: Step, x: Tensor) -> Tensor:
    """Channels become blocks of pixels."""
    n, c, h, w = x.shape
    b = step.attributes["blocksize"]
    if step.attributes.get("mode", "DCR") == "DCR":
        y = x.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        y = x.reshape(n, c // (b * b), b, b, h, w).permute(0, 1, 4, 2, 5, 3)
    return y.reshape(n, c // (b * b), h * b, w * b)


@operator("SpaceToDepth")
def space_to_depth(step: Step, x: Tensor) -> Tensor:
    """Blocks of pixels become channels."""
    n, c, h, w = x.shape
    b = step.attributes["blocksize"]
    crd = step.attributes.get("mode", "DCR") == "CRD"
    order = (0, 1, 3, 5, 2, 4) if crd else (0, 3, 5, 1, 2, 4)
    y = x.reshape(n, c, h // b, b, w // b, b).permute(order)
    return y.reshape(n, c * b * b, h // b, w // b)

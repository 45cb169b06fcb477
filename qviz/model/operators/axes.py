"""Axes as operators declare them: as attributes in old opsets, as inputs in newer ones."""

from __future__ import annotations

from torch import Tensor

from qviz.model.model import Step


def read_axes(step: Step, given: Tensor | None) -> tuple[int, ...] | None:
    """The `axes` input if there is one, else the `axes` attribute, else None."""
    if given is not None:
        return tuple(int(axis) for axis in given.reshape(-1).tolist())
    axes = step.attributes.get("axes")
    return None if axes is None else tuple(axes)


def positive(axis: int, rank: int) -> int:
    """The axis counted from the front."""
    return axis + rank if axis < 0 else axis


def wrapped(indices: Tensor, size: int) -> Tensor:
    """Indices counted from the front, as int64."""
    indices = indices.long()
    return indices.where(indices >= 0, indices + size)

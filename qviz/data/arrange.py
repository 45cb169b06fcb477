"""Arrays in another arrangement than an input takes: channels elsewhere, an axis left out."""

from __future__ import annotations

import math

from qviz.data.samples import Array, InputSpec, takes

_CHANNELS = (1, 3, 4)


def arranged(name: str, array: Array, spec: InputSpec, rows: int | None) -> tuple[Array, str]:
    """An array as its input takes it, without a copy where that can be, and a note where it is new.

    Only what has one meaning is done: channels go first or last, an axis of one channel or of one
    sample is added, and rows of as many numbers take the input's shape. `rows` is the number of
    labels.
    """
    shape = spec.shape
    if shape is None or not array.ndim or takes(spec, array):
        return array, ""
    found, what = _one_meaning(array, shape[1:], spec, rows)
    if found is None:
        return array, ""
    given = "×".join(map(str, found.shape[1:]))
    return found, f"Array '{name}' {what}: given as {given}, as model input '{spec.name}' takes it"


def _one_meaning(
    array: Array, wanted: tuple[int | None, ...], spec: InputSpec, rows: int | None
) -> tuple[Array | None, str]:
    if array.ndim == 4 and len(wanted) == 3:
        if array.shape[3] in _CHANNELS and wanted[0] == array.shape[3]:
            moved = array.transpose(0, 3, 1, 2)
            return _if_taken(moved, spec), "has its channels last"
        if array.shape[1] in _CHANNELS and wanted[2] == array.shape[1]:
            moved = array.transpose(0, 2, 3, 1)
            return _if_taken(moved, spec), "has its channels first"
    whole = tuple(size for size in wanted if size is not None)
    fixed = len(whole) == len(wanted) and bool(wanted)
    if fixed and array.shape == whole and rows in (None, 1):
        return array[None], "is one sample without an axis of samples"
    if array.ndim == len(wanted) and array.ndim > 2 and 1 in (wanted[0], wanted[-1]):
        axis = 1 if wanted[0] == 1 else array.ndim
        longer = array.reshape(*array.shape[:axis], 1, *array.shape[axis:])
        return _if_taken(longer, spec), "has no axis of channels"
    if fixed and array.ndim == 2 and len(wanted) > 1 and math.prod(whole) == array.shape[1]:
        return array.reshape(len(array), *whole), f"has rows of {array.shape[1]}"
    return None, ""


def _if_taken(array: Array, spec: InputSpec) -> Array | None:
    return array if takes(spec, array) else None

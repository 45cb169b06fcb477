"""Arrays of a file as the model's inputs take them, before they become samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qviz.data.arrange import arranged
from qviz.data.array_roles import Roles
from qviz.data.fit import is_memory
from qviz.data.input_names import array_for
from qviz.data.pixel_arrays import channels_last, has_choice
from qviz.data.reading import Reading
from qviz.data.samples import Array, InputSpec
from qviz.data.token_inputs import companion, in_rows, token_input

_PICTURE_SIDE = 8  # pixels; smaller arrays of bytes are no pictures

SCALED = "a preset scales them: Samples Options, or --reading preset=0…1"


def fitting(
    subject: str, roles: Roles, inputs: tuple[InputSpec, ...], reading: Reading
) -> tuple[dict[str, Array], Array | None, tuple[str, ...]]:
    """Arrays by their own names, labels, and notes on what was done.

    Raises:
        QvizError: fewer tokens than one row.
    """
    arrays, labels, notes = dict(roles.arrays), roles.labels, []
    rows = None if labels is None else len(labels) if labels.ndim else 1
    for spec in inputs:
        name = array_for(spec.name, arrays, [other.name for other in inputs])
        if name is None or is_memory(spec) or companion(spec) is not None:
            continue
        array = arrays[name]
        if _is_stream(array, spec, inputs):
            arrays[name], labels = _cut(subject, array, labels, inputs, reading)
            size = arrays[name].shape[1]
            notes.append(f"{len(array):,} tokens of '{name}' in rows of {size}")
            continue
        if has_choice(reading) and channels_last(array) is not None:
            continue  # whatever its layout, it goes through preprocessing
        arrays[name], note = arranged(name, array, spec, rows)
        notes += [note] if note else []
        if labels is None and raw_pixels(arrays[name], spec):  # with labels the score will tell
            notes.append(f"Pixels of '{name}' are given as they are, 0…255; {SCALED}")
    return arrays, labels, tuple(notes)


def _is_stream(array: Array, spec: InputSpec, inputs: tuple[InputSpec, ...]) -> bool:
    return array.ndim == 1 and array.dtype.kind in "iu" and token_input(inputs) == spec


def _cut(
    subject: str,
    stream: Array,
    labels: Array | None,
    inputs: tuple[InputSpec, ...],
    reading: Reading,
) -> tuple[Array, Array | None]:
    """Rows of tokens, and of their labels where every token has one."""
    rows = in_rows(subject, stream, inputs, reading)
    if labels is None or labels.shape != stream.shape:
        return rows, labels
    return rows, labels[: rows.size].reshape(rows.shape)


def raw_pixels(array: Array, spec: InputSpec) -> bool:
    """Whether an input of floats is fed what looks like pictures of bytes."""
    if array.dtype != np.uint8 or not spec.dtype.startswith("float") or array.ndim != 4:
        return False
    sides: Sequence[int] = sorted(array.shape[1:])
    return sides[0] in (1, 3, 4) and sides[1] >= _PICTURE_SIDE

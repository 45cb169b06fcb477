"""Inputs of tokens: which one takes the ids, what follows from them, and streams cut into rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qviz.data.fit import is_memory
from qviz.data.input_names import array_for, by_name
from qviz.data.reading import Reading
from qviz.data.samples import Array, Column, InputSpec, Samples
from qviz.errors import QvizError

IGNORED = -100  # the label of a position that is not scored
ANY_INPUT = InputSpec("input_ids", "int64", None)
# Inputs that follow from the ids alone, by a part of their names.
_COMPANIONS = ("attention_mask", "position_ids", "token_type_ids", "segment_ids")


def token_input(inputs: tuple[InputSpec, ...]) -> InputSpec | None:
    """The only integer input [samples, tokens] apart from masks and the like; None without one."""
    found = [
        spec
        for spec in inputs
        if np.dtype(spec.dtype).kind in "iu"
        and (spec.shape is None or len(spec.shape) == 2)
        and not companion(spec)
    ]
    return found[0] if len(found) == 1 else None


def next_tokens(ids: Array) -> Array:
    """Each token's successor [n, tokens], int64, and `IGNORED` at the end of each row."""
    labels = np.full(ids.shape, IGNORED, np.int64)
    labels[:, :-1] = ids[:, 1:]
    return labels


def fixed_length(inputs: tuple[InputSpec, ...]) -> int | None:
    """Tokens of a row, where the input of ids fixes them or one that follows from it does.

    A mask may be longer than its row where the model has a past.
    """
    ids = token_input(inputs)
    if ids is None:
        return None
    past = any(is_memory(spec) for spec in inputs)
    follow = [spec for spec in inputs if companion(spec) and not (past and _is_mask(spec))]
    sizes = [spec.shape[1] for spec in (ids, *follow) if spec.shape is not None]
    return next((size for size in sizes if size is not None), None)


def in_rows(subject: str, stream: Array, inputs: tuple[InputSpec, ...], reading: Reading) -> Array:
    """Ids [tokens] as rows [n, tokens], as long as the inputs' fixed size or as `reading` says.

    What is left at the end is dropped. Raises QvizError for fewer tokens than a row.
    """
    size = fixed_length(inputs)
    length = size or reading.sequence_length
    rows = len(stream) // length
    if not rows:
        raise QvizError(
            subject,
            f"it has {len(stream)} tokens, fewer than one window of {length}",
            "Choose more text"
            if size
            else "Choose more text, or a shorter one: --reading length=N, or Samples Options",
        )
    return stream[: rows * length].reshape(rows, length)


def completed(samples: Samples, inputs: tuple[InputSpec, ...]) -> Samples:
    """With the inputs that follow from the ids; what the samples have already is kept.

    Raises:
        QvizError: ids that are not [samples, tokens].
    """
    spec, names = token_input(inputs), [other.name for other in inputs]
    if spec is None and inputs:
        return samples
    column = array_for((spec or ANY_INPUT).name, samples.arrays, names)
    if column is None:
        return samples
    ids = np.asarray(samples.arrays[column])
    if ids.ndim != 2:
        raise QvizError(
            samples.name,
            f"token ids have shape {ids.shape}, not samples × tokens",
            "Save one row of ids per sample",
        )
    arrays: dict[str, Column] = dict(samples.arrays)
    notes = list(samples.notes)
    given = by_name([*samples.arrays, *samples.constants], names)
    missing = [other for other in inputs if companion(other) and other.name not in given]
    spare = [name for name in samples.arrays if name != column and name not in given.values()]
    if len(spare) == 1 and len(missing) == 1:
        return samples  # the array that is left is this input's, whatever its name
    for other in missing:
        kind = companion(other) or ""
        empty = _empty(kind, other, inputs, ids.shape[1])
        arrays[other.name] = _follows(kind, other, ids.shape, empty)
        places = f", zero for {empty} places of the past" if empty else ""
        ones = " with ones" if kind == "attention_mask" else ""
        notes.append(f"Input '{other.name}' is filled in{ones}{places}")
    return replace(samples, arrays=arrays, notes=tuple(notes))


def companion(spec: InputSpec) -> str | None:
    """What an input is that follows from the ids, such as "position_ids"; None for others."""
    lowered = spec.name.lower()
    found = next((name for name in _COMPANIONS if name in lowered), None)
    return found if spec.shape is None or len(spec.shape) == 2 else None


def _is_mask(spec: InputSpec) -> bool:
    return companion(spec) == "attention_mask"


def _empty(kind: str, spec: InputSpec, inputs: tuple[InputSpec, ...], length: int) -> int:
    """Places of a mask before the tokens: those of a cache of fixed length, which holds nothing.

    A cache's last axes are its length and the size of a head.
    """
    if kind != "attention_mask":
        return 0
    if spec.shape is not None and spec.shape[1] is not None:
        return max(spec.shape[1] - length, 0)
    caches = [other.shape for other in inputs if is_memory(other) and len(other.shape or ()) > 3]
    return max(((shape or ())[-2] or 0 for shape in caches), default=0)


def _follows(kind: str, spec: InputSpec, shape: tuple[int, ...], empty: int) -> Array:
    row = {
        "attention_mask": np.repeat([0, 1], [empty, shape[1]]),
        "position_ids": np.arange(shape[1]),
    }.get(kind, np.zeros(shape[1]))
    return np.broadcast_to(row.astype(spec.dtype), (shape[0], len(row)))

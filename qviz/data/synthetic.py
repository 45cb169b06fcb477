"""Synthetic samples: random inputs of the right shapes for a model that comes without samples."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from qviz.data.content import content_hash
from qviz.data.fit import is_memory
from qviz.data.samples import Array, InputSpec, Samples
from qviz.errors import QvizError

NAME = "synthetic inputs"
NOTE = "Random inputs: ranges and errors of layers can be seen, accuracy cannot be measured"
_RATE = 16_000  # of speech, which is what models with a sampling rate take
_LARGEST = 2**31  # bytes of all inputs
_LARGEST_ID = 10  # exclusive: every vocabulary has as many
_OPEN: Mapping[int, int] = {4: 224, 5: 64}  # sides that are left open, by rank
_OPEN_LENGTH = 16  # of sequences


def synthetic_samples(inputs: tuple[InputSpec, ...], count: int = 16, seed: int = 0) -> Samples:
    """Normal floats, whole numbers below 10 (all 256 for 8 bits), masks of ones; no labels.

    Scalars, and inputs of a first size that the others leave open, are the same for all samples;
    so is memory of a fixed first size beside an input that is none.

    Raises:
        QvizError: an input whose rank is not known, or samples that would fill the memory.
    """
    rng = np.random.default_rng(seed)
    some_open = any(spec.shape and spec.shape[0] is None for spec in inputs)
    some_go_by = any(spec.shape and not is_memory(spec) for spec in inputs)
    arrays: dict[str, Array] = {}
    constants: dict[str, Array] = {}
    size = 0
    for spec in inputs:
        if spec.shape is None:
            raise QvizError(
                f"model input '{spec.name}'", "its shape is not known", "Open samples for it"
            )
        fixed = bool(spec.shape) and spec.shape[0] is not None
        once = not spec.shape or (fixed and (some_open or (some_go_by and is_memory(spec))))
        shape = tuple(n or 1 for n in spec.shape) if once else (count, *_sizes(spec.shape))
        size += np.dtype(spec.dtype).itemsize * math.prod(shape)
        if size > _LARGEST:
            raise QvizError(
                f"model input '{spec.name}'", f"{count} samples are too large", "Take fewer"
            )
        if once:
            constants[spec.name] = _constant(spec, shape)
        else:
            arrays[spec.name] = _values(spec, shape, rng)
    if not arrays:
        raise QvizError("model", "it has no input that takes samples", "Open another model")
    return Samples(
        name=NAME,
        path="",
        hash=content_hash({**arrays, **constants}),
        arrays=arrays,
        labels=None,
        constants=constants,
        notes=(NOTE,),
        synthetic=True,
    )


def _sizes(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """Of one sample, with open sizes chosen: three channels where no place has 1 or 3."""
    sizes = list(shape[1:])
    if len(shape) == 4 and sizes[0] is None and sizes[2] not in (1, 3):
        sizes[0] = 3
    side = _OPEN.get(len(shape), _OPEN_LENGTH)
    return tuple(side if size is None else size for size in sizes)


def _constant(spec: InputSpec, shape: tuple[int, ...]) -> Array:
    """A first state of zeros, a sampling rate, or 1."""
    if shape:
        return np.zeros(shape, spec.dtype)
    name = spec.name.lower()
    return np.full((), _RATE if "rate" in name or name == "sr" else 1, spec.dtype)


def _values(spec: InputSpec, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    dtype, name = np.dtype(spec.dtype), spec.name.lower()
    if "mask" in name:
        return np.ones(shape, dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if "token_type" in name or "segment" in name:
        return np.zeros(shape, dtype)
    if dtype.itemsize == 1:
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return rng.integers(0, _LARGEST_ID, shape, dtype)

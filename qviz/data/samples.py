"""Samples: a column for every model input, labels, and the hash that names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Indices = NDArray[np.int64]
LABELS = "labels"


class Column(Protocol):
    """The samples' values of one model input [n, …]: an array, or files read when asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of samples, then the shape of one."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what rows come as."""

    def __getitem__(self, rows: Indices, /) -> Array:
        """The values of some samples, in the order asked for."""


@dataclass(frozen=True, eq=False, slots=True)
class Samples:
    """A column with one row per sample for every input, and labels when there are any.

    Labels are int64 classes [n], of positions [n, …], or float64 values [n, …]. `constants` are
    inputs that are the same for all samples: a sampling rate, a first state. `digests` name each
    sample's content, for columns that would have to be read for that.
    """

    name: str
    path: str
    hash: str  # sha256 over names, types, shapes and bytes
    arrays: Mapping[str, Column]
    labels: Array | None
    constants: Mapping[str, Array] = field(default_factory=dict)
    digests: tuple[bytes, ...] | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # for the user
    synthetic: bool = False  # made up, since there were none
    drawn_from: int | None = None  # how many there were, where these are a subset

    @property
    def count(self) -> int:
        """Number of samples."""
        return next(iter(self.arrays.values())).shape[0]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model input takes: name, numpy type name and shape (None where any size fits)."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


def takes(spec: InputSpec, array: Column) -> bool:
    """Whether the shape of one sample is what the input takes."""
    return spec.shape is None or (
        len(array.shape) == len(spec.shape)
        and all(
            want is None or want == have
            for want, have in zip(spec.shape[1:], array.shape[1:], strict=True)
        )
    )


def listed(names: Iterable[str], most: int = 6) -> str:
    """Names as a sentence lists them: 'a', 'b' and 'c'; of many only the first."""
    quoted = [f"'{name}'" for name in names]
    if len(quoted) > most:
        return f"{', '.join(quoted[:most])} and {len(quoted) - most} more"
    return " and ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))

"""Chunks: the samples of a part, cut into batches that the model can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qviz.data.fit import Fitted, fit_to_inputs, is_memory, memory_batch_axis
from qviz.data.parts import Indices
from qviz.data.samples import Array, InputSpec, Samples
from qviz.model.model import Model, TensorInfo

# A chunk of codes should take about a tenth of a second, so that numbers move.
CHUNK_MACS = 8_000_000_000
SMALLEST, LARGEST = 4, 64


@dataclass(frozen=True, eq=False, slots=True)
class Chunk:
    """One batch: its identity for the memo, the sample rows it holds, and the model's feeds."""

    id: str
    rows: Indices
    feeds: Mapping[str, Tensor]
    padded: int  # rows at the end that repeat the first ones, for models of a fixed batch size

    def trimmed(self, output: Tensor) -> Tensor:
        """An output without the padded rows."""
        return output[: output.shape[0] - self.padded] if self.padded else output


class Feeds(Mapping[str, Tensor]):
    """A chunk's feeds by input name; each is read when it is first asked for, and kept."""

    def __init__(self, names: tuple[str, ...], load: Callable[[str], Tensor]) -> None:
        """`load` reads the feed of one of the `names`; what it raises, reading raises."""
        self._names = names
        self._load = load
        self._read: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        """The feed of an input."""
        if name not in self._read:
            if name not in self._names:
                raise KeyError(name)
            self._read[name] = self._load(name)
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        """Whether the input is fed; reads nothing."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        """The names; reads nothing."""
        return iter(self._names)

    def __len__(self) -> int:
        """How many inputs are fed."""
        return len(self._names)


@dataclass(frozen=True, eq=False)
class Feeder:
    """Cuts sample rows into chunks; equal rows always give equal chunks."""

    samples: Samples
    fitted: Fitted
    dtypes: Mapping[str, torch.dtype]
    batch_axes: Mapping[str, int]  # of constants that are repeated for every sample
    fixed_batch: int | None
    size: int

    def cut(self, rows: Indices) -> list[Indices]:
        """The rows of every chunk of a part."""
        return [rows[start : start + self.size] for start in range(0, len(rows), self.size)]

    def chunk(self, rows: Indices) -> Chunk:
        """One chunk; its samples are read when a feed is first asked for."""
        padded = 0 if self.fixed_batch is None else self.fixed_batch - len(rows)
        taken = self._taken(rows)
        names = tuple(dict.fromkeys((*self.fitted.columns, *self.fitted.constants)))
        feeds = Feeds(names, lambda name: self._feed(name, taken))
        return Chunk(self.identity(rows), rows, feeds, padded)

    def identity(self, rows: Indices) -> str:
        """The identity of the chunk of these rows, without loading it."""
        return f"{self.samples.hash}:{self._taken(rows).tobytes().hex()}"

    def _taken(self, rows: Indices) -> Indices:
        """The rows, with the first ones again up to a fixed batch size."""
        return rows if self.fixed_batch is None else np.resize(rows, self.fixed_batch)

    def _feed(self, name: str, taken: Indices) -> Tensor:
        constant = self.fitted.constants.get(name)
        if constant is None:
            array = self.fitted.columns[name][taken]
        else:
            array = self._for_each(name, constant, len(taken))
        with torch.inference_mode(False):  # whoever reads first: others may want gradients
            return torch.from_numpy(np.array(array, order="C", copy=None)).to(self.dtypes[name])

    def _for_each(self, name: str, constant: Array, count: int) -> Array:
        """A constant along the batch: the first axis that the input leaves open."""
        axis = self.batch_axes.get(name)
        return constant if axis is None else np.repeat(constant, count, axis)


def input_specs(model: Model) -> tuple[InputSpec, ...]:
    """What the model's inputs take, as the data floor words it."""
    return tuple(
        InputSpec(info.name, _dtype_name(info), _fixed_shape(info)) for info in model.inputs
    )


def _dtype_name(info: TensorInfo) -> str:
    name = str(info.dtype or torch.float32).removeprefix("torch.")
    return "float32" if name == "bfloat16" else name


def _fixed_shape(info: TensorInfo) -> tuple[int | None, ...] | None:
    if info.shape is None:
        return None
    return tuple(size if isinstance(size, int) else None for size in info.shape)


def feeder(model: Model, samples: Samples, macs_per_sample: int | None) -> Feeder:
    """Match samples to the model's inputs and choose the chunk size.

    Raises:
        QvizError: the samples do not fit the model's inputs.
    """
    fitted = fit_to_inputs(samples, input_specs(model))
    batches = {
        info.shape[0]
        for info in model.inputs
        if info.name in fitted.columns and info.shape and isinstance(info.shape[0], int)
    }
    fixed = batches.pop() if len(batches) == 1 else None
    if fixed is None and _takes_one(model, fitted):
        fixed = 1
    size = fixed
    if size is None:
        most = LARGEST if not macs_per_sample else CHUNK_MACS // macs_per_sample
        size = SMALLEST
        while 2 * size <= min(most, LARGEST):  # powers of two: fewer parts end with a ragged chunk
            size *= 2
    dtypes = {info.name: info.dtype or torch.float32 for info in model.inputs}
    return Feeder(samples, fitted, dtypes, _batch_axes(model, fitted), fixed, size)


def _takes_one(model: Model, fitted: Fitted) -> bool:
    """Whether a first state without an open size is that of one sample: [layers, 1, hidden]."""
    shapes = [
        spec.shape
        for spec in input_specs(model)
        if spec.name in fitted.constants and spec.shape is not None and is_memory(spec)
    ]
    return any(shape[memory_batch_axis(shape)] == 1 for shape in shapes if shape)


def _batch_axes(model: Model, fitted: Fitted) -> dict[str, int]:
    axes = {}
    for info in model.inputs:
        constant = fitted.constants.get(info.name)
        for axis, size in enumerate(info.shape or () if constant is not None else ()):
            if not isinstance(size, int) and constant is not None and constant.shape[axis] == 1:
                axes[info.name] = axis
                break
    return axes

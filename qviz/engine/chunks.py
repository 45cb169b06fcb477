"""Chunks: the samples of a part, cut into batches that the model can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qviz.data.parts import Indices
from qviz.data.samples import Array, InputSpec, Samples, fit_to_inputs
from qviz.model.model import Model, TensorInfo

# A chunk should take about a tenth of a second, so that numbers move and a cancel is prompt.
CHUNK_MACS = 3_000_000_000
SMALLEST, LARGEST = 4, 64


@dataclass(frozen=True, eq=False, slots=True)
class Chunk:
    """One batch: its identity for the memo, the sample rows it holds, and the model's feeds."""

    id: str
    rows: Indices
    feeds: Mapping[str, Tensor]
    padded: int  # rows at the end that repeat the last sample, for models of a fixed batch size

    def trimmed(self, output: Tensor) -> Tensor:
        """An output without the padded rows."""
        return output[: output.shape[0] - self.padded] if self.padded else output


@dataclass(frozen=True, eq=False)
class Feeder:
    """Cuts sample rows into chunks; equal rows always give equal chunks."""

    samples: Samples
    arrays: Mapping[str, Array]
    dtypes: Mapping[str, torch.dtype]
    fixed_batch: int | None
    size: int

    def cut(self, rows: Indices) -> list[Indices]:
        """The rows of every chunk of a part."""
        return [rows[start : start + self.size] for start in range(0, len(rows), self.size)]

    def chunk(self, rows: Indices) -> Chunk:
        """Load one chunk."""
        padded = 0 if self.fixed_batch is None else self.fixed_batch - len(rows)
        taken = np.concatenate([rows, np.repeat(rows[-1:], padded)]) if padded else rows
        feeds = {
            name: torch.from_numpy(np.ascontiguousarray(array[taken])).to(self.dtypes[name])
            for name, array in self.arrays.items()
        }
        identity = f"{self.samples.hash}:{taken.tobytes().hex()}"
        return Chunk(identity, rows, feeds, padded)


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
    arrays = fit_to_inputs(samples, input_specs(model))
    batches = {
        info.shape[0] for info in model.inputs if info.shape and isinstance(info.shape[0], int)
    }
    fixed = batches.pop() if len(batches) == 1 else None
    size = fixed
    if size is None:
        size = LARGEST if not macs_per_sample else CHUNK_MACS // macs_per_sample
        size = min(max(size, SMALLEST), LARGEST)
    dtypes = {info.name: info.dtype or torch.float32 for info in model.inputs}
    return Feeder(samples, arrays, dtypes, fixed, size)

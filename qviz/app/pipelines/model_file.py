"""Model files: what a file, or a Python program that the user lets run, gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from qviz.data.npy_pairs import map_array
from qviz.data.read_npz import from_arrays, read_npz
from qviz.data.samples import Array, Samples
from qviz.engine.chunks import input_specs
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.read_model import PYTHON, needs_inputs, read_model

_TELLING = (".npz", ".npy")  # samples that show the shapes of inputs by themselves


def read_model_file(
    path: Path, samples: Path | None, run_code: bool
) -> tuple[Model, Samples | None]:
    """The model, and the samples that a Python program gives.

    `samples` tell the shapes of a model that does not record them.

    Raises:
        QvizError: an unreadable file, or a program that the user did not agree to run.
    """
    if path.suffix.lower() != PYTHON:
        needed = samples is not None and needs_inputs(path)
        model = read_model(path, _first_rows(path, samples) if samples and needed else None)
        if model.runs and not model.inputs:
            cause = "it has no input, so that no samples can run through it"
            raise QvizError(path.name, cause, "Open another model")
        return model, None
    if not run_code:
        raise refused(path)
    from qviz.model.read_python import read_python  # torch's exporter takes a second to load

    tells = samples is not None and samples.suffix.lower() in _TELLING
    program = read_python(path, _first_rows(path, samples) if samples and tells else None)
    if not program.batches:
        return program.model, None
    arrays = {
        name: _joined(path, name, [batch[name] for batch in program.batches])
        for name in program.batches[0]
    }
    return program.model, from_arrays(path, arrays, input_specs(program.model))


def refused(path: Path) -> QvizError:
    """A Python file that the user did not agree to run."""
    return QvizError(
        path.name,
        "it is a Python program: to open it is to run it, with all your rights",
        "If you trust it, open it with --run-code, or agree when the window asks",
    )


def _joined(path: Path, name: str, parts: Sequence[Array]) -> Array:
    """An array of all batches; a scalar is the same in each of them."""
    sizes = {part.shape[1:] for part in parts}
    if all(part.ndim for part in parts) and len(sizes) == 1:
        return np.concatenate(parts)
    if all(np.array_equal(part, parts[0]) for part in parts):
        return parts[0]
    raise QvizError(
        path.name,
        f"its batches give '{name}' in shapes or values that cannot be joined",
        "Give every batch rows of the same shape, and the same value for what is a scalar",
    )


def _first_rows(model: Path, samples: Path) -> dict[str, torch.Tensor]:
    """Two rows of every array of the samples but the labels, and what is the same for all.

    Raises:
        QvizError: samples that tell no shapes without a model, or that cannot be read.
    """
    if samples.suffix.lower() not in _TELLING:
        raise QvizError(
            model.name,
            f"it does not record the shape of its inputs, and {samples.name} does not tell it",
            "Open it with samples in an .npz or .npy file, or convert it with torch.export.save",
        )
    if samples.suffix.lower() == ".npy":
        return {samples.stem: torch.from_numpy(np.array(map_array(samples)[:2]))}
    read = read_npz(samples)
    first = np.arange(min(2, read.count))
    arrays = {name: column[first] for name, column in read.arrays.items()} | dict(read.constants)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}

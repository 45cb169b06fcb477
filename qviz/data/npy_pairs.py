"""`.npy` files: samples mapped from disk, with the labels that lie beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from qviz.data.read_npz import array_samples
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import LABELS, Array, InputSpec, Samples
from qviz.data.token_inputs import completed, token_input
from qviz.errors import QvizError, first_line

# What the labels are called where the samples are called so: train_x.npy has train_y.npy.
_COUNTERPARTS: Mapping[str, tuple[str, ...]] = {
    "x": ("y",),
    "images": ("labels", "targets"),
    "image": ("label", "target"),
    "data": ("labels", "targets"),
    "inputs": ("labels", "targets"),
    "features": ("labels", "targets"),
    "ids": ("labels",),
}
_ENDINGS = ("labels", "label", "targets", "y")
_ALONE = ("labels", "y", "targets", "label")  # for any samples in the folder


def read_npy(path: Path, inputs: tuple[InputSpec, ...], reading: Reading = AS_PROPOSED) -> Samples:
    """Read one array of samples, and labels from `x_labels.npy`, `train_y.npy` or `labels.npy`.

    The array stays on disk until rows are asked for. A `labels.npy` of another length belongs to
    other samples, and is left out with a note.

    Raises:
        QvizError: no array, pickled objects, a truncated file, unequal lengths or unusable labels.
    """
    array = map_array(path)
    only = inputs[0] if len(inputs) == 1 else token_input(inputs)
    name = path.stem if only is None else only.name
    arrays, notes = {name: array}, []
    found = _labels_beside(path)
    if found is not None:
        labels, own = map_array(found), found.stem.lower() not in _ALONE
        if own or (labels.ndim and array.ndim and len(labels) == len(array)):
            arrays[LABELS] = labels
            notes.append(f"Labels from {found.name}")
        else:
            notes.append(f"{found.name} has another number of rows: it is left out")
    samples = _samples(path, arrays, inputs, reading, tuple(notes))
    return completed(samples, inputs)


def read_npy_folder(
    path: Path, inputs: tuple[InputSpec, ...], reading: Reading = AS_PROPOSED
) -> Samples:
    """Read a folder of arrays named as the inputs, `labels.npy` or `y.npy` among them.

    Raises:
        QvizError: as `read_npy` does.
    """
    files = {file.stem: file for file in sorted(path.glob("*.npy")) if file.name[0] != "."}
    specs = {_file_name(spec.name): spec.name for spec in inputs}
    arrays = {specs.get(stem, stem): map_array(file) for stem, file in files.items()}
    return completed(_samples(path, arrays, inputs, reading, ()), inputs)


def map_array(path: Path) -> Array:
    """An array of a `.npy` file, mapped, in this machine's byte order; raises QvizError."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        cause = f"there is no such file in {path.absolute().parent}"
        raise QvizError(path.name, cause, "Check the path") from None
    except Exception as error:  # a damaged header can fail in any way
        raise QvizError(
            path.name,
            f"it is no .npy file of one plain array, or only part of one ({first_line(error)})",
            "Save it with numpy.save(file, array)",
        ) from error
    if not isinstance(array, np.ndarray):  # an .npz under another name
        raise QvizError(path.name, "it is an archive of arrays", "Name it .npz")
    native: Array = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    return native


def _samples(
    path: Path,
    arrays: Mapping[str, Array],
    inputs: tuple[InputSpec, ...],
    reading: Reading,
    notes: tuple[str, ...],
) -> Samples:
    samples = array_samples(path, arrays, inputs, reading)
    return replace(samples, notes=(*notes, *samples.notes))


def _labels_beside(path: Path) -> Path | None:
    stem = path.stem.lower()
    beside = {file.stem.lower(): file for file in sorted(path.parent.glob("*.npy")) if file != path}
    return next((beside[name] for name in _label_names(stem) if name in beside), None)


def _label_names(stem: str) -> list[str]:
    """Stems that labels of these samples may have, the likeliest first."""
    words = re.split(r"([_.-])", stem)
    paired = [
        "".join([*words[:index], other, *words[index + 1 :]])
        for index, word in enumerate(words)
        for other in _COUNTERPARTS.get(word, ())
    ]
    return [*paired, *(f"{stem}_{ending}" for ending in _ENDINGS), *_ALONE]


def _file_name(name: str) -> str:
    """An input's name as a file may be called: `x:0` is `x_0`."""
    return re.sub(r"[^\w.-]", "_", name)

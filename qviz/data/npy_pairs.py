"""`.npy` files: samples mapped from disk, with the labels that lie beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from qviz.data.content import row_digests
from qviz.data.read_npz import from_arrays
from qviz.data.samples import LABELS, Array, InputSpec, Samples
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


def read_npy(path: Path, inputs: tuple[InputSpec, ...]) -> Samples:
    """Read one array of samples, and labels from `x_labels.npy`, `train_y.npy` or `labels.npy`.

    The array stays on disk until rows are asked for. A `labels.npy` of another length belongs to
    other samples, and is left out with a note.

    Raises:
        QvizError: no array, pickled objects, a truncated file, unequal lengths or unusable labels.
    """
    name = inputs[0].name if len(inputs) == 1 else path.stem
    array = map_array(path)
    arrays, notes = {name: array}, []
    found = _labels_beside(path)
    if found is not None:
        labels, own = map_array(found), found.stem.lower() not in _ALONE
        if own or (labels.ndim and array.ndim and len(labels) == len(array)):
            arrays[LABELS] = labels
            notes.append(f"Labels from {found.name}")
        else:
            notes.append(f"{found.name} has another number of rows: it is left out")
    return _samples(path, arrays, inputs, tuple(notes))


def read_npy_folder(path: Path, inputs: tuple[InputSpec, ...]) -> Samples:
    """Read a folder of arrays named as the inputs, `labels.npy` or `y.npy` among them.

    Raises:
        QvizError: as `read_npy` does.
    """
    files = {file.stem: file for file in sorted(path.glob("*.npy")) if file.name[0] != "."}
    specs = {_file_name(spec.name): spec.name for spec in inputs}
    labels = next((stem for stem in files if stem.lower() in _ALONE and stem not in specs), None)
    data = [stem for stem in files if stem != labels]
    fitting = [stem for stem in data if stem in specs] or data
    if len(fitting) > 1 and not any(stem in specs for stem in fitting):
        raise QvizError(
            path.name,
            f"none of {', '.join(f'{stem}.npy' for stem in fitting[:6])} is named as an input",
            f"Name them {', '.join(f'{stem}.npy' for stem in specs)}, or open one of them",
        )
    arrays = {specs.get(stem, stem): map_array(files[stem]) for stem in fitting}
    if labels is not None:
        arrays[LABELS] = map_array(files[labels])
    left = [f"{stem}.npy" for stem in data if stem not in fitting]
    return _samples(path, arrays, inputs, (f"Left out: {', '.join(left)}",) if left else ())


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
    path: Path, arrays: Mapping[str, Array], inputs: tuple[InputSpec, ...], notes: tuple[str, ...]
) -> Samples:
    samples = from_arrays(path, arrays, inputs)
    columns = {name: arrays[name] for name in samples.arrays}
    return replace(samples, digests=row_digests(columns), notes=notes)


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

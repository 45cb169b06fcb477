"""From an `.npz` to Samples."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qviz.data.array_fitting import fitting
from qviz.data.array_roles import find_roles
from qviz.data.content import content_hash, in_blocks
from qviz.data.labels import check_labels, order_note, text_labels
from qviz.data.npz_sizes import check_sizes
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import LABELS, Array, InputSpec, Samples
from qviz.errors import QvizError, first_line


def read_npz(
    path: Path, inputs: tuple[InputSpec, ...] = (), reading: Reading = AS_PROPOSED
) -> Samples:
    """Read an `.npz` with one array per model input and, optionally, `labels`.

    A scalar, or an array of another length than the others, is an input that is the same for all
    samples. `inputs` of the model tell which array is for what where names do not.

    Raises:
        QvizError: not an npz, pickled objects, no arrays, unequal lengths, no samples or
            unusable labels.
    """
    archive = read_archive(path)
    return array_samples(path, archive.arrays, inputs, reading, archive.objects)


def array_samples(
    path: Path,
    named: Mapping[str, Array],
    inputs: tuple[InputSpec, ...],
    reading: Reading,
    objects: frozenset[str] = frozenset(),
) -> Samples:
    """Samples of arrays under any names, in the arrangement that inputs take.

    `objects` are arrays that hold Python objects. Raises QvizError as `read_npz` does.
    """
    roles = find_roles(path.name, named, inputs, reading.label, objects)
    arrays, labels, notes = fitting(path.name, roles, inputs, reading)
    labelled = arrays if labels is None else {**arrays, LABELS: labels}
    samples = from_arrays(path, labelled, inputs)
    return replace(samples, notes=(*roles.notes, *notes, *samples.notes))


def from_arrays(path: Path, named: Mapping[str, Array], inputs: tuple[InputSpec, ...]) -> Samples:
    """Samples of arrays by name, `labels` among them; raises QvizError as `read_npz` does."""
    subject, arrays = path.name, dict(named)
    given = arrays.pop(LABELS, None)
    labels, class_names = (None, ()) if given is None else text_labels(given)
    if not arrays:
        raise QvizError(
            subject, "it holds no input array", "Add one array per model input, by name"
        )
    _check_finite(subject, arrays)
    constants = _constants(arrays, labels, inputs)
    columns = {name: array for name, array in arrays.items() if name not in constants}
    _check_lengths(subject, columns, constants)
    count = len(next(iter(columns.values())))
    return Samples(
        name=subject,
        path=str(path),
        hash=content_hash({**arrays, **({} if given is None else {LABELS: given})}),
        arrays=columns,
        labels=None if labels is None else check_labels(subject, labels, count),
        constants=constants,
        class_names=class_names,
        notes=order_note(class_names),
    )


def _constants(
    arrays: Mapping[str, Array], labels: Array | None, inputs: tuple[InputSpec, ...]
) -> dict[str, Array]:
    """The arrays that do not go by samples."""
    found = {name: array for name, array in arrays.items() if not array.ndim}
    fixed = {spec.name for spec in inputs if spec.shape and spec.shape[0] is not None}
    some_free = any(spec.shape and spec.shape[0] is None for spec in inputs)
    lengths = {name: len(array) for name, array in arrays.items() if array.ndim}
    going = [n for name, n in lengths.items() if not (some_free and name in fixed)]
    labelled = None if labels is None or not labels.ndim else len(labels)
    count = labelled if labelled in going else _most_common(going)
    if count is not None:
        found |= {name: arrays[name] for name, length in lengths.items() if length != count}
    if some_free:  # an input of a fixed first size does not go by samples, whatever their number
        fixed_sizes = {spec.name: spec.shape[0] for spec in inputs if spec.shape}
        found |= {name: arrays[name] for name in fixed if lengths.get(name) == fixed_sizes[name]}
    return found


def _most_common(lengths: list[int]) -> int | None:
    """The length that most arrays have; None where two are equally common."""
    ranked = Counter(lengths).most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


@dataclass(frozen=True, eq=False, slots=True)
class Archive:
    """Arrays of an `.npz` by name, and the names of those that hold Python objects."""

    arrays: Mapping[str, Array]
    objects: frozenset[str]


def read_archive(path: Path) -> Archive:
    """Every array of an `.npz`, in this machine's byte order; raises QvizError."""
    cure = "Save it with numpy.savez(file, input_name=array, labels=array)"
    try:
        with path.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                cause = "it is not an .npz archive, or only part of one"
                raise QvizError(path.name, cause, cure)
            check_sizes(path.name, stream)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                found = {name: _member(archive, name) for name in archive.files}
    except QvizError:
        raise
    except FileNotFoundError:
        cause = f"there is no such file in {path.absolute().parent}"
        raise QvizError(path.name, cause, "Check the path") from None
    except IsADirectoryError:
        raise QvizError(path.name, "it is a folder", "Choose an .npz file") from None
    except zipfile.BadZipFile as error:
        cause = f"it is damaged ({first_line(error)})"
        raise QvizError(path.name, cause, "Copy or save it again") from error
    except Exception as error:  # a damaged archive can fail in any of its readers
        raise QvizError(
            path.name,
            f"it cannot be read as an .npz archive of plain arrays ({first_line(error)})",
            cure,
        ) from error
    arrays = {
        name: array.astype(array.dtype.newbyteorder("="), copy=False)
        for name, array in found.items()
        if array is not None
    }
    if not arrays and found:
        raise QvizError(
            path.name,
            "it cannot be read: its arrays hold Python objects, which are never loaded",
            cure,
        )
    return Archive(arrays, frozenset(found.keys() - arrays.keys()))


def _member(archive: Mapping[str, Array], name: str) -> Array | None:
    """One array; None where it holds Python objects, which numpy refuses to load here."""
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        if "allow_pickle" in str(error):
            return None
        raise


def _check_lengths(
    subject: str, columns: Mapping[str, Array], constants: Mapping[str, Array]
) -> None:
    lengths = {name: len(array) for name, array in columns.items()}
    if not lengths:
        name = next(iter(constants))
        what = f"has {len(constants[name])} rows" if constants[name].ndim else "is a scalar"
        raise QvizError(
            subject, f"array '{name}' {what}", "Give every array one row per sample and label"
        )
    if len(set(lengths.values())) > 1:
        raise QvizError(
            subject,
            "the arrays have different numbers of samples ("
            + ", ".join(f"{name}: {length}" for name, length in lengths.items())
            + ")",
            "Give every array one row per sample",
        )
    if 0 in lengths.values():
        raise QvizError(subject, "it holds no samples", "Save at least one sample per array")


def _check_finite(subject: str, arrays: Mapping[str, Array]) -> None:
    for name, array in arrays.items():
        row = 0
        for block in in_blocks(array) if array.dtype.kind == "f" else ():
            finite = np.isfinite(np.atleast_1d(block))
            if not finite.all():
                row += int(np.argmin(finite.reshape(len(finite), -1).all(1)))
                raise QvizError(
                    subject,
                    f"array '{name}' has NaN or infinite values, first in sample {row}",
                    "Remove or repair those samples",
                )
            row += len(finite)

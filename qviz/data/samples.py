"""Samples: arrays for every model input, labels, and the hash that names them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qviz.errors import QvizError

Array = NDArray[Any]
LABELS = "labels"


@dataclass(frozen=True, eq=False, slots=True)
class Samples:
    """Arrays with one row per sample (axis 0), and labels when there are any.

    Labels are int64 classes [n], of positions [n, …], or float64 values [n, …].
    """

    name: str
    path: str
    hash: str  # sha256 over names, types, shapes and bytes
    arrays: Mapping[str, Array]
    labels: Array | None

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(next(iter(self.arrays.values())))


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model input takes: name, numpy type name and shape (None where any size fits)."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


def read_npz(path: Path) -> Samples:
    """Read an `.npz` with one array per model input and, optionally, `labels`.

    Raises:
        QvizError: not an npz, pickled objects, no arrays, unequal lengths, no samples or
            unusable labels.
    """
    subject = path.name
    arrays = _read_arrays(path)
    labels = arrays.pop(LABELS, None)
    if not arrays:
        raise QvizError(
            subject, "it holds no input array", "Add one array per model input, by name"
        )
    _check_lengths(subject, arrays)
    _check_finite(subject, arrays)
    count = len(next(iter(arrays.values())))
    return Samples(
        name=subject,
        path=str(path),
        hash=_hash({**arrays, **({} if labels is None else {LABELS: labels})}),
        arrays=arrays,
        labels=None if labels is None else check_labels(subject, labels, count),
    )


def _read_arrays(path: Path) -> dict[str, Array]:
    """Every array of the archive, in this machine's byte order."""
    cure = "Save it with numpy.savez(file, input_name=array, labels=array)"
    try:
        with path.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                cause = "it is not an .npz archive, or only part of one"
                raise QvizError(path.name, cause, cure)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except QvizError:
        raise
    except FileNotFoundError:
        cause = f"there is no such file in {path.absolute().parent}"
        raise QvizError(path.name, cause, "Check the path") from None
    except IsADirectoryError:
        raise QvizError(path.name, "it is a folder", "Choose an .npz file") from None
    except zipfile.BadZipFile as error:
        cause = f"it is damaged ({_first_line(error)})"
        raise QvizError(path.name, cause, "Copy or save it again") from error
    except Exception as error:  # a damaged archive can fail in any of its readers
        raise QvizError(
            path.name,
            f"it cannot be read as an .npz archive of plain arrays ({_first_line(error)})",
            cure,
        ) from error
    return {
        name: array.astype(array.dtype.newbyteorder("="), copy=False)
        for name, array in arrays.items()
    }


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _check_lengths(subject: str, arrays: Mapping[str, Array]) -> None:
    lengths = {name: (array.shape[0] if array.ndim else -1) for name, array in arrays.items()}
    if -1 in lengths.values():
        scalar = next(name for name, length in lengths.items() if length == -1)
        raise QvizError(
            subject, f"array '{scalar}' is a scalar", "Give every array one row per sample"
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
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            row = int(np.argmin(np.isfinite(array).reshape(len(array), -1).all(1)))
            raise QvizError(
                subject,
                f"array '{name}' has NaN or infinite values, first in sample {row}",
                "Remove or repair those samples",
            )


def check_labels(subject: str, labels: Array, count: int) -> Array:
    """Labels with a row per sample: int64 classes of samples or positions, or float64 values.

    One-hot rows become classes. Raises QvizError for other lengths, for text, NaN and infinity.
    """
    flat = labels.reshape(-1) if labels.size == count else labels
    if not flat.ndim or len(flat) != count:
        raise QvizError(
            subject,
            f"'labels' has shape {labels.shape} but there are {count} samples",
            "Give every sample its label, in the same order",
        )
    if flat.dtype.kind in "iub":
        return _classes(flat.astype(np.int64))
    if not np.issubdtype(flat.dtype, np.floating):
        raise QvizError(
            subject,
            f"'labels' are {flat.dtype.name}, which are no numbers",
            "Give whole numbers for classes, or floating-point values to come near",
        )
    if not np.isfinite(flat).all():
        raise QvizError(
            subject, "'labels' have NaN or infinite values", "Remove or repair those samples"
        )
    if _one_hot(flat):
        return _classes(flat)
    whole = np.abs(flat).max() < 2**53 and bool((flat == np.floor(flat)).all())
    classes = whole and flat.ndim == 1  # that were saved as floating-point numbers
    return flat.astype(np.int64 if classes else np.float64)


def _classes(labels: Array) -> Array:
    return np.argmax(labels, 1) if _one_hot(labels) else labels


def _one_hot(labels: Array) -> bool:
    if labels.ndim != 2 or labels.shape[1] < 2:
        return False
    return bool(np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all())


def _hash(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def fit_to_inputs(samples: Samples, inputs: tuple[InputSpec, ...]) -> dict[str, Array]:
    """The array of every model input, matched by name or, when each is the only one, by position.

    Raises:
        QvizError: an input without an array, or an array whose rank, sizes or type do not fit.
    """
    names = [spec.name for spec in inputs]
    if len(inputs) == 1 and len(samples.arrays) == 1:
        matched = {names[0]: next(iter(samples.arrays.values()))}
    else:
        missing = [name for name in names if name not in samples.arrays]
        if missing:
            raise QvizError(
                samples.name,
                f"no array for model input {', '.join(repr(name) for name in missing)} "
                f"(it has {', '.join(repr(name) for name in samples.arrays)})",
                "Save one array per model input, under the input's name",
            )
        matched = {name: samples.arrays[name] for name in names}
    return {spec.name: _fitted(samples.name, matched[spec.name], spec) for spec in inputs}


def _fitted(subject: str, array: Array, spec: InputSpec) -> Array:
    if array.dtype.kind not in "iufb":
        raise _wrong_type(subject, array, spec)
    if spec.shape is not None:
        fits = array.ndim == len(spec.shape) and all(
            want is None or want == have
            for want, have in zip(spec.shape[1:], array.shape[1:], strict=True)
        )
        if not fits:
            wanted = "×".join("any" if size is None else str(size) for size in spec.shape[1:])
            raise QvizError(
                subject,
                f"model input '{spec.name}' takes samples of shape {wanted or 'scalar'}, "
                f"but these are {'×'.join(map(str, array.shape[1:])) or 'scalar'}",
                "Reshape or resize the samples to what the model takes",
            )
    target = np.dtype(spec.dtype)
    if array.dtype == target:
        return array
    whole = array.dtype.kind in "iub" and target.kind in "iuf"
    if whole or np.can_cast(array.dtype, target, "same_kind"):
        _check_limits(subject, array, target, spec.name)
        return array
    raise _wrong_type(subject, array, spec)


def _wrong_type(subject: str, array: Array, spec: InputSpec) -> QvizError:
    target = np.dtype(spec.dtype)
    return QvizError(
        subject,
        f"model input '{spec.name}' takes {target.name} but the array is {array.dtype.name}",
        f"Save the array as {target.name}",
    )


def _check_limits(subject: str, array: Array, target: np.dtype[Any], name: str) -> None:
    """Refuse values that the type a model takes cannot hold: they would wrap or become infinite."""
    if np.can_cast(array.dtype, target, "safe") or not array.size:
        return
    lowest, highest = _limits(target)
    low, high = array.min().item(), array.max().item()
    if low < lowest or high > highest:
        raise QvizError(
            subject,
            f"model input '{name}' takes {target.name}, which cannot hold {low:g} to {high:g}",
            f"Scale the array to the range of {target.name}",
        )


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

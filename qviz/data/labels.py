"""Labels as they come in files, and as metrics take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qviz.data.samples import Array
from qviz.errors import QvizError


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
    if flat.dtype.kind == "u" and flat.max() > np.iinfo(np.int64).max:
        raise QvizError(
            subject,
            f"'labels' has the value {flat.max()}, which is no class",
            "Give whole numbers for classes; negative ones where a position is left out",
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


def read_labels(cells: Sequence[str]) -> tuple[Array, tuple[str, ...]]:
    """Labels written as text: whole numbers, other numbers, or names of classes.

    Names are numbered in their sorted order and given back; numbers have none.
    """
    for dtype in (np.int64, np.float64):
        try:
            return np.array([dtype(cell) for cell in cells]), ()
        except (ValueError, OverflowError):
            continue
    names, classes = np.unique(np.array(cells, np.str_), return_inverse=True)
    return classes.astype(np.int64), tuple(names.tolist())


def text_labels(labels: Array) -> tuple[Array, tuple[str, ...]]:
    """Labels of an array that may hold text, read as `read_labels` does; numbers stay."""
    if labels.dtype.kind not in "US":
        return labels, ()
    plain = np.char.decode(labels, "utf-8", "replace") if labels.dtype.kind == "S" else labels
    found, names = read_labels([str(cell).strip() for cell in plain.reshape(-1)])
    return found.reshape(labels.shape), names


def class_order(names: Sequence[str]) -> str:
    """How classes are numbered, for a note: 0 = cat, 1 = dog … 9 = zebra."""
    counted = [f"{index} = {name}" for index, name in enumerate(names)]
    if len(counted) > 5:
        return f"{', '.join(counted[:3])} … {counted[-1]}"
    return ", ".join(counted)


def order_note(names: Sequence[str]) -> tuple[str, ...]:
    """What the user is told of classes that text names; nothing where there are none."""
    return (f"Classes in the order of their names: {class_order(names)}",) if names else ()


def _classes(labels: Array) -> Array:
    return np.argmax(labels, 1) if _one_hot(labels) else labels


def _one_hot(labels: Array) -> bool:
    if labels.ndim != 2 or labels.shape[1] < 2:
        return False
    return bool(np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all())

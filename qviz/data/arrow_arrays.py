"""Columns of Arrow tables as arrays of numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from qviz.data.csv_text import is_number
from qviz.data.samples import Array
from qviz.errors import QvizError


def is_text(column: pa.ChunkedArray) -> bool:
    """Whether cells are text."""
    kind = _plain_type(column.type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_list(column: pa.ChunkedArray) -> bool:
    """Whether each cell is an array of its own."""
    return _is_list(_plain_type(column.type))


def is_picture(column: pa.ChunkedArray) -> bool:
    """Whether cells are bytes of files, alone or as Hugging Face's datasets keep them."""
    kind = column.type
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def numbers(subject: str, name: str, column: pa.ChunkedArray) -> Array:
    """A column as [n] numbers, or [n, …] of lists of equal length.

    Raises:
        QvizError: missing values, text, lists of different lengths, or other types.
    """
    whole = pa.concat_arrays([_plain(chunk) for chunk in column.chunks])
    return _numbers(subject, name, whole, 1) if len(whole) else np.zeros(0, np.float32)


def texts(subject: str, name: str, column: pa.ChunkedArray) -> list[str]:
    """A column of text [n]; raises QvizError for missing cells."""
    cells = column.to_pylist()
    if None in cells:
        raise _missing(subject, name, cells.index(None))
    return [str(cell) for cell in cells]


def files(subject: str, name: str, column: pa.ChunkedArray) -> list[bytes]:
    """A column of bytes [n]; raises QvizError for missing cells."""
    found = []
    for row, cell in enumerate(column):
        value = cell.as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise _missing(subject, name, row)
        found.append(data)
    return found


def _numbers(subject: str, name: str, cells: pa.Array, per_row: int) -> Array:
    if cells.null_count:
        empty = int(np.argmax(cells.is_null().to_numpy(zero_copy_only=False)))
        raise _missing(subject, name, empty // per_row)
    kind = cells.type
    if _is_list(kind):
        return _lists(subject, name, cells, per_row)
    if pa.types.is_decimal(kind):
        cells = cells.cast(pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise _no_number(subject, name, cells, per_row)
    array: Array = cells.to_numpy(zero_copy_only=False)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array))) // per_row
        raise QvizError(
            subject,
            f"column '{name}' is NaN or infinite in row {row + 1}",
            "Remove or repair that row",
        )
    return array


def _lists(subject: str, name: str, cells: pa.Array, per_row: int) -> Array:
    lengths = cells.value_lengths().to_numpy(zero_copy_only=False)
    if (lengths != lengths[0]).any():
        row = int(np.argmax(lengths != lengths[0]))
        raise QvizError(
            subject,
            f"column '{name}' has {lengths[row]} values in row {row // per_row + 1}, not "
            f"{lengths[0]} as in the first",
            "Give every row as many values",
        )
    length = int(lengths[0])
    inner = cells.flatten()
    if not length:
        raise QvizError(subject, f"column '{name}' has empty lists", "Remove the column")
    array = _numbers(subject, name, inner, per_row * length)
    return array.reshape(len(cells), length, *array.shape[1:])


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _plain(cells: pa.Array) -> pa.Array:
    if isinstance(cells.type, pa.BaseExtensionType):
        return cells.storage
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _missing(subject: str, name: str, row: int) -> QvizError:
    return QvizError(
        subject,
        f"column '{name}' has no value in row {row + 1}",
        "Fill or remove that row",
    )


def _no_number(subject: str, name: str, cells: pa.Array, per_row: int) -> QvizError:
    values = (str(cell) for cell in cells)
    row, cell = next(
        ((row, cell) for row, cell in enumerate(values) if not is_number(cell)), (0, str(cells[0]))
    )
    return QvizError(
        subject,
        f"column '{name}' has '{cell[:40]}' in row {row // per_row + 1}, which is no number",
        "Remove the column, or say that it holds the labels: --reading label=COLUMN, or Samples "
        "Options",
    )

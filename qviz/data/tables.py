"""From the columns of a table to samples: features, arrays by input, pictures and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from qviz.data.arrow_arrays import files, is_list, is_picture, is_text, numbers, texts
from qviz.data.arrow_tables import class_names, read_csv, read_json_lines, read_parquet
from qviz.data.csv_text import is_number
from qviz.data.images import image_samples
from qviz.data.input_names import by_name
from qviz.data.label_column import find_label
from qviz.data.labels import order_note, read_labels
from qviz.data.read_npz import from_arrays
from qviz.data.reading import Reading
from qviz.data.samples import LABELS, Array, InputSpec, Samples, listed
from qviz.data.shards import SUFFIXES, find_shards
from qviz.data.stored_file import StoredFile
from qviz.data.subset import subset
from qviz.data.token_inputs import token_input
from qviz.errors import QvizError

_TEXTS = ("text", "sentence", "content", "review", "question", "document")
_ROW_NUMBERS = ("", "Unnamed: 0", "__index_level_0__")  # as pandas writes them


def read_table(path: Path, inputs: tuple[InputSpec, ...], reading: Reading) -> Samples:
    """Read a CSV, a Parquet file or a folder of its shards: one row per sample.

    Columns named as the inputs feed them. Otherwise one column of lists is the samples, or all
    columns of numbers together [n, features]. A column of image files goes through preprocessing.

    Raises:
        QvizError: unreadable files, missing values, text among numbers, no fitting columns.
    """
    table, notes = _table(path)
    columns = table.column_names
    if not table.num_rows:
        raise QvizError(path.name, "it holds no rows", "Save at least one row")
    label = _find_label(path.name, table, inputs, reading)
    labels, names = (None, ()) if label is None else _labels(path.name, table, label)
    if label is not None and is_text(table.column(label)):  # else the file itself numbers them
        notes = (*notes, *order_note(names))
    kept = [i for i, name in enumerate(columns) if i != label and name not in _ROW_NUMBERS]
    text = _text_column(path.name, table, kept, inputs, reading.text)
    if text is not None:
        from qviz.data.text_rows import text_rows  # its library takes long to load

        cells = texts(path.name, columns[text], table.column(text))
        found = text_rows(path, cells, labels, names, inputs, reading)
        left = [columns[index] for index in kept if index != text]
        return replace(found, notes=(*found.notes, *notes, *_left_out(left)))
    pictures = [index for index in kept if is_picture(table.column(index))]
    if pictures:
        stored = _stored(path.name, table, pictures[0])
        return image_samples(path, stored, labels, inputs, reading, names, notes)
    arrays, left_out = _arrays(path.name, table, kept, inputs)
    if labels is not None:
        arrays[LABELS] = labels
    samples = from_arrays(path, arrays, inputs)
    return subset(replace(samples, class_names=names, notes=(*notes, *left_out)), reading)


def _table(path: Path) -> tuple[pa.Table, tuple[str, ...]]:
    """All columns, and notes for the user."""
    if path.is_dir():
        files, notes = find_shards(path)
        return read_parquet(path.name, files), notes
    if path.suffix.lower() == ".jsonl":
        return read_json_lines(path), ()
    parquet = path.suffix.lower() in SUFFIXES
    return read_parquet(path.name, [path]) if parquet else read_csv(path), ()


def _find_label(
    subject: str, table: pa.Table, inputs: tuple[InputSpec, ...], reading: Reading
) -> int | None:
    """The label column by name; else the only column of text, where no cell is a number."""
    found = find_label(subject, table.column_names, {spec.name for spec in inputs}, reading.label)
    if found is not None:
        return found
    if token_input(inputs) is not None:
        return None  # text is what the model takes
    words = [
        index
        for index in range(table.num_columns)
        if is_text(table.column(index))
        and not any(is_number(str(cell)) for cell in table.column(index).to_pylist())
    ]
    return words[0] if len(words) == 1 and table.num_columns > 1 else None


def _text_column(
    subject: str,
    table: pa.Table,
    kept: Sequence[int],
    inputs: tuple[InputSpec, ...],
    wanted: str | None,
) -> int | None:
    """The column of text that a model of tokens takes, where none holds the ids themselves.

    Raises:
        QvizError: several columns of text, none of a usual name; or none of the wanted name.
    """
    spec = token_input(inputs)
    if spec is None:
        return None
    columns = table.column_names
    if wanted is not None:
        return _wanted_text(subject, table, kept, wanted)
    if by_name([columns[index] for index in kept], [spec.name]):
        return None
    words = [index for index in kept if is_text(table.column(index))]
    usual = [index for index in words if columns[index].lower() in _TEXTS]
    if len(words) < 2 or len(usual) == 1:
        return next(iter(usual or words), None)
    raise QvizError(
        subject,
        f"columns {listed(columns[index] for index in words)} all hold text",
        "Say which the model takes (--reading text=COLUMN, or Samples Options)",
    )


def _wanted_text(subject: str, table: pa.Table, kept: Sequence[int], wanted: str) -> int:
    found = [index for index in kept if is_text(table.column(index))]
    names = [table.column_names[index] for index in found]
    if wanted in names:
        return found[names.index(wanted)]
    raise QvizError(
        subject,
        f"it has no column '{wanted}' of text beside the labels",
        f"Choose one of {listed(names)}" if names else "Choose a table with a column of text",
    )


def _labels(subject: str, table: pa.Table, index: int) -> tuple[Array, tuple[str, ...]]:
    name, column = table.column_names[index], table.column(index)
    if is_text(column):
        return read_labels(texts(subject, name, column))
    return numbers(subject, name, column), class_names(table, name)


def _stored(subject: str, table: pa.Table, index: int) -> list[StoredFile]:
    found = files(subject, table.column_names[index], table.column(index))
    return [StoredFile(f"{subject} row {row}", data) for row, data in enumerate(found, 1)]


def _arrays(
    subject: str, table: pa.Table, kept: Sequence[int], inputs: tuple[InputSpec, ...]
) -> tuple[dict[str, Array], tuple[str, ...]]:
    columns = table.column_names
    by_name = {columns[index]: index for index in kept}
    specs = {spec.name: spec for spec in inputs}
    named = [name for name in by_name if name in specs]
    if named and (len(inputs) > 1 or len(kept) == 1 or is_list(table.column(by_name[named[0]]))):
        left = [name for name in by_name if name not in specs]
        return {
            name: _shaped(numbers(subject, name, table.column(by_name[name])), specs[name])
            for name in named
        }, _left_out(left)
    lists = [index for index in kept if is_list(table.column(index))]
    spec = inputs[0] if len(inputs) == 1 else None
    if lists:
        index = lists[0]
        name = columns[index]
        array = numbers(subject, name, table.column(index))
        others = [columns[other] for other in kept if other != index]
        return {name: array if spec is None else _shaped(array, spec)}, _left_out(others)
    if not kept:
        raise QvizError(subject, "it has no columns but the labels", "Add columns of numbers")
    features = _features(subject, table, kept, spec)
    return {"features" if spec is None else spec.name: features}, ()


def _features(subject: str, table: pa.Table, kept: Sequence[int], spec: InputSpec | None) -> Array:
    """Columns of numbers side by side, in their order, in the shape that an input takes."""
    names = table.column_names
    wanted = np.dtype("float32" if spec is None else spec.dtype)
    whole = wanted.kind in "iu" and all(pa.types.is_integer(table.column(i).type) for i in kept)
    found = np.empty((table.num_rows, len(kept)), np.int64 if whole else np.float32)
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite
        for place, index in enumerate(kept):
            found[:, place] = numbers(subject, names[index], table.column(index))
    if spec is None or spec.shape is None:
        return found
    sizes = [size for size in spec.shape[1:] if size is not None]
    if len(sizes) == len(spec.shape) - 1 and math.prod(sizes) != len(kept):
        listed = ", ".join(names[index] for index in kept[:6])
        raise QvizError(
            subject,
            f"it has {len(kept)} columns of values ({listed}{' …' if len(kept) > 6 else ''}), "
            f"but model input '{spec.name}' takes {'×'.join(map(str, sizes)) or 'one'}",
            "Name the column of labels (--reading label=COLUMN, or Samples Options), or keep the "
            "columns that the model takes",
        )
    return _shaped(found, spec)


def _shaped(array: Array, spec: InputSpec) -> Array:
    """In the shape of an input that takes as many numbers: 784 columns as 1×28×28."""
    if spec.shape is None or len(spec.shape) < 2:
        return array
    sizes = tuple(1 if size is None else size for size in spec.shape[1:])
    if len(spec.shape) == array.ndim or math.prod(sizes) != math.prod(array.shape[1:]):
        return array
    return array.reshape(len(array), *sizes)


def _left_out(names: Sequence[str]) -> tuple[str, ...]:
    return (f"Columns left out: {', '.join(names)}",) if names else ()

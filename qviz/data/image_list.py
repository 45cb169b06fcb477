"""A CSV that lists paths of images and their labels."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from qviz.data.csv_text import Dialect, read_dialect
from qviz.data.images import image_samples
from qviz.data.label_column import find_label
from qviz.data.labels import order_note, read_labels
from qviz.data.pictures import SUFFIXES
from qviz.data.reading import Reading
from qviz.data.samples import InputSpec, Samples
from qviz.data.stored_file import StoredFile
from qviz.data.text_file import open_text
from qviz.errors import QvizError

PATHS = ("path", "file", "filename", "file_name", "filepath", "image", "img", "image_path")
LARGEST_LIST = 2**28  # bytes


def is_image_list(path: Path) -> bool:
    """Whether the first row of data names an image; raises QvizError for an unreadable file."""
    return _path_column(read_dialect(path, SUFFIXES)) is not None


def read_image_list(path: Path, inputs: tuple[InputSpec, ...], reading: Reading) -> Samples:
    """Read images named in a CSV, relative to its folder, and their labels, if it has any.

    Raises:
        QvizError: a row without its cells, an image that is missing or outside of the folder,
            and all that `image_samples` raises.
    """
    dialect = read_dialect(path, SUFFIXES)
    where = _path_column(dialect)
    if where is None:
        raise QvizError(path.name, "it lists no images", f"Name files that end in {SUFFIXES[0]} …")
    label = find_label(path.name, dialect.columns, (), reading.label)
    if label is None and dialect.header is None and len(dialect.first) == 2:
        label = 1 - where
    files, labels = [], []
    root = path.parent.resolve()
    for number, row in enumerate(_rows(path, dialect), 1):
        files.append(_stored(path, root, row[where], number))
        if label is not None:
            labels.append(_label(path, row[label], number))
    found, names = (None, ()) if label is None else read_labels(labels)
    return image_samples(path, files, found, inputs, reading, names, order_note(names))


def _path_column(dialect: Dialect) -> int | None:
    images = [
        index
        for index, cell in enumerate(dialect.first[: len(dialect.columns)])
        if cell.strip().lower().endswith(SUFFIXES)
    ]
    named = [index for index in images if dialect.columns[index].lower() in PATHS]
    return next(iter(named or images), None)


def _rows(path: Path, dialect: Dialect) -> Iterator[list[str]]:
    if path.stat().st_size > LARGEST_LIST:
        raise QvizError(path.name, f"it has more than {LARGEST_LIST:,} bytes", "Split it")
    try:
        with open_text(path, newline="") as stream:
            reader = (row for row in csv.reader(stream, delimiter=dialect.delimiter) if row)
            if dialect.header is not None:
                next(reader)
            for number, row in enumerate(reader, 1):
                if len(row) != len(dialect.columns):
                    raise QvizError(
                        path.name,
                        f"row {number} has {len(row)} columns, not {len(dialect.columns)}",
                        "Give every row the same columns",
                    )
                yield row
    except csv.Error as error:
        raise QvizError(path.name, f"it is no CSV ({error})", "Save it as UTF-8 text") from error


def _stored(path: Path, root: Path, cell: str, number: int) -> StoredFile:
    name = cell.strip()
    try:
        file = (root / name).resolve()
        outside = not file.is_relative_to(root)
        missing = outside or not file.is_file()
    except (OSError, ValueError):  # a name that no file can have
        outside, missing = False, True
    if outside:
        raise QvizError(
            path.name,
            f"row {number} names '{name}', which lies outside of the folder of this list",
            "Put the images beside the list or below it",
        )
    if missing:
        raise QvizError(
            path.name,
            f"row {number} names '{name}', but there is no such file",
            f"Give paths relative to the folder of this list, {root}",
        )
    return StoredFile(name, file)


def _label(path: Path, cell: str, number: int) -> str:
    if not cell.strip():
        raise QvizError(path.name, f"row {number} has no label", "Give every image its label")
    return cell.strip()

"""CSV text: how a file is written, found out from its first lines."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from qviz.data.text_file import open_text
from qviz.errors import QvizError

DELIMITERS = (",", ";", "\t", "|")
_LINES, _ENOUGH = 20, 2**16  # lines looked at, and characters after which two lines are enough
_LONGEST = 2**24  # characters of one line


@dataclass(frozen=True, slots=True)
class Dialect:
    """The delimiter, the mark of decimals, and the names of columns where there is a header."""

    delimiter: str
    decimal: str
    header: tuple[str, ...] | None
    first: tuple[str, ...]  # cells of the first row of data, if any

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: those of the header, or their numbers from 0."""
        return self.header or tuple(str(index) for index in range(len(self.first)))


def read_dialect(path: Path, values: tuple[str, ...] = ()) -> Dialect:
    """Find delimiter, decimal mark and header; a cell that ends in one of `values` is no header.

    Raises:
        QvizError: no such file, an empty one, or no UTF-8 text.
    """
    lines = _first_lines(path)
    if any(len(line) > csv.field_size_limit() for line in lines):
        cause = f"it has a line of more than {csv.field_size_limit():,} letters"
        raise QvizError(path.name, cause, "Save wide data as .npz or Parquet")
    delimiter = max(DELIMITERS, key=lambda mark: _regular(lines, mark))
    if not _regular(lines, delimiter):
        delimiter = ","
    commas = delimiter != "," and any(re.search(r"\d,\d", line) for line in lines[1:])
    points = any(re.search(r"\d\.\d", line) for line in lines[1:])
    decimal = "," if commas and not points else "."
    rows = [tuple(row) for row in csv.reader(lines[:2], delimiter=delimiter)]
    first, second = rows[0], rows[1] if len(rows) > 1 else ()
    if _is_header(first, second, decimal, values):
        return Dialect(delimiter, decimal, tuple(cell.strip() for cell in first), second)
    return Dialect(delimiter, decimal, None, first)


def is_number(cell: str, decimal: str = ".") -> bool:
    """Whether a cell is a number, infinity and NaN among them."""
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return False
    return True


def _first_lines(path: Path) -> list[str]:
    lines: list[str] = []
    with open_text(path) as stream:
        size = 0
        while len(lines) < 2 or (len(lines) < _LINES and size < _ENOUGH):
            line = stream.readline(_LONGEST)
            size += len(line)
            if not line:
                break
            if line.strip():
                lines.append(line.rstrip("\n"))
    if not lines:
        raise QvizError(path.name, "it is empty", "Choose a file with one row per sample")
    return lines


def _regular(lines: list[str], mark: str) -> int:
    """How often a mark is in every line; 0 where lines differ."""
    counts = [len(row) - 1 for row in csv.reader(lines, delimiter=mark)]
    return min(counts) if len(set(counts)) == 1 else 0


def _is_header(
    first: tuple[str, ...], second: tuple[str, ...], decimal: str, values: tuple[str, ...]
) -> bool:
    if any(cell.lower().endswith(values) for cell in first if values):
        return False
    numbers = [is_number(cell, decimal) for cell in first]
    if first == tuple(str(index) for index in range(len(first))) and len(first) > 1:
        return True  # as pandas writes columns without names
    below = [is_number(cell, decimal) for cell in second]
    over = any(under and not number for number, under in zip(numbers, below, strict=False))
    return over or not any(numbers)

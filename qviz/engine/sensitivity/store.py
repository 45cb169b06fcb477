"""Store: what sweeps have found, on disk, so that they go on where they stopped."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch

from qviz.engine.sensitivity.effect import Rows
from qviz.engine.sensitivity.sweep import Sweep

_COLUMNS = tuple(field.name for field in fields(Rows))
LIMIT = 1 << 28  # bytes that a folder may hold; what was used longest ago goes first
_DAMAGED = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    RuntimeError,  # encrypted, or of an unknown compression: NotImplementedError is one
    MemoryError,
    BadZipFile,
    zlib.error,
)


class Store:
    """A folder with one file for each thing that was measured, by content key."""

    def __init__(self, folder: Path) -> None:
        """The folder is made when something is saved."""
        self._folder = folder
        self._saved: dict[str, int] = {}  # samples in a file

    def load(self, sweep: Sweep, base: str, candidates: Sequence[str]) -> None:
        """Give a sweep what is known of it, by content keys; damaged files are passed over."""
        start = self._read(base)
        if start is None:
            return
        sweep.base_rows = start
        for number, key in enumerate(candidates):
            rows = self._read(key)
            if rows is not None:
                sweep.rows[number] = rows.first(len(start.kl))

    def save(self, sweep: Sweep, base: str, candidates: Sequence[str]) -> None:
        """Write what a sweep has found; files of more samples stay as they are.

        Raises:
            OSError: the folder cannot be written.
        """
        if sweep.base_rows is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write(base, sweep.base_rows)
        for key, rows in zip(candidates, sweep.rows, strict=True):
            if rows is not None:
                self._write(key, rows)
        self._make_room()

    def _read(self, key: str) -> Rows | None:
        path = self._path(key)
        try:
            with ZipFile(path) as archive:
                rows = Rows(*(_column(archive, name) for name in _COLUMNS))
            os.utime(path)
        except _DAMAGED:
            return None
        if not _is_whole(rows):
            return None
        self._saved[key] = len(rows.kl)
        return rows

    def _write(self, key: str, rows: Rows) -> None:
        """Complete, or not at all."""
        if len(rows.kl) <= self._saved.get(key, 0):
            return
        path = self._path(key)
        partial = path.with_suffix(f".{os.getpid()}.part")
        with ZipFile(partial, "w") as archive:  # what numpy.savez writes
            for name, column in zip(_COLUMNS, rows.columns, strict=True):
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, column.numpy(), allow_pickle=False)
        partial.replace(path)
        self._saved[key] = len(rows.kl)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"

    def _make_room(self) -> None:
        """Drop the files that were used longest ago until the folder is within its limit."""
        found = [(path, path.stat()) for path in self._folder.glob("*.npz")]
        held = sum(stat.st_size for _, stat in found)
        for path, stat in sorted(found, key=lambda entry: entry[1].st_mtime):
            if held <= LIMIT:
                return
            path.unlink(missing_ok=True)
            held -= stat.st_size


def _column(archive: ZipFile, name: str) -> torch.Tensor:
    with archive.open(f"{name}.npy") as file:
        return torch.from_numpy(np.lib.format.read_array(file, allow_pickle=False))


def _is_whole(rows: Rows) -> bool:
    """Whether the columns are what a sweep writes."""
    *single, losses, scores = rows.columns
    types = [column.dtype for column in rows.columns]
    return (
        types == [torch.float64, torch.bool, *[torch.float64] * 4]
        and all(column.ndim == 1 for column in single)
        and losses.ndim == scores.ndim == 2
        and len({len(column) for column in rows.columns}) == 1
    )

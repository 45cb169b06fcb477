"""Shards: the Parquet files of a folder that hold one table between them, in their order."""

from __future__ import annotations

import re
from pathlib import Path

from qviz.data.class_folders import walk
from qviz.errors import QvizError

SUFFIXES = (".parquet", ".pq")
# part-0003, train-00000-of-00003, 0000; some writers let a hash follow, a new one for each shard.
_SHARD = re.compile(r"(.*?)\d+(?:-of-(\d+))?(?:-[\da-f]{8}[\da-f-]*(?:-c\d+)?(?:\.\w+)?)?", re.I)


def find_shards(folder: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The shards below a folder in their natural order (2 before 10), and notes for the user.

    Raises:
        QvizError: no Parquet files, or those of several tables.
    """
    tables: dict[tuple[Path, str, str], list[Path]] = {}
    for file in walk(folder, SUFFIXES):
        shard = _SHARD.fullmatch(file.stem)
        name, total = (file.stem, "") if shard is None else (shard[1], shard[2] or "")
        tables.setdefault((file.parent, name, total), []).append(file)
    for files in tables.values():
        files.sort(key=lambda file: _natural(file.name))
    if len(tables) != 1:
        raise _no_single_table(folder, [files[0] for files in tables.values()])
    ((_, _, total), files), *_ = tables.items()
    missing = bool(total) and len(files) < int(total)
    return tuple(files), (f"{len(files)} of {int(total)} shards are there",) if missing else ()


def _natural(name: str) -> list[str | int]:
    """Text and numbers in turn, as people order them."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _no_single_table(folder: Path, first: list[Path]) -> QvizError:
    if not first:
        return QvizError(folder.name, "it holds no Parquet files", "Choose a folder of shards")
    names = ", ".join(file.relative_to(folder).as_posix() for file in first[:6])
    more = " …" if len(first) > 6 else ""
    return QvizError(
        folder.name,
        f"it holds {len(first)} tables, not the shards of one; they begin with {names}{more}",
        "Open one of these files, or a folder with the shards of one table",
    )

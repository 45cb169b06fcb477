"""Safetensors: a JSON header that says where in the file every tensor lies.

The library's own reader refuses a file for one type that it does not know; this one reads the
header itself, checks it before anything is allocated, and leaves such tensors out.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from qviz.errors import QvizError
from qviz.model.weights.opened_file import OpenedFile, open_file
from qviz.model.weights.stored import (
    TYPES,
    StoredTensor,
    WeightFile,
    checked_shape,
    damaged,
    plain_tensor,
)

LARGEST_HEADER = 1 << 24  # bytes: 100,000 tensors; the format allows six times as many
_SHARD = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.safetensors")


def read_safetensors(path: Path) -> WeightFile:
    """Read the header of one file; raises QvizError when it is damaged or no such file."""
    file = open_file(path)
    header, start = _header(file)
    tensors: list[StoredTensor] = []
    left_out: list[tuple[str, str]] = []
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        kind, sizes, begin, end = _entry(file, name, entry, file.size - start)
        spans.append((begin, end, name))
        if kind not in TYPES:
            left_out.append((name, f"of unknown type {kind[:20]}"))
            continue
        shape = checked_shape(file, name, sizes)
        if end - begin != math.prod(shape) * TYPES[kind].itemsize:
            raise damaged(file, f"its tensor '{name}' does not have as many bytes as its shape")
        tensors.append(plain_tensor(file, name, shape, TYPES[kind], start + begin))
    _check_overlaps(file, spans)
    return WeightFile(tuple(tensors), (file,), tuple(left_out), _shard_note(path))


def load_json(file: OpenedFile, text: bytes) -> dict[str, Any]:
    """A JSON object without repeated names; raises QvizError when it is anything else."""
    try:
        found = json.loads(text.decode(), object_pairs_hook=_without_repeats)
        if not isinstance(found, dict):
            raise TypeError("it is not an object")
        for name in found:
            name.encode()  # refuses halves of characters
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(file, f"its header is not valid JSON ({str(error)[:100]})") from error
    return found


def _header(file: OpenedFile) -> tuple[dict[str, Any], int]:
    """The header, and where the tensors' bytes begin."""
    with file.stream() as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > file.size - 8 or stream.read(1) != b"{":
            raise QvizError(
                file.path.name,
                "it is not a safetensors file, or only the beginning of one",
                "Check that the download or copy is complete",
            )
        if length > LARGEST_HEADER:
            raise damaged(file, f"its header of {length:,} bytes is too long")
        stream.seek(8)
        return load_json(file, stream.read(length)), 8 + length


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _entry(
    file: OpenedFile, name: str, entry: object, room: int
) -> tuple[str, list[object], int, int]:
    """(type, shape, begin, end) of one tensor; the end lies inside the file."""
    match entry:
        case {"dtype": str(kind), "shape": list(sizes), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise damaged(file, f"its header does not describe tensor '{name[:80]}'")
    if not 0 <= begin <= end:
        raise damaged(file, f"its tensor '{name[:80]}' ends before it begins")
    if end > room:
        raise damaged(file, f"it ends before its tensor '{name[:80]}' does")
    return kind, sizes, begin, end


def _check_overlaps(file: OpenedFile, spans: list[tuple[int, int, str]]) -> None:
    reached = 0
    for begin, end, name in sorted(spans):
        if begin < reached:
            raise damaged(file, f"its tensor '{name[:80]}' overlaps another one")
        reached = end


def _shard_note(path: Path) -> tuple[str, ...]:
    shard = _SHARD.fullmatch(path.name)
    if shard is None:
        return ()
    note = f"This is part {int(shard['part'])} of {int(shard['parts'])}"
    index = path.with_name(f"{shard['stem']}.safetensors.index.json")
    return (f"{note}; open {index.name} for all of them" if index.is_file() else note,)

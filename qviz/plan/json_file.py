"""JSON files that qviz saves: read with one clear message, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qviz.errors import QvizError

LARGEST = 64 << 20  # bytes
LINE = 100  # columns


def read_json(path: Path, cure: str) -> object:
    """The file's values; raises QvizError when it cannot be read or is no JSON."""
    try:
        if path.stat().st_size > LARGEST:
            raise QvizError(path.name, "it is larger than any file of this kind", cure)
        data: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        cause = f"it cannot be read ({error.strerror})"
        raise QvizError(path.name, cause, "Check the path") from error
    except (ValueError, RecursionError) as error:
        raise QvizError(path.name, f"it is not JSON ({error})", cure) from error
    return data


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write beside the file, then replace it; raises QvizError when that is not possible."""
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(laid_out(data) + "\n")
            file.flush()
            os.fsync(file.fileno())  # else a power cut may keep the new name and lose the content
        beside.replace(path)
    except OSError as error:
        if beside.is_file():
            beside.unlink()
        raise QvizError(
            str(path),
            f"it cannot be written ({error.strerror})",
            "Choose a folder you may write to",
        ) from error


def laid_out(value: object, indent: str = "") -> str:
    """JSON text for people and for diffs: a line per field, and per entry of a list."""
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        lines = [f"{json.dumps(str(k))}: {laid_out(v, inner)}" for k, v in value.items()]
        return _block("{", lines, "}", indent)
    if isinstance(value, (list, tuple)) and value:
        if all(not isinstance(entry, (list, tuple, Mapping)) for entry in value):
            line = json.dumps(list(value))
            if len(indent) + len(line) <= LINE:
                return line
        return _block("[", [_entry(entry, inner) for entry in value], "]", indent)
    return json.dumps(value)


def _entry(value: object, indent: str) -> str:
    """An entry of a list: on one line where it holds no others and fits."""
    if isinstance(value, Mapping):
        flat = all(not isinstance(held, (list, tuple, Mapping)) for held in value.values())
        line = json.dumps(dict(value))
        if flat and len(indent) + len(line) <= LINE:
            return line
    return laid_out(value, indent)


def _block(start: str, lines: list[str], end: str, indent: str) -> str:
    inner = indent + "  "
    return f"{start}\n{inner}" + f",\n{inner}".join(lines) + f"\n{indent}{end}"

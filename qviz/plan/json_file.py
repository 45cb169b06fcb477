"""JSON files that qviz saves: read with one clear message, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qviz.errors import QvizError

LARGEST = 64 << 20  # bytes


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
        beside.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        if beside.is_file():
            beside.unlink()
        raise QvizError(
            str(path),
            f"it cannot be written ({error.strerror})",
            "Choose a folder you may write to",
        ) from error

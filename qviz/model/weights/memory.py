"""How much memory is free, for what has to be held in it whole."""

from __future__ import annotations

import os
from pathlib import Path

from qviz.errors import QvizError
from qviz.model.weights.opened_file import OpenedFile

UNKNOWN = 1 << 33  # bytes, where the system does not say
_MEMINFO = Path("/proc/meminfo")


def check_memory(file: OpenedFile, needed: int, what: str) -> None:
    """Raise QvizError when `what` needs more bytes than are free."""
    if needed > _free():
        raise QvizError(
            file.path.name,
            f"{what} takes {needed / 2**30:,.1f} GiB of memory, more than is free",
            "Save the weights as safetensors, which are read one tensor at a time",
        )


def _free() -> int:
    """Bytes that can be taken without swapping; all memory where the system does not say."""
    if _MEMINFO.is_file():
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return UNKNOWN

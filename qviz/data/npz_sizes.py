"""What the arrays of an `.npz` say of their sizes, before any of them is unpacked."""

from __future__ import annotations

import math
import zipfile
from typing import IO

import numpy as np
import psutil

from qviz.errors import QvizError

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def check_sizes(subject: str, stream: IO[bytes]) -> None:
    """Refuse an archive that cannot be unpacked whole: a few MB of it may declare many GB.

    Raises:
        QvizError: an array that is cut short, or arrays of more than half of the free memory.
        zipfile.BadZipFile: a damaged archive.
    """
    with zipfile.ZipFile(stream) as archive:
        sizes = [_unpacked(subject, archive, member) for member in archive.infolist()]
    needed, free = sum(sizes), int(psutil.virtual_memory().available)
    if needed > free // 2:
        raise QvizError(
            subject,
            f"its arrays unpack to {_gigabytes(needed)}, more than half of the free memory "
            f"({_gigabytes(free)})",
            "Save fewer samples, or each array with numpy.save as .npy, which stays on disk",
        )


def _unpacked(subject: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Bytes in memory: what the header of an array declares, else what the archive says."""
    with archive.open(member) as stream:
        try:
            read = _READERS[np.lib.format.read_magic(stream)]
            shape, _, dtype = read(stream)
        except (KeyError, ValueError):  # no plain array: its reader tells
            return member.file_size
        held = member.file_size - stream.tell()
    declared = math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        return 0  # never loaded
    if declared > held:
        raise QvizError(
            subject,
            f"array '{member.filename.removesuffix('.npy')}' is cut short: {declared:,} bytes of "
            f"values are declared, {held:,} are there",
            "Copy or save it again",
        )
    return declared


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"

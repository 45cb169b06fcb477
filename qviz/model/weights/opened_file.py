"""A file that was looked at once and is read from, piece by piece, as long as it stays the same."""

from __future__ import annotations

from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import torch

from qviz.errors import QvizError

DAMAGED = "Copy or download it again; the file is not complete or damaged"


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A regular file with the size and time of change that it had when it was opened.

    It is read and not mapped: a mapped file that shrinks takes the whole program down.
    """

    path: Path
    size: int  # bytes
    modified: int  # ns

    def stream(self) -> BufferedReader:
        """Open it for reading; raises QvizError when it cannot be read or has changed."""
        try:
            if (now := _look(self.path)) != self:
                raise QvizError(
                    now.path.name, "it has changed since it was opened", "Open it again"
                )
            return self.path.open("rb")
        except OSError as error:
            raise unreadable(self.path, error) from error

    def read(self, offset: int, count: int) -> torch.Tensor:
        """`count` bytes as a new tensor, uint8; raises QvizError where the file has fewer."""
        if offset < 0 or count < 0 or offset + count > self.size:
            raise QvizError(self.path.name, "it ends within its own tensors", DAMAGED)
        data = torch.empty(count, dtype=torch.uint8)
        left = data.numpy().data
        try:
            with self.stream() as stream:
                stream.seek(offset)
                while left:
                    got = stream.readinto(left)
                    if not got:
                        raise QvizError(self.path.name, "it has become shorter", DAMAGED)
                    left = left[got:]
        except OSError as error:
            raise unreadable(self.path, error) from error
        return data


def open_file(path: Path) -> OpenedFile:
    """Look at a file; raises QvizError when it is missing, a folder, empty or may not be read."""
    try:
        opened = _look(path)
        with path.open("rb"):
            pass
    except OSError as error:
        raise unreadable(path, error) from error
    if not opened.size:
        raise QvizError(path.name, "it is empty", DAMAGED)
    return opened


def unreadable(path: Path, error: OSError) -> QvizError:
    """What the system refused, as a message."""
    if isinstance(error, FileNotFoundError):
        return QvizError(path.name, "there is no such file", "Check the path")
    cause = error.strerror or str(error)
    return QvizError(path.name, f"it cannot be read: {cause}", "Check the file")


def _look(path: Path) -> OpenedFile:
    if path.is_dir():
        raise QvizError(path.name, "it is a folder", "Choose the file of weights in it")
    status = path.stat()
    if not path.is_file():
        raise QvizError(path.name, "it is not a regular file", "Choose a file of weights")
    return OpenedFile(path, status.st_size, status.st_mtime_ns)

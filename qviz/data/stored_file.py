"""A file among the samples: read whole, within limits, and known by a digest of its bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from qviz.errors import QvizError

LARGEST_FILE = 2**29  # bytes of one image


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file on disk, or the bytes of one inside a table, under the name that a user knows."""

    name: str
    content: Path | bytes

    def read(self) -> bytes:
        """All bytes; raises QvizError where there are none to read, or too many."""
        if isinstance(self.content, bytes):
            return self.content
        try:
            size = self.content.stat().st_size
            if size > LARGEST_FILE:
                raise QvizError(
                    self.name, f"it has {size:,} bytes", "Remove it, or make it smaller"
                )
            return self.content.read_bytes()
        except OSError as error:
            raise QvizError(
                self.name, f"it cannot be read ({error.strerror})", "Check the file and its rights"
            ) from error

    def read_unchanged(self, digest: bytes) -> bytes:
        """All bytes, which must be those of this digest; raises QvizError as `read` does."""
        data = self.read()
        if digest_of(data) != digest:
            raise QvizError(
                self.name, "it has changed since it was opened", "Open the samples again"
            )
        return data


def digest_of(data: bytes) -> bytes:
    """Blake2b, 16 bytes."""
    return hashlib.blake2b(data, digest_size=16).digest()

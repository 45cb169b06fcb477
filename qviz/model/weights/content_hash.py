"""The hash that names a file of weights, found in a second however large the file is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from qviz.model.weights.opened_file import OpenedFile, unreadable
from qviz.model.weights.stored import StoredTensor, WeightFile

BLOCKS = 64  # spread evenly over every file
BLOCK = 1 << 16  # bytes; a file of up to BLOCKS of them is read whole
TENSORS = 4096  # of whose beginnings a piece is read
PIECE = 1 << 12  # bytes


def content_hash(content: WeightFile) -> str:
    """sha256 over all names, types, shapes and places, the files' sizes and a sample of the bytes.

    The sample is fixed: 64 blocks of 64 KiB of every file and the first 4 KiB of up to 4,096
    tensors. A change that spares all of these, in a file of the same layout, goes unnoticed.
    """
    digest = hashlib.sha256()
    for stored in content.tensors:
        tensor, place = stored.tensor, stored.place
        row = (stored.name, stored.stored_type, tensor.shape, place.offset, place.strides)
        digest.update(f"{row!r}\n".encode())
    for file in content.files:
        digest.update(f"{file.size}\n".encode())
        _feed(file, digest, _sampled(file, content.tensors))
    return digest.hexdigest()


def _sampled(file: OpenedFile, tensors: Sequence[StoredTensor]) -> list[tuple[int, int]]:
    """(offset, length) of the bytes to read, in order."""
    if file.size <= BLOCKS * BLOCK:
        return [(0, file.size)]
    last = file.size - BLOCK
    spread = [(last * i // (BLOCKS - 1), BLOCK) for i in range(BLOCKS)]
    here = [s.place.offset for s in tensors if s.place.file == str(file.path)]
    every = max(1, -(-len(here) // TENSORS))
    return sorted({*spread, *((offset, PIECE) for offset in here[::every])})


def _feed(file: OpenedFile, digest: hashlib._Hash, spans: Iterable[tuple[int, int]]) -> None:
    try:
        with file.stream() as stream:
            for offset, length in spans:
                stream.seek(offset)
                digest.update(stream.read(length))
    except OSError as error:
        raise unreadable(file.path, error) from error

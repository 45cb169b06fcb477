"""Content: hashes of arrays, read in blocks of rows so that a mapped file stays on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from qviz.data.samples import Array

BLOCK_BYTES = 2**24


def in_blocks(array: Array) -> Iterator[Array]:
    """Runs of whole rows of about `BLOCK_BYTES`, contiguous in memory."""
    if not array.ndim or array.nbytes <= BLOCK_BYTES:
        yield np.ascontiguousarray(array).reshape(array.shape)
        return
    rows = max(BLOCK_BYTES * len(array) // array.nbytes, 1)
    for start in range(0, len(array), rows):
        yield np.ascontiguousarray(array[start : start + rows])


def content_hash(arrays: Mapping[str, Array]) -> str:
    """Sha256 over names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        # A number alone has always been named as an array of one.
        digest.update(f"{name} {array.dtype.str} {array.shape or (1,)}\n".encode())
        for block in in_blocks(array):
            digest.update(block.tobytes())
    return digest.hexdigest()


def row_digests(arrays: Mapping[str, Array]) -> tuple[bytes, ...]:
    """Blake2b of every sample's own bytes, of all arrays by name."""
    digests: list[bytes] | None = None
    for name in sorted(arrays):
        found = [
            hashlib.blake2b(row.tobytes(), digest_size=16).digest()
            for block in in_blocks(arrays[name])
            for row in block
        ]
        digests = found if digests is None else [a + b for a, b in zip(digests, found, strict=True)]
    return tuple(digests or ())


def files_hash(
    description: Mapping[str, Any], digests: Sequence[bytes], labels: Array | None
) -> str:
    """Sha256 over how files are read, each sample's digest, and the labels."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for one in digests:
        digest.update(one)
    if labels is not None:
        digest.update(content_hash({"labels": labels}).encode())
    return digest.hexdigest()

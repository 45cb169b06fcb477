"""A subset: some of many samples, drawn by a seed and the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qviz.data.reading import Reading
from qviz.data.samples import Array, Column, Indices, Samples


def draw(names: Sequence[str], reading: Reading) -> Indices:
    """Rows of the subset in their order in the file: those whose names' hashes come first."""
    count = len(names)
    if reading.subset is None or reading.subset >= count:
        return np.arange(count, dtype=np.int64)
    prefix = (reading.seed % 2**64).to_bytes(8, "little")
    ranks = [
        (
            hashlib.blake2b(
                prefix + name.encode("utf-8", "surrogatepass"), digest_size=16
            ).digest(),
            row,
        )
        for row, name in enumerate(names)
    ]
    return np.sort(np.array([row for _, row in sorted(ranks)[: reading.subset]], dtype=np.int64))


def note(drawn: int, count: int, reading: Reading) -> tuple[str, ...]:
    """What the user is told of a subset; nothing where all samples are taken."""
    if drawn == count:
        return ()
    return (f"{drawn:,} of {count:,} samples, drawn with seed {reading.seed}",)


def subset(samples: Samples, reading: Reading) -> Samples:
    """The subset of samples that are arrays already, drawn by row."""
    rows = draw([str(row) for row in range(samples.count)], reading)
    if len(rows) == samples.count:
        return samples
    digest = hashlib.sha256(samples.hash.encode() + rows.tobytes())
    kept = None if samples.digests is None else tuple(samples.digests[row] for row in rows)
    return replace(
        samples,
        hash=digest.hexdigest(),
        arrays={name: _taken(column, rows) for name, column in samples.arrays.items()},
        labels=None if samples.labels is None else samples.labels[rows],
        digests=kept,
        notes=(*samples.notes, *note(len(rows), samples.count, reading)),
        drawn_from=samples.count,
    )


def _taken(column: Column, rows: Indices) -> Array:
    return column[rows]

"""Parts: a seeded split of the samples into calibration, tuning and confirm-once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qviz.data.content import BLOCK_BYTES
from qviz.data.samples import Samples
from qviz.errors import QvizError

Part = Literal["calibration", "tune", "confirm", "all"]
Indices = NDArray[np.int64]

CALIBRATION_LIMIT = 512


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """Which samples belong to which part; `hash` names this very membership."""

    seed: int
    calibration: Indices
    tune: Indices
    confirm: Indices
    hash: str

    def indices(self, part: Part) -> Indices:
        """Sample indices of a part, in evaluation order."""
        if part == "all" and self.tune is self.calibration:
            return self.tune  # not split: every sample is in both
        if part == "all":
            # Calibration samples come last: the first ones scored did not choose any range.
            return np.concatenate([self.tune, self.confirm, self.calibration])
        return {"calibration": self.calibration, "tune": self.tune, "confirm": self.confirm}[part]


def split_samples(samples: Samples, seed: int = 0) -> Split:
    """A fifth for calibration (512 at most), then 3:2 for tuning and confirming.

    The order comes from a hash of the seed and each sample's own bytes, so that it does not
    depend on the order in the file and equal samples stay next to each other.
    """
    order = _order(samples, seed)
    n = len(order)
    calibration = min(max(n // 5, 1), CALIBRATION_LIMIT)
    tune = calibration + -(-3 * (n - calibration) // 5)
    parts = np.split(order, [calibration, tune])
    digest = hashlib.sha256(f"{samples.hash} {seed}".encode())
    for part in parts:
        digest.update(np.sort(part).tobytes() + b"|")
    return Split(seed, parts[0], parts[1], parts[2], digest.hexdigest())


def unsplit(samples: Samples) -> Split:
    """Every sample calibrates and is looked at: synthetic inputs, on which nothing is scored."""
    every = np.arange(samples.count, dtype=np.int64)
    return Split(0, every, every, every[:0], samples.hash)


def _order(samples: Samples, seed: int) -> Indices:
    prefix = (seed % 2**64).to_bytes(8, "little")
    ranks = []
    for row, parts in enumerate(_contents(samples)):
        digest = hashlib.blake2b(prefix, digest_size=16)
        for part in parts:
            digest.update(part)
        ranks.append((digest.digest(), row))
    return np.array([row for _, row in sorted(ranks)], dtype=np.int64)


def _contents(samples: Samples) -> Iterator[list[bytes]]:
    """Each sample's own bytes, or the digest of its files."""
    if samples.digests is not None:
        yield from ([digest] for digest in samples.digests)
        return
    columns = [samples.arrays[name] for name in sorted(samples.arrays)]
    size = sum(math.prod(column.shape[1:]) * column.dtype.itemsize for column in columns)
    step = max(BLOCK_BYTES // max(size, 1), 1)  # so that a mapped file stays on disk
    for start in range(0, samples.count, step):
        rows = np.arange(start, min(start + step, samples.count))
        arrays = [np.ascontiguousarray(column[rows]) for column in columns]
        for row in range(len(rows)):
            yield [array[row].tobytes() for array in arrays]


def require_samples(indices: Indices, part: Part, name: str) -> None:
    """Refuse an empty part with a message that names the cure."""
    if not len(indices):
        raise QvizError(
            name, f"the {part} part holds no samples", "Add samples, or evaluate on another part"
        )

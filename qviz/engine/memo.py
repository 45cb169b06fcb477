"""Memo: activations by content. A value under key k on chunk b is the same whichever plan asked."""

from __future__ import annotations

import threading
from collections.abc import Collection, Hashable
from dataclasses import dataclass

import psutil
from torch import Tensor


def free_share() -> int:
    """The default budget: a quarter of the memory that is free now, in bytes."""
    return int(psutil.virtual_memory().available) // 4


@dataclass(slots=True)
class _Entry:
    value: Tensor
    bytes: int
    seconds: float  # what recomputing it costs
    generation: int  # when it was last asked for


class Memo:
    """A store with a byte budget that keeps what saves most time per byte, newest plans first."""

    def __init__(self, budget: int | None = None) -> None:
        """`budget` in bytes, `free_share()` by default; 0 stores nothing and changes no result."""
        self.budget = free_share() if budget is None else budget
        self.used = 0
        self.hits = 0
        self.misses = 0
        self._entries: dict[Hashable, _Entry] = {}
        self._generation = 0
        self._pinned: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()

    def next_generation(self) -> None:
        """A new plan is about to be evaluated; what it does not ask for becomes old."""
        with self._lock:
            self._generation += 1

    def pin(self, why: str, contents: Collection[str]) -> None:
        """Keep values of these content keys before all others; replaces what `why` kept so far."""
        with self._lock:
            self._pinned[why] = frozenset(contents)

    def is_pinned(self, content: str) -> bool:
        """Whether values of this content are kept before all others."""
        return any(content in contents for contents in self._pinned.values())

    def get(self, key: Hashable) -> Tensor | None:
        """The stored value, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self.misses += 1
                return None
            self.hits += 1
            entry.generation = self._generation
            return entry.value

    def __contains__(self, key: Hashable) -> bool:
        """Whether a value is stored; counts neither as a hit nor as a miss."""
        return key in self._entries

    def size(self, key: Hashable) -> int:
        """The bytes of a stored value, 0 when it is not stored; counts like `in`."""
        entry = self._entries.get(key)
        return 0 if entry is None else entry.bytes

    def set_budget(self, budget: int | None) -> None:
        """Another budget in bytes from now on, `free_share()` by default."""
        with self._lock:
            self.budget = free_share() + self.used // 4 if budget is None else budget
            if self.used > self.budget:
                self._evict()

    def put(self, key: Hashable, value: Tensor, seconds: float) -> None:
        """Store a value that took `seconds` to compute, when it is worth its bytes."""
        size = value.numel() * value.element_size()
        with self._lock:
            if key in self._entries or size > self.budget:
                return
            self._entries[key] = _Entry(value, size, seconds, self._generation)
            self.used += size
            if self.used > self.budget:
                self._evict()

    def discard(self, chunk: str) -> None:
        """Forget every value of one chunk."""
        with self._lock:
            for key in [k for k in self._entries if isinstance(k, tuple) and k[1:] == (chunk,)]:
                self.used -= self._entries.pop(key).bytes

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self.used = 0

    def _evict(self) -> None:
        """Drop the least worthy entries until a tenth of the budget is free."""

        def worth(key: Hashable) -> tuple[bool, int, float]:
            entry = self._entries[key]
            pinned = isinstance(key, tuple) and self.is_pinned(key[0])
            return pinned, entry.generation, entry.seconds / max(entry.bytes, 1)

        for key in sorted(self._entries, key=worth):
            if self.used <= self.budget * 0.9:
                return
            self.used -= self._entries.pop(key).bytes

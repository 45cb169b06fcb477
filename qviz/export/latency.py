"""Latency: how long onnxruntime takes for the float model and for the exported one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from qviz.export.runtime import FileSession
from qviz.model.model import Value

REPEATS = 15
ENOUGH_S = 3.0  # for both together; the fewest repeats are made even so
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Latency:
    """Medians over `repeats` runs of one chunk of `samples`, optimisations on, in seconds."""

    float_s: float
    exported_s: float
    samples: int
    threads: int
    repeats: int

    @property
    def speedup(self) -> float:
        """How many times faster the exported model is."""
        return self.float_s / self.exported_s


def measure_latency(
    float_file: Path | bytes,
    exported_file: Path | bytes,
    feeds: Mapping[str, Value],
    samples: int,
    threads: int = 1,
    cancelled: Callable[[], bool] = lambda: False,
) -> Latency:
    """Run both in turn, so that what else the machine does slows both.

    Raises:
        QvizError: onnxruntime cannot run one of them.
    """
    sessions = [
        FileSession(file, optimised=True, threads=threads) for file in (float_file, exported_file)
    ]
    for session in sessions:
        session.run(feeds)  # the first run allocates
    times = list(_times(sessions, feeds, cancelled))
    floats, exported = (median(pair[at] for pair in times) for at in (0, 1))
    return Latency(floats, exported, samples, threads, len(times))


def _times(
    sessions: list[FileSession], feeds: Mapping[str, Value], cancelled: Callable[[], bool]
) -> Iterator[tuple[float, ...]]:
    started = time.perf_counter()
    for number in range(REPEATS):
        late = time.perf_counter() - started > ENOUGH_S
        if number >= 1 and (cancelled() or (late and number >= _FEWEST)):
            return
        pair = []
        for session in sessions:
            before = time.perf_counter()
            session.run(feeds)
            pair.append(time.perf_counter() - before)
        yield tuple(pair)

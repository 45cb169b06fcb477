"""Parity: the exported file run by onnxruntime over a part, and compared with our own numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from qviz.data.parts import Indices, Part, require_samples
from qviz.engine.chunks import Chunk, Feeder
from qviz.engine.execute import Executor
from qviz.engine.float_run import FloatRun, scored_output
from qviz.engine.metrics import Metric, choose_metric
from qviz.engine.program import Encodings
from qviz.errors import QvizError
from qviz.export.judge import explained, judge
from qviz.export.optimisers import find_optimisers, integer_nodes
from qviz.export.qdq import Written
from qviz.export.replay import Replay
from qviz.export.runtime import FileSession
from qviz.export.tally import Tally
from qviz.export.verdict import Optimiser, RunDifference, Verdict

LAYER_SAMPLES = 64  # on which layers are compared
MOST_EXPLAINED = 256  # samples that differ, and are looked at layer by layer


@dataclass(frozen=True, slots=True)
class Progress:
    """How many samples of how many were run."""

    done: int
    total: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is compared on which samples."""

    executor: Executor
    feeder: Feeder
    rows: Indices
    part: Part
    encodings: Encodings
    written: Written
    file: Path
    metric: str = ""
    own: Metric | None = None
    output: str = ""

    def run(self, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Progress | Verdict]:
        """Run the part both ways; progress, then the verdict.

        Raises:
            QvizError: an empty part, a metric or output that there is not.
            WorkCancelledError: `cancelled()` turned true.
        """
        require_samples(self.rows, self.part, self.feeder.samples.name)
        run = _Run(self, cancelled)
        chunks = self.feeder.cut(np.sort(self.rows))
        for rows in chunks:
            run.add(rows)
            yield Progress(run.seen, len(self.rows))
        yield run.verdict(chunks)


class _Run:
    """One comparison at work."""

    def __init__(self, what: Comparison, cancelled: Callable[[], bool]) -> None:
        self.what = what
        self.seen = 0
        self._cancelled = cancelled
        self._program = what.executor.program(what.encodings)
        labels_of = (what.executor, what.feeder, what.rows, what.output, cancelled)
        self._float = FloatRun(*labels_of)
        self._sessions: dict[bool, FileSession] = {}
        self._tallies: dict[bool, Tally] = {}
        self._metric: Metric | None = None
        self._scores: list[torch.Tensor] = []
        self._largest = 0.0

    def add(self, rows: Indices) -> None:
        """One chunk: float, ours, and onnxruntime's with optimisations off and on."""
        what = self.what
        with torch.inference_mode():
            chunk = what.feeder.chunk(rows)
            reference = self._float.output(chunk)
            found = what.executor.run(chunk, what.encodings, self._program, self._cancelled)
            ours = scored_output(found, chunk, self._float.reading)
            if self._metric is None:
                self._start(reference)
            all_labels = what.feeder.samples.labels
            labels = None if all_labels is None else torch.from_numpy(all_labels[rows])
            if self._metric is not None:
                self._scores.append(self._metric.rows(ours, reference, labels))
            finite = ours[ours.isfinite()].abs()
            self._largest = max(self._largest, float(finite.max()) if finite.numel() else 0.0)
            for optimised, tally in self._tallies.items():
                try:
                    self._add(optimised, tally, chunk, ours, reference, labels)
                except QvizError as error:
                    tally.failure = error.cause
        self.seen += len(rows)

    def _start(self, reference: torch.Tensor) -> None:
        task = self._float.task(reference)
        what = self.what
        metric = self._metric = choose_metric(task, reference.ndim, what.metric, what.own)
        for optimised in (False, True):
            tally = self._tallies[optimised] = Tally(task, metric, optimised=optimised)
            try:
                self._sessions[optimised] = FileSession(what.file, optimised=optimised)
            except QvizError as error:
                tally.failure = error.cause

    def _add(
        self,
        optimised: bool,
        tally: Tally,
        chunk: Chunk,
        ours: torch.Tensor,
        reference: torch.Tensor,
        labels: torch.Tensor | None,
    ) -> None:
        if not tally.failure:
            found = self._sessions[optimised].run(chunk.feeds)
            theirs = scored_output(found, chunk, self._float.reading)
            tally.add(ours, theirs, reference, labels, chunk.rows)

    def verdict(self, chunks: list[Indices]) -> Verdict:
        """Look at the layers, and say whether the file gives our numbers."""
        if self._metric is None:
            raise ValueError("no chunk was run")
        off, on = (
            self._tallies[optimised].difference(self._largest) for optimised in (False, True)
        )
        deviating = self._tallies[False].deviating(self._largest)
        replay = None if off.failure else self._replayed(chunks, deviating)
        off = off if replay is None else explained(off, replay)
        ours, _ = self._metric.estimate(torch.cat(self._scores))
        optimisers, integers = self._optimised(on, chunks)
        return judge(
            metric=(self._metric.name, self._metric.unit),
            samples=self.seen,
            ours=ours * self._metric.factor,
            runs=(off, on),
            replay=replay,
            deviating=len(deviating),
            optimisers=optimisers,
            integers=integers,
        )

    def _replayed(self, chunks: list[Indices], deviating: Indices) -> Replay:
        """Layer by layer, on the chunks of the samples that differ, else on the first ones."""
        what = self.what
        replay = Replay(
            what.executor.model,
            what.executor.runtime,
            what.encodings,
            what.written,
            what.file,
            self._cancelled,
        )
        places = {int(row): at for at, rows in enumerate(chunks) for row in rows}
        order = dict.fromkeys(places[int(row)] for row in deviating)
        most = MOST_EXPLAINED if order else LAYER_SAMPLES
        for at in [*order, *(at for at in range(len(chunks)) if at not in order)]:
            enough = LAYER_SAMPLES if at not in order else most
            if replay.seen and len(replay.seen) + len(chunks[at]) > enough:
                break
            replay.add(what.feeder.chunk(chunks[at]))
        return replay

    def _optimised(
        self, on: RunDifference, chunks: list[Indices]
    ) -> tuple[tuple[Optimiser, ...], int]:
        """What optimisations change, found on the chunk that they change most."""
        file, feeder = self.what.file, self.what.feeder
        if on.failure or not (on.flips or on.beyond):
            return (), 0 if on.failure else integer_nodes(file)
        worst = int(self._tallies[True].deviating(self._largest)[0])
        rows = next(rows for rows in chunks if worst in rows)
        feeds = feeder.chunk(rows).feeds
        return find_optimisers(file, feeds, self._float.reading.output), integer_nodes(file)

"""Sweep: every candidate on one batch before the next batch comes.

One run of what the sweep starts from gives each candidate the batch up to the layer that it
changes, so that only the rest runs again, and memory holds one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import torch
from torch import Tensor

from qviz.data.parts import Indices
from qviz.engine.chunks import Chunk, Feeder
from qviz.engine.devices import CPU, memory_on
from qviz.engine.execute import Executor
from qviz.engine.float_run import FloatRun, scored_output
from qviz.engine.memo import Memo
from qviz.engine.metrics import Metric, Task, choose_metric
from qviz.engine.metrics.reading import Reading
from qviz.engine.program import Encodings, Program
from qviz.engine.sensitivity.effect import Effect, Rows, effect_of
from qviz.model.model import Model

Never = Callable[[], bool]


class Sweep:
    """Measures what each of several encodings changes. Keeps what it has found when stopped."""

    def __init__(
        self,
        model: Model,
        feeder: Feeder,
        rows: Indices,
        base: Encodings,
        candidates: Sequence[Encodings],
        *,
        limit: int | None = None,
        metric: str = "",
        own: Metric | None = None,
        output: str = "",
        memory: int | None = None,
        place: torch.device = CPU,
    ) -> None:
        """`base` is what the sweep starts from, candidates are complete: both by slot name.

        `rows` are all samples, of which the first `limit` are taken. `own` is a metric of the
        user's, asked for by its name. `memory`: bytes for one batch's values, see `Memo`; `place`:
        the device that it runs on.
        """
        self._model = model
        self._executor = Executor(model, Memo(memory_on(place, memory)), place=place)
        self._feeder = feeder
        self._rows = rows
        self._taken = rows[:limit]
        self._base = base
        self._candidates = candidates
        self._metric_name = metric
        self._own = own
        self._output = output
        self._reading: Reading | None = None
        self.task: Task | None = None
        self.metric: Metric | None = None
        self.base_rows: Rows | None = None
        self.rows: list[Rows | None] = [None] * len(candidates)
        self._effects: dict[int, tuple[Rows, Effect]] = {}  # all are asked for at each batch

    @property
    def steps_run(self) -> int:
        """How many operators really ran."""
        return self._executor.steps_run

    @property
    def memory_used(self) -> int:
        """Bytes of activations and quantized weights that are kept now."""
        return self._executor.memo.used

    @property
    def done(self) -> int:
        """How many samples all candidates together have seen."""
        return sum(min(self.samples(n), len(self._taken)) for n in range(len(self.rows)))

    @property
    def total(self) -> int:
        """How many samples all candidates together will see."""
        return len(self._taken) * len(self.rows)

    def effect(self, candidate: int) -> Effect | None:
        """What a candidate changes, as far as it is known."""
        rows = self.rows[candidate]
        known = self._effects.get(candidate)
        if known is not None and known[0] is rows:
            return known[1]
        found = self._effect(rows)
        if found is not None and rows is not None:
            self._effects[candidate] = rows, found
        return found

    @property
    def base_effect(self) -> Effect | None:
        """What the sweep starts from does to the float model's outputs; its delta is 0."""
        return self._effect(self.base_rows)

    def _effect(self, rows: Rows | None) -> Effect | None:
        if rows is None or self.base_rows is None or self.task is None or self.metric is None:
            return None
        n = min(len(rows.kl), len(self._taken))
        base = self.base_rows.first(n)
        return effect_of(rows.first(n), base, self.task, self.metric, len(self._rows))

    def run(self, cancelled: Never = lambda: False) -> Generator[int, None, None]:
        """Yield the number of each candidate whenever it has seen one more batch.

        Raises:
            QvizError: a metric or an output that the model and the samples do not have.
            WorkCancelledError: `cancelled()` turned true between two operators.
            DeviceFailedError: see `Executor.run`.
        """
        batches = self._feeder.cut(self._taken)
        self._effects.clear()
        if not batches:
            return
        self._read(batches[0], cancelled)
        self._keep_whole_batches([len(rows) for rows in batches])
        executor = self._executor
        float_program, program = executor.program({}), executor.program(self._base)
        programs = [
            # A layer of integers keeps codes alone, but goes on from the numbers they are made of.
            replace(made, kept=made.kept | program.kept)
            for made in map(executor.program, self._candidates)
        ]
        executor.memo.pin("sweep", [program.keys[ref] for ref in program.kept])
        start = 0
        try:
            for rows in batches:
                start += len(rows)
                waiting = [n for n in range(len(programs)) if self.samples(n) < start]
                if waiting:
                    batch = _Batch(self._feeder.chunk(rows), rows)
                    self._start(batch, start, program, float_program, cancelled)
                    for number in waiting:
                        self._try(batch, number, programs[number], cancelled)
                        yield number
                    executor.memo.discard(batch.chunk.id)
        finally:  # also of a batch that was stopped
            executor.memo.clear()

    def samples(self, candidate: int) -> int:
        """How many samples a candidate has seen."""
        rows = self.rows[candidate]
        return 0 if rows is None else len(rows.kl)

    def _read(self, first: Indices, cancelled: Never) -> None:
        """How outputs are read and scored; the first batch says it, wherever the sweep goes on.

        In a memo of its own: outputs in the sweep's would stop the first batch's values from being
        made, which the candidates go on from.
        """
        executor = Executor(self._model, Memo(0), place=self._executor.place)
        run = FloatRun(executor, self._feeder, self._rows, self._output, cancelled)
        with torch.inference_mode():
            reference = run.output(self._feeder.chunk(first))
            self.task = run.task(reference)
        self._reading = run.reading
        self.metric = choose_metric(self.task, reference.ndim, self._metric_name, self._own)
        with torch.inference_mode():
            scores = self.metric.rows(reference, reference, self._labels(first))
        self._keep_alike(scores.shape[1])

    def _keep_alike(self, width: int) -> None:
        """Forget what has rows of another metric; nothing goes on without its start."""

        def alike(rows: Rows | None) -> Rows | None:
            return None if rows is None or rows.scores.shape[1] != width else rows

        self.base_rows = alike(self.base_rows)
        self.rows = [None if self.base_rows is None else alike(rows) for rows in self.rows]

    def _labels(self, rows: Indices) -> Tensor | None:
        labels = self._feeder.samples.labels
        return None if labels is None else torch.from_numpy(labels[rows])

    def _keep_whole_batches(self, sizes: Sequence[int]) -> None:
        """Forget the part of a batch that a sweep of fewer samples ended with."""
        ends = list(accumulate(sizes, initial=0))

        def whole(rows: Rows | None) -> Rows | None:
            if rows is None or len(rows.kl) >= ends[-1]:
                return rows
            return rows.first(max(end for end in ends if end <= len(rows.kl)))

        self.base_rows = whole(self.base_rows)
        self.rows = [whole(rows) for rows in self.rows]

    def _start(
        self, batch: _Batch, end: int, program: Program, float_program: Program, cancelled: Never
    ) -> None:
        """Run what the sweep starts from, keeping all that candidates go on from."""
        with torch.inference_mode():
            run = self._executor.run
            outputs = run(batch.chunk, self._base, program, cancelled)
            plain = run(batch.chunk, {}, float_program, cancelled, keep="nothing")
            batch.reference = self._scored(batch, plain)
            if self.base_rows is None or len(self.base_rows.kl) < end:
                self.base_rows = _joined(self.base_rows, self._rows_of(batch, outputs))

    def _try(self, batch: _Batch, number: int, program: Program, cancelled: Never) -> None:
        candidate = self._candidates[number]
        with torch.inference_mode():
            outputs = self._executor.run(batch.chunk, candidate, program, cancelled, keep="nothing")
            self.rows[number] = _joined(self.rows[number], self._rows_of(batch, outputs))

    def _rows_of(self, batch: _Batch, outputs: Mapping[str, object]) -> Rows:
        if self.task is None or self.metric is None:
            raise ValueError("the float model has not run yet")
        output = self._scored(batch, outputs)
        labels = self._labels(batch.rows)
        return Rows.of(self.task, self.metric, output, batch.reference, labels)

    def _scored(self, batch: _Batch, outputs: Mapping[str, object]) -> Tensor:
        if self._reading is None:
            raise ValueError("the float model has not run yet")
        return scored_output(outputs, batch.chunk, self._reading)


def _joined(known: Rows | None, found: Rows) -> Rows:
    return found if known is None else known.joined(found)


@dataclass(eq=False, slots=True)
class _Batch:
    """One batch, and what the float model gives for it."""

    chunk: Chunk
    rows: Indices
    reference: Tensor = field(default_factory=lambda: torch.zeros(0))

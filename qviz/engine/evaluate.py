"""Evaluate: what a plan scores on the samples, a chunk at a time, against float."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import torch

from qviz.data.parts import Indices, Part, require_samples
from qviz.engine.chunks import Feeder
from qviz.engine.estimates import Estimate
from qviz.engine.evaluation import Divergence as Divergence
from qviz.engine.evaluation import Evaluation as Evaluation
from qviz.engine.execute import Executor
from qviz.engine.float_run import FloatRun, scored_output
from qviz.engine.metrics import Metric, choose_metric
from qviz.engine.pool import Pool, first_numbers
from qviz.engine.prefetch import in_order, keep_inputs
from qviz.engine.program import Encodings
from qviz.engine.tally import Tally, both

FIRST = 256  # samples whose divergence is told before any are drawn for the score


class _Run:
    """One plan's way through the samples, tallied as they come."""

    def __init__(
        self,
        executor: Executor,
        feeder: Feeder,
        encodings: Encodings,
        float_run: FloatRun,
        chosen: tuple[str, Metric | None],
        total: int,
        cancelled: Callable[[], bool],
    ) -> None:
        """`chosen`: the name of the metric and the user's own; `total` samples to see."""
        self.executor = executor
        self.feeder = feeder
        self.encodings = encodings
        self.program = executor.program(encodings)
        self.float_run = float_run
        self.cancelled = cancelled
        self.tally: Tally | None = None
        self._metric, self._own = chosen
        self._total = total

    def add(self, rows: Indices) -> Tally:
        """Run one chunk; the tally with it."""
        labels = self.feeder.samples.labels
        with torch.inference_mode():
            chunk = self.feeder.chunk(rows)
            reference = self.float_run.output(chunk)
            outputs = self.executor.run(chunk, self.encodings, self.program, self.cancelled)
            found = scored_output(outputs, chunk, self.float_run.reading)
            tally = self.tally
            if tally is None:
                task = self.float_run.task(reference)
                metric = choose_metric(task, reference.ndim, self._metric, self._own)
                tally = self.tally = Tally(task, metric, self._own, self._total)
            tally.add(
                found, reference, None if labels is None else torch.from_numpy(labels[rows]), rows
            )
        return tally

    def drawn(self, rows: Indices, pool: Pool) -> Iterator[Estimate]:
        """The score from few drawn samples, better and better."""
        return first_numbers(
            self.executor, self.feeder, self.encodings, self.program, rows, pool, self.cancelled
        )


def evaluate(
    executor: Executor,
    feeder: Feeder,
    encodings: Encodings,
    rows: Indices,
    part: Part,
    *,
    metric: str = "",
    own: Metric | None = None,
    output: str = "",
    limit: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluation]:
    """Score encodings on the samples `rows` of a part, yielding after every chunk.

    Without the name of a `metric` the one that fits the labels and outputs is taken; `own` is the
    user's, which is asked for by its name. `output` names the one to score, else it is chosen.

    Raises:
        QvizError: an empty part, labels that do not fit the model, a metric that they do not have,
            an output that cannot be scored.
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    looks = evaluate_in_order(
        executor,
        feeder,
        encodings,
        rows,
        part,
        metric=metric,
        own=own,
        output=output,
        limit=limit,
        cancelled=cancelled,
    )
    return (look for look in looks if isinstance(look, Evaluation))


def evaluate_in_order(
    executor: Executor,
    feeder: Feeder,
    encodings: Encodings,
    rows: Indices,
    part: Part,
    *,
    metric: str = "",
    own: Metric | None = None,
    output: str = "",
    limit: int | None = None,
    watched: Collection[int] = (),
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Divergence | Evaluation]:
    """Like `evaluate`, with the divergence of a first few samples before any score of drawn ones.

    What the `watched` steps read stays in the memo before all else, so that an edit starts there.
    """
    require_samples(rows, part, feeder.samples.name)
    executor.memo.next_generation()
    float_run = FloatRun(executor, feeder, rows, output, cancelled)
    run = _Run(executor, feeder, encodings, float_run, (metric, own), len(rows), cancelled)
    keep_inputs(executor.memo, run.program, watched)
    asked = (feeder.samples.hash, rows.tobytes(), metric, own, output)
    pool = executor.pools.get(asked)
    chunks = feeder.cut(in_order(rows) if limit is None else rows[:limit])
    drawn: Evaluation | None = None
    at = 0
    if pool is not None and limit is None:
        tally = run.tally = Tally(pool.task, pool.metric, own, len(rows), pool)
        if pool.draws:
            while pool.task.classes and tally.seen < FIRST:
                tally, at = run.add(chunks[at]), at + 1
            told = tally.divergence() if tally.seen else None
            if told is not None:
                yield told
            before = tally.summary(part, len(rows), float_run, watched=True) if told else None
            for estimate in run.drawn(rows, pool):
                drawn = tally.estimated(part, estimate, pool)
                yield drawn if before is None else both(drawn, before)
    for chunk_rows in chunks[at:]:
        tally = run.add(chunk_rows)
        summary = tally.summary(part, len(rows), float_run, watched=limit is None)
        yield summary if drawn is None or summary.exact else both(summary, drawn)
    if run.tally is not None and run.tally.seen == len(rows):
        executor.pools[asked] = run.tally.pool(rows, float_run)

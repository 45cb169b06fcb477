"""Pool: what the float model gave for every sample of a part, which makes few samples go far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.data.parts import Indices
from qviz.engine.chunks import Feeder
from qviz.engine.estimates import Design, Estimate
from qviz.engine.execute import Executor
from qviz.engine.float_run import scored_output
from qviz.engine.metrics import Metric, Task
from qviz.engine.metrics.reading import Reading
from qviz.engine.program import Encodings, Program

FEWEST = 512  # samples of a part below which all of them are as quick
DRAWN = 64  # samples drawn between two looks
ALPHA = 0.04  # of the interval of drawn samples; 0.01 is left for those that come in order
WIDTH = 0.02  # of the interval with which drawing is done: ± 1 point
SHARE, MOST = 8, 1024  # drawn at most: one in eight, and so many


@dataclass(frozen=True, eq=False, slots=True)
class Pool:
    """The float model's scores and margins of all samples, in the order of the part."""

    task: Task
    metric: Metric
    scores: Tensor  # float64 [N, k], see `Metric.rows`
    margins: NDArray[np.float64]  # [N]
    reading: Reading
    scorable: tuple[str, ...]

    @property
    def draws(self) -> bool:
        """Whether the metric is a mean of shares of enough samples to draw some of them first."""
        return len(self.scores) >= FEWEST and self.paired

    @property
    def paired(self) -> bool:
        """Whether the metric is a mean of shares, so that its change is one of -1 … 1."""
        return self.metric.counts_all(self.scores)


def margins(task: Task, reference: Tensor, labels: Tensor | None) -> NDArray[np.float64]:
    """How far each sample of float outputs [n, …] is from another prediction; 0 without classes.

    The label's score less the best other one; without a label per sample the best less the next,
    on average over positions.
    """
    if not task.classes:
        return np.zeros(len(reference))
    scores = task.class_scores(reference).double()
    if scores.ndim == 2 and labels is not None and labels.ndim == 1 and scores.shape[1] > 1:
        own = scores.gather(1, labels.long().clamp(min=0).unsqueeze(1))
        others = scores.scatter(1, labels.long().clamp(min=0).unsqueeze(1), -torch.inf)
        return np.asarray((own.squeeze(1) - others.amax(1)).numpy())
    best = scores.topk(min(2, scores.shape[-1]), -1).values
    return np.asarray((best[..., 0] - best[..., -1]).reshape(len(scores), -1).mean(1).numpy())


def first_numbers(
    executor: Executor,
    feeder: Feeder,
    encodings: Encodings,
    program: Program,
    rows: Indices,
    pool: Pool,
    cancelled: Callable[[], bool],
) -> Iterator[Estimate]:
    """The score from few samples, drawn where it pays, until it is known to ± 1 point.

    Every estimate's interval holds at whatever moment it is looked at: see `Design`.
    """
    design = Design(pool.scores[:, 0].numpy(), pool.margins, alpha=ALPHA)
    most = min(len(rows) // SHARE, MOST)
    while (estimate := design.estimate()).seen < most:
        if estimate.seen and estimate.high - estimate.low <= WIDTH:
            return
        places = design.next(DRAWN)
        if not len(places):
            return
        values = [
            _scores(executor, feeder, encodings, program, rows[part], pool, cancelled)
            for part in feeder.cut(places)
        ]
        design.add(places, torch.cat(values)[:, 0].numpy())
        yield design.estimate()


def _scores(
    executor: Executor,
    feeder: Feeder,
    encodings: Encodings,
    program: Program,
    rows: Indices,
    pool: Pool,
    cancelled: Callable[[], bool],
) -> Tensor:
    """The metric's rows on some samples; nothing of them is kept, as no other plan asks again."""
    labels = feeder.samples.labels
    with torch.inference_mode():
        chunk = feeder.chunk(rows)
        outputs = executor.run(chunk, encodings, program, cancelled, keep="nothing")
        output = scored_output(outputs, chunk, pool.reading)
        if labels is None:
            reference = scored_output(
                executor.run(chunk, {}, executor.program({}), cancelled, keep="nothing"),
                chunk,
                pool.reading,
            )
            return pool.metric.rows(output, reference, None)
        return pool.metric.rows(output, output, torch.from_numpy(labels[rows]))

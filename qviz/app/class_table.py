"""Class by class: recall and precision of the float and the quantized model, side by side.

Of samples that have one class each; or of their positions, pixels or tokens, with the IoU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qviz.data.samples import Samples
from qviz.engine.estimates import wilson
from qviz.engine.estimates.clusters import ratio
from qviz.engine.evaluate import Evaluation

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answers:
    """What both models answered to labelled samples, one class each or one at every position.

    Equal for the same two.
    """

    samples: Samples
    evaluation: Evaluation

    @property
    def of_positions(self) -> bool:
        """Whether positions of the samples have a class each."""
        return self.evaluation.counts is not None


@dataclass(frozen=True, slots=True)
class ClassShare:
    """Hits among the samples of a class, or among those called it, in percent.

    `low` and `high` are Wilson's 95 % interval of all samples alike, seen or not: it stays open
    when the part is counted to its end. Of positions it is of `samples` drawn, see `ratio`.
    """

    value: float
    low: float
    high: float
    of: int
    samples: int | None = None  # that have any of these positions; None where each is a sample


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class; a share is None where the class has no samples, or is never predicted."""

    index: int
    name: str  # "3 Dress"
    samples: int  # that have its label, if only at one position
    float_recall: ClassShare | None
    recall: ClassShare | None
    float_precision: ClassShare | None
    precision: ClassShare | None
    float_iou: ClassShare | None = None  # of positions only
    iou: ClassShare | None = None

    @property
    def recall_change(self) -> float | None:
        """Quantized minus float in points."""
        return _change(self.float_recall, self.recall)

    @property
    def precision_change(self) -> float | None:
        """Quantized minus float in points; None where either model never predicts the class."""
        return _change(self.float_precision, self.precision)

    @property
    def iou_change(self) -> float | None:
        """Quantized minus float in points."""
        return _change(self.float_iou, self.iou)


def _change(before: ClassShare | None, now: ClassShare | None) -> float | None:
    return None if before is None or now is None else now.value - before.value


def answers_of(samples: Samples | None, evaluation: Evaluation) -> Answers | None:
    """The answers of an evaluation; None unless samples, or positions, have one class as label."""
    labels = None if samples is None else samples.labels
    if samples is None or labels is None:
        return None
    if evaluation.counts is not None:
        return Answers(samples, evaluation)
    if labels.ndim != 1 or labels.dtype.kind != "i":
        return None
    if evaluation.predictions is None or evaluation.float_predictions is None:
        return None
    return Answers(samples, evaluation)


def class_names(samples: Samples, count: int) -> tuple[str, ...]:
    """The number of each class with its name, "3 Dress", of at least `count` classes."""
    names = samples.class_names
    return tuple(
        f"{at} {names[at]}" if at < len(names) else str(at) for at in range(max(len(names), count))
    )


def class_rows(answers: Answers) -> tuple[ClassRow, ...]:
    """The classes that are labelled or predicted, the worst change of recall first.

    Of positions the worst change of the IoU.
    """
    evaluation = answers.evaluation
    if evaluation.counts is not None and evaluation.float_counts is not None:
        return _rows_of_positions(answers.samples, evaluation.float_counts, evaluation.counts)
    found, before, labels = (
        evaluation.predictions,
        evaluation.float_predictions,
        answers.samples.labels,
    )
    if found is None or before is None or labels is None:
        raise ValueError("the samples have no classes")
    truth = labels[evaluation.rows]
    names = class_names(answers.samples, 1 + max(int(a.max()) for a in (truth, found, before)))
    count = len(names)
    labelled = np.bincount(truth, minlength=count)
    hits, predicted = _counts(found, truth, count)
    float_hits, float_predicted = _counts(before, truth, count)
    rows = [
        ClassRow(
            index=at,
            name=names[at],
            samples=int(labelled[at]),
            float_recall=_share(float_hits[at], labelled[at]),
            recall=_share(hits[at], labelled[at]),
            float_precision=_share(float_hits[at], float_predicted[at]),
            precision=_share(hits[at], predicted[at]),
        )
        for at in np.flatnonzero(labelled + predicted + float_predicted).tolist()
    ]
    return tuple(sorted(rows, key=_worst_first))


def _rows_of_positions(
    samples: Samples, before: NDArray[np.int32], now: NDArray[np.int32]
) -> tuple[ClassRow, ...]:
    """The same from counts [n, classes, 3] of labels, predictions and hits."""
    names = class_names(samples, before.shape[1])
    seen = (before[..., :2].sum((0, 2)) + now[..., 1].sum(0)) > 0
    rows = []
    for at in np.flatnonzero(seen).tolist():
        labelled, float_predicted, float_hits = before[:, at].T.astype(np.int64)
        _, predicted, hits = now[:, at].T.astype(np.int64)
        rows.append(
            ClassRow(
                index=at,
                name=names[at],
                samples=int((labelled > 0).sum()),
                float_recall=_clustered(float_hits, labelled),
                recall=_clustered(hits, labelled),
                float_precision=_clustered(float_hits, float_predicted),
                precision=_clustered(hits, predicted),
                float_iou=_clustered(float_hits, labelled + float_predicted - float_hits),
                iou=_clustered(hits, labelled + predicted - hits),
            )
        )
    return tuple(sorted(rows, key=_worst_first))


def _clustered(hits: Counts, of: Counts) -> ClassShare | None:
    if not of.any():
        return None
    value, low, high = (100.0 * end for end in ratio(hits, of))
    return ClassShare(value, low, high, int(of.sum()), int((of > 0).sum()))


def _counts(found: Counts, truth: Counts, count: int) -> tuple[Counts, Counts]:
    """How often each class is predicted rightly, and at all."""
    hits = np.bincount(truth[found == truth], minlength=count)
    return hits, np.bincount(found, minlength=count)


def _share(hits: np.int64, of: np.int64) -> ClassShare | None:
    if of == 0:
        return None
    low, high = wilson(float(hits / of), int(of))
    return ClassShare(100.0 * float(hits / of), 100.0 * low, 100.0 * high, int(of))


def _worst_first(row: ClassRow) -> tuple[bool, float, float, float, int]:
    iou, recall, precision = row.iou_change, row.recall_change, row.precision_change
    first = recall if iou is None else iou
    return first is None, first or 0.0, recall or 0.0, precision or 0.0, row.index

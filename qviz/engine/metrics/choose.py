"""Which metrics a task has, which one is proposed, and how each is spelled."""

from __future__ import annotations

import re
from collections.abc import Callable

from qviz.engine.metrics import (
    accuracy,
    agreement,
    confusion,
    likelihood,
    ranking,
    regression,
    sequences,
)
from qviz.engine.metrics.metric import Metric
from qviz.engine.metrics.task import Kind, Task
from qviz.errors import QvizError

Make = Callable[[Task], Metric]

_ANYWAY: tuple[Make, ...] = (agreement.output_sqnr,)
_OF_CHOICES: tuple[Make, ...] = (agreement.agreement, agreement.logit_kl)
_TOP: tuple[Make, ...] = (
    lambda task: accuracy.top_k(task, 1),
    lambda task: accuracy.top_k(task, 5),
)
_OF_CLASSES: tuple[Make, ...] = (
    confusion.recall,
    confusion.worst_recall,
    confusion.precision,
    confusion.f1,
)
_BY_KIND: dict[Kind, tuple[Make, ...]] = {
    "classes": (
        *_TOP,
        *_OF_CLASSES,
        ranking.auroc,
        likelihood.calibration_error,
        likelihood.cross_entropy,
    ),
    "multilabel": (
        ranking.mean_average_precision,
        ranking.auroc,
        confusion.micro_f1,
        *_OF_CLASSES,
        accuracy.hamming_accuracy,
        accuracy.exact_match,
        likelihood.cross_entropy,
    ),
    "positions": (
        confusion.mean_iou,
        *_TOP,
        *_OF_CLASSES,
        likelihood.cross_entropy,
        lambda task: likelihood.cross_entropy(task, perplexity=True),
    ),
    "sequences": (sequences.ctc_exact_match,),
    "values": (
        regression.squared_error,
        regression.absolute_error,
        regression.r_squared,
        regression.peak_signal_to_noise,
    ),
    "unlabelled": (),
}
_OF_ONE_CLASS: dict[str, Callable[[Task, int], Metric]] = {
    "recall": confusion.recall,
    "precision": confusion.precision,
    "F1": confusion.f1,
}


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """Every metric that the task has, the usual ones first."""
    found = [make(task) for make in _BY_KIND[task.kind]]
    if task.kind == "classes" and task.classes <= 5:  # top-5 of five classes is always 100 %
        found = [metric for metric in found if metric.name != "top-5"]
    if task.kind == "classes" and task.classes == 2:
        found += [confusion.at_threshold(task, positive, 0.5) for positive in (True, False)]
    others = (*(_OF_CHOICES if task.classes else ()), *_ANYWAY)
    return (*found, *(make(task) for make in others))


def propose(task: Task, dims: int) -> Metric:
    """The metric that fits best; `dims` of the output tell tokens from pixels."""
    wanted = {
        "classes": "top-1",
        "multilabel": "mean average precision",
        "positions": "mean IoU" if dims >= 4 else "perplexity",
        "sequences": "CTC exact match",
        "values": {2: "R²", 4: "PSNR"}.get(dims, "MSE"),
        "unlabelled": "agreement with float" if task.classes else "output SQNR",
    }[task.kind]
    return next(metric for metric in metrics_of(task) if metric.name == wanted)


def loss_of(task: Task) -> Metric | None:
    """What training would make small: cross-entropy of labels, or MSE; None without labels."""
    if task.kind == "values":
        return regression.squared_error(task)
    if task.kind in ("classes", "multilabel", "positions"):
        return likelihood.cross_entropy(task)
    return None


def choose_metric(task: Task, dims: int, spelling: str, own: Metric | None = None) -> Metric:
    """The metric of a name, the user's `own` among them; without a name the one that fits best.

    Raises:
        QvizError: a metric that the task does not have.
    """
    if own is not None and spelling == own.name:
        return own
    return find_metric(task, spelling) if spelling else propose(task, dims)


def find_metric(task: Task, spelling: str) -> Metric:
    """A metric by name, "recall:3" for one class, "sensitivity@0.3" for a threshold.

    Raises:
        QvizError: a metric that the task does not have.
    """
    for metric in metrics_of(task):
        if metric.name.lower() == spelling.lower():
            return metric
    if task.kind in ("classes", "multilabel"):
        made = _of_one_class(task, spelling) or _at_threshold(task, spelling)
        if made is not None:
            return made
    names = [metric.name for metric in metrics_of(task)]
    raise QvizError(
        f"metric '{spelling}'",
        "these samples and this model do not have it",
        f"{_near(task, spelling, names)}Use one of {', '.join(names)}",
    )


def _near(task: Task, spelling: str, names: list[str]) -> str:
    """What a word that lacks its class may mean: "recall" is of one class, or the mean of all."""
    if task.kind not in ("classes", "multilabel"):
        return ""
    word = spelling.partition(":")[0].lower()
    known = next((known for known in _OF_ONE_CLASS if known.lower() == word), None)
    if known is None:
        return ""
    mean = next(name for name in (f"mean {known}", known) if name in names)
    last = task.counted_classes - 1
    return f"Use {known}:0 (up to {known}:{last}) for one class, or {mean} for all. "


def _of_one_class(task: Task, spelling: str) -> Metric | None:
    name, _, number = spelling.partition(":")
    make = next((m for known, m in _OF_ONE_CLASS.items() if known.lower() == name.lower()), None)
    if make is None or not number.isdecimal() or int(number) >= task.counted_classes:
        return None
    return make(task, int(number))


def _at_threshold(task: Task, spelling: str) -> Metric | None:
    match = re.fullmatch(r"(sensitivity|specificity)@(0?\.\d+|[01](?:\.0*)?)", spelling.lower())
    if match is None or task.kind != "classes" or task.classes != 2:
        return None
    return confusion.at_threshold(task, match[1] == "sensitivity", float(match[2]))

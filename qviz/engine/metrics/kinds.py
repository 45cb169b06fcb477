"""Kinds: which task the outputs and the labels ask for."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from qviz.engine.metrics.sequences import blank_of
from qviz.engine.metrics.task import (
    Kind,
    Labels,
    Task,
    are_probabilities,
    classes_last,
    is_classifier,
    is_single,
    labelled_axis,
    longer,
)
from qviz.errors import QvizError

VOID = 255  # what masks say of pixels without a class (Pascal VOC 2007, Cityscapes, ADE20K)


def find_task(output: Tensor, labels: Labels | None, subject: str) -> Task:
    """What the samples called `subject` ask of a model with such an output.

    Raises:
        QvizError: labels that fit no reading of the output, or outside its classes.
    """
    if labels is None:
        return _unlabelled(output)
    if _yes_or_no(output, labels):
        count = labels.shape[1]
        return Task("multilabel", 2, _are_shares(output), single=True, yes_or_no=count)
    each = _one_score_per_label(output, labels)
    top = _mask_of(labels) if each else None
    if top is not None:
        return Task("positions", 2, _are_shares(output), single=True, positive=top)
    if labels.dtype.kind == "f":
        return _values(output, labels, subject)
    if is_single(output) and labels.ndim == 1:
        return _binary(output, labels, subject)
    if each:
        ignored = _ignored(labels, 2)
        if _highest(labels, ignored) > 1:
            return _values(output, labels, subject)
        return Task("positions", 2, _are_shares(output), single=True, ignored=ignored)
    axis = labelled_axis(output.shape, labels)
    if axis is None and not is_classifier(output):
        return _values(output, labels, subject)
    scores = classes_last(output, axis)
    classes = scores.shape[-1]
    kind = _kind(labels, scores.ndim - 2, output, subject, fits=axis is not None)
    ignored = _ignored(labels, classes) if kind == "positions" else None
    _check_range(labels, classes, kind, subject, ignored)
    blank = blank_of(labels, classes) if kind == "sequences" else 0
    padded = kind == "sequences" and bool((labels[:, -1] == blank).any())
    shares = are_probabilities(scores)
    return Task(kind, classes, shares, axis=axis, ignored=ignored, blank=blank, padded=padded)


def _yes_or_no(output: Tensor, labels: Labels) -> bool:
    """Whether each of an output's [n, C] scores has its own label: 1, 0, or a negative one.

    One-hot labels are no such labels: the samples have them as classes.
    """
    flat = output.ndim == 2 or (output.ndim == 4 and output.shape[2:] == (1, 1))
    if not flat or output.shape[1] < 2 or labels.shape[1:] != output.shape[1:2]:
        return False
    some = labels == 1
    return bool(some.any() and (some | (labels == 0) | (labels < 0)).all())


def _ignored(labels: Labels, classes: int) -> int | None:
    """255 where it is no class; None where it is the only label besides 0: then one is lacking."""
    if classes > VOID or labels.max() < VOID or not (labels == VOID).any():
        return None
    return VOID if _highest(labels, VOID) > 0 else None


def _highest(labels: Labels, ignored: int | None) -> int:
    """The largest label that is counted; -1 without any."""
    if ignored is None:
        return int(labels.max())
    return int(labels.max(where=labels != ignored, initial=-1))


def _one_score_per_label(output: Tensor, labels: Labels) -> bool:
    """Whether an output [n, 1, …] or [n, …, 1] has a score for each of several positions."""
    if output.ndim < 3 or 1 not in (output.shape[1], output.shape[-1]) or labels.ndim < 2:
        return False
    return longer(output.shape[1:]) == longer(labels.shape[1:])


def _mask_of(labels: Labels) -> int | None:
    """What stands for yes in labels that are 0 and 1, or 0 and 255; None for all others."""
    top = labels.max()
    if top not in (1, VOID) or labels.min() != 0:
        return None
    return int(top) if bool(((labels == 0) | (labels == top)).all()) else None


def _unlabelled(output: Tensor) -> Task:
    if not is_classifier(output):
        return Task("unlabelled", 0, probabilities=False)
    scores = classes_last(output)
    return Task("unlabelled", scores.shape[-1], are_probabilities(scores))


def _values(output: Tensor, labels: Labels, subject: str) -> Task:
    wanted = tuple(output.shape[1:])
    if labels.shape[1:] not in (wanted, tuple(n for n in wanted if n != 1)):
        raise QvizError(
            subject,
            f"'labels' are values of shape {labels.shape[1:]}, but the model's output is {wanted}",
            "Give labels of the output's shape, or whole numbers for classes",
        )
    return Task("values", 0, probabilities=False, peak=255.0 if labels.max() > 1.5 else 1.0)


def _binary(output: Tensor, labels: Labels, subject: str) -> Task:
    """One score for class 1: a probability where every score lies in 0..1, else a logit."""
    if labels.min() < 0 or labels.max() > 1:
        return _values(output, labels, subject)
    return Task("classes", 2, _are_shares(output))


def _are_shares(scores: Tensor) -> bool:
    return bool((scores >= 0.0).all() and (scores <= 1.0).all())


def _kind(labels: Labels, places: int, output: Tensor, subject: str, *, fits: bool) -> Kind:
    """Of labels that fit the output's positions, or may be sequences along its one axis."""
    if fits:
        return "positions" if places else "classes"
    if labels.ndim == 2 and places == 1:
        return "sequences"
    raise QvizError(
        subject,
        f"'labels' of shape {labels.shape} fit no reading of the model's output, "
        f"{tuple(output.shape[1:])} per sample",
        "Give one class per sample, one per position, or values of the output's shape",
    )


def _check_range(
    labels: Labels, classes: int, kind: Kind, subject: str, ignored: int | None
) -> None:
    low, high = int(labels.min()), _highest(labels, ignored)
    ignorable = kind != "classes"  # negative labels of positions are left out, of sequences padding
    if high < classes and (low >= 0 or ignorable):
        return
    bad = high if high >= classes else low
    row = int(np.argwhere(labels == bad)[0][0])
    cure = "Correct the labels, or open the model they belong to"
    if bad == VOID and kind == "positions":
        cure = f"Number the classes, and write {VOID} only beside them, for what has no class"
    raise QvizError(
        subject,
        f"label {bad} of sample {row} is out of range: the model has {classes} classes, "
        f"0 to {classes - 1}",
        cure,
    )

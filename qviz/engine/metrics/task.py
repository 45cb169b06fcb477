"""Task: what the outputs and the labels are, which decides what can be measured of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qviz.errors import QvizError

Labels = NDArray[Any]
Kind = Literal["classes", "positions", "sequences", "values", "unlabelled"]
IGNORED = -100  # torch's ignore_index; any negative label of a position is left out


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """How outputs are read: `classes` of them, and what the labels name.

    `kind`: one class per sample, one per position (pixels, tokens), a sequence of symbols without
    positions (CTC), values to come near, or no labels. `probabilities`: outputs need no softmax.
    """

    kind: Kind
    classes: int  # 0 where the output is no choice of classes
    probabilities: bool
    peak: float = 1.0  # the largest value that labels of values can take: 1, or 255 for pixels
    axis: int | None = None  # along which the classes lie; None: the usual one of the shape
    single: bool = False  # one score per position, that of class 1

    def class_scores(self, output: Tensor) -> Tensor:
        """[n, …, classes]: logits, or probabilities; a single output becomes two classes."""
        if not self.classes:
            raise ValueError("the output is no choice of classes")
        if self.single or is_single(output):
            score = output.reshape(len(output), *_longer(output.shape[1:]))
            zero = 1.0 - score if self.probabilities else torch.zeros_like(score)
            return torch.stack([zero, score], -1)
        return classes_last(output, self.axis)

    def log_probabilities(self, output: Tensor) -> Tensor:
        """Ln p [n, …, classes], float64; zero probabilities raised to the smallest normal."""
        scores = self.class_scores(output).double()
        if self.probabilities:
            scores = scores.clamp(min=torch.finfo(torch.float32).tiny).log()
        return scores.log_softmax(-1)

    def shares(self, output: Tensor) -> Tensor:
        """Probabilities [n, …, classes], float64; given ones as they are."""
        scores = self.class_scores(output).double()
        return scores if self.probabilities else scores.softmax(-1)

    def predictions(self, output: Tensor) -> Tensor:
        """The most likely class [n, …]."""
        return self.class_scores(output).argmax(-1)


def is_single(output: Tensor) -> bool:
    """Whether there is one number per sample."""
    return output.ndim >= 1 and output[0].numel() == 1 if len(output) else False


def classes_last(output: Tensor, axis: int | None = None) -> Tensor:
    """[n, …, C] of an output whose classes lie along an axis; other axes of one are dropped.

    Without an axis the usual one: the second of [n, C, H, W], else the last.
    """
    moved = output.movedim(usual_axis(output.shape) if axis is None else axis, -1)
    return moved.reshape(len(moved), *_longer(moved.shape[1:-1]), moved.shape[-1])


def usual_axis(shape: torch.Size) -> int:
    """The axis of the classes in [n, C], [n, T, C] or [n, C, H, W]; last axes of one aside."""
    if len(shape) == 4 and max(shape[1], shape[3]) > 1:
        return 1
    last = len(shape) - 1
    while last > 1 and shape[last] == 1:
        last -= 1
    return last


def labelled_axis(shape: torch.Size, labels: Labels) -> int | None:
    """The axis that is left when those of the labels' positions are taken: of the classes.

    The usual one where several could be it; None where none is.
    """
    wanted, usual = _longer(labels.shape[1:]), usual_axis(shape)
    found = [
        axis
        for axis in range(1, len(shape))
        if shape[axis] > 1 and _longer((*shape[1:axis], *shape[axis + 1 :])) == wanted
    ]
    return usual if usual in found else next(iter(found), None)


def _longer(sizes: Iterable[int]) -> tuple[int, ...]:
    """The sizes of the axes that are no mere axes of one."""
    return tuple(size for size in sizes if size != 1)


def is_classifier(output: Tensor) -> bool:
    """Whether an output of shape [n, classes, …] has at least two classes to choose from."""
    if output.ndim not in (2, 3, 4) or not output.is_floating_point():
        return False
    return output.shape[usual_axis(output.shape)] >= 2


def are_probabilities(output: Tensor) -> bool:
    """Whether class scores [n, …, C] already are probabilities: none negative, each sum 1."""
    return bool((output >= 0.0).all()) and bool((output.sum(-1) - 1.0).abs().max() <= 1e-2)


def find_task(output: Tensor, labels: Labels | None, subject: str) -> Task:
    """What the samples called `subject` ask of a model with such an output.

    Raises:
        QvizError: labels that fit no reading of the output, or outside its classes.
    """
    if labels is None:
        return _unlabelled(output)
    if labels.dtype.kind == "f":
        return _values(output, labels, subject)
    if is_single(output) and labels.ndim == 1:
        return _binary(output, labels, subject)
    if _one_score_per_label(output, labels):
        if labels.max() > 1:
            return _values(output, labels, subject)
        return Task("positions", 2, _are_shares(output), single=True)
    axis = labelled_axis(output.shape, labels)
    if axis is None and not is_classifier(output):
        return _values(output, labels, subject)
    scores = classes_last(output, axis)
    classes = scores.shape[-1]
    kind = _kind(labels, scores.ndim - 2, output, subject, fits=axis is not None)
    _check_range(labels, classes, kind, subject)
    return Task(kind, classes, are_probabilities(scores), axis=axis)


def _one_score_per_label(output: Tensor, labels: Labels) -> bool:
    """Whether an output [n, 1, …] or [n, …, 1] has a score for each of several positions."""
    if output.ndim < 3 or 1 not in (output.shape[1], output.shape[-1]) or labels.ndim < 2:
        return False
    return _longer(output.shape[1:]) == _longer(labels.shape[1:])


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


def _check_range(labels: Labels, classes: int, kind: Kind, subject: str) -> None:
    low, high = int(labels.min()), int(labels.max())
    ignorable = kind != "classes"  # negative labels of positions are left out, of sequences padding
    if high < classes and (low >= 0 or ignorable):
        return
    bad = high if high >= classes else low
    row = int(np.argwhere(labels == bad)[0][0])
    raise QvizError(
        subject,
        f"label {bad} of sample {row} is out of range: the model has {classes} classes, "
        f"0 to {classes - 1}",
        "Correct the labels, or open the model they belong to",
    )

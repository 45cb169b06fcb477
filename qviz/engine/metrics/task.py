"""Task: what the outputs and the labels are, which decides what can be measured of them."""

from __future__ import annotations

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

    def class_scores(self, output: Tensor) -> Tensor:
        """[n, …, classes]: logits, or probabilities; a single output becomes two classes."""
        if not self.classes:
            raise ValueError("the output is no choice of classes")
        if is_single(output):
            score = output.reshape(len(output), 1)
            zero = 1.0 - score if self.probabilities else torch.zeros_like(score)
            return torch.cat([zero, score], 1)
        return classes_last(output)

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


def classes_last(output: Tensor) -> Tensor:
    """[n, C] and [n, T, C] as they are, [n, C, H, W] as [n, H, W, C]; last axes of one dropped."""
    while output.ndim > 2 and output.shape[-1] == 1:
        output = output.squeeze(-1)
    return output.movedim(1, -1) if output.ndim == 4 else output


def is_classifier(output: Tensor) -> bool:
    """Whether an output of shape [n, classes, …] has at least two classes to choose from."""
    classes = classes_last(output)
    if classes.ndim not in (2, 3, 4) or not classes.is_floating_point():
        return False
    return classes.shape[-1] >= 2


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
    if not is_classifier(output):
        return _values(output, labels, subject)
    scores = classes_last(output)
    classes, places = scores.shape[-1], scores.shape[1:-1]
    task = Task(_kind(labels, places, output, subject), classes, are_probabilities(scores))
    _check_range(labels, classes, task.kind, subject)
    return task


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
    inside = bool((output >= 0.0).all() and (output <= 1.0).all())
    return Task("classes", 2, probabilities=inside)


def _kind(labels: Labels, places: torch.Size, output: Tensor, subject: str) -> Kind:
    if labels.ndim == 1 and not places:
        return "classes"
    if labels.ndim > 1 and tuple(places) == labels.shape[1:]:
        return "positions"
    if labels.ndim == 2 and len(places) == 1:
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

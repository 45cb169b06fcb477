"""Task: what the outputs and the labels are, which decides what can be measured of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

Labels = NDArray[Any]
Kind = Literal["classes", "multilabel", "positions", "sequences", "values", "unlabelled"]
IGNORED = -100  # torch's ignore_index; any negative label of a position is left out


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """How outputs are read: `classes` of them, and what the labels name.

    `kind`: one class per sample, a yes or no to each of several classes (multilabel), one class per
    position (pixels, tokens), a sequence of symbols without positions (CTC), values to come near,
    or no labels. `probabilities`: outputs need no softmax.
    """

    kind: Kind
    classes: int  # 0 where the output is no choice of classes
    probabilities: bool
    peak: float = 1.0  # the largest value that labels of values can take: 1, or 255 for pixels
    axis: int | None = None  # along which the classes lie; None: the usual one of the shape
    single: bool = False  # one score per position, that of class 1
    yes_or_no: int = 0  # multilabel: how many classes a sample has or has not; `classes` are 2
    ignored: int | None = None  # a label of positions that is left out, besides negative ones
    positive: int = 1  # the label of class 1 where masks hold 0 and this
    blank: int = 0  # of sequences: the class that stands for nothing
    padded: bool = False  # labels of sequences end in blanks

    @property
    def counted_classes(self) -> int:
        """Of how many classes hits and misses are counted."""
        return self.yes_or_no or self.classes

    @property
    def note(self) -> str:
        """What the user should know of how the labels are read; "" for nothing."""
        notes = []
        if self.ignored is not None:
            notes.append(f"labels of {self.ignored} are left out")
        if self.positive != 1:
            notes.append(f"labels of {self.positive} are class 1")
        if self.blank:
            notes.append(f"class {self.blank} is the blank")
        if self.padded:
            notes.append(f"labels of {self.blank} at the end are padding")
        return ", ".join(notes)

    def truth(self, labels: Tensor | None) -> Tensor:
        """Whole labels as they are counted, int64: negative where a position is left out.

        Raises:
            ValueError: there are no labels.
        """
        if labels is None:
            raise ValueError("this metric needs labels")
        whole = labels.long()
        if self.positive != 1:
            whole = (whole == self.positive).long()
        return whole if self.ignored is None else whole.masked_fill(whole == self.ignored, IGNORED)

    def class_scores(self, output: Tensor) -> Tensor:
        """[n, …, classes]: logits, or probabilities; a single output becomes two classes."""
        if not self.classes:
            raise ValueError("the output is no choice of classes")
        if self.single or is_single(output):
            score = output.reshape(len(output), *longer(output.shape[1:]))
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
    return moved.reshape(len(moved), *longer(moved.shape[1:-1]), moved.shape[-1])


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
    wanted, usual = longer(labels.shape[1:]), usual_axis(shape)
    found = [
        axis
        for axis in range(1, len(shape))
        if shape[axis] > 1 and longer((*shape[1:axis], *shape[axis + 1 :])) == wanted
    ]
    return usual if usual in found else next(iter(found), None)


def longer(sizes: Iterable[int]) -> tuple[int, ...]:
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

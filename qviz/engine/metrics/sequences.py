"""Metrics of sequences of symbols that have no positions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from qviz.engine.metrics.metric import Metric, mean
from qviz.engine.metrics.task import Labels, Task


def blank_of(labels: Labels, classes: int) -> int:
    """The class that stands for nothing: the first or, where labels need that one, the last.

    Labels [n, length] need a class that has another one after it; at the end it may be padding.
    """
    known = labels >= 0
    padding = labels == 0
    used = np.flip(np.cumsum(np.flip(known & ~padding, 1), 1), 1) > 0  # something stands after it
    return classes - 1 if bool((padding & used).any()) else 0


def ctc_exact_match(task: Task) -> Metric:
    """Share of samples whose best path, repeats merged and blanks dropped, is the label.

    Labels are padded at the end with negative numbers or blanks (Graves et al. 2006, best path
    decoding).
    """

    def rows(output: Tensor, reference: Tensor, labels: Tensor | None) -> Tensor:
        del reference
        paths, wanted = task.predictions(output), task.truth(labels)
        hits = [
            _read(path, task.blank) == _without_padding(label, task.blank)
            for path, label in zip(paths, wanted, strict=True)
        ]
        return torch.tensor(hits, dtype=torch.float64).unsqueeze(1)

    return Metric("CTC exact match", "%", "higher", rows, mean, proportion=True)


def _read(path: Tensor, blank: int) -> list[int]:
    merged = torch.unique_consecutive(path)
    return [int(symbol) for symbol in merged if symbol != blank]


def _without_padding(label: Tensor, blank: int) -> list[int]:
    """A label's symbols; no blank is ever emitted, so that those at the end are padding."""
    symbols: list[int] = label[label >= 0].tolist()
    while symbols and symbols[-1] == blank:
        symbols.pop()
    return symbols

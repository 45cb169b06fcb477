"""How often each class is labelled, predicted and hit in every sample, over its positions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from qviz.engine.metrics.task import Task

MOST = 1 << 20  # counts of a class in a sample, 12 bytes each, that are kept of an evaluation


def keeps_counts(task: Task, samples: int) -> bool:
    """Whether so many samples have a class per position, and few enough classes to count them."""
    return task.kind == "positions" and samples * task.classes <= MOST


def class_counts(task: Task, found: Tensor, labels: Tensor | None) -> Tensor:
    """Counts [n, classes, 3] of labels, predictions and hits, int32; `found` are the predictions.

    Positions whose label is left out count for nothing.
    """
    counts = torch.empty(len(found), task.classes, 3, dtype=torch.int32)
    for at, (wanted, answers) in enumerate(zip(task.truth(labels), found, strict=True)):
        truth, own = wanted.flatten().numpy(), answers.flatten().numpy()
        counted = truth >= 0
        if not counted.all():
            truth, own = truth[counted], own[counted]
        for place, classes in enumerate((truth, own, truth[truth == own])):
            # numpy counts a sample at a time five times faster than torch all of them.
            tally = np.bincount(classes, minlength=task.classes)
            counts[at, :, place] = torch.from_numpy(tally)
    return counts

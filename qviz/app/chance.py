"""A float model that scores like chance: its samples are most likely read in another way."""

from __future__ import annotations

import math

import numpy as np

from qviz.data.array_fitting import SCALED
from qviz.data.samples import Array, Samples
from qviz.engine.evaluate import Evaluation

LEAST = 20  # samples, below which a bad score may be bad luck
CERTAIN = 1.645  # standard errors above chance: 5 % by chance alone, one-sided
NOTHING = 0.03  # Cohen's kappa: no better than chance, however sure
WEAK = 0.2  # and where so few samples may well give it by chance


def chance_warning(samples: Samples, evaluation: Evaluation) -> str:
    """What to say of a float score that chance, or always naming one class, gives too; else "".

    Chance is how often answers would be right if they did not depend on the labels (Cohen 1960).
    """
    labels = samples.labels
    if labels is None or evaluation.metric != "top-1" or evaluation.samples < LEAST:
        return ""
    seen = labels[evaluation.rows].ravel()
    counted = (seen >= 0) & (seen != evaluation.ignored)
    if not counted.any():
        return ""
    seen = seen[counted]
    base = float(np.bincount(seen).max()) / len(seen)
    right = evaluation.float_value / 100.0
    answers = evaluation.float_predictions
    if answers is None:  # of positions, which are not as many independent samples
        like_chance = right - base <= NOTHING * (1.0 - base)
    else:
        like_chance = _like_chance(right, answers, seen)
    if not like_chance and right > base / 2.0:
        return ""
    return (
        f"The float model scores like chance: {100 * right:.1f} %, where always naming the "
        f"commonest class gives {100 * base:.1f} %. Its samples may be scaled or ordered in "
        "another way than it was trained on, or the labels are another model's"
        f"{_of_pixels(samples)}"
    )


def _of_pixels(samples: Samples) -> str:
    """A word on pixels that are given as bytes."""
    columns = samples.arrays.values()
    raw = any(column.dtype == np.uint8 and len(column.shape) == 4 for column in columns)
    return f". Pixels are given as they are, 0…255; {SCALED}" if raw else ""


def _like_chance(right: float, answers: Array, labels: Array) -> bool:
    """Whether answers tell no more of the labels than chance does."""
    count = 1 + int(max(answers.max(), labels.max()))
    shares = [np.bincount(classes, minlength=count) / len(labels) for classes in (answers, labels)]
    chance = float(shares[0] @ shares[1])
    kappa = (right - chance) / (1.0 - chance) if chance < 1.0 else 0.0
    error = math.sqrt(chance * (1.0 - chance) / len(labels))
    return kappa <= NOTHING or (kappa <= WEAK and right - chance < CERTAIN * error)

"""A float model that scores like chance: its samples are most likely read in another way."""

from __future__ import annotations

import numpy as np

from qviz.data.samples import Samples
from qviz.engine.evaluate import Evaluation

LEAST = 50  # samples, below which a bad score may be bad luck


def chance_warning(samples: Samples, evaluation: Evaluation) -> str:
    """What to say of a float score no better than always naming the commonest class; else ""."""
    labels = samples.labels
    if labels is None or evaluation.metric != "top-1" or evaluation.samples < LEAST:
        return ""
    seen = labels[evaluation.rows].ravel()
    seen = seen[seen >= 0]  # of a position: left out
    if not len(seen):
        return ""
    chance = 100.0 * float(np.bincount(seen).max()) / len(seen)
    if evaluation.float_value > 1.2 * chance or chance > 80.0:
        return ""
    return (
        f"The float model scores like chance ({evaluation.float_value:.1f} %): its samples may be "
        "scaled or ordered in another way than it was trained on, or the labels are another model's"
    )

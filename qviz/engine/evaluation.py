"""Evaluation: what a plan scores on the samples seen so far, and what is known before it scores."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qviz.data.parts import Indices, Part
from qviz.engine.metrics.metric import Better


@dataclass(frozen=True, slots=True)
class Divergence:
    """Mean KL(p_float ‖ p) over the first `samples` samples, in nats; tells before a score does."""

    kl: float
    samples: int


@dataclass(frozen=True, eq=False, slots=True)
class Evaluation:
    """A plan's score after `samples` of `total`; values are in the metric's unit.

    For percentages, `delta` is in points. `low` and `high` bound the value over all `total`
    samples (95 %). `kl` is the mean KL(p_float ‖ p) over `kl_samples` samples, in nats; None
    without classes. `choices` are the metrics that these samples and outputs have.
    """

    metric: str
    unit: str
    better: Better
    choices: tuple[str, ...]
    part: Part
    value: float
    low: float
    high: float
    float_value: float
    delta: float | None
    flips: int | None
    kl: float | None
    samples: int
    total: int
    rows: Indices = field(repr=False)  # which samples, in the order of `predictions`
    predictions: NDArray[np.int64] | None = field(repr=False)
    float_predictions: NDArray[np.int64] | None = field(repr=False)
    note: str = ""  # what the user should know of how the labels are read
    ignored: int | None = None  # a label that is left out, besides negative ones
    output: str = ""  # the one that is scored
    outputs: tuple[str, ...] = ()  # all that could be
    kl_samples: int = 0  # fewer than `samples` while the score is of drawn ones
    # Of `rows`, where their positions have a class each: `class_counts` [n, classes, 3].
    counts: NDArray[np.int32] | None = field(default=None, repr=False)
    float_counts: NDArray[np.int32] | None = field(default=None, repr=False)

    @property
    def exact(self) -> bool:
        """Whether every sample of the part was seen, so that nothing is estimated."""
        return self.samples == self.total

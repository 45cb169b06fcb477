"""Outputs: which of several a model is scored by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from qviz.engine.metrics.kinds import find_task
from qviz.engine.metrics.reading import Reading, find_readings, origin
from qviz.engine.metrics.task import Labels, is_classifier
from qviz.errors import QvizError
from qviz.model.model import Model

# Words in the names that exporters give to what a model predicts, and to what it does not.
_SCORES = re.compile(r"logit|score|prob|softmax|cls|class|conf(?!ig)|label|pred", re.I)
_OTHERS = re.compile(
    r"box|(?<![a-z])loc(?!al)|coord|anchor|landmark|offset|proto|feat|embed|hidden|pool|"
    r"(?<![a-z])states?(?![a-z])|attn|attention|present|cache|past|(?<![a-z])aux",
    re.I,
)
_COORDINATES = 4  # of a box


def choose_output(
    model: Model,
    outputs: Mapping[str, object],
    count: int,
    labels: Labels | None,
    subject: str,
    wanted: str = "",
) -> Reading:
    """The floating-point output that fits the labels, else the one that looks like class scores.

    Of several alike the first; where no output fits the labels, the one that looks best. `wanted`
    is the user's choice.

    Raises:
        QvizError: no floating-point output with an entry for each of `count` samples, or not the
            one that is wanted.
    """
    found = find_readings(outputs, count)
    if wanted:
        return _wanted(found, wanted)
    zeros = None if labels is None else np.broadcast_to(np.zeros((), labels.dtype), labels.shape)
    tensors = {name: value for name, value in outputs.items() if isinstance(value, Tensor)}

    def rank(reading: Reading) -> tuple[bool, int, int]:
        tensor = tensors[reading.output].movedim(reading.axis, 0)
        looks = _looks(model, reading.output, tensor)
        if labels is None:
            return True, looks, _classes(tensor) if looks > 0 else 0
        # Labels beyond the classes of what looks like scores are wrong, not another output's.
        fits = _fits(tensor, labels, subject) or (looks > 0 and _fits(tensor, zeros, subject))
        return fits, looks, -_classes(tensor)  # hardly more classes than the labels name

    return found[0] if len(found) == 1 else max(found, key=rank)


def _wanted(found: Sequence[Reading], name: str) -> Reading:
    reading = next((reading for reading in found if reading.output == name), None)
    if reading is None:
        raise QvizError(
            f"output '{name}'",
            "it is no floating-point output with an entry per sample",
            f"Use one of {', '.join(reading.output for reading in found)}",
        )
    return reading


def are_boxes(model: Model, output: str, tensor: Tensor) -> bool:
    """Whether an output [n, boxes, 4] is, by its name or beside others, no choice of classes."""
    coordinates = tensor.ndim == 3 and _COORDINATES in tensor.shape[1:]
    return coordinates and len(model.outputs) > 1 and not _SCORES.search(output)


def _looks(model: Model, output: str, tensor: Tensor) -> int:
    """1 for what looks like scores of classes, -1 for what looks like something else."""
    if are_boxes(model, output, tensor) or _OTHERS.search(output):
        return -1
    made = origin(model, output) in ("softmax", "sigmoid")
    return 1 if is_classifier(tensor) and (made or _SCORES.search(output)) else 0


def _classes(tensor: Tensor) -> int:
    return find_task(tensor, None, "").classes


def _fits(tensor: Tensor, labels: Labels | None, subject: str) -> bool:
    try:
        find_task(tensor, labels, subject)
    except QvizError:
        return False
    return True

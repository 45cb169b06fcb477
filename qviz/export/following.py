"""Following: the quantizer that a layer's output meets next, whose step is the unit of an LSB."""

from __future__ import annotations

from collections.abc import Mapping

from qviz.model.model import Model, Step
from qviz.model.slots import Layer
from qviz.quant.encoding import Encoding, Scaled

_AS_THEY_ARE = {
    "Cast",
    "Clip",
    "Concat",
    "Flatten",
    "Identity",
    "MaxPool",
    "Relu",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}  # operators that pass values on without changing their unit


def least_step(model: Model, layer: Layer, encodings: Mapping[str, Encoding]) -> float | None:
    """The smallest distance of two levels of the next quantizer; None where none has a fixed one.

    Relu, pooling for the largest and what only moves values lie in between.
    """
    step = None if layer.step is None else model.steps[layer.step]
    pending = [] if step is None else list(step.outputs[:1])
    users = _users(model)
    quantizers = _quantizers(model, encodings)
    seen: set[str] = set()
    while pending:
        name = pending.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name in quantizers:
            return _step(quantizers[name])
        for user in users.get(name, ()):
            if user.op in _AS_THEY_ARE and not user.domain:
                pending.extend(user.outputs)
    return None


def _users(model: Model) -> dict[str, list[Step]]:
    users: dict[str, list[Step]] = {}
    for step in model.steps:
        for name in step.inputs:
            users.setdefault(name, []).append(step)
    return users


def _quantizers(model: Model, encodings: Mapping[str, Encoding]) -> dict[str, Scaled]:
    """Those with a fixed scale, by the value they read."""
    found = {}
    for name, encoding in encodings.items():
        slot = model.slots[name]
        if slot.role == "input" and isinstance(encoding, Scaled) and not encoding.unbounded:
            found[slot.value] = encoding
    return found


def _step(encoding: Scaled) -> float:
    levels = encoding.levels()
    return float((levels[1:] - levels[:-1]).min())

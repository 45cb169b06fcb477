"""Activation peak: the most memory that computed values take at one moment of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from qviz.model.model import Model
from qviz.model.uses import count_uses, release
from qviz.plan.macs import Shapes
from qviz.quant.scheme import Scheme

FLOAT_BITS = 32


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes of all values alive at once, and the step (by name) during which that is."""

    bytes: int
    step: str


def activation_peak(model: Model, shapes: Shapes, by_slot: Mapping[str, Scheme]) -> Peak | None:
    """The most bytes that are alive during one step; None while shapes are unknown.

    Steps run in their order. A value lives from the step that writes it to the last one that
    reads it, an input of the model from the start and an output to the end. While a step runs its
    inputs and outputs are alive together: nothing is written in place, and no view is free. A
    value has its input slot's width where every step that reads it is a layer that quantizes it
    so, else 32 bits a number. Weights and workspace of the kernels are not counted. `shapes` are
    of one sample.
    """
    if not model.steps or any(info.name not in shapes for info in model.inputs):
        return None
    widths = _widths(model, by_slot)
    uses = count_uses(model.steps)
    uses.update(model.outputs)
    alive = {info.name: _bytes(info.name, shapes, widths) for info in model.inputs}
    best = Peak(0, "")
    for step in model.steps:
        for name in step.outputs:
            if name and name not in shapes:
                return None
            if name:
                alive[name] = _bytes(name, shapes, widths)
        total = sum(alive.values())
        if total > best.bytes:
            best = Peak(total, step.name)
        release(step, uses, alive)
    return best


def _bytes(name: str, shapes: Shapes, widths: Mapping[str, int]) -> int:
    return math.ceil(math.prod(shapes[name]) * widths.get(name, FLOAT_BITS) / 8)


def _widths(model: Model, by_slot: Mapping[str, Scheme]) -> dict[str, int]:
    """Bits of the values that are read through quantized slots only; outputs stay floats."""
    readers: dict[str, int] = {}
    for step in model.steps:
        for name in (*step.inputs, *step.captures):
            readers[name] = readers.get(name, 0) + 1
    slots: dict[str, list[int]] = {}
    for slot in model.slots.values():
        if slot.role == "input":
            slots.setdefault(slot.value, []).append(by_slot[slot.name].bits)
    return {
        name: max(bits)
        for name, bits in slots.items()
        if len(bits) == readers.get(name) and name not in model.outputs
    }

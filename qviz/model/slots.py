"""Layers, their slots, and which slots must share one quantizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch

from qviz.model.layer_kinds import LayerKind, Operand, layer_kind
from qviz.model.model import Step
from qviz.model.steps import inner_nodes, make_step
from qviz.model.tensors import is_float
from qviz.quant.axes import Axes

Role = Literal["weight", "input"]


@dataclass(frozen=True)
class Slot:
    """One tensor use that can carry a quantizer: operand number `operand` of a layer's step.

    Operands are a step's inputs, then its captures: what the bodies of an If or Loop read.
    """

    name: str  # "conv1.weight", "conv1.input"; a second one of its role adds its operand's name
    layer: int
    role: Role
    value: str  # the tensor's name
    operand: int
    axis: Axes  # of its channels; only that of an input can be negative; None without channels
    group: str  # slots of one group share one quantizer


@dataclass(frozen=True)
class Layer:
    """A step that a plan can quantize, or one in the body of the If, Loop or Scan `step`."""

    index: int
    name: str
    op: str
    step: int | None  # None in a file of weights, which has no graph
    slots: tuple[str, ...]
    bias: str | None  # name of the constant bias
    weight_shape: tuple[int, ...]  # of the first weight; () without a constant weight
    parameters: int  # elements of its constant operands, biases included


def find_layers(
    steps: Iterable[Step],
    constants: Mapping[str, torch.Tensor],
    ranks: Mapping[str, int],
    dtypes: Mapping[str, torch.dtype],
) -> tuple[tuple[Layer, ...], dict[str, Slot]]:
    """The layers and slots of a graph; ranks and dtypes hold what is known of computed values."""
    layers: list[Layer] = []
    slots: dict[str, Slot] = {}
    for place in _places(steps):
        found = tuple(_slots_of(place, len(layers), constants, ranks, dtypes))
        if found:
            slots.update({slot.name: slot for slot in found})
            layers.append(_layer(place, len(layers), found, constants))
    return tuple(layers), slots


@dataclass(frozen=True)
class _Place:
    """A step that multiplies: one of the graph, or one in the body of an If, Loop or Scan."""

    step: Step  # the step itself
    kind: LayerKind
    outer: Step  # the graph's own step, which holds it

    def operand(self, position: int) -> int | None:
        """The position among the outer step's inputs and captures; None where it is not there."""
        name = self.step.inputs[position] if position < len(self.step.inputs) else ""
        if self.step is self.outer:
            return position if name else None
        if name not in self.outer.captures:
            return None
        return len(self.outer.inputs) + self.outer.captures.index(name)


def _places(steps: Iterable[Step]) -> Iterator[_Place]:
    steps = tuple(steps)
    taken = {step.name for step in steps}
    for step in steps:
        for inner in (step, *_inner_steps(step, taken)):
            kind = layer_kind(inner)
            if kind is not None:
                yield _Place(inner, kind, step)


def _inner_steps(step: Step, taken: set[str]) -> Iterator[Step]:
    """Steps of the bodies inside a step, at any depth, under the step's name and theirs.

    Both branches of an If may use one name: a later one gets a number, and `taken` all of them.
    """
    for number, node in enumerate(inner_nodes(step.node)):
        inner = make_step(number, node, {})
        wish = name = f"{step.name}/{inner.name}"
        again = 1
        while name in taken:
            again += 1
            name = f"{wish}_{again}"
        taken.add(name)
        yield replace(inner, name=name)


def _slots_of(
    place: _Place,
    layer: int,
    constants: Mapping[str, torch.Tensor],
    ranks: Mapping[str, int],
    dtypes: Mapping[str, torch.dtype],
) -> Iterator[Slot]:
    """The slots of one layer, weights first; none when it does not multiply floats."""
    used: set[Role] = set()
    operands = place.kind.operands
    found = [
        slot
        for operand in operands
        if (slot := _slot(place, operand, layer, constants, ranks, dtypes)) is not None
    ]
    inside = place.step is not place.outer
    if inside:  # what a body computes is not seen from outside
        found = [slot for slot in found if slot.role == "weight"]
    elif len(found) < len(operands):
        return
    if place.kind.constant_first and any(slot.role != "weight" for slot in found):
        return
    suffixes = {place.operand(operand.position): operand.suffix for operand in operands}
    for slot in sorted(found, key=lambda slot: (slot.role != "weight", slot.operand)):
        if slot.role in used:
            yield replace(slot, name=f"{slot.name}.{suffixes[slot.operand]}")
        else:
            used.add(slot.role)
            yield slot


def _slot(
    place: _Place,
    operand: Operand,
    layer: int,
    constants: Mapping[str, torch.Tensor],
    ranks: Mapping[str, int],
    dtypes: Mapping[str, torch.dtype],
) -> Slot | None:
    """The slot of one operand; None when it is absent or known not to hold floats."""
    step, position = place.step, place.operand(operand.position)
    if position is None:
        return None
    value = step.inputs[operand.position]
    constant = constants.get(value)
    if constant is None:
        dtype = dtypes.get(value)
        if dtype is not None and not dtype.is_floating_point:
            return None
        along = _axis(operand.input_axis, ranks.get(value))
        return Slot(f"{step.name}.input", layer, "input", value, position, along, f"input:{value}")
    if not is_float(constant) or (place.kind.constant_first and constant.dim() != 2):
        return None
    axis = operand.channels(constant.shape)
    group = f"weight:{value}:{axis}"
    return Slot(f"{step.name}.weight", layer, "weight", value, position, axis, group)


def _axis(axis: int | None, rank: int | None) -> int | None:
    if axis is None or rank is None or axis >= 0:
        return axis
    return axis + rank if axis + rank >= 0 else None


def _layer(
    place: _Place, index: int, slots: tuple[Slot, ...], constants: Mapping[str, torch.Tensor]
) -> Layer:
    step, position = place.step, place.kind.bias
    weights = [constants[slot.value] for slot in slots if slot.role == "weight"]
    bias = step.inputs[position] if position is not None and position < len(step.inputs) else ""
    has_bias = bias in constants
    return Layer(
        index=index,
        name=step.name,
        op=step.op,
        step=place.outer.index,
        slots=tuple(slot.name for slot in slots),
        bias=bias if has_bias else None,
        weight_shape=tuple(weights[0].shape) if weights else (),
        parameters=sum(w.numel() for w in weights) + (constants[bias].numel() if has_bias else 0),
    )

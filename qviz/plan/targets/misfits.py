"""Misfits: where a plan asks for what a runtime cannot execute, why, and what would do instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qviz.model.model import Model
from qviz.model.slots import Layer
from qviz.plan.targets.nearest import Operands, nearest_layer
from qviz.plan.targets.target import Target, why_not_on
from qviz.quant.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Misfit:
    """A slot whose scheme does not run on a target."""

    slot: str
    scheme: Scheme
    reason: str  # in plain words
    mended: Scheme  # the nearest scheme with which the layer runs


def check_plan_against(
    target: Target, model: Model, schemes: Mapping[str, Scheme]
) -> tuple[Misfit, ...]:
    """Every slot that must change so that its layer runs; () when the whole plan does.

    `schemes` has one for every slot. Of a layer whose slots do not fit together, the one that is
    easiest to change is named.
    """
    return tuple(
        misfit for layer in model.layers for misfit in _layer_misfits(target, model, layer, schemes)
    )


def runs(target: Target, model: Model, layer: Layer, schemes: Mapping[str, Scheme]) -> bool:
    """Whether the runtime executes a layer with these schemes."""
    return target.way_of(layer.op, operands_of(model, layer, schemes)) is not None


def operands_of(model: Model, layer: Layer, schemes: Mapping[str, Scheme]) -> Operands:
    """Role and scheme of every slot of a layer, in their order."""
    return tuple((model.slots[name].role, schemes[name]) for name in layer.slots)


def _layer_misfits(
    target: Target, model: Model, layer: Layer, schemes: Mapping[str, Scheme]
) -> list[Misfit]:
    operands = operands_of(model, layer, schemes)
    if target.way_of(layer.op, operands) is not None:
        return []
    mended = nearest_layer(target, layer.op, operands)
    if mended is None:
        return []  # the last way is for every operator, so this is a profile without one
    found = []
    for name, (role, scheme), instead in zip(layer.slots, operands, mended, strict=True):
        if instead != scheme:
            alone = why_not_on(target, layer.op, role, scheme)
            reason = alone or _why_not_together(target, layer.op, operands)
            found.append(Misfit(name, scheme, reason, instead))
    return found


def _why_not_together(target: Target, op: str, operands: Operands) -> str:
    told = next((r.why for r in target.refusals if r.of(op, operands)), "")
    weights = " and ".join(dict.fromkeys(str(s) for role, s in operands if role == "weight"))
    inputs = " and ".join(dict.fromkeys(str(s) for role, s in operands if role == "input"))
    parts = [f"{weights} weights"] * bool(weights) + [f"{inputs} inputs"] * bool(inputs)
    return told or f"{target.title} does not run {op} with {' and '.join(parts)}"

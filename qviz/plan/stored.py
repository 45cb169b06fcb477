"""The quantizers that an already quantized file holds, as schemes and encodings of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.quantized.quantizer import Quantizer
from qviz.model.slots import Role, Slot
from qviz.plan.plan import Plan, override, why_not, without_overrides
from qviz.quant.axes import Axes
from qviz.quant.encoding import Scaled
from qviz.quant.formats import FORMATS
from qviz.quant.scale import grid_of
from qviz.quant.scheme import FLOAT, Granularity, Scheme, plain

_FLOATS = {"float8e4m3fn": "fp8-e4m3", "float8e5m2": "fp8-e5m2", "float4e2m1": "fp4-e2m1"}


@dataclass(frozen=True, eq=False, slots=True)
class Stored:
    """A file's quantizer of one sharing group: the scheme that describes it, and its scales."""

    scheme: Scheme
    encoding: Scaled


def stored_quantizers(model: Model) -> dict[str, Stored]:
    """By sharing group; those that no scheme of the slot describes are left out.

    These are scales along another axis than the slot's channels, and of an input's channels.
    """
    every = ((slot.group, stored_quantizer(model, slot)) for slot in model.slots.values())
    return {group: stored for group, stored in every if stored is not None}


def stored_quantizer(model: Model, slot: Slot) -> Stored | None:
    """That of one slot; None where the file has none that a scheme of the slot describes."""
    quantizer = model.quantizers.get(slot.group)
    if quantizer is None:
        return None
    shape = model.declared(slot.value).shape if slot.role == "weight" else ()
    return _stored(_of_every_channel(quantizer, slot.axis, shape), slot)


def stored_plan(model: Model, default: Plan) -> Plan:
    """The plan of a quantized file, which keeps in float what it keeps; else the default."""
    return Plan(overrides=_own_schemes(model)) if model.quantizers else default


def _own_schemes(model: Model) -> dict[str, Scheme]:
    """By slot; those that the file keeps in float are absent."""
    stored, slots = stored_quantizers(model), model.slots
    return {name: stored[slot.group].scheme for name, slot in slots.items() if slot.group in stored}


def back_to_stored(model: Model, plan: Plan, slots: Iterable[str]) -> Plan:
    """The plan with the file's own schemes on those of the slots of which it says nothing."""
    own = _own_schemes(model)
    names = {layer.index: layer.name for layer in model.layers}
    asked = [model.slots[name] for name in slots]
    said = {slot.group for slot in asked if plan.decide(slot, names[slot.layer]) != (0, FLOAT)}
    back = {slot.name: own[slot.name] for slot in asked if slot.name in own}
    return override(
        plan, {name: scheme for name, scheme in back.items() if model.slots[name].group not in said}
    )


def without_stored(model: Model, plan: Plan, role: Role) -> Plan:
    """The plan without the file's own schemes of a role, so that the default speaks of them."""
    return without_overrides(
        plan,
        [
            name
            for name, scheme in plan.overrides.items()
            if scheme.range == "stored" and name in model.slots and model.slots[name].role == role
        ],
    )


def check_stored(model: Model, chosen: Mapping[str, Scheme]) -> None:
    """Refuse a file's scales, by slot, where the file holds none for that very grid.

    Raises:
        QvizError: the first slot that has none.
    """
    if not any(scheme.range == "stored" for scheme in chosen.values()):
        return
    own = _own_schemes(model)
    for name, scheme in chosen.items():
        if scheme.range == "stored" and own.get(name) != scheme:
            held = f", which holds {own[name]}" if name in own else ", which holds none"
            raise QvizError(
                name,
                f"{scheme} takes the scales of the file{held}",
                f"Use {_measured(scheme)}",
            )


def measured_instead(model: Model, plan: Plan) -> tuple[Plan, tuple[str, ...]]:
    """The plan with min-max ranges where another file's scales were asked for, and those slots."""
    own = _own_schemes(model)
    found = {
        name: _measured(scheme)
        for name, scheme in plan.overrides.items()
        if scheme.range == "stored" and own.get(name) != scheme
    }
    return override(plan, found), tuple(found)


def _measured(scheme: Scheme) -> Scheme:
    return replace(scheme, range=scheme.ranges[0])


def _of_every_channel(quantizer: Quantizer, axis: Axes, shape: Sequence[int]) -> Quantizer:
    """Scales along one of several axes of channels, as those of every channel."""
    if not isinstance(axis, tuple) or quantizer.axis not in axis or quantizer.block is not None:
        return quantizer
    along = [-1 if at == quantizer.axis else 1 for at in axis]
    sizes = [shape[at] for at in axis]
    scale, zero = (
        x.reshape(along).expand(sizes).flatten() for x in (quantizer.scale, quantizer.zero_point)
    )
    return replace(quantizer, scale=scale, zero_point=zero, axis=axis)


def _granularity(quantizer: Quantizer) -> Granularity:
    if quantizer.block is not None:
        return "group"
    return "tensor" if quantizer.axis is None else "channel"


def _stored(quantizer: Quantizer, slot: Slot) -> Stored | None:
    name = _FLOATS.get(quantizer.code, quantizer.code)
    if name not in FORMATS or quantizer.axis not in (None, slot.axis):
        return None
    granularity = _granularity(quantizer)
    if granularity not in FORMATS[name].granularities:
        return None
    scheme = plain(name, granularity)
    if scheme.row.integer:
        symmetric = bool((quantizer.zero_point == scheme.middle).all())
        scheme = replace(scheme, symmetric=symmetric, code_range="full")
    if quantizer.block:
        scheme = replace(scheme, group=quantizer.block)
    scheme = replace(scheme, range="stored")
    if why_not(scheme, slot):
        return None
    encoding = Scaled(
        grid_of(scheme), quantizer.scale, quantizer.zero_point, quantizer.axis, quantizer.block
    )
    return Stored(scheme, encoding)

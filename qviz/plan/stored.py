"""The quantizers that an already quantized file holds, as schemes and encodings of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from qviz.model.model import Model
from qviz.model.quantized.quantizer import Quantizer
from qviz.model.slots import Slot
from qviz.plan.plan import Plan
from qviz.quant.encoding import Scaled
from qviz.quant.formats import FORMATS
from qviz.quant.scale import grid_of
from qviz.quant.scheme import Granularity, Scheme, plain

_FLOATS = {"float8e4m3fn": "fp8-e4m3", "float8e5m2": "fp8-e5m2", "float4e2m1": "fp4-e2m1"}


@dataclass(frozen=True, eq=False, slots=True)
class Stored:
    """A file's quantizer of one sharing group: the scheme that describes it, and its scales."""

    scheme: Scheme
    encoding: Scaled


def stored_quantizers(model: Model) -> dict[str, Stored]:
    """By sharing group; those along an axis that is not the slot's channels are left out."""
    found = {}
    for slot in model.slots.values():
        quantizer = model.quantizers.get(slot.group)
        stored = None if quantizer is None else _stored(quantizer, slot)
        if stored is not None:
            found[slot.group] = stored
    return found


def stored_plan(model: Model, default: Plan) -> Plan:
    """The plan of a quantized file, which keeps in float what it keeps; else the default."""
    stored = stored_quantizers(model)
    if not stored:
        return default
    slots: Mapping[str, Slot] = model.slots
    schemes = {
        name: stored[slot.group].scheme for name, slot in slots.items() if slot.group in stored
    }
    return Plan(overrides=schemes)


def _granularity(quantizer: Quantizer) -> Granularity:
    if quantizer.block is not None:
        return "group"
    return "tensor" if quantizer.axis is None else "channel"


def _stored(quantizer: Quantizer, slot: Slot) -> Stored | None:
    name = _FLOATS.get(quantizer.code, quantizer.code)
    if name not in FORMATS or (quantizer.axis is not None and quantizer.axis != slot.axis):
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
    encoding = Scaled(
        grid_of(scheme), quantizer.scale, quantizer.zero_point, quantizer.axis, quantizer.block
    )
    return Stored(scheme, encoding)

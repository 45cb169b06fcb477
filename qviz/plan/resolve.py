"""Resolve: plan + statistics -> every slot's encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.layer_facts import layer_facts
from qviz.plan.plan import Plan
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats


@dataclass(frozen=True, eq=False, slots=True)
class ResolvedPlan:
    """Slot name -> encoding; slots that stay in float are absent."""

    encodings: Mapping[str, Encoding]


def schemes(model: Model, plan: Plan) -> dict[str, Scheme]:
    """The scheme of every slot."""
    return plan.schemes(model.slots, layer_facts(model))


def resolve(
    model: Model,
    plan: Plan,
    statistics: Mapping[str, TensorStats],
    known: Mapping[tuple[str, Scheme], Encoding] | None = None,
) -> ResolvedPlan:
    """Every slot's encoding; slots of a sharing group have the same one.

    `statistics` holds one entry per group, `known` encodings found before by group and scheme.

    Raises:
        QvizError: a slot is to be quantized but its values were never seen.
    """
    found = dict(known or {})
    encodings: dict[str, Encoding] = {}
    for name, scheme in schemes(model, plan).items():
        if scheme.is_float:
            continue
        key = (model.slots[name].group, scheme)
        if key not in found:
            if key[0] not in statistics:
                raise QvizError(
                    name, "its values were never measured", "Keep it in float, or open samples"
                )
            found[key] = find_encoding(statistics[key[0]], scheme)
        encodings[name] = found[key]
    return ResolvedPlan(encodings)

"""Resolve: plan + statistics -> every slot's encoding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from qviz.model.model import Model
from qviz.plan.plan import Plan
from qviz.quant.grids import Encoding
from qviz.quant.ranges import find_encoding
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats


@dataclass(frozen=True, eq=False, slots=True)
class ResolvedPlan:
    """Slot name -> encoding; slots that stay in float are absent."""

    encodings: Mapping[str, Encoding]


def schemes(model: Model, plan: Plan) -> dict[str, Scheme]:
    """The scheme of every slot."""
    return plan.schemes(model.slots, {layer.index: layer.name for layer in model.layers})


def resolve(model: Model, plan: Plan, statistics: Mapping[str, TensorStats]) -> ResolvedPlan:
    """Every slot's encoding; `statistics` holds one entry per sharing group."""
    return ResolvedPlan(dict(resolve_each(model, plan, statistics)))


def resolve_each(
    model: Model,
    plan: Plan,
    statistics: Mapping[str, TensorStats],
    known: Mapping[tuple[str, Scheme], Encoding] | None = None,
) -> Iterator[tuple[str, Encoding]]:
    """The same slot by slot; slots of a group share one encoding object.

    `known` holds encodings found before, by group and scheme.
    """
    found = dict(known or {})
    for name, scheme in schemes(model, plan).items():
        group = model.slots[name].group
        if scheme.is_float or group not in statistics:
            continue
        key = (group, scheme)
        if key not in found:
            found[key] = find_encoding(statistics[group], scheme)
        yield name, found[key]

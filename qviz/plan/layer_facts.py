"""Layer facts: what the rules of a plan know of a layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qviz.model.model import Model
from qviz.model.slots import Role

_NO_ROLES: frozenset[Role] = frozenset()


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """A layer as rules see it. Of a bare name nothing else is known, and selectors pass it by."""

    name: str
    op: str = ""
    index: int = -1  # among the layers, in graph order
    parameters: int | None = None  # elements of its constant operands, biases included
    first: frozenset[Role] = frozenset()  # roles of which no earlier layer has a slot
    last: frozenset[Role] = frozenset()  # roles of which no later layer has a slot
    tags: frozenset[str] = frozenset()  # given by the plan


def layer_facts(model: Model) -> dict[int, LayerFacts]:
    """The facts of every layer by its index; tags are the plan's to add."""
    first, last = _ends(model, min), _ends(model, max)
    return {
        layer.index: LayerFacts(
            layer.name,
            layer.op,
            layer.index,
            layer.parameters,
            first.get(layer.index, _NO_ROLES),
            last.get(layer.index, _NO_ROLES),
        )
        for layer in model.layers
    }


def _ends(model: Model, end: Callable[[list[int]], int]) -> dict[int, frozenset[Role]]:
    """The layers at one end of the graph, and of which roles they are there."""
    layers: dict[Role, list[int]] = {}
    for slot in model.slots.values():
        layers.setdefault(slot.role, []).append(slot.layer)
    found = {role: end(indices) for role, indices in layers.items()}
    return {
        index: frozenset(role for role, at in found.items() if at == index)
        for index in found.values()
    }

"""Effective bits: what a weight takes with its scales, zero points and codebook."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from qviz.model.model import Model
from qviz.plan.cost import weight_bytes
from qviz.quant.scheme import Scheme


def effective_bits(
    model: Model, by_slot: Mapping[str, Scheme], wide: Collection[str] = ()
) -> dict[str, float]:
    """Bits per number of every weight slot; `wide` as in `cost_of`. Empty weights are left out."""
    return {
        name: 8 * taken / count
        for name, (taken, count) in _sizes(model, by_slot, wide).items()
        if count
    }


def mean_effective_bits(
    model: Model, by_slot: Mapping[str, Scheme], wide: Collection[str] = ()
) -> float | None:
    """Over all weights, each counted once: what others call bpw. None without weights."""
    sizes = _sizes(model, by_slot, wide)
    once = {model.slots[name].value: size for name, size in reversed([*sizes.items()])}
    count = sum(numbers for _, numbers in once.values())
    return 8 * sum(taken for taken, _ in once.values()) / count if count else None


def _sizes(
    model: Model, by_slot: Mapping[str, Scheme], wide: Collection[str]
) -> dict[str, tuple[int, int]]:
    """Bytes and numbers of every weight slot."""
    found = {}
    for slot in model.slots.values():
        if slot.role == "weight":
            tensor = model.declared(slot.value)
            taken = weight_bytes(
                tensor, slot.axis, by_slot[slot.name], wide_scales=slot.name in wide
            )
            found[slot.name] = (taken, int(tensor.numel()))
    return found

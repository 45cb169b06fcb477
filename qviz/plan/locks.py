"""Locks: slots and layers whose schemes edits, presets, mends and searches leave alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.plan import Plan, nothing_matches, override
from qviz.plan.resolve import schemes


def locked_slots(model: Model, plan: Plan) -> dict[str, str]:
    """Every locked slot and the lock that holds it; a lock holds the whole sharing group."""
    if not plan.locks:
        return {}
    groups: dict[str, str] = {}
    for layer in model.layers:
        for name in layer.slots:
            lock = next((word for word in (name, layer.name) if word in plan.locks), None)
            if lock is not None:
                groups.setdefault(model.slots[name].group, lock)
    return {name: groups[slot.group] for name, slot in model.slots.items() if slot.group in groups}


def unlocked(model: Model, plan: Plan, slots: Sequence[str]) -> list[str]:
    """Those of the slots that no lock holds.

    Raises:
        QvizError: there are slots, and locks hold all of them.
    """
    held = locked_slots(model, plan)
    free = [name for name in slots if name not in held]
    if slots and not free:
        raise locked(slots[0], held[slots[0]])
    return free


def locked(slot: str, lock: str) -> QvizError:
    """The error for an edit of a locked slot."""
    cause = "it is locked" if lock == slot else f"the lock on {lock} holds it"
    return QvizError(slot, cause, f"Unlock {lock} to change it")


def hold_locks(model: Model, before: Plan, after: Plan) -> tuple[Plan, tuple[str, ...]]:
    """The plan after a change with locked slots as before it, and those that had to be put back.

    Locks, notes and tags are those of `after`; the locks that hold are those of `before`.
    """
    held = locked_slots(model, before)
    if not held:
        return after, ()
    old, new = schemes(model, before), schemes(model, after)
    back = {name: old[name] for name in held if old[name] != new[name]}
    return (override(after, back) if back else after), tuple(back)


def lock(model: Model, plan: Plan, names: Iterable[str]) -> Plan:
    """The plan with slots or layers locked.

    Raises:
        QvizError: a name that is no slot and no layer.
    """
    layers = [layer.name for layer in model.layers]
    chosen = frozenset(names)
    for name in sorted(chosen):
        if name not in model.slots and name not in layers:
            raise nothing_matches(name, [*model.slots, *layers], "slot or layer")
    return replace(plan, locks=plan.locks | chosen)


def unlock(model: Model, plan: Plan, names: Sequence[str]) -> Plan:
    """The plan without the locks of these names; those that are not locked are passed by.

    Raises:
        QvizError: a slot that only the lock of its layer or of a shared quantizer holds.
    """
    left = replace(plan, locks=plan.locks - frozenset(names))
    held = locked_slots(model, left)
    for name in names:
        if name in held:
            raise locked(name, held[name])
    return left

"""Mend: the plan with as few changes as possible, all of which a runtime can execute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from qviz.model.model import Model
from qviz.plan.plan import Plan, override
from qviz.plan.resolve import schemes as schemes_of
from qviz.plan.targets.misfits import operands_of, runs
from qviz.plan.targets.nearest import last_resort, nearest_layer
from qviz.plan.targets.target import Target
from qviz.quant.scheme import Scheme

FREE_ROUNDS = 3  # in which layers may still pull a shared slot to and fro


def mend(plan: Plan, target: Target, model: Model) -> Plan:
    """The plan itself where it runs; else one that does, the same one every time.

    Defaults and rules are changed where that takes fewer words than overrides do.
    """
    before = schemes_of(model, plan)
    wanted = _mended(target, model, before)
    if wanted == before:
        return plan
    by_hand = _with_overrides(plan, model, wanted)
    restated = _with_overrides(_restated(plan, model, wanted), model, wanted)
    return min(by_hand, restated, key=lambda made: _edits(plan, made))


def _mended(target: Target, model: Model, schemes: Mapping[str, Scheme]) -> dict[str, Scheme]:
    """A scheme for every slot with which all layers run.

    A slot that layers share may have to fit several of them. After some rounds each layer that
    still does not run takes the target's last way, which every operator has: what one layer then
    chooses fits the others' last way as well, so that each layer is mended at most once more.
    """
    found = dict(schemes)
    groups: dict[str, list[str]] = {}
    for slot in model.slots.values():
        groups.setdefault(slot.group, []).append(slot.name)
    for _ in range(FREE_ROUNDS):
        if not _round(target, model, found, groups, final=False):
            return found
    while _round(target, model, found, groups, final=True):
        pass
    return found


def _round(
    target: Target,
    model: Model,
    found: dict[str, Scheme],
    groups: Mapping[str, list[str]],
    *,
    final: bool,
) -> bool:
    """Mend every layer that does not run, in place; whether there was one."""
    changed = False
    for layer in model.layers:
        if runs(target, model, layer, found):
            continue
        changed = True
        operands = operands_of(model, layer, found)
        made = None if final else nearest_layer(target, layer.op, operands)
        for name, scheme in zip(layer.slots, made or last_resort(target, operands), strict=True):
            found.update(dict.fromkeys(groups[model.slots[name].group], scheme))
    return changed


def _with_overrides(plan: Plan, model: Model, wanted: Mapping[str, Scheme]) -> Plan:
    """The plan with what it says otherwise overridden."""
    said = schemes_of(model, plan)
    groups = {model.slots[name].group for name, scheme in wanted.items() if said[name] != scheme}
    return override(
        plan, {s.name: wanted[s.name] for s in model.slots.values() if s.group in groups}
    )


def _restated(plan: Plan, model: Model, wanted: Mapping[str, Scheme]) -> Plan:
    """The plan whose defaults and rules say what most of the slots that they decide now want."""
    names = {layer.index: layer.name for layer in model.layers}
    decided: dict[tuple[int, str], list[str]] = {}
    for slot in model.slots.values():
        rank, _ = plan.decide(slot, names[slot.layer])
        decided.setdefault((rank, slot.role), []).append(slot.name)
    made = plan
    for (rank, role), slots in decided.items():
        most = _most(wanted[name] for name in slots)
        if rank == 0:
            made = replace(made, weight=most) if role == "weight" else replace(made, input=most)
        elif rank <= len(plan.rules):
            rules = list(made.rules)
            rules[rank - 1] = replace(rules[rank - 1], scheme=most)
            made = replace(made, rules=tuple(rules))
    return made


def _most(schemes: Iterable[Scheme]) -> Scheme:
    """The most frequent one; of equally frequent ones the first in the order of the layers."""
    return Counter(schemes).most_common(1)[0][0]


def _edits(before: Plan, after: Plan) -> int:
    """How many words of a plan differ."""
    new = (after.overrides.get(name) != scheme for name, scheme in before.overrides.items())
    rules = zip(before.rules, after.rules, strict=True)
    return (
        (before.weight != after.weight)
        + (before.input != after.input)
        + sum(old != other for old, other in rules)
        + sum(new)
        + len(set(after.overrides) - set(before.overrides))
    )

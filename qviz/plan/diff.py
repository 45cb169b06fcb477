"""Diff: what two plans say otherwise, word by word, and slot by slot of a model."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from qviz.model.model import Model
from qviz.plan.layer_facts import layer_facts
from qviz.plan.plan import Plan

Kind = Literal["default", "rule", "override", "slot", "lock", "tags", "note"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two plans say otherwise; "" where one of them says nothing of it."""

    kind: Kind
    subject: str  # the role, pattern, slot or layer
    a: str
    b: str
    why_a: str = ""  # of a slot: what decides, "rule 2, op:Conv.weight"; of a rule: its place
    why_b: str = ""


def diff(a: Plan, b: Plan, model: Model | None = None) -> tuple[Difference, ...]:
    """Words first, then, with a model, the slots whose schemes differ; () for equal plans."""
    found = [*_defaults(a, b), *_rules(a, b)]
    found += _by_name("override", _spelled(a), _spelled(b))
    if model is not None:
        found += _slots(a, b, model)
    found += _by_name("lock", dict.fromkeys(a.locks, "locked"), dict.fromkeys(b.locks, "locked"))
    found += _by_name("tags", _joined(a), _joined(b))
    found += _by_name("note", a.notes, b.notes)
    return tuple(found)


def decided_by(plan: Plan, rank: int) -> str:
    """What a rank of `Plan.decisions` is, in words."""
    if rank == 0:
        return "default"
    if rank > len(plan.rules):
        return "override"
    return f"rule {rank}, {plan.rules[rank - 1].pattern}"


def _defaults(a: Plan, b: Plan) -> Iterator[Difference]:
    for role, old, new in (("weight", a.weight, b.weight), ("input", a.input, b.input)):
        if old != new:
            yield Difference("default", role, str(old), str(new))


def _rules(a: Plan, b: Plan) -> Iterator[Difference]:
    """Rules in the longest common order are equal; one that moved is taken out and put in."""
    olds = [(rule.pattern, str(rule.scheme)) for rule in a.rules]
    news = [(rule.pattern, str(rule.scheme)) for rule in b.rules]
    matcher = difflib.SequenceMatcher(None, olds, news, autojunk=False)
    for what, start, stop, begin, end in matcher.get_opcodes():
        if what == "equal":
            continue
        left = [(place, *olds[place]) for place in range(start, stop)]
        for place in range(begin, end):
            pattern, scheme = news[place]
            same = next((old for old in left if old[1] == pattern), None)
            if same is None:
                yield Difference("rule", pattern, "", scheme, "", f"rule {place + 1}")
            else:
                left.remove(same)
                whys = f"rule {same[0] + 1}", f"rule {place + 1}"
                yield Difference("rule", pattern, same[2], scheme, *whys)
        for place, pattern, scheme in left:
            yield Difference("rule", pattern, scheme, "", f"rule {place + 1}", "")


def _slots(a: Plan, b: Plan, model: Model) -> Iterator[Difference]:
    facts = layer_facts(model)
    olds, news = a.decisions(model.slots, facts), b.decisions(model.slots, facts)
    for name, (rank, scheme) in olds.items():
        other, changed = news[name]
        if scheme != changed:
            whys = decided_by(a, rank), decided_by(b, other)
            yield Difference("slot", name, str(scheme), str(changed), *whys)


def _by_name(kind: Kind, a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted({*a, *b}):
        if a.get(name, "") != b.get(name, ""):
            yield Difference(kind, name, a.get(name, ""), b.get(name, ""))


def _spelled(plan: Plan) -> dict[str, str]:
    return {name: str(scheme) for name, scheme in plan.overrides.items()}


def _joined(plan: Plan) -> dict[str, str]:
    return {name: ", ".join(sorted(tags)) for name, tags in plan.tags.items()}

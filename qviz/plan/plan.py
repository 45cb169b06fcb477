"""Plan: slot -> scheme for the whole model, as defaults, ordered rules and overrides."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qviz.errors import QvizError
from qviz.model.slots import Role, Slot
from qviz.plan.fits import CURE as CURE
from qviz.plan.fits import why_not as why_not
from qviz.plan.fits import why_not_for as why_not_for
from qviz.plan.json_file import read_json, write_json
from qviz.plan.layer_facts import LayerFacts
from qviz.plan.rule import Pattern, make_rule, parse_pattern, pattern_of_names
from qviz.plan.rule import Rule as Rule
from qviz.plan.rule import parse_setting as parse_setting
from qviz.plan.rule import split_pattern as split_pattern
from qviz.quant.scheme import FLOAT, Scheme
from qviz.quant.spelling import parse_scheme

PLAN_VERSION = 2
_FIELDS = ("defaults", "rules", "overrides", "locks", "notes", "tags")

Layers = Mapping[int, LayerFacts] | Mapping[int, str]  # by index; names alone where that will do
Remarks = tuple[Mapping[str, frozenset[str]], Mapping[str, str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user edits, saves and diffs. Later rules win over earlier ones, overrides over all.

    `overrides` maps slot names to schemes; every slot of a sharing group carries the same.
    """

    weight: Scheme = FLOAT
    input: Scheme = FLOAT
    rules: tuple[Rule, ...] = ()
    overrides: Mapping[str, Scheme] = field(default_factory=dict)
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)  # by layer, for rules
    notes: Mapping[str, str] = field(default_factory=dict)  # by layer
    locks: frozenset[str] = frozenset()  # slots and layers that keep their schemes

    def described(self, layer: LayerFacts | str) -> LayerFacts:
        """The facts of a layer with the plan's tags."""
        facts = LayerFacts(layer) if isinstance(layer, str) else layer
        tags = self.tags.get(facts.name)
        return replace(facts, tags=tags) if tags else facts

    def decide(self, slot: Slot, layer: LayerFacts | str) -> tuple[int, Scheme]:
        """What the plan says of one slot by itself, and how strongly: later words weigh more.

        0 is a default, n the n-th rule, and one more than there are rules an override.
        """
        override = self.overrides.get(slot.name)
        if override is not None:
            return len(self.rules) + 1, override
        facts = self.described(layer)
        for rank, rule in reversed(list(enumerate(self.rules, 1))):
            if parse_pattern(rule.pattern).means(slot, facts):
                return rank, rule.scheme
        return 0, self.weight if slot.role == "weight" else self.input

    def decisions(self, slots: Mapping[str, Slot], layers: Layers) -> dict[str, tuple[int, Scheme]]:
        """Rank and scheme of every slot. A sharing group has what is said most strongly of it."""
        facts = {index: self.described(layer) for index, layer in layers.items()}
        rules = [
            (n, rule.scheme, parse_pattern(rule.pattern)) for n, rule in enumerate(self.rules, 1)
        ]
        rules.reverse()
        of_role: dict[Role, list[tuple[int, Scheme, Pattern]]] = {
            "weight": [rule for rule in rules if rule[2].role == "weight"],
            "input": [rule for rule in rules if rule[2].role == "input"],
        }
        defaults = {"weight": (0, self.weight), "input": (0, self.input)}
        strongest: dict[str, tuple[int, Scheme]] = {}
        for name, slot in slots.items():
            said = defaults[slot.role]
            override = self.overrides.get(name)
            if override is not None:
                said = len(self.rules) + 1, override
            elif of_role[slot.role]:
                layer = facts[slot.layer]
                said = next(
                    ((n, made) for n, made, p in of_role[slot.role] if p.means(slot, layer)), said
                )
            if slot.group not in strongest or said[0] > strongest[slot.group][0]:
                strongest[slot.group] = said
        return {name: strongest[slot.group] for name, slot in slots.items()}

    def schemes(self, slots: Mapping[str, Slot], layers: Layers) -> dict[str, Scheme]:
        """The scheme of every slot."""
        return {name: scheme for name, (_, scheme) in self.decisions(slots, layers).items()}

    @property
    def key(self) -> str:
        """Content hash of what decides schemes: equal keys are equal numbers."""
        said: dict[str, Any] = {"qviz_plan": 1, **_decisive(self)}  # 1: projects hold such keys
        asked = {tag for rule in self.rules for tag in parse_pattern(rule.pattern).selection.tags}
        tags = {name: sorted(asked & own) for name, own in self.tags.items() if asked & own}
        if tags:
            said["tags"] = tags
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def remarks(self) -> Remarks:
        """What a plan holds besides, and no number depends on: tags, notes and locks."""
        return self.tags, self.notes, self.locks


def override(plan: Plan, schemes: Mapping[str, Scheme]) -> Plan:
    """The plan with these slots set by hand."""
    return replace(plan, overrides={**plan.overrides, **schemes})


def without_overrides(plan: Plan, slots: Iterable[str]) -> Plan:
    """The plan with these slots back at what defaults and rules give."""
    dropped = set(slots)
    kept = {name: scheme for name, scheme in plan.overrides.items() if name not in dropped}
    return replace(plan, overrides=kept)


def _decisive(plan: Plan) -> dict[str, Any]:
    return {
        "defaults": {"weight": str(plan.weight), "input": str(plan.input)},
        "rules": [{"pattern": rule.pattern, "scheme": str(rule.scheme)} for rule in plan.rules],
        "overrides": {name: str(plan.overrides[name]) for name in sorted(plan.overrides)},
    }


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as readable JSON values, in a stable order."""
    data = {"qviz_plan": PLAN_VERSION, **_decisive(plan)}
    if plan.locks:
        data["locks"] = sorted(plan.locks)
    if plan.notes:
        data["notes"] = {name: plan.notes[name] for name in sorted(plan.notes)}
    if plan.tags:
        data["tags"] = {name: sorted(plan.tags[name]) for name in sorted(plan.tags)}
    return data


def from_json(data: object, subject: str) -> Plan:
    """Read a plan from JSON values, those of version 1, too.

    Raises:
        QvizError: not a plan, a newer version, or a spelling that is not understood.
    """
    cure = "Use a plan file that qviz saved"
    if not isinstance(data, dict) or "qviz_plan" not in data:
        raise QvizError(subject, "it is not a qviz plan", cure)
    version = data["qviz_plan"]
    if version not in (1, PLAN_VERSION):
        raise QvizError(
            subject,
            f"its plan version is {version!r} and this qviz reads 1 and {PLAN_VERSION}",
            "Open it with the qviz that saved it",
        )
    try:
        if version == 1:
            return _plan(_in_todays_words(data))
        _only(data, ("qviz_plan", "provenance", *_FIELDS), "the plan")
        return _plan(data)
    except QvizError as error:
        raise QvizError(subject, f"{error.subject}: {error.cause}", error.cure) from None
    except (AttributeError, KeyError, TypeError) as error:
        raise QvizError(subject, f"its fields are not those of a plan ({error})", cure) from None


def _in_todays_words(data: Mapping[str, Any]) -> dict[str, Any]:
    """Version 1 as version 2; what it did not know is left out, as it always was."""
    rules = [{**rule, "pattern": pattern_of_names(str(rule["pattern"]))} for rule in _rules(data)]
    kept = {name: data[name] for name in ("defaults", "overrides") if name in data}
    return {**kept, "rules": [{n: rule[n] for n in ("pattern", "scheme")} for rule in rules]}


def _rules(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(rule.items()) for rule in data.get("rules", [])]


def _only(data: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise QvizError(
            what,
            f"this qviz knows no field '{unknown[0]}' in it",
            "Open it with the qviz that saved it, or remove the field",
        )


def _plan(data: Mapping[str, Any]) -> Plan:
    defaults = data.get("defaults", {})
    unknown = sorted(set(defaults) - {"weight", "input"})
    if unknown:
        raise KeyError(f"defaults has no '{unknown[0]}', only 'weight' and 'input'")
    rules = _rules(data)
    for rule in rules:
        _only(rule, ("pattern", "scheme"), "a rule")
    overrides = data.get("overrides", {})
    tags = {str(name): _words(given, "tags") for name, given in data.get("tags", {}).items()}
    return Plan(
        weight=parse_scheme(str(defaults.get("weight", "float"))),
        input=parse_scheme(str(defaults.get("input", "float"))),
        rules=tuple(make_rule(str(rule["pattern"]), str(rule["scheme"])) for rule in rules),
        overrides={str(name): parse_scheme(str(text)) for name, text in overrides.items()},
        tags={name: own for name, own in tags.items() if own},
        notes={str(name): str(text) for name, text in data.get("notes", {}).items()},
        locks=_words(data.get("locks", []), "locks"),
    )


def _words(given: object, what: str) -> frozenset[str]:
    if not isinstance(given, list):
        raise TypeError(f"{what} are a list of names")
    return frozenset(str(word) for word in given)


def read_plan(path: Path) -> Plan:
    """Read a plan file.

    Raises:
        QvizError: no such file, not JSON, or not a plan.
    """
    return from_json(read_json(path, "Use a plan file that qviz saved"), path.name)


def write_plan(plan: Plan, path: Path, provenance: Mapping[str, Any]) -> None:
    """Write a plan file atomically; `provenance` names model, samples, seed and tool version."""
    write_json(path, {**to_json(plan), "provenance": dict(provenance)})


def check_plan(plan: Plan, slots: Mapping[str, Slot], layers: Layers) -> None:
    """Refuse names that the model does not have, with the nearest ones.

    A selector may match nothing, so that one plan serves several models.

    Raises:
        QvizError: a name or expression that matches nothing, or a scheme its slot cannot take.
    """
    facts = {index: plan.described(layer) for index, layer in layers.items()}
    for rule in plan.rules:
        check_rule(rule, slots, facts, may_be_idle=True)
    for name in plan.overrides:
        if name not in slots:
            raise nothing_matches(name, slots)
    names = {layer.name for layer in facts.values()}
    for name in (*plan.tags, *plan.notes, *sorted(plan.locks - set(slots))):
        if name not in names:
            raise nothing_matches(name, names, "layer")
    for name, scheme in plan.schemes(slots, facts).items():
        reason = why_not(scheme, slots[name])
        if reason:
            raise QvizError(name, reason, CURE)


def check_rule(
    rule: Rule, slots: Mapping[str, Slot], facts: Mapping[int, LayerFacts], *, may_be_idle: bool
) -> None:
    """Refuse a rule that matches no slot; of selectors only where they may not be idle.

    Raises:
        QvizError: it does not, or no slot of its role can take its scheme.
    """
    pattern = parse_pattern(rule.pattern)
    reason = "" if pattern.selection.named else why_not_for(rule.scheme, pattern.role)
    if reason:
        raise QvizError(rule.pattern, reason, CURE)
    if may_be_idle and not pattern.selection.named:
        return
    if any(pattern.means(slot, facts[slot.layer]) for slot in slots.values()):
        return
    if pattern.selection.operators:
        known = sorted({layer.op for layer in facts.values()} - {""})
        cure = f"The model's layers are of {', '.join(known)}"
        raise QvizError(f"pattern '{rule.pattern}'", "no slot of the model matches it", cure)
    raise nothing_matches(rule.pattern, slots)


def nothing_matches(pattern: str, known: Iterable[str], what: str = "slot") -> QvizError:
    """The error for a name that no slot or layer has, with the nearest of those known."""
    names = list(known)
    near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.5) or names[:3]
    cure = "Open a model with layers that can be quantized"
    if near:
        cure = f"Did you mean {', '.join(near)}?"
    return QvizError(f"pattern '{pattern}'", f"no {what} of the model matches it", cure)

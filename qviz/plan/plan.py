"""Plan: slot -> scheme for the whole model, as defaults, ordered rules and overrides."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from qviz.errors import QvizError
from qviz.model.slots import Role, Slot
from qviz.plan.json_file import read_json, write_json
from qviz.quant.scheme import FLOAT, Scheme
from qviz.quant.spelling import parse_scheme

PLAN_VERSION = 1
CURE = "Choose a scheme that fits: inputs take one scale per tensor, or an MX or NVFP4 format"
_SLOT = r"\.(?P<role>weight|input)(\.(?P<operand>[A-Z0-9]))?"
_PATTERN = re.compile(rf"(?P<name>.+){_SLOT}", re.DOTALL)
_SETTING = re.compile(rf"(?P<pattern>.+?{_SLOT})=(?P<scheme>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over slot names and the scheme it gives.

    The pattern is a layer name or `re:` and a regular expression that must match the whole
    layer name, followed by `.weight` or `.input`, and by `.R` or `.B` for a second operand alone.
    """

    pattern: str
    scheme: Scheme

    def matches(self, slot: Slot, layer_name: str) -> bool:
        """Whether the rule speaks of this slot."""
        name, role, operand = split_pattern(self.pattern)
        if role != slot.role or (operand and not slot.name.endswith(f".{role}.{operand}")):
            return False
        if name.startswith("re:"):
            return re.fullmatch(name[3:], layer_name) is not None
        return name == layer_name


@lru_cache(maxsize=4096)
def split_pattern(pattern: str) -> tuple[str, Role, str]:
    """`conv1.weight` -> ("conv1", "weight", ""); `lstm.weight.R` -> ("lstm", "weight", "R").

    Raises:
        QvizError: the pattern names no role, or its regular expression is malformed.
    """
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        raise QvizError(
            f"pattern '{pattern}'",
            "it does not say which slots it means",
            "End it with .weight or .input, for example conv1.weight or re:block.*.input",
        )
    name = found["name"]
    if name.startswith("re:"):
        try:
            re.compile(name[3:])
        except re.error as error:
            raise QvizError(
                f"pattern '{pattern}'",
                f"its regular expression is malformed ({error})",
                "Mend the expression after 're:'",
            ) from None
    return name, "weight" if found["role"] == "weight" else "input", found["operand"] or ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user edits, saves and diffs. Later rules win over earlier ones, overrides over all.

    `overrides` maps slot names to schemes; every slot of a sharing group carries the same.
    """

    weight: Scheme = FLOAT
    input: Scheme = FLOAT
    rules: tuple[Rule, ...] = ()
    overrides: Mapping[str, Scheme] = field(default_factory=dict)

    def decide(self, slot: Slot, layer_name: str) -> tuple[int, Scheme]:
        """What the plan says of one slot by itself, and how strongly: later words weigh more."""
        override = self.overrides.get(slot.name)
        if override is not None:
            return len(self.rules) + 1, override
        for rank, rule in reversed(list(enumerate(self.rules, 1))):
            if rule.matches(slot, layer_name):
                return rank, rule.scheme
        return 0, self.weight if slot.role == "weight" else self.input

    def schemes(
        self, slots: Mapping[str, Slot], layer_names: Mapping[int, str]
    ) -> dict[str, Scheme]:
        """The scheme of every slot. A sharing group has one: what is said most strongly of it."""
        strongest: dict[str, tuple[int, Scheme]] = {}
        for slot in slots.values():
            said = self.decide(slot, layer_names[slot.layer])
            if slot.group not in strongest or said[0] > strongest[slot.group][0]:
                strongest[slot.group] = said
        return {name: strongest[slot.group][1] for name, slot in slots.items()}

    @property
    def key(self) -> str:
        """Content hash of the plan."""
        return hashlib.sha256(json.dumps(to_json(self), sort_keys=True).encode()).hexdigest()


def override(plan: Plan, schemes: Mapping[str, Scheme]) -> Plan:
    """The plan with these slots set by hand."""
    return replace(plan, overrides={**plan.overrides, **schemes})


def without_overrides(plan: Plan, slots: Iterable[str]) -> Plan:
    """The plan with these slots back at what defaults and rules give."""
    dropped = set(slots)
    kept = {name: scheme for name, scheme in plan.overrides.items() if name not in dropped}
    return replace(plan, overrides=kept)


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as readable JSON values, in a stable order."""
    return {
        "qviz_plan": PLAN_VERSION,
        "defaults": {"weight": str(plan.weight), "input": str(plan.input)},
        "rules": [{"pattern": rule.pattern, "scheme": str(rule.scheme)} for rule in plan.rules],
        "overrides": {name: str(plan.overrides[name]) for name in sorted(plan.overrides)},
    }


def from_json(data: object, subject: str) -> Plan:
    """Read a plan from JSON values.

    Raises:
        QvizError: not a plan, a newer version, or a spelling that is not understood.
    """
    cure = "Use a plan file that qviz saved"
    if not isinstance(data, dict) or "qviz_plan" not in data:
        raise QvizError(subject, "it is not a qviz plan", cure)
    if data["qviz_plan"] != PLAN_VERSION:
        raise QvizError(
            subject,
            f"its plan version is {data['qviz_plan']!r} and this qviz reads {PLAN_VERSION}",
            "Open it with the qviz that saved it",
        )
    try:
        return _plan(data)
    except QvizError as error:
        raise QvizError(subject, f"{error.subject}: {error.cause}", error.cure) from None
    except (AttributeError, KeyError, TypeError) as error:
        raise QvizError(subject, f"its fields are not those of a plan ({error})", cure) from None


def _plan(data: Mapping[str, Any]) -> Plan:
    defaults = data.get("defaults", {})
    unknown = sorted(set(defaults) - {"weight", "input"})
    if unknown:
        raise KeyError(f"defaults has no '{unknown[0]}', only 'weight' and 'input'")
    overrides = data.get("overrides", {})
    return Plan(
        weight=parse_scheme(str(defaults.get("weight", "float"))),
        input=parse_scheme(str(defaults.get("input", "float"))),
        rules=tuple(_rule(str(r["pattern"]), str(r["scheme"])) for r in data.get("rules", [])),
        overrides={str(name): parse_scheme(str(text)) for name, text in overrides.items()},
    )


def _rule(pattern: str, spelling: str) -> Rule:
    split_pattern(pattern)
    return Rule(pattern, parse_scheme(spelling))


def parse_setting(text: str) -> Rule:
    """Read `PATTERN=SCHEME` as the command line writes it; a scheme may hold an `=` of its own."""
    found = _SETTING.fullmatch(text)
    if found is not None:
        return _rule(found["pattern"], found["scheme"])
    raise QvizError(
        f"setting '{text}'",
        "it is not PATTERN=SCHEME",
        "Write a layer name or re:PATTERN, .weight or .input, and a scheme: conv1.weight=int4",
    )


def read_plan(path: Path) -> Plan:
    """Read a plan file.

    Raises:
        QvizError: no such file, not JSON, or not a plan.
    """
    return from_json(read_json(path, "Use a plan file that qviz saved"), path.name)


def write_plan(plan: Plan, path: Path, provenance: Mapping[str, Any]) -> None:
    """Write a plan file atomically; `provenance` names model, samples, seed and tool version."""
    write_json(path, {**to_json(plan), "provenance": dict(provenance)})


def check_plan(plan: Plan, slots: Mapping[str, Slot], layer_names: Mapping[int, str]) -> None:
    """Refuse rules and overrides that speak of no slot of the model, with the nearest names.

    Raises:
        QvizError: a pattern that matches nothing, or a scheme its slot cannot take.
    """
    for rule in plan.rules:
        if not any(rule.matches(slot, layer_names[slot.layer]) for slot in slots.values()):
            raise _nothing_matches(rule.pattern, slots)
    for name in plan.overrides:
        if name not in slots:
            raise _nothing_matches(name, slots)
    for name, scheme in plan.schemes(slots, layer_names).items():
        reason = why_not(scheme, slots[name])
        if reason:
            raise QvizError(name, reason, CURE)


def _nothing_matches(pattern: str, slots: Mapping[str, Slot]) -> QvizError:
    near = difflib.get_close_matches(pattern, list(slots), n=3, cutoff=0.5) or list(slots)[:3]
    cure = "Open a model with layers that can be quantized"
    if near:
        cure = f"Did you mean {', '.join(near)}?"
    return QvizError(f"pattern '{pattern}'", "no slot of the model matches it", cure)


def why_not(scheme: Scheme, slot: Slot) -> str:
    """Why a slot cannot take a scheme; "" when it can."""
    return why_not_for(scheme, slot.role)


def why_not_for(scheme: Scheme, role: Role) -> str:
    """Why a slot of a role cannot take a scheme; "" when it can."""
    row = scheme.row
    if role not in row.roles:
        return f"{row.name} is for {row.roles[0]}s only"
    if role == "weight":
        return ""
    if scheme.granularity == "channel":
        return (
            "each sum of a layer runs over all input channels and can be scaled only once, so "
            "inputs are quantized per tensor"
        )
    if scheme.granularity == "group" and row.granularities != ("group",):
        return (
            "the scales of groups must be known before the model runs, so only formats whose "
            "blocks are scaled as they come (MX, NVFP4) have them for inputs"
        )
    if scheme.rounding == "stochastic":
        return "a draw for every activation would change the result with the batch size"
    return ""

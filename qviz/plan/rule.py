"""Rules: a pattern over the slots of a model, and the scheme it gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from qviz.errors import QvizError
from qviz.model.slots import Role, Slot
from qviz.plan.layer_facts import LayerFacts
from qviz.plan.selector import Selection, is_selector, layer_named, parse_selection
from qviz.quant.scheme import Scheme
from qviz.quant.spelling import parse_scheme

_SLOT = r"\.(?P<role>weight|input)(\.(?P<operand>[A-Z0-9]))?"
_PATTERN = re.compile(rf"(?P<name>.+){_SLOT}", re.DOTALL)
_SETTING = re.compile(rf"(?P<pattern>.+?{_SLOT})=(?P<scheme>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over slots and the scheme it gives.

    The pattern is a layer name, or terms such as `op:Conv&params<100k` (`qviz.plan.selector`),
    followed by `.weight` or `.input`, and by `.R` or `.B` for a second operand alone.
    """

    pattern: str
    scheme: Scheme

    def matches(self, slot: Slot, layer: LayerFacts | str) -> bool:
        """Whether the rule speaks of this slot of a layer; of a bare name only by the name."""
        facts = LayerFacts(layer) if isinstance(layer, str) else layer
        return parse_pattern(self.pattern).means(slot, facts)


@dataclass(frozen=True, eq=False, slots=True)
class Pattern:
    """A pattern in its parts."""

    selection: Selection
    role: Role
    operand: str  # "" for all of the role

    def means(self, slot: Slot, layer: LayerFacts) -> bool:
        """Whether it speaks of this slot of a layer."""
        if slot.role != self.role:
            return False
        for test in self.selection.tests:  # all() takes twice the time, and this runs at each edit
            if not test(layer, self.role):
                return False
        return not self.operand or slot.name.endswith(f".{self.role}.{self.operand}")


@lru_cache(maxsize=4096)
def parse_pattern(pattern: str) -> Pattern:
    """A pattern in its parts.

    Raises:
        QvizError: the pattern names no role, or a selector in it is not understood.
    """
    name, role, operand = split_pattern(pattern)
    return Pattern(parse_selection(name, pattern), role, operand)


@lru_cache(maxsize=4096)
def split_pattern(pattern: str) -> tuple[str, Role, str]:
    """`conv1.weight` -> ("conv1", "weight", ""); `lstm.weight.R` -> ("lstm", "weight", "R").

    Raises:
        QvizError: the pattern names no role, or a selector in it is not understood.
    """
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        raise QvizError(
            f"pattern '{pattern}'",
            "it does not say which slots it means",
            "End it with .weight or .input, for example conv1.weight or re:block.*.input",
        )
    parse_selection(found["name"], pattern)
    role: Role = "weight" if found["role"] == "weight" else "input"
    return found["name"], role, found["operand"] or ""


def pattern_of_layer(name: str, role: Role) -> str:
    """The pattern of all slots of a role of one layer, whatever its name looks like."""
    return f"{layer_named(name)}.{role}"


def pattern_of_names(pattern: str) -> str:
    """A pattern of plan version 1, which knew names and `re:` alone, in today's words."""
    return f"name:{pattern}" if is_selector(pattern) and pattern[:3] != "re:" else pattern


def make_rule(pattern: str, spelling: str) -> Rule:
    """A rule from its two texts; raises QvizError where one is not understood."""
    split_pattern(pattern)
    return Rule(pattern, parse_scheme(spelling))


def parse_setting(text: str) -> Rule:
    """Read `PATTERN=SCHEME` as the command line writes it; a scheme may hold an `=` of its own."""
    found = _SETTING.fullmatch(text)
    if found is not None:
        return make_rule(found["pattern"], found["scheme"])
    raise QvizError(
        f"setting '{text}'",
        "it is not PATTERN=SCHEME",
        "Write a layer name or re:PATTERN, .weight or .input, and a scheme: conv1.weight=int4",
    )

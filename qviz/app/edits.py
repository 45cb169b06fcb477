"""Edits: Plan -> Plan, one function per thing a user can decide of slots and layers.

Sharing groups move together. Locked slots are passed by; where there are no others it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from qviz.app.rule_edits import add_rule as add_rule
from qviz.app.rule_edits import checked
from qviz.app.scheme_edits import widened, with_field
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.layer_facts import layer_facts
from qviz.plan.locks import unlocked
from qviz.plan.plan import CURE, Plan, nothing_matches, override, why_not, without_overrides
from qviz.plan.resolve import schemes
from qviz.plan.selector import FORBIDDEN
from qviz.plan.stored import back_to_stored, check_stored
from qviz.quant.formats import FORMATS
from qviz.quant.scheme import Scheme
from qviz.quant.spelling import parse_scheme


def with_group(model: Model, slots: Sequence[str]) -> list[str]:
    """The slots and all that must share a quantizer with one of them.

    Raises:
        QvizError: a name that is no slot of the model.
    """
    for name in slots:
        if name not in model.slots:
            raise QvizError(f"slot '{name}'", "the model has no such slot", "Choose a listed layer")
    groups = {model.slots[name].group for name in slots}
    return [name for name, slot in model.slots.items() if slot.group in groups]


def change_schemes(
    model: Model, plan: Plan, slots: Sequence[str], change: Callable[[str, Scheme], Scheme]
) -> Plan:
    """The plan with `change(slot, scheme)` applied to each slot and its sharing group.

    Raises:
        QvizError: a scheme that a slot cannot take, or locks on all of the slots.
    """
    present = schemes(model, plan)
    changed: dict[str, Scheme] = {}
    for name in unlocked(model, plan, with_group(model, slots)):
        scheme = change(name, present[name])
        reason = why_not(scheme, model.slots[name])
        if reason:
            raise QvizError(name, reason, CURE)
        changed[name] = scheme
    check_stored(model, changed)
    return override(plan, changed)


def set_scheme(model: Model, plan: Plan, slots: Sequence[str], spelling: str) -> Plan:
    """Give slots one scheme by its spelling."""
    scheme = parse_scheme(spelling)
    return change_schemes(model, plan, slots, lambda _name, _old: scheme)


def set_bits(model: Model, plan: Plan, slots: Sequence[str], bits: int) -> Plan:
    """Change the width and keep the rest of each scheme; 0 bits means float."""
    if bits == 0:
        return set_scheme(model, plan, slots, "float")
    if f"int{bits}" not in FORMATS:
        raise QvizError(f"{bits} bits", "integers have 1 to 16 bits", "Choose 1 to 16, or 0: float")
    return change_schemes(
        model, plan, slots, lambda name, old: widened(old, model.slots[name].role, bits)
    )


def set_field(model: Model, plan: Plan, slots: Sequence[str], field: str, value: str) -> Plan:
    """Change one field of each scheme, as the Inspector's form names it.

    Raises:
        QvizError: an unknown field or a value that the field does not take.
    """
    if field == "clip":
        _check_ends(value)
    return change_schemes(
        model, plan, slots, lambda name, old: with_field(old, model.slots[name].role, field, value)
    )


def _check_ends(value: str) -> None:
    low, _, high = value.partition("..")
    try:
        ordered = float(low) < float(high)
    except ValueError:
        ordered = False
    if not ordered:
        raise QvizError(
            f"range {low} … {high}",
            "its low end does not lie below its high end",
            "Give two numbers with zero between them",
        )


def set_clip(model: Model, plan: Plan, slots: Sequence[str], low: float, high: float) -> Plan:
    """Set the range by hand; it is widened to contain zero."""
    return set_field(model, plan, slots, "clip", f"{min(low, 0.0)!r}..{max(high, 0.0)!r}")


def reset(model: Model, plan: Plan, slots: Sequence[str]) -> Plan:
    """Slots back at what the plan's defaults and rules give, or else the quantized file."""
    names = unlocked(model, plan, with_group(model, slots))
    back, facts = without_overrides(plan, names), layer_facts(model)
    decided = back.decisions(model.slots, facts)
    return back_to_stored(model, back, [name for name in names if decided[name][0] == 0])


def set_note(model: Model, plan: Plan, layer: str, text: str) -> Plan:
    """The plan with a note on a layer; an empty one is none.

    Raises:
        QvizError: the model has no such layer.
    """
    _check_layers(model, [layer])
    kept = {name: note for name, note in plan.notes.items() if name != layer}
    return replace(plan, notes={**kept, layer: text} if text.strip() else kept)


def set_tags(model: Model, plan: Plan, layers: Sequence[str], tags: Sequence[str]) -> Plan:
    """The plan with these tags on each of the layers, in place of those it had.

    Rules that ask for tags follow; locked slots stay as they are.

    Raises:
        QvizError: an unknown layer, a tag that no rule could name, or a scheme that a slot cannot
            take.
    """
    _check_layers(model, layers)
    given = frozenset(tag.strip() for tag in tags)
    for tag in sorted(given):
        if not tag or any(sign in tag for sign in FORBIDDEN):
            cause = "a tag is a word without | and &, which rules join words with"
            raise QvizError(f"tag '{tag}'", cause, "Choose another word")
    kept = {name: own for name, own in plan.tags.items() if name not in layers}
    if given:
        kept |= dict.fromkeys(layers, given)
    return checked(model, plan, replace(plan, tags=kept))


def _check_layers(model: Model, layers: Sequence[str]) -> None:
    known = [layer.name for layer in model.layers]
    for name in layers:
        if name not in known:
            raise nothing_matches(name, known, "layer")

"""Edits: Plan -> Plan, one function per thing a user can decide. Sharing groups move together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from qviz.app.scheme_edits import widened, with_field
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.plan import CURE, Plan, Rule, check_plan, override, why_not, without_overrides
from qviz.plan.resolve import schemes
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
        QvizError: a scheme that a slot cannot take.
    """
    present = schemes(model, plan)
    changed: dict[str, Scheme] = {}
    for name in with_group(model, slots):
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
    names = with_group(model, slots)
    return back_to_stored(model, without_overrides(plan, names), names)


def add_rule(model: Model, plan: Plan, rule: Rule) -> Plan:
    """A rule at the end, where it wins over earlier ones; overrides it speaks of are dropped.

    Raises:
        QvizError: the pattern matches no slot, or a slot cannot take the scheme.
    """
    matched = [
        name
        for name, slot in model.slots.items()
        if rule.matches(slot, model.layers[slot.layer].name)
    ]
    cleared = without_overrides(plan, with_group(model, matched))
    changed = replace(cleared, rules=(*plan.rules, rule))
    check_plan(changed, model.slots, {layer.index: layer.name for layer in model.layers})
    check_stored(model, schemes(model, changed))
    return changed

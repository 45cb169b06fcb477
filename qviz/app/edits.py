"""Edits: Plan -> Plan, one function per thing a user can decide. Sharing groups move together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.plan import Plan, Rule, check_plan, override, why_not, without_overrides
from qviz.plan.resolve import schemes
from qviz.quant.scheme import FORMATS, Scheme, integer, parse_scheme

PRESETS: dict[str, tuple[str, str]] = {
    "W8A8 per-tensor": ("int8", "uint8"),
    "W8A8 per-channel": ("int8:channel", "uint8"),
    "W4A8 per-channel": ("int4:channel", "uint8"),
    "W8 weights only": ("int8:channel", "float"),
    "W4 weights only": ("int4:channel", "float"),
    "Float": ("float", "float"),
}


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
            raise QvizError(name, reason, "Choose tensor granularity")
        changed[name] = scheme
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
        raise QvizError(f"{bits} bits", "integers have 2 to 16 bits", "Choose 2 to 16, or 0: float")

    def widened(name: str, old: Scheme) -> Scheme:
        if old.is_float:
            return _fresh(model, name, bits)
        return replace(old, format=f"{'int' if old.signed else 'uint'}{bits}")

    return change_schemes(model, plan, slots, widened)


def _fresh(model: Model, slot: str, bits: int) -> Scheme:
    """What a float slot becomes when it is given a width."""
    if model.slots[slot].role == "weight":
        return integer(f"int{bits}", "channel")
    return integer(f"uint{bits}")


def set_field(model: Model, plan: Plan, slots: Sequence[str], field: str, value: str) -> Plan:
    """Change one field of each scheme, as the Inspector's form names it.

    Raises:
        QvizError: an unknown field or a value that the field does not take.
    """
    if field == "bits":
        return set_bits(model, plan, slots, int(value))
    if field == "format" and value == "float":
        return set_scheme(model, plan, slots, "float")

    def changed(name: str, old: Scheme) -> Scheme:
        return parse_scheme(
            _respelled(_fresh(model, name, 8) if old.is_float else old, field, value)
        )

    return change_schemes(model, plan, slots, changed)


def _respelled(scheme: Scheme, field: str, value: str) -> str:
    """A scheme's explicit spelling with one field replaced."""
    fields = {
        "format": scheme.format,
        "symmetry": "sym" if scheme.symmetric else "asym",
        "code_range": "narrow" if scheme.narrow else "full",
        "granularity": scheme.granularity,
        "range": _range_words(scheme),
    }
    if field == "format":  # symmetry and code range follow the sign's own defaults
        fields["format"] = f"{value}{scheme.bits}"
        fields["symmetry"] = fields["code_range"] = ""
    elif field == "symmetry":
        fields["symmetry"], fields["code_range"] = value, ""
    elif field in ("percentile", "clip"):
        fields["range"] = f"{field}={value}"
    elif field in fields:
        fields[field] = value
    else:
        raise QvizError(f"field '{field}'", "a scheme has no such field", "Use the form's fields")
    return ":".join(word for word in fields.values() if word)


def _range_words(scheme: Scheme) -> str:
    if scheme.range == "clip" and scheme.clip is not None:
        return f"clip={scheme.clip[0]!r}..{scheme.clip[1]!r}"
    if scheme.range == "percentile":
        return f"percentile={scheme.percentile!r}"
    return scheme.range


def set_clip(model: Model, plan: Plan, slots: Sequence[str], low: float, high: float) -> Plan:
    """Set the range by hand; it is widened to contain zero."""
    return set_field(model, plan, slots, "clip", _clip_words(low, high))


def clipped(scheme: Scheme, low: float, high: float) -> Scheme:
    """An integer scheme with its range set by hand, widened to contain zero."""
    return parse_scheme(_respelled(scheme, "clip", _clip_words(low, high)))


def _clip_words(low: float, high: float) -> str:
    return f"{min(low, 0.0)!r}..{max(high, 0.0)!r}"


def reset(model: Model, plan: Plan, slots: Sequence[str]) -> Plan:
    """Slots back at what the plan's defaults and rules give."""
    return without_overrides(plan, with_group(model, slots))


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
    return changed


def apply_preset(name: str) -> Plan:
    """A plan of two defaults and nothing else."""
    weight, inputs = PRESETS[name]
    return Plan(weight=parse_scheme(weight), input=parse_scheme(inputs))

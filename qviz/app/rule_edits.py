"""Rule edits: Plan -> Plan, one function per thing a user can do to the list of rules.

Locked slots keep their schemes, as overrides where the rules would now give others.
"""

from __future__ import annotations

from dataclasses import replace

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.layer_facts import layer_facts
from qviz.plan.locks import hold_locks, locked, locked_slots
from qviz.plan.plan import Plan, Rule, check_plan, check_rule, without_overrides
from qviz.plan.resolve import schemes
from qviz.plan.stored import check_stored


def matched_slots(model: Model, plan: Plan, rule: Rule) -> list[str]:
    """The slots that a rule speaks of and all that share a quantizer with one of them."""
    facts = {index: plan.described(layer) for index, layer in layer_facts(model).items()}
    slots = model.slots.values()
    groups = {slot.group for slot in slots if rule.matches(slot, facts[slot.layer])}
    return [slot.name for slot in slots if slot.group in groups]


def add_rule(model: Model, plan: Plan, rule: Rule) -> Plan:
    """A rule at the end, where it wins over earlier ones; overrides it speaks of are dropped.

    Raises:
        QvizError: the pattern matches no slot or only locked ones, or a slot cannot take the
            scheme.
    """
    matched = _checked_rule(model, plan, rule)
    cleared = without_overrides(plan, matched)
    return checked(model, plan, replace(cleared, rules=(*plan.rules, rule)))


def replace_rule(model: Model, plan: Plan, index: int, rule: Rule) -> Plan:
    """Another rule in the place of one, which is counted from 0; overrides stay.

    Raises:
        QvizError: as `add_rule`, or there is no such place.
    """
    _check_place(plan, index)
    if rule == plan.rules[index]:
        return plan
    _checked_rule(model, plan, rule)
    rules = (*plan.rules[:index], rule, *plan.rules[index + 1 :])
    return checked(model, plan, replace(plan, rules=rules))


def move_rule(model: Model, plan: Plan, index: int, to: int) -> Plan:
    """A rule at another place, counted from 0 without it; later ones win.

    Raises:
        QvizError: there is no such place, or a scheme that a slot cannot take.
    """
    _check_place(plan, index)
    _check_place(plan, to)
    rules = list(plan.rules)
    rules.insert(to, rules.pop(index))
    return checked(model, plan, replace(plan, rules=tuple(rules)))


def remove_rule(model: Model, plan: Plan, index: int) -> Plan:
    """Without a rule, counted from 0.

    Raises:
        QvizError: there is no such rule, or a scheme that a slot cannot take.
    """
    _check_place(plan, index)
    return checked(model, plan, replace(plan, rules=plan.rules[:index] + plan.rules[index + 1 :]))


def checked(model: Model, before: Plan, after: Plan) -> Plan:
    """The plan after an edit, with locked slots as before it.

    Raises:
        QvizError: it does not fit the model.
    """
    held, _ = hold_locks(model, before, after)
    check_plan(held, model.slots, layer_facts(model))
    check_stored(model, schemes(model, held))
    return held


def _checked_rule(model: Model, plan: Plan, rule: Rule) -> list[str]:
    facts = {index: plan.described(layer) for index, layer in layer_facts(model).items()}
    check_rule(rule, model.slots, facts, may_be_idle=False)
    matched, held = matched_slots(model, plan, rule), locked_slots(model, plan)
    if matched and all(name in held for name in matched):
        raise locked(matched[0], held[matched[0]])
    return matched


def _check_place(plan: Plan, index: int) -> None:
    if not 0 <= index < len(plan.rules):
        cause = f"the plan has no such one among its {len(plan.rules)}, counted from 0"
        raise QvizError(f"rule {index}", cause, "Choose one of the plan's rules")

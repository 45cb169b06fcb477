"""Rules view: what the window shows of a plan's rules, frozen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from qviz.model.model import Model
from qviz.plan.diff import decided_by
from qviz.plan.layer_facts import layer_facts
from qviz.plan.locks import locked_slots
from qviz.plan.plan import Plan
from qviz.plan.rule import parse_pattern


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule: what it says, of which slots, and what becomes of that."""

    index: int  # from 0; later ones win
    pattern: str
    scheme: str
    slots: tuple[str, ...]  # that it matches
    decides: int  # how many of them it decides
    words: str  # the same in a sentence, with what wins over it


@dataclass(frozen=True, slots=True)
class RulesView:
    """The defaults, the rules, and how many slots overrides and locks speak of."""

    weight: str = "float"
    input: str = "float"
    rules: tuple[RuleView, ...] = ()
    overrides: int = 0
    locked: int = 0


def rules_view(model: Model, plan: Plan) -> RulesView:
    """The rules of a plan over the slots of a model."""
    facts = {index: plan.described(layer) for index, layer in layer_facts(model).items()}
    decided = plan.decisions(model.slots, facts)
    views = []
    for index, rule in enumerate(plan.rules):
        pattern = parse_pattern(rule.pattern)
        slots = tuple(s.name for s in model.slots.values() if pattern.means(s, facts[s.layer]))
        ranks = Counter(decided[name][0] for name in slots)
        views.append(
            RuleView(
                index,
                rule.pattern,
                str(rule.scheme),
                slots,
                ranks[index + 1],
                _words(plan, index + 1, ranks),
            )
        )
    overrides = sum(name in plan.overrides for name in model.slots)
    locked = len(locked_slots(model, plan))
    return RulesView(str(plan.weight), str(plan.input), tuple(views), overrides, locked)


def _words(plan: Plan, rank: int, ranks: Counter[int]) -> str:
    matched, own = sum(ranks.values()), ranks[rank]
    if not matched:
        return "Matches no slot of this model"
    all_slots = "the slot that it matches" if matched == 1 else f"all {matched} slots it matches"
    if own == matched:
        return f"Decides {all_slots}"
    others = [
        f"{_winner(plan, other)} ({count})"
        for other, count in sorted(ranks.items(), reverse=True)
        if other != rank and count
    ]
    won = f"{_listed(others)} {'wins' if len(others) == 1 else 'win'}"
    if own:
        return f"Decides {own} of the {matched} slots it matches: {won} over the others"
    return f"Shadowed, decides no slot: {won} over {all_slots}"


def _winner(plan: Plan, rank: int) -> str:
    return "an override" if rank > len(plan.rules) else decided_by(plan, rank)


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)

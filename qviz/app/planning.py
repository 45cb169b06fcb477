"""Planning: rules, locks, notes, tags and branches of the open plan; each change one undo step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from qviz.app import edits, rule_edits
from qviz.app.exporting import Exporting
from qviz.app.history import Moment
from qviz.app.rules_view import RulesView, rules_view
from qviz.app.views import DocumentView, Message
from qviz.model.model import Model
from qviz.plan import branches as branching
from qviz.plan import locks
from qviz.plan.branches import Branches
from qviz.plan.diff import Difference, diff
from qviz.plan.plan import Plan, Rule
from qviz.plan.resolve import schemes
from qviz.plan.rule import make_rule
from qviz.quant.scheme import Scheme


@dataclass(frozen=True, slots=True)
class BranchView:
    """One branch for a list: its name and how far its plan lies from the open one."""

    name: str
    current: bool
    differs: int  # slots that have another scheme in it


class Planning(Exporting):
    """Changes the plan. Use `Session`."""

    def document(self) -> DocumentView:
        """What is open, for the title, the header and the actions."""
        view = super().document()
        return replace(view, modified=view.modified or self._document.remarked)

    def rules(self) -> RulesView:
        """The plan's rules in words: which slots each matches, and who decides them."""
        model = self._document.model
        return RulesView() if model is None else rules_view(model, self._document.plan)

    def add_rule(self, rule: Rule) -> None:
        """Add a rule that wins over earlier ones.

        Raises:
            QvizError: it matches no slot or only locked ones, or a slot cannot take its scheme.
        """
        model, before = self._require_model(), self._document.plan
        plan = rule_edits.add_rule(model, before, rule)
        self._apply(f"set {rule.pattern} to {rule.scheme}", plan)
        self._say_locked(rule_edits.matched_slots(model, before, rule), before)

    def replace_rule(self, index: int, pattern: str, spelling: str) -> None:
        """Put another rule in the place of one, counted from 0; QvizError as `add_rule`."""
        model, before = self._require_model(), self._document.plan
        rule = make_rule(pattern, spelling)
        plan = rule_edits.replace_rule(model, before, index, rule)
        self._apply(f"change rule {index + 1} to {pattern}={rule.scheme}", plan)
        self._say_locked(rule_edits.matched_slots(model, before, rule), before)

    def move_rule(self, index: int, to: int) -> None:
        """Move a rule to another place, counted from 0; later rules win."""
        model, before = self._require_model(), self._document.plan
        plan = rule_edits.move_rule(model, before, index, to)
        self._apply(f"move rule {index + 1} to {to + 1}", plan)
        self._say_locked(rule_edits.matched_slots(model, before, before.rules[index]), before)

    def remove_rule(self, index: int) -> None:
        """Remove a rule, counted from 0."""
        model, before = self._require_model(), self._document.plan
        plan = rule_edits.remove_rule(model, before, index)
        rule = before.rules[index]
        self._apply(f"remove rule {index + 1}, {rule.pattern}", plan)
        self._say_locked(rule_edits.matched_slots(model, before, rule), before)

    def lock(self, names: Sequence[str]) -> None:
        """Lock slots or layers: they keep their schemes until they are unlocked."""
        plan = locks.lock(self._require_model(), self._document.plan, names)
        self._apply(f"lock {listed(names, 'layers and slots')}", plan)

    def unlock(self, names: Sequence[str]) -> None:
        """Unlock slots or layers; QvizError for a slot that its layer's lock holds."""
        plan = locks.unlock(self._require_model(), self._document.plan, names)
        self._apply(f"unlock {listed(names, 'layers and slots')}", plan)

    def locked(self) -> Mapping[str, str]:
        """Every locked slot, and the lock that holds it."""
        model = self._document.model
        return {} if model is None else locks.locked_slots(model, self._document.plan)

    def set_note(self, layer: str, text: str) -> None:
        """Write a note on a layer; an empty text removes it."""
        plan = edits.set_note(self._require_model(), self._document.plan, layer, text)
        self._apply(f"note on {layer}", plan)

    def set_tags(self, layers: Sequence[str], tags: Sequence[str]) -> None:
        """Give layers tags in place of those they had; rules with `tag:` follow."""
        plan = edits.set_tags(self._require_model(), self._document.plan, layers, tags)
        self._apply(f"tags of {listed(layers, 'layers')}", plan)

    def branches(self) -> tuple[BranchView, ...]:
        """The branches in the order in which they were made."""
        model, document = self._document.model, self._document
        if model is None:
            return ()
        present = self._schemes()
        return tuple(
            BranchView(
                branch.name,
                branch.plan is None,
                0 if branch.plan is None else _apart(model, branch.plan, present),
            )
            for branch in document.branches.every
        )

    def create_branch(self, name: str) -> None:
        """Go on from the present plan in a new branch; the old one keeps it as it is."""
        self._require_model()
        document = self._document
        made = branching.create(document.branches, document.plan, name)
        self._apply(f"new branch {name}", document.plan, made)

    def switch_branch(self, name: str) -> None:
        """Open another branch's plan; the present one stays in its own branch."""
        self._require_model()
        made, plan = branching.switch(self._document.branches, self._document.plan, name)
        self._apply(f"switch to branch {name}", plan, made)

    def rename_branch(self, old: str, new: str) -> None:
        """Give a branch another name."""
        made = branching.rename(self._document.branches, old, new)
        self._apply(f"rename branch {old} to {new}", self._document.plan, made)

    def delete_branch(self, name: str) -> None:
        """Delete a branch and its plan; not the one that is open."""
        made = branching.delete(self._document.branches, name)
        self._apply(f"delete branch {name}", self._document.plan, made)

    def differences(self, branch: str) -> tuple[Difference, ...]:
        """What the open plan (a) and a branch's (b) say otherwise, word by word and by slot."""
        document = self._document
        other = document.branches.plan_of(branch, document.plan)
        return diff(document.plan, other, document.model)

    def undo(self) -> None:
        """Back to the plan before the last edit; its number is known, nothing is recomputed."""
        self._show(self._history.undo(self._moment()))

    def redo(self) -> None:
        """Forward again."""
        self._show(self._history.redo(self._moment()))

    def _edit(
        self, label: str, edit: Callable[..., Plan], slots: Sequence[str], *arguments: object
    ) -> None:
        model, before = self._require_model(), self._document.plan
        self._apply(label, edit(model, before, slots, *arguments))
        self._say_locked(slots, before)

    def _apply(self, label: str, plan: Plan, branches: Branches | None = None) -> None:
        moment = Moment(plan, branches or self._document.branches)
        if (plan, moment.branches) == (self._document.plan, self._document.branches):
            return
        self._history.edited(label, self._moment())
        self._show(moment)

    def _held(self, after: Plan) -> Plan:
        """A plan in place of the present one with its locks, and a message about them."""
        model, before = self._require_model(), self._document.plan
        kept = replace(after, tags=before.tags, notes=before.notes, locks=before.locks)
        held, back = locks.hold_locks(model, before, kept)
        self._say_locked(back, before)
        return held

    def _moment(self) -> Moment:
        return Moment(self._document.plan, self._document.branches)

    def _show(self, moment: Moment | None) -> None:
        if moment is None:
            return
        same = moment.plan.key == self._document.plan.key
        self._document = replace(self._document, plan=moment.plan, branches=moment.branches)
        if same:  # notes and the like: every number stays
            self._changed("document", "rows")
            return
        self._changed("document", "rows", "distribution", "strip")
        self._evaluate()

    def _say_locked(self, slots: Sequence[str], before: Plan) -> None:
        held = locks.locked_slots(self._require_model(), before)
        left = [name for name in slots if name in held]
        if left:
            more = f" and {len(left) - 1} more" if left[1:] else ""
            are = "are locked and stay" if left[1:] else "is locked and stays"
            cure = f"Unlock {held[left[0]]} to change it"
            self._say(Message("info", f"{left[0]}{more} {are} as before. {cure}"))


def listed(names: Sequence[str], what: str = "slots") -> str:
    """One name, or how many there are."""
    return names[0] if len(names) == 1 else f"{len(names)} {what}"


def _apart(model: Model, plan: Plan, present: Mapping[str, Scheme]) -> int:
    """How many slots have another scheme in the plan."""
    return sum(scheme != present[name] for name, scheme in schemes(model, plan).items())

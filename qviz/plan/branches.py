"""Branches: plans kept side by side under names, one of which is the plan that is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from qviz.errors import QvizError
from qviz.plan.plan import Plan, from_json, to_json

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Branch:
    """A plan under a name."""

    name: str
    plan: Plan | None = None  # None for the current branch: the plan that is open
    base: str = ""  # key of the plan that it was made from; "" for the first


@dataclass(frozen=True, slots=True)
class Branches:
    """All branches in the order in which they were made, and the current one's name."""

    current: str = MAIN
    every: tuple[Branch, ...] = (Branch(MAIN),)

    def plan_of(self, name: str, present: Plan) -> Plan:
        """A branch's plan, where `present` is the one that is open; QvizError for no branch."""
        plan = self.every[_place(self, name)].plan
        return present if plan is None else plan


ONE_BRANCH = Branches()


def create(branches: Branches, present: Plan, name: str) -> Branches:
    """A new branch from the present plan, which becomes the current one; the old one keeps it.

    Raises:
        QvizError: an empty name, or one that there is.
    """
    _check_new(branches, name)
    kept = _with_present(branches, present)
    return Branches(name, (*kept, Branch(name, None, present.key)))


def switch(branches: Branches, present: Plan, name: str) -> tuple[Branches, Plan]:
    """Another branch as the current one, and its plan; the old one keeps the present plan.

    Raises:
        QvizError: there is no such branch.
    """
    plan = branches.plan_of(name, present)
    kept = _with_present(branches, present)
    return Branches(name, tuple(replace(b, plan=None) if b.name == name else b for b in kept)), plan


def rename(branches: Branches, old: str, new: str) -> Branches:
    """A branch under another name.

    Raises:
        QvizError: there is no such branch, or another one has the new name.
    """
    place = _place(branches, old)
    if old == new:
        return branches
    _check_new(branches, new)
    every = list(branches.every)
    every[place] = replace(every[place], name=new)
    return Branches(new if branches.current == old else branches.current, tuple(every))


def delete(branches: Branches, name: str) -> Branches:
    """Without a branch.

    Raises:
        QvizError: there is no such branch, or it is the current one.
    """
    place = _place(branches, name)
    if name == branches.current:
        cause, cure = "it is the branch that is open", "Switch to another branch first"
        raise QvizError(f"branch '{name}'", cause, cure)
    return replace(branches, every=branches.every[:place] + branches.every[place + 1 :])


def _with_present(branches: Branches, present: Plan) -> tuple[Branch, ...]:
    return tuple(replace(b, plan=present) if b.plan is None else b for b in branches.every)


def _place(branches: Branches, name: str) -> int:
    names = [branch.name for branch in branches.every]
    if name not in names:
        cure = f"Choose one of {', '.join(names)}"
        raise QvizError(f"branch '{name}'", "there is no such branch", cure)
    return names.index(name)


def _check_new(branches: Branches, name: str) -> None:
    if not name.strip():
        raise QvizError("branch", "it has no name", "Give it a name")
    if name in (branch.name for branch in branches.every):
        raise QvizError(f"branch '{name}'", "there is one already", "Choose another name")


def branches_to_json(branches: Branches) -> list[dict[str, Any]]:
    """The branches as JSON values; the current one without a plan, which is the project's own."""
    return [
        {"name": b.name, "base": b.base, **({} if b.plan is None else {"plan": to_json(b.plan)})}
        for b in branches.every
    ]


def branches_from_json(data: Iterable[Mapping[str, Any]], subject: str) -> Branches:
    """Read what `branches_to_json` gave.

    Raises:
        QvizError: a plan that is none, two branches of one name, not one that is current.
        KeyError, TypeError, AttributeError: other fields than those of branches.
    """
    every = tuple(
        Branch(
            str(held["name"]),
            from_json(held["plan"], subject) if "plan" in held else None,
            str(held["base"]),
        )
        for held in data
    )
    current = [branch.name for branch in every if branch.plan is None]
    if len(current) != 1 or len({branch.name for branch in every}) < len(every):
        cause = "its branches are not one that is open and others, each with a name of its own"
        raise QvizError(subject, cause, "Open a project that qviz saved")
    return Branches(current[0], every)

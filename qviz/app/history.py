"""History: the plans before each edit. Undo is the previous plan, its number still known."""

from __future__ import annotations

from dataclasses import dataclass

from qviz.plan.branches import Branches
from qviz.plan.plan import Plan


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """What an edit can change: the plan, and the branches beside it."""

    plan: Plan
    branches: Branches


class History:
    """Undo and redo lists of (what the edit did, the moment on the other side of it)."""

    def __init__(self) -> None:
        """Nothing to undo."""
        self._undo: list[tuple[str, Moment]] = []
        self._redo: list[tuple[str, Moment]] = []

    @property
    def undo_text(self) -> str:
        """What undo would take back; "" for nothing."""
        return self._undo[-1][0] if self._undo else ""

    @property
    def redo_text(self) -> str:
        """What redo would bring back; "" for nothing."""
        return self._redo[-1][0] if self._redo else ""

    def edited(self, label: str, before: Moment) -> None:
        """Remember the moment before an edit."""
        self._undo.append((label, before))
        self._redo.clear()

    def undo(self, present: Moment) -> Moment | None:
        """The moment before the last edit, or None."""
        return _travel(self._undo, self._redo, present)

    def redo(self, present: Moment) -> Moment | None:
        """The moment after the edit last undone, or None."""
        return _travel(self._redo, self._undo, present)


def _travel(
    source: list[tuple[str, Moment]], target: list[tuple[str, Moment]], present: Moment
) -> Moment | None:
    if not source:
        return None
    label, moment = source.pop()
    target.append((label, present))
    return moment

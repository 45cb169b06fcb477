"""History: the plans before each edit. Undo is the previous plan, its number still known."""

from __future__ import annotations

from qviz.plan.plan import Plan


class History:
    """Undo and redo lists of (what the edit did, the plan on the other side of it)."""

    def __init__(self) -> None:
        """Nothing to undo."""
        self._undo: list[tuple[str, Plan]] = []
        self._redo: list[tuple[str, Plan]] = []

    @property
    def undo_text(self) -> str:
        """What undo would take back; "" for nothing."""
        return self._undo[-1][0] if self._undo else ""

    @property
    def redo_text(self) -> str:
        """What redo would bring back; "" for nothing."""
        return self._redo[-1][0] if self._redo else ""

    def edited(self, label: str, before: Plan) -> None:
        """Remember the plan before an edit."""
        self._undo.append((label, before))
        self._redo.clear()

    def undo(self, present: Plan) -> Plan | None:
        """The plan before the last edit, or None."""
        return _travel(self._undo, self._redo, present)

    def redo(self, present: Plan) -> Plan | None:
        """The plan after the edit last undone, or None."""
        return _travel(self._redo, self._undo, present)


def _travel(
    source: list[tuple[str, Plan]], target: list[tuple[str, Plan]], present: Plan
) -> Plan | None:
    if not source:
        return None
    label, plan = source.pop()
    target.append((label, present))
    return plan

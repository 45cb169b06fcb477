"""The Edit menu: the plan, and the memory that edits may use."""

from __future__ import annotations

from qviz.app.actions.action import Action
from qviz.app.actions.reasons import needs_model, needs_redo, needs_undo
from qviz.app.memory import BUDGETS

MEMORY_TIP = (
    "How much memory keeps what layers gave, so that an edit starts where it was made. "
    "Less is slower; the numbers are the same"
)

EDIT_MENU: tuple[Action, ...] = (
    Action(
        "undo",
        "Undo",
        "Edit",
        ("Ctrl+Z",),
        "arrow-u-up-left",
        "Take back the last edit",
        needs_undo,
    ),
    Action(
        "redo",
        "Redo",
        "Edit",
        ("Ctrl+Shift+Z", "Ctrl+Y"),
        "arrow-u-up-right",
        "Do the edit again that was taken back",
        needs_redo,
    ),
    Action(
        "reset",
        "Reset Selection to Defaults",
        "Edit",
        ("Ctrl+Backspace",),
        "arrow-counter-clockwise",
        "Give the selected layers the plan's default schemes again",
        needs_model,
        separator=True,
    ),
    Action(
        "copy_rows",
        "Copy Rows",
        "Edit",
        ("Ctrl+C",),
        "copy",
        "Copy the selected rows as tab-separated text",
        needs_model,
        separator=True,
    ),
    Action(
        "find",
        "Find Layer",
        "Edit",
        ("Ctrl+F",),
        "magnifying-glass",
        "Filter the layers by name or operator; re: starts a regular expression",
        needs_model,
    ),
    *(
        Action(
            f"memory_{budget.word}",
            budget.label,
            "Edit/Memory for Speed",
            tip=MEMORY_TIP,
            checkable=True,
            group="memory",
        )
        for budget in BUDGETS
    ),
)

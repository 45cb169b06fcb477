"""What an action of the window is. Knows no Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from qviz.app.actions.reasons import always
from qviz.app.views import DocumentView

Scope = Literal["window", "views"]


@dataclass(frozen=True, slots=True)
class Action:
    """One action: what the menu shows, its keys, and why it is disabled ("" when it is not).

    `menu` is a path such as "Edit/Presets", or "" for an action that only has keys. Keys of the
    scope "views" work while the layer table or a plot has the focus, so that they can be letters.
    """

    id: str
    text: str
    menu: str
    shortcuts: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    why_disabled: Callable[[DocumentView], str] = always
    checkable: bool = False
    group: str = ""  # actions of one group: exactly one is checked
    scope: Scope = "window"
    separator: bool = False  # a line above it in its menu

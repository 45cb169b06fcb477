"""Every action of the window, in the order of the menus."""

from __future__ import annotations

from qviz.app.actions.action import Action
from qviz.app.actions.edit_menu import EDIT_MENU
from qviz.app.actions.file_menu import FILE_MENU
from qviz.app.actions.view_menu import VIEW_MENU

ACTIONS: tuple[Action, ...] = (
    *FILE_MENU,
    *EDIT_MENU,
    *VIEW_MENU,
    Action("cancel", "Cancel Running Work", "", ("Esc",), "x", "Stop the work in the jobs strip"),
    Action("shortcuts", "Keyboard Shortcuts", "Help", ("F1",), "keyboard", "Show every key"),
    Action("about", "About qviz", "Help", icon="info", tip="Version and licences"),
)

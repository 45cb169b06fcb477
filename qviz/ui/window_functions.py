"""What the actions of the table in `qviz.app.actions` do in the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qviz.app.memory import BUDGETS
from qviz.ui.dialogs import about_dialog, shortcuts_dialog

if TYPE_CHECKING:
    from qviz.ui.main_window import MainWindow


def functions_of(window: MainWindow) -> dict[str, Callable[[], object]]:
    """A function for the id of every action; `window.preferences` may follow later."""
    session, files, work = window.session, window.files, window.workspace
    table = work.table

    def memory(word: str) -> Callable[[], None]:
        return lambda: window.preferences.set_memory(word)

    return {
        "open_model": files.ask_model,
        "open_project": files.ask_project,
        "open_samples": files.ask_samples,
        "open_sample_folder": files.ask_sample_folder,
        "sample_options": window.show_sample_options,
        "open_demo": files.open_demo,
        "save_project": files.save_project,
        "save_project_as": files.ask_save_project,
        "open_plan": files.ask_plan,
        "save_plan": files.ask_save_plan,
        "export": window.show_export,
        "save_screenshot": files.ask_save_screenshot,
        "quit": window.close,
        "undo": session.undo,
        "redo": session.redo,
        "reset": table.reset_selection,
        "copy_rows": table.copy_rows,
        "find": work.layers.focus_filter,
        "overlay": lambda: window.preferences.take_flags(),
        "log_scale": lambda: window.preferences.take_flags(),
        "error_curve": lambda: window.preferences.take_flags(),
        "show_distribution": lambda: work.views.show_view("distribution"),
        "show_channels": lambda: work.views.show_view("channels"),
        "show_sensitivity": lambda: work.views.show_view("sensitivity"),
        "worse_layer": table.go_worse,
        "better_layer": table.go_better,
        "first_departure": window.go_to_departure,
        **{f"memory_{budget.word}": memory(budget.word) for budget in BUDGETS},
        "theme_system": lambda: window.preferences.set_theme("system"),
        "theme_light": lambda: window.preferences.set_theme("light"),
        "theme_dark": lambda: window.preferences.set_theme("dark"),
        "cancel": session.cancel,
        "shortcuts": lambda: shortcuts_dialog(window).open(),
        "about": lambda: about_dialog(window).open(),
    }

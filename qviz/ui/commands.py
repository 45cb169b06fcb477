"""The window's actions, made from the table in `qviz.app.actions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from qviz.app.actions import ACTIONS, Action
from qviz.app.views import DocumentView
from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.palette import Palette


class Commands(QObject):
    """One QAction per row of the table, with the function it runs."""

    def __init__(
        self, window: QWidget, run: Mapping[str, Callable[[], object]], views: tuple[QWidget, ...]
    ) -> None:
        """`run` has a function for every id; `views` are where the single-letter keys work."""
        super().__init__(window)
        self._window = window
        self._groups: dict[str, QActionGroup] = {}
        self.actions = {row.id: self._make(row, run[row.id], views) for row in ACTIONS}

    def __getitem__(self, name: str) -> QAction:
        """The QAction of an id."""
        return self.actions[name]

    def _make(self, row: Action, run: Callable[[], object], views: tuple[QWidget, ...]) -> QAction:
        action = QAction(row.text, self._window)
        action.setObjectName(row.id)
        action.setShortcuts([QKeySequence(keys) for keys in row.shortcuts])
        action.setCheckable(row.checkable)
        action.setFont(ui_font(13))
        action.triggered.connect(lambda: run())
        if row.group:
            group = self._groups.setdefault(row.group, QActionGroup(self))
            group.addAction(action)
        if row.scope == "views":
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            for view in views:
                view.addAction(action)
        else:
            self._window.addAction(action)
        return action

    def refresh(self, document: DocumentView) -> None:
        """Enable what is possible; the rest says why it is not."""
        for row in ACTIONS:
            action = self.actions[row.id]
            reason = row.why_disabled(document)
            action.setEnabled(not reason)
            keys = ", ".join(row.shortcuts)
            tip = f"{row.tip}  ({keys})" if keys else row.tip
            action.setToolTip(reason or tip)
            action.setStatusTip(reason or row.tip)
        undo, redo = document.undo_text, document.redo_text
        self.actions["undo"].setText(f"Undo: {undo}" if undo else "Undo")
        self.actions["redo"].setText(f"Redo: {redo}" if redo else "Redo")

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        for row in ACTIONS:
            if row.icon and not row.checkable:
                self.actions[row.id].setIcon(icon(row.icon, palette))

    def fill(self, bar: QMenuBar) -> dict[str, QMenu]:
        """Build the menus; returns them by path."""
        menus: dict[str, QMenu] = {}
        for row in ACTIONS:
            if row.menu:
                menu = self._menu(bar, menus, row.menu)
                if row.separator:
                    menu.addSeparator()
                menu.addAction(self.actions[row.id])
        return menus

    def _menu(self, bar: QMenuBar, menus: dict[str, QMenu], path: str) -> QMenu:
        if path not in menus:
            above, _, name = path.rpartition("/")
            parent = self._menu(bar, menus, above) if above else None
            menu = bar.addMenu(name) if parent is None else parent.addMenu(name)
            if parent is not None:
                parent.insertSeparator(menu.menuAction())
            menu.setToolTipsVisible(True)
            menu.setFont(ui_font(13))
            menus[path] = menu
        return menus[path]

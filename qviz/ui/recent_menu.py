"""The menu of models and projects opened before."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QWidget

from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.palette import Palette
from qviz.ui.settings import Recent


class RecentMenu(QMenu):
    """Emits `picked` with the file and the samples it was opened with ("" for none)."""

    picked = Signal(str, str)
    cleared = Signal()

    def __init__(self, parent: QWidget) -> None:
        """Empty until `show_recent`."""
        super().__init__("Open Recent", parent)
        self.setFont(ui_font(13))
        self.setToolTipsVisible(True)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.setIcon(icon("clock-counter-clockwise", palette))

    def show_recent(self, entries: tuple[Recent, ...]) -> None:
        """One line per file, by its name."""
        self.clear()
        for entry in entries:
            action = self.addAction(Path(entry.model).name)
            action.setToolTip(entry.model)
            action.triggered.connect(lambda _=False, e=entry: self.picked.emit(e.model, e.samples))
        self.addSeparator()
        self.addAction("Clear This List").triggered.connect(self.cleared)
        self.setEnabled(bool(entries))
        self.menuAction().setToolTip("" if entries else "Nothing was opened yet")

"""Light or dark: applies the palette to the application and tells whoever paints by hand."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from qviz.ui.palette import DARK, LIGHT, Palette
from qviz.ui.stylesheet import stylesheet

Mode = Literal["system", "light", "dark"]


class Theme(QObject):
    """The palette in use. `changed` fires after the application has taken a new one."""

    changed = Signal()

    def __init__(self, application: QApplication, mode: Mode = "system") -> None:
        """Apply `mode` to the application now; "system" goes on following the system."""
        super().__init__()
        self._application = application
        self._mode: Mode = mode
        self.palette = LIGHT
        application.setStyle("Fusion")
        application.styleHints().colorSchemeChanged.connect(self._system_changed)
        self._apply()

    @property
    def mode(self) -> Mode:
        """What was asked for; `palette` is what it comes to."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Follow the system, or stay light or dark."""
        self._mode = mode
        self._apply()

    def toggle(self) -> None:
        """From light to dark and back."""
        self.set_mode("light" if self.palette is DARK else "dark")

    def _system_changed(self) -> None:
        if self._mode == "system":
            self._apply()

    def _apply(self) -> None:
        scheme = self._application.styleHints().colorScheme()
        dark = self._mode == "dark" or (self._mode == "system" and scheme == Qt.ColorScheme.Dark)
        self.palette = DARK if dark else LIGHT
        self._application.setPalette(_qt_palette(self.palette))
        self._application.setStyleSheet(stylesheet(self.palette))
        self.changed.emit()


def _qt_palette(p: Palette) -> QPalette:
    role = QPalette.ColorRole
    colors = {
        role.Window: p.window,
        role.WindowText: p.text,
        role.Base: p.card,
        role.AlternateBase: p.sunken,
        role.Text: p.text,
        role.Button: p.card,
        role.ButtonText: p.text,
        role.BrightText: p.bad,
        role.Highlight: p.accent,
        role.HighlightedText: p.on_accent,
        role.Link: p.accent,
        role.ToolTipBase: p.raised,
        role.ToolTipText: p.text,
        role.PlaceholderText: p.text_faint,
    }
    result = QPalette()
    for key, value in colors.items():
        result.setColor(key, QColor(value))
    for key in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, key, QColor(p.text_disabled))
    return result

"""Icons of one set (Phosphor, through QtAwesome) in the theme's colors, and the app's own."""

from __future__ import annotations

import qtawesome
from PySide6.QtGui import QIcon

from qviz.app.resources import resource_path
from qviz.ui.palette import Palette


def icon(name: str, palette: Palette, color: str | None = None) -> QIcon:
    """The Phosphor icon `name`; greyed when disabled, in the accent color when checked."""
    normal = color or palette.text_soft
    result: QIcon = qtawesome.icon(
        f"ph.{name}",
        color=normal,
        color_active=color or palette.text,
        color_disabled=palette.text_disabled,
        color_on=color or palette.accent,
    )
    return result


def app_icon() -> QIcon:
    """The application's icon."""
    return QIcon(str(resource_path("icons", "qviz.svg")))

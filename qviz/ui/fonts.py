"""The bundled typeface, so that a machine without any font still shows text."""

from __future__ import annotations

from typing import Literal

from PySide6.QtGui import QFont, QFontDatabase

from qviz.app.resources import resource_path

FAMILY = "Inter"
_FILES = ("Inter-Regular.otf", "Inter-Medium.otf", "Inter-SemiBold.otf")
_WEIGHTS = {
    "regular": QFont.Weight.Normal,
    "medium": QFont.Weight.Medium,
    "semibold": QFont.Weight.DemiBold,
}
Weight = Literal["regular", "medium", "semibold"]


def register_fonts() -> None:
    """Make the bundled files known to Qt; needs an application object."""
    for name in _FILES:
        QFontDatabase.addApplicationFont(str(resource_path("fonts", name)))


def ui_font(pixels: int = 13, weight: Weight = "regular") -> QFont:
    """The window's typeface at a height in pixels, with digits of equal width."""
    font = QFont(FAMILY)
    font.setPixelSize(pixels)
    font.setWeight(_WEIGHTS[weight])
    font.setFeature(QFont.Tag("tnum"), 1)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font

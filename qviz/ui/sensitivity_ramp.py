"""The colors of the heat map: from nothing lost to the worst, and the text that stands on them."""

from __future__ import annotations

from typing import Literal

from PySide6.QtGui import QColor

from qviz.ui.palette import Palette

RampName = Literal["warm", "blue"]
RAMPS: dict[RampName, str] = {"warm": "Yellow to Red", "blue": "Blue"}
# One hue: people who do not see red tell it apart by lightness, as in the palette's own ramp.
_BLUE = {
    "light": ("#E6EFFA", "#C3DAF1", "#93C0E4", "#5FA1D4", "#3680BF", "#175CA0", "#08386F"),
    "dark": ("#22364F", "#28486F", "#2F5E92", "#3D7AB5", "#5698D2", "#7FB7E8", "#B5DAFA"),
}


def ramp(palette: Palette, name: RampName) -> tuple[str, ...]:
    """The colors of a ramp under a theme, from the calm end."""
    return _BLUE[palette.name] if name == "blue" else palette.ramp


def known_ramp(word: str) -> RampName:
    """The ramp of a word; the warm one for any other."""
    return "blue" if word == "blue" else "warm"


def ramp_color(colors: tuple[str, ...], position: float) -> QColor:
    """The color at 0..1, between its neighbors."""
    place = min(1.0, max(0.0, position)) * (len(colors) - 1)
    at = min(int(place), len(colors) - 2)
    return blended(QColor(colors[at]), QColor(colors[at + 1]), place - at)


def blended(one: QColor, other: QColor, share: float) -> QColor:
    """`one` with a share of `other`, 0..1."""
    red = one.red() + (other.red() - one.red()) * share
    green = one.green() + (other.green() - one.green()) * share
    blue = one.blue() + (other.blue() - one.blue()) * share
    return QColor(round(red), round(green), round(blue))


def ink_on(ground: QColor) -> QColor:
    """Black or white, whichever is easier to read: one of them has a contrast of 4.5:1 or more."""
    return QColor("#000000") if _luminance(ground) > 0.179 else QColor("#FFFFFF")


def _luminance(color: QColor) -> float:
    """WCAG 2's relative luminance, 0..1."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (color.redF(), color.greenF(), color.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

"""The color tokens of the light and the dark theme. Every color of the window is one of these."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QColor


@dataclass(frozen=True, slots=True)
class Palette:
    """Named colors, `#rrggbb`. Enabled text has a contrast of at least 4.5:1 on every ground."""

    name: str
    window: str  # behind the cards
    card: str
    sunken: str  # fields, hovered rows
    raised: str  # menus, tooltips
    line: str
    line_strong: str
    text: str
    text_soft: str
    text_faint: str
    text_disabled: str  # fainter than 4.5:1 on purpose
    accent: str
    accent_hover: str
    accent_soft: str  # ground of selected rows
    on_accent: str
    good: str
    warn: str
    bad: str
    bad_soft: str
    warn_soft: str
    float_line: str  # the two histograms: a blue and an orange that color-blind people tell apart
    float_fill: str
    quantized_line: str
    quantized_fill: str
    curve: str  # the error curve: a green apart from both, and drawn as a line without a ground
    ramp: tuple[str, ...]  # from a low error to a high one; lightness alone orders it


LIGHT = Palette(
    name="light",
    window="#EEF0F4",
    card="#FFFFFF",
    sunken="#F4F6F9",
    raised="#FFFFFF",
    line="#DFE3EA",
    line_strong="#BEC6D2",
    text="#131820",
    text_soft="#434C5C",
    text_faint="#5F6A7D",
    text_disabled="#A9B2C0",
    accent="#2F5BD7",
    accent_hover="#2549B5",
    accent_soft="#E4EBFC",
    on_accent="#FFFFFF",
    good="#0B7547",
    warn="#8F5300",
    bad="#B3261E",
    bad_soft="#FDECEA",
    warn_soft="#FDF3E1",
    float_line="#5B7BC4",
    float_fill="#A9BCE8",
    quantized_line="#D2640A",
    quantized_fill="#F2A65A",
    curve="#00795A",
    ramp=("#FFE9A0", "#FED976", "#FEB24C", "#FD8D3C", "#F4502C", "#D1121F", "#9B0026"),
)

DARK = Palette(
    name="dark",
    window="#0D1016",
    card="#161A22",
    sunken="#1E242E",
    raised="#222936",
    line="#29303D",
    line_strong="#465064",
    text="#EBEEF4",
    text_soft="#B9C1CF",
    text_faint="#929DB0",
    text_disabled="#566073",
    accent="#7EA4FF",
    accent_hover="#9DBAFF",
    accent_soft="#22304F",
    on_accent="#0B1326",
    good="#4FC78C",
    warn="#EFB54F",
    bad="#FF8379",
    bad_soft="#3B1D1F",
    warn_soft="#382B14",
    float_line="#86A6F2",
    float_fill="#3E568F",
    quantized_line="#FF9F4A",
    quantized_fill="#A8602A",
    curve="#3CCFA0",
    ramp=("#8A7A3C", "#AD8F34", "#CF9A34", "#EA8C35", "#F5703A", "#FA5245", "#FF3B52"),
)


def tint(color: str, alpha: float) -> QColor:
    """The color with an opacity of `alpha`, 0..1."""
    result = QColor(color)
    result.setAlphaF(alpha)
    return result


def error_color(palette: Palette, sqnr_db: float) -> str:
    """The ramp's color for an SQNR in dB: 45 dB and better is its calm end, 5 dB its worst."""
    worst, best = 5.0, 45.0
    position = min(1.0, max(0.0, (best - sqnr_db) / (best - worst)))
    return palette.ramp[round(position * (len(palette.ramp) - 1))]

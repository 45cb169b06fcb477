"""Axes with short tick labels: 10k instead of 10000, powers of ten for logarithmic counts, dB."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from qviz.ui.fonts import ui_font
from qviz.ui.number_format import MINUS
from qviz.ui.palette import Palette

Ticks = list[tuple[float, list[float]]]

FEW_DECADES = 1.4
DIGIT = 6.4  # pixels of one character of a tick's label
APART = 16.0  # pixels between labels
CLOSE = 5.0  # the same where there would be fewer than three otherwise
MOST_TICKS = 9


def style_axis(axis: pg.AxisItem, palette: Palette) -> None:
    """Small faint words, short ticks inside."""
    axis.enableAutoSIPrefix(False)
    axis.setTickFont(ui_font(11))
    axis.setPen(pg.mkPen(palette.line_strong))
    axis.setTickPen(pg.mkPen(palette.line_strong))
    axis.setTextPen(palette.text_faint)
    axis.setStyle(tickLength=-4, tickTextOffset=4)
    axis.labelStyle = {"color": palette.text_faint}
    axis.label.setFont(ui_font(11))


class CountAxis(pg.AxisItem):
    """Counts on the left. In `log` mode the view's unit is log10(count)."""

    def __init__(self) -> None:
        """A left axis, linear at first."""
        super().__init__("left")
        self.log = False

    def tickValues(self, low: float, high: float, size: float) -> Ticks:
        """In log mode decades, at most about one per 28 pixels, or 1, 2, 5; else two to five."""
        if not self.log:
            return _major_ticks(low, high, max(2, int(size / 34)), whole=True)
        if high - low < FEW_DECADES:  # between 1 and 10 too
            between = [math.log10(v) for v in (1, 2, 5, 10, 20, 50)]
            return [(1.0, [v for v in between if low <= v <= high])]
        decades = math.floor(high) - math.ceil(low) + 1
        step = max(1, math.ceil(decades * 28 / max(size, 1.0)))
        first = max(0, math.ceil(low))
        return [(float(step), [float(v) for v in range(first, math.floor(high) + 1, step)])]

    def tickStrings(self, values: list[float], _scale: float, _spacing: float) -> list[str]:
        """1, 10, 1k, 1M."""
        return [_short(round(10**v) if self.log else v) for v in values]


class ValueAxis(pg.AxisItem):
    """Values below the plot."""

    def __init__(self) -> None:
        """A bottom axis."""
        super().__init__("bottom")

    def tickValues(self, low: float, high: float, size: float) -> Ticks:
        """As many ticks as their labels have room for, three or more where that is possible."""
        return _fitting_ticks(low, high, size)

    def tickStrings(self, values: list[float], _scale: float, spacing: float) -> list[str]:
        """As many digits as the spacing needs, with a real minus sign."""
        return _labels(values, spacing)


class DecibelAxis(pg.AxisItem):
    """SQNR on the right: `best` dB at `top` of the plot's own vertical unit, 0 dB at `floor`."""

    def __init__(self) -> None:
        """A right axis."""
        super().__init__("right")
        self._floor, self._top = 0.0, 1.0
        self._worst, self._best = 0.0, 10.0

    def set_range(self, floor: float, top: float, worst: float, best: float) -> None:
        """Put `worst` dB at the height `floor` and `best` dB at `top`."""
        wanted = floor, top, worst, best
        if wanted != (self._floor, self._top, self._worst, self._best):
            self._floor, self._top, self._worst, self._best = wanted
            self.picture = None
            self.update()

    def height_of(self, decibels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Decibels in the plot's vertical unit."""
        part = (decibels - self._worst) / (self._best - self._worst)
        return self._floor + part * (self._top - self._floor)

    def tickValues(self, _low: float, _high: float, size: float) -> Ticks:
        """Two to four ticks."""
        wanted = 4 if size >= 160 else 3
        found = _major_ticks(self._worst, self._best, wanted, whole=True)
        return [(step, self.height_of(np.array(values)).tolist()) for step, values in found]

    def tickStrings(self, values: list[float], _scale: float, _spacing: float) -> list[str]:
        """20 dB."""
        span = (self._best - self._worst) / (self._top - self._floor)
        shown = [self._worst + (value - self._floor) * span for value in values]
        return [f"{value + 0.0:.0f} dB".replace("-", MINUS) for value in shown]


def _major_ticks(low: float, high: float, wanted: int, *, whole: bool) -> Ticks:
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return []
    raw = span / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next((unit * m for m in (1, 2, 5) if unit * m >= raw), unit * 10)
    if whole:
        step = max(1.0, step)
    return [(step, _multiples(low, high, step))]


def _fitting_ticks(low: float, high: float, size: float) -> Ticks:
    """The finest round step whose labels stand apart; closer together where that gives three."""
    span = high - low
    if not math.isfinite(span) or span <= 0 or size <= 0:
        return []
    found: Ticks = []
    for apart in (APART, CLOSE):
        found = _ticks_apart(low, high, size, apart) or found
        if found and len(found[0][1]) >= 3:
            break
    return found


def _ticks_apart(low: float, high: float, size: float, apart: float) -> Ticks:
    span = high - low
    start = math.floor(math.log10(span / MOST_TICKS))
    for step in (m * 10.0**power for power in range(start, start + 4) for m in (1, 2, 2.5, 5)):
        values = _multiples(low, high, step)
        if len(values) > MOST_TICKS:
            continue
        widest = max((len(words) for words in _labels(values, step)), default=1)
        if step / span * size >= widest * DIGIT + apart:
            return [(step, values)]
    return []


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _labels(values: list[float], spacing: float) -> list[str]:
    """Values that are `spacing` apart, with just the digits that tell them apart."""
    if spacing <= 0:
        return [f"{v:g}".replace("-", MINUS) for v in values]
    digits = _digits(spacing)
    largest = max((abs(v) for v in values), default=0.0)
    if digits <= 5 and largest < 1e5:
        return [f"{v + 0.0:.{digits}f}".replace("-", MINUS) for v in values]
    power = math.floor(math.log10(max(largest, spacing)) + 1e-9)
    unit = 10.0**power
    digits = _digits(spacing / unit)
    shown = [f"{v / unit + 0.0:.{digits}f}e{power}" if v else "0" for v in values]
    return [words.replace("-", MINUS) for words in shown]


def _digits(spacing: float) -> int:
    """How many decimals tell the multiples of `spacing` exactly."""
    return next((d for d in range(12) if math.isclose(spacing, round(spacing, d))), 12)


def _short(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"

"""Axes with short tick labels: 10k instead of 10000, powers of ten for logarithmic counts."""

from __future__ import annotations

import math

import pyqtgraph as pg

from qviz.ui.number_format import MINUS

Ticks = list[tuple[float, list[float]]]


class CountAxis(pg.AxisItem):
    """Counts on the left. In `log` mode the view's unit is log10(count)."""

    def __init__(self) -> None:
        """A left axis, linear at first."""
        super().__init__("left")
        self.log = False

    def tickValues(self, low: float, high: float, size: float) -> Ticks:
        """Whole decades in log mode, at most about one per 28 pixels; else two to five ticks."""
        if not self.log:
            return _major_ticks(low, high, max(2, int(size / 34)), whole=True)
        decades = math.floor(high) - math.ceil(low) + 1
        step = max(1, math.ceil(decades * 28 / max(size, 1.0)))
        first = max(0, math.ceil(low))
        return [(float(step), [float(v) for v in range(first, math.floor(high) + 1, step)])]

    def tickStrings(self, values: list[float], _scale: float, _spacing: float) -> list[str]:
        """1, 10, 1k, 1M."""
        return [_short(10**v if self.log else v) for v in values]


class ValueAxis(pg.AxisItem):
    """Values below the plot."""

    def __init__(self) -> None:
        """A bottom axis."""
        super().__init__("bottom")

    def tickValues(self, low: float, high: float, size: float) -> Ticks:
        """At most about one tick every 50 pixels."""
        return _major_ticks(low, high, max(2, int(size / 50)), whole=False)

    def tickStrings(self, values: list[float], _scale: float, spacing: float) -> list[str]:
        """As many digits as the spacing needs, with a real minus sign."""
        digits = max(0, -math.floor(math.log10(spacing) + 1e-9)) if spacing > 0 else 0
        largest = max((abs(v) for v in values), default=0.0)
        if digits > 5 or largest >= 1e5:
            return [f"{v:.3g}".replace("-", MINUS) for v in values]
        return [f"{v + 0.0:.{digits}f}".replace("-", MINUS) for v in values]


def _major_ticks(low: float, high: float, wanted: int, *, whole: bool) -> Ticks:
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return []
    raw = span / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next((unit * m for m in (1, 2, 5) if unit * m >= raw), unit * 10)
    if whole:
        step = max(1.0, step)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [(step, [i * step for i in range(first, last + 1)])]


def _short(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"

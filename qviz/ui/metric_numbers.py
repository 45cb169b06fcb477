"""How a metric's values are spelled: as many digits as their size and unit deserve."""

from __future__ import annotations

import math

from qviz.app.views import Strip
from qviz.ui import number_format as text

SIGNIFICANT = 4
SMALL = 1e-3  # below it all numbers of a strip are written with a power of ten
_BY_UNIT = {"%": 2, "dB": 1}


class Spelling:
    """One way to write all numbers of a strip, so that they can be compared."""

    def __init__(self, strip: Strip) -> None:
        """Chosen by the unit, else by the larger of the two values."""
        sizes = [abs(v) for v in (strip.value, strip.float_value) if v and math.isfinite(v)]
        largest = max(sizes, default=1.0)
        known = _BY_UNIT.get(strip.unit)
        self._power = known is None and largest < SMALL
        places = SIGNIFICANT - 1 - math.floor(math.log10(largest))
        self._places = max(places, 0) if known is None else known

    def number(self, value: float | None) -> str:
        """A value; ∞ for no error at all, and 0 only for nothing."""
        if value is None or math.isnan(value):
            return text.NONE
        if math.isinf(value):
            return "∞" if value > 0 else f"{text.MINUS}∞"
        return self._digits(value).replace("-", text.MINUS)

    def signed(self, value: float) -> str:
        """A change: +0.4, −0.8, or 0 without a sign."""
        words = self._digits(abs(value)).replace("-", text.MINUS)
        if self._rounded(value) == 0:
            return words
        return ("+" if value > 0 else text.MINUS) + words

    def change(self, strip: Strip) -> float | None:
        """The change between the two numbers as they are shown, so that the three always agree."""
        if strip.delta is None or strip.value is None or strip.float_value is None:
            return strip.delta
        value, before = (self._rounded(v) for v in (strip.value, strip.float_value))
        return self._rounded(value - before)

    def _digits(self, value: float) -> str:
        if self._power:
            if value == 0:
                return "0"
            mantissa, exponent = f"{value:.2e}".split("e")
            return f"{mantissa}e{int(exponent)}"
        if value == 0 and self._places > 2:
            return "0"
        return f"{value:,.{self._places}f}"

    def _rounded(self, value: float) -> float:
        return float(f"{value:.2e}") if self._power else round(value, self._places)


def change_notes(unit: str) -> tuple[str, str]:
    """What a change is measured in, in many and in few words: points of a percentage, or a unit."""
    measure = "points" if unit == "%" else unit
    return f"{measure} from float".strip(), measure or "from float"


def change_tone(difference: float, better: str) -> str:
    """Good where the change goes the better way, bad the other, "" without one."""
    if not difference:
        return ""
    return "good" if (difference > 0) == (better == "higher") else "bad"

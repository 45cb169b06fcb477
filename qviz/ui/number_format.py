"""How numbers are spelled in the window: short, with units, a real minus sign."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"


def count(value: int) -> str:
    """1234567 as 1,234,567."""
    return f"{value:,}".replace("-", MINUS)


def word(value: int, one: str, many: str = "") -> str:
    """A word as it goes with a number: 1 layer, 2 layers; `many` where an s does not do."""
    return one if value == 1 else many or f"{one}s"


def counted(value: int, one: str) -> str:
    """1 layer, 1,234 layers."""
    return f"{count(value)} {word(value, one)}"


def short_count(value: float) -> str:
    """1234567 as 1.2 M; exact below 10,000."""
    if abs(value) < 10_000:
        return count(round(value))
    return _scaled(value, 1000, ("", "k", "M", "G", "T", "P"))


def size(value: float) -> str:
    """Bytes as 61.2 kB (powers of 1000)."""
    if abs(value) < 1000:
        return f"{value:.0f} B"
    return _scaled(value, 1000, ("B", "kB", "MB", "GB", "TB"))


def _scaled(value: float, base: int, units: tuple[str, ...]) -> str:
    index = 0
    while abs(value) >= 999.5 and index < len(units) - 1:
        value /= base
        index += 1
    digits = 0 if abs(value) >= 100 else 1
    return f"{value:.{digits}f} {units[index]}".replace("-", MINUS).rstrip()


def decibels(value: float | None, unit: bool = False) -> str:
    """An SQNR: 41.2, with its unit when asked; exact when there is no error at all."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "exact"
    return f"{value:.1f}{' dB' if unit else ''}".replace("-", MINUS)


def share(value: float | None) -> str:
    """0.0123 as 1.23 %; never shows 0 for something."""
    if value is None:
        return NONE
    percent = 100 * value
    if percent == 0:
        return "0 %"
    if percent < 0.01:
        return "< 0.01 %"
    return f"{percent:.2f} %" if percent < 10 else f"{percent:.1f} %"


def significant(value: float | None, digits: int = 4) -> str:
    """A number to some significant digits, such as 0.01234."""
    return NONE if value is None else f"{value:.{digits}g}".replace("-", MINUS)


def steady(value: float, digits: int) -> str:
    """Significant digits with zeros at the end, 0.20, so that a number that counts stays put."""
    return f"{value:#.{digits}g}".removesuffix(".").replace("-", MINUS)


def signed(value: float, digits: int = 1) -> str:
    """+0.4, −0.8, or 0.0 without a sign."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def ratio(before: float, after: float) -> str:
    """How many times smaller: 7.4×."""
    if after <= 0:
        return NONE
    value = before / after
    return f"{value:.0f}×" if value >= 99.5 else f"{value:.1f}×"


def duration(seconds: float) -> str:
    """Seconds as 0:12 or 1:02:03."""
    whole = max(0, math.ceil(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"

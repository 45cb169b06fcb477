"""Scheme: how a slot is quantized, a frozen value with one spelling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qviz.quant.formats import FORMATS, Family, Format

Granularity = Literal["tensor", "channel", "group"]
CodeRange = Literal["narrow", "full", "wide"]
Rounding = Literal["even", "away", "up", "zero", "stochastic"]

DEFAULT_PERCENTILE = 99.99


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one slot is quantized. Holds no tensors; `str()` is its one spelling.

    `symmetric` pins the zero point to the middle of the codes. `code_range` of symmetric signed
    codes is [-127, 127] with scale max/127 (narrow: TFLite's restricted range), [-128, 127] with
    max/127.5 (full: torch, onnxruntime) or with max/128 (wide). `pow2` makes scales powers of two.
    """

    format: str = "float"
    granularity: Granularity = "tensor"
    symmetric: bool = True
    code_range: CodeRange = "full"
    range: str = "minmax"
    percentile: float = DEFAULT_PERCENTILE
    clip: tuple[float, float] | None = None
    group: int = 0  # values per block along the reduction axis; 0 unless granularity is "group"
    pow2: bool = False
    rounding: Rounding = "even"
    variant: str = ""
    seed: int = 0  # of stochastic rounding and of a random start

    def __post_init__(self) -> None:
        """Drop what the format does not have: equal spelling, equal scheme."""
        row = self.row
        if not row.integer:
            self._set(symmetric=True, code_range="full", pow2=False, rounding="even")
        elif row.bits == 1:
            self._set(symmetric=False)  # one bit has no middle code
        if not self.symmetric or not row.signed:
            self._set(code_range="full")
        if self.granularity not in row.granularities:
            self._set(granularity=row.granularities[0])
        size = self.group if len(row.granularities) > 1 and self.group else row.group
        self._set(group=size if self.granularity == "group" else 0)
        if self.range not in self.ranges or (self.range == "clip" and self.clip is None):
            self._set(range=self.ranges[0])
        if self.variant not in row.variants:
            self._set(variant=row.variants[0])
        if self.range != "percentile":
            self._set(percentile=DEFAULT_PERCENTILE)
        if self.rounding != "stochastic" and self.variant != "random":
            self._set(seed=0)
        low, high = self.clip or (0.0, 0.0)
        clip = (float(number(low)), float(number(high))) if self.range == "clip" else None
        self._set(clip=clip)

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def row(self) -> Format:
        """The format's row of data."""
        return FORMATS[self.format]

    @property
    def family(self) -> Family:
        """The kind of grid."""
        return self.row.family

    @property
    def is_float(self) -> bool:
        """Whether the slot stays in floating point."""
        return self.format == "float"

    @property
    def bits(self) -> int:
        """Storage bits per value, scales apart; 32 for float."""
        return self.row.bits

    @property
    def signed(self) -> bool:
        """Whether the codes are signed."""
        return self.row.signed

    @property
    def ranges(self) -> tuple[str, ...]:
        """The range methods that the format has at this granularity."""
        if self.granularity == "group":
            return tuple(name for name in self.row.ranges if name in ("minmax", "mse", "stored"))
        if self.granularity == "channel":
            # A channel has too few values for 2,048 bins. Only weights have channels, and they
            # come once: their moving average is their min-max.
            return tuple(name for name in self.row.ranges if name not in ("entropy", "average"))
        return self.row.ranges

    @property
    def code_bounds(self) -> tuple[int, int]:
        """(qmin, qmax) of the integer codes."""
        if not self.signed:
            return 0, 2**self.bits - 1
        low, high = -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1
        return (low + 1, high) if self.code_range == "narrow" else (low, high)

    @property
    def middle(self) -> int:
        """The zero point of symmetric codes."""
        return 0 if self.signed else 2 ** (self.bits - 1)

    def __str__(self) -> str:
        """Canonical spelling: the format, then only what differs from its defaults."""
        default = plain(self.format)
        parts = [self.format]
        if self.symmetric != default.symmetric:
            parts.append("sym" if self.symmetric else "asym")
        if self.code_range != _default_codes(self.row, self.symmetric):
            parts.append(self.code_range)
        if self.granularity == "group":
            if self.group != default.group:
                parts.append(f"group={self.group}")
        elif self.granularity != default.granularity:
            parts.append(self.granularity)
        if self.variant != default.variant:
            parts.append(self.variant + (f"={self.seed}" if self.variant == "random" else ""))
        parts += self._range_words()
        if self.pow2:
            parts.append("pow2")
        if self.rounding == "stochastic":
            parts.append(f"stochastic={self.seed}")
        elif self.rounding != "even":
            parts.append(f"round={self.rounding}")
        return ":".join(parts)

    def _range_words(self) -> list[str]:
        if self.range == "percentile":
            if self.percentile == DEFAULT_PERCENTILE:
                return ["percentile"]
            return ["percentile=" + repr(float(self.percentile)).removesuffix(".0")]
        if self.range == "clip" and self.clip is not None:
            return [f"clip={number(self.clip[0])}..{number(self.clip[1])}"]
        return [] if self.range == self.ranges[0] else [self.range]


FLOAT = Scheme()


def number(value: float) -> str:
    """Shortest decimal that reads back as the same six-digit number; never "-0"."""
    return f"{value + 0.0:.6g}"


def _default_codes(row: Format, symmetric: bool) -> CodeRange:
    """Signed symmetric codes are restricted unless asked otherwise (TFLite, onnxruntime)."""
    return "narrow" if row.integer and row.signed and symmetric else "full"


def plain(format_name: str, granularity: Granularity | None = None) -> Scheme:
    """The scheme that a bare format such as `int8` spells: signed is symmetric, unsigned not."""
    row = FORMATS[format_name]
    symmetric = row.signed and row.bits > 1
    first: Granularity = "tensor"
    for name in ("tensor", "channel", "group"):
        if row.granularities[0] == name:
            first = name
    codes = _default_codes(row, symmetric)
    return Scheme(format_name, granularity or first, symmetric, codes, row.ranges[0])

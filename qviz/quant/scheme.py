"""Scheme: how a slot is quantized, a frozen value with one spelling; formats are rows of data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from qviz.errors import QvizError

Granularity = Literal["tensor", "channel"]
RangeMethod = Literal["minmax", "percentile", "mse", "clip"]

DEFAULT_PERCENTILE = 99.99
_GRANULARITIES: dict[str, Granularity] = {"tensor": "tensor", "channel": "channel"}
_PLAIN_RANGES: dict[str, RangeMethod] = {"minmax": "minmax", "mse": "mse"}


@dataclass(frozen=True, slots=True)
class Format:
    """One number format: its name, storage bits and whether codes are signed."""

    name: str
    bits: int
    signed: bool
    integer: bool


def _integer_rows() -> dict[str, Format]:
    rows: dict[str, Format] = {}
    for bits in range(2, 17):
        rows[f"int{bits}"] = Format(f"int{bits}", bits, True, True)
        rows[f"uint{bits}"] = Format(f"uint{bits}", bits, False, True)
    return rows


FORMATS: dict[str, Format] = {"float": Format("float", 32, True, False), **_integer_rows()}


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one slot is quantized. Holds no tensors; `str()` is its one spelling.

    `symmetric` pins the zero point to the middle of the codes; `narrow` drops the lowest code
    ([-127, 127] for int8), the "restricted range" of the TFLite int8 specification.
    """

    format: str = "float"
    granularity: Granularity = "tensor"
    symmetric: bool = True
    narrow: bool = False
    range: RangeMethod = "minmax"
    percentile: float = DEFAULT_PERCENTILE
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Drop what the format and the range method do not use: equal spelling, equal scheme."""
        if self.is_float:
            self._set(granularity="tensor", symmetric=True, narrow=False, range="minmax")
        if self.range == "clip" and self.clip is None:
            self._set(range="minmax")
        if self.range != "percentile":
            self._set(percentile=DEFAULT_PERCENTILE)
        low, high = self.clip or (0.0, 0.0)
        clip = (float(_number(low)), float(_number(high))) if self.range == "clip" else None
        self._set(clip=clip)

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def is_float(self) -> bool:
        """Whether the slot stays in floating point."""
        return self.format == "float"

    @property
    def bits(self) -> int:
        """Storage bits per value; 32 for float."""
        return FORMATS[self.format].bits

    @property
    def signed(self) -> bool:
        """Whether the integer codes are signed."""
        return FORMATS[self.format].signed

    @property
    def code_range(self) -> tuple[int, int]:
        """(qmin, qmax) of the integer codes."""
        low, high = (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1)
        if not self.signed:
            low, high = 0, 2**self.bits - 1
        return (low + 1, high) if self.narrow else (low, high)

    def __str__(self) -> str:
        """Canonical spelling: the format, then only what differs from its defaults."""
        if self.is_float:
            return "float"
        parts = [self.format]
        symmetric, _ = _defaults(self.format)
        if self.symmetric != symmetric:
            parts.append("sym" if self.symmetric else "asym")
        if self.narrow != _default_narrow(self.format, self.symmetric):
            parts.append("narrow" if self.narrow else "full")
        if self.granularity != "tensor":
            parts.append(self.granularity)
        if self.range == "percentile":
            same = self.percentile == DEFAULT_PERCENTILE
            number = repr(float(self.percentile)).removesuffix(".0")
            parts.append("percentile" if same else f"percentile={number}")
        elif self.range == "clip" and self.clip is not None:
            parts.append(f"clip={_number(self.clip[0])}..{_number(self.clip[1])}")
        elif self.range != "minmax":
            parts.append(self.range)
        return ":".join(parts)


FLOAT = Scheme()


def _number(value: float) -> str:
    """Shortest decimal that reads back as the same six-digit number; never "-0"."""
    return f"{value + 0.0:.6g}"


def _defaults(format_name: str) -> tuple[bool, bool]:
    """(symmetric, narrow) of a bare format: signed is symmetric restricted, unsigned asymmetric."""
    symmetric = FORMATS[format_name].signed
    return symmetric, _default_narrow(format_name, symmetric)


def _default_narrow(format_name: str, symmetric: bool) -> bool:
    return symmetric and FORMATS[format_name].signed


def integer(format_name: str, granularity: Granularity = "tensor") -> Scheme:
    """The scheme that a bare format such as `int8` spells."""
    symmetric, narrow = _defaults(format_name)
    return Scheme(format_name, granularity, symmetric, narrow)


def parse_scheme(text: str) -> Scheme:
    """Read a spelling such as `int4:channel:mse`; options may stand in any order.

    Raises:
        QvizError: the spelling is not understood; the message lists what is.
    """
    head, *options = [part.strip().lower() for part in text.strip().split(":")]
    if head not in FORMATS:
        raise _unknown(text, f"'{head}' is not a number format")
    if head == "float":
        if options:
            raise _unknown(text, "'float' takes no options")
        return FLOAT
    scheme = integer(head)
    narrow: bool | None = None
    seen: set[str] = set()
    for option in options:
        word, _, value = option.partition("=")
        field, scheme, narrow = _apply(text, scheme, narrow, word, value)
        if field in seen:
            raise _unknown(text, f"it chooses the {field} twice")
        seen.add(field)
    if narrow is None:
        narrow = _default_narrow(scheme.format, scheme.symmetric)
    return replace(scheme, narrow=narrow)


def _apply(
    text: str, scheme: Scheme, narrow: bool | None, word: str, value: str
) -> tuple[str, Scheme, bool | None]:
    """One option of a spelling: which field it chose, and the scheme with it."""
    if value and word not in ("percentile", "clip"):
        raise _unknown(text, f"'{word}' takes no value")
    if word in _GRANULARITIES:
        return "granularity", replace(scheme, granularity=_GRANULARITIES[word]), narrow
    if word in ("sym", "asym"):
        return "symmetry", replace(scheme, symmetric=word == "sym"), narrow
    if word in ("narrow", "full"):
        return "code range", scheme, word == "narrow"
    if word in _PLAIN_RANGES:
        return "range", replace(scheme, range=_PLAIN_RANGES[word]), narrow
    if word == "percentile":
        percent = _percentile(text, value) if value else DEFAULT_PERCENTILE
        return "range", replace(scheme, range="percentile", percentile=percent), narrow
    if word == "clip":
        return "range", replace(scheme, range="clip", clip=_clip(text, value)), narrow
    raise _unknown(text, f"'{word}' is not an option")


def _percentile(text: str, value: str) -> float:
    try:
        percent = float(value)
    except ValueError:
        raise _unknown(text, f"'{value}' is not a number") from None
    if not 50.0 < percent <= 100.0:
        raise _unknown(text, "a percentile lies above 50 and at most at 100")
    return percent


def _clip(text: str, value: str) -> tuple[float, float]:
    low, dots, high = value.partition("..")
    try:
        bounds = (float(low), float(high))
    except ValueError:
        raise _unknown(text, "clip needs two numbers, such as clip=-1..1") from None
    if not dots or not (-1e30 < bounds[0] < bounds[1] < 1e30):
        raise _unknown(text, "the lower clip must be finite and below the upper one")
    if not bounds[0] <= 0.0 <= bounds[1]:
        raise _unknown(text, "the clip range must contain zero, which is always on the grid")
    return bounds


def _unknown(text: str, cause: str) -> QvizError:
    return QvizError(
        f"scheme '{text}'",
        cause,
        "Write float, or int2…int16 / uint2…uint16 followed by any of "
        "sym|asym, narrow|full, tensor|channel, minmax|percentile[=99.99]|mse|clip=LOW..HIGH, "
        "for example int4:channel:mse",
    )

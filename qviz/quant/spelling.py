"""Spelling: reading a scheme such as `int4:group=128:mse` from text."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import Any

from qviz.errors import QvizError
from qviz.quant.formats import ALIASES, FORMATS, GROUP_SIZES, Format
from qviz.quant.scheme import (
    DEFAULT_PERCENTILE,
    CodeRange,
    Granularity,
    Rounding,
    Scheme,
    plain,
)

_CODE_RANGES: dict[str, CodeRange] = {"narrow": "narrow", "full": "full", "wide": "wide"}
_GRAINS: dict[str, Granularity] = {"tensor": "tensor", "channel": "channel"}
_ROUNDINGS: dict[str, Rounding] = {"even": "even", "away": "away", "up": "up", "zero": "zero"}
_ROUND = "round=" + "|".join(_ROUNDINGS)
_WITH_VALUE: dict[str, tuple[str, ...]] = {  # what stands for the values a word can have
    "percentile[=99.99]": ("percentile", "percentile=99.9"),
    "clip=LOW..HIGH": ("clip=-1..1",),
    _ROUND: tuple(f"round={mode}" for mode in _ROUNDINGS),
    "stochastic=SEED": ("stochastic",),
}
_CLIP_CURE = "Write clip=LOW..HIGH with zero between the two, such as clip=-1..1"
_PERCENTILE_CURE = "Write a number above 50 and at most 100, such as percentile=99.9"


def parse_scheme(text: str) -> Scheme:
    """Read a spelling such as `int4:channel:mse`; options may stand in any order.

    Raises:
        QvizError: the spelling is not understood, or the format has no such option.
    """
    head, *options = [part.strip().lower() for part in text.strip().split(":")]
    head = ALIASES.get(head, head)
    if head not in FORMATS:
        raise _unknown(text, f"'{head}' is not a number format", _did_you_mean(_near_format(head)))
    chosen = _Chosen(text, plain(head))
    for option in options:
        chosen.take(option)
    return chosen.scheme()


class _Chosen:
    """The options of one spelling, taken one by one."""

    def __init__(self, text: str, scheme: Scheme) -> None:
        self._text = text
        self._row = scheme.row
        self._plain = scheme
        self._fields: dict[str, Any] = {}
        self._seen: set[str] = set()

    def scheme(self) -> Scheme:
        """The scheme; the code range follows the symmetry unless it was chosen."""
        symmetric = self._fields.get("symmetric", self._plain.symmetric)
        if "code_range" not in self._fields and self._row.integer:
            signed = self._row.signed and bool(symmetric)
            self._fields["code_range"] = "narrow" if signed else "full"
        made = replace(self._plain, **self._fields)
        for field, other in (
            ("range", made.granularity),
            ("symmetric", ""),
            ("code_range", "asym" if not made.symmetric else made.format),
        ):
            wanted = self._fields.get(field, getattr(made, field))
            if wanted != getattr(made, field):
                why = f"'{wanted}' does not go with '{other}'"
                why = why if other else "one bit has no middle code, so it is always asym"
                raise _unknown(self._text, why)
        return made

    def take(self, option: str) -> None:
        """One word, with a value or without."""
        word, equals, value = option.partition("=")
        if word in ("tensor", "channel", "group"):
            self._granularity(word, value)
        elif word in ("sym", "asym"):
            self._only(self._row.integer, word, value)
            self._put("symmetry", symmetric=word == "sym")
        elif word in _CODE_RANGES:
            self._only(self._row.integer, word, value)
            self._put("code range", code_range=_CODE_RANGES[word])
        elif word == "pow2":
            self._only(self._row.integer, word, value)
            self._put("scale", pow2=True)
        elif word == "round" or word == "stochastic":
            self._rounding(word, value)
        elif word in ("percentile", "clip"):
            self._only(word in self._row.ranges, word, "")
            self._with_number(word, value)
        elif word in self._row.variants and word:
            seed = self._seed(value) if word == "random" and equals else 0
            self._only(True, word, "" if word == "random" else value)
            self._put("variant", variant=word, seed=seed)
        elif word in _every_range():
            self._only(word in self._row.ranges, word, value)
            self._put("range", range=word)
        else:
            near = _did_you_mean(_near(self._row, option))
            raise _unknown(self._text, f"'{option}' is not an option", near)

    def _put(self, field: str, **values: object) -> None:
        if field in self._seen:
            raise _unknown(self._text, f"it chooses the {field} twice", "Keep one of the two")
        self._seen.add(field)
        self._fields.update(values)

    def _no(self, word: object) -> str:
        return f"{self._row.name} has no '{word}'"

    def _only(self, possible: bool, word: str, value: str) -> None:
        if not possible:
            raise _unknown(self._text, self._no(word))
        if value:
            raise _unknown(self._text, f"'{word}' takes no value", f"Write {word} alone")

    def _granularity(self, word: str, value: str) -> None:
        if word not in self._row.granularities:
            raise _unknown(self._text, self._no(f"{word} granularity"))
        if word != "group":
            self._only(True, word, value)
            self._put("granularity", granularity=_GRAINS[word])
            return
        size = self._row.group
        if value:
            size = int(value) if value.isdecimal() else 0
        fixed = len(self._row.granularities) == 1
        if size != self._row.group and (fixed or size not in GROUP_SIZES):
            sizes = str(self._row.group) if fixed else ", ".join(map(str, GROUP_SIZES))
            cure = f"Write {self._row.name} alone" if fixed else f"Write one of group={sizes}"
            raise _unknown(self._text, f"its groups have {sizes} values", cure)
        self._put("granularity", granularity="group", group=size)

    def _rounding(self, word: str, value: str) -> None:
        self._only(self._row.integer, word, "")
        if word == "stochastic":
            self._put("rounding", rounding="stochastic", seed=self._seed(value) if value else 0)
        elif value in _ROUNDINGS:
            self._put("rounding", rounding=_ROUNDINGS[value])
        else:
            cause = "rounding is round=even, away, up or zero, or stochastic=7"
            raise _unknown(self._text, cause, "Write one of them")

    def _seed(self, value: str) -> int:
        if not value.isdecimal() or int(value) > 2**31 - 1:
            raise _unknown(self._text, f"'{value}' is not a seed", "Use 0 … 2147483647")
        return int(value)

    def _with_number(self, word: str, value: str) -> None:
        if word == "clip":
            self._put("range", range="clip", clip=_clip(self._text, value))
            return
        percent = _percentile(self._text, value) if value else DEFAULT_PERCENTILE
        self._put("range", range="percentile", percentile=percent)


def _every_range() -> set[str]:
    return {name for row in FORMATS.values() for name in row.ranges}


def _percentile(text: str, value: str) -> float:
    try:
        percent = float(value)
    except ValueError:
        raise _unknown(text, f"'{value}' is not a number", _PERCENTILE_CURE) from None
    if not 50.0 < percent <= 100.0:
        cause = "a percentile lies above 50 and at most at 100"
        raise _unknown(text, cause, _PERCENTILE_CURE)
    return percent


def _clip(text: str, value: str) -> tuple[float, float]:
    low, dots, high = value.partition("..")
    try:
        bounds = (float(low), float(high))
    except ValueError:
        raise _unknown(text, "clip needs two numbers", _CLIP_CURE) from None
    if not dots or not (-1e30 < bounds[0] < bounds[1] < 1e30):
        cause = "the lower clip must be finite and below the upper one"
        raise _unknown(text, cause, _CLIP_CURE)
    if not bounds[0] <= 0.0 <= bounds[1]:
        cause = "the clip range must contain zero, which is always on the grid"
        raise _unknown(text, cause, _CLIP_CURE)
    return bounds


def _near_format(head: str) -> list[str]:
    """Formats that look like `head`, where it is not just the width that none has."""
    names = [*FORMATS, *ALIASES]
    if any(name.rstrip("0123456789") == head.rstrip("0123456789") for name in names):
        return []
    return difflib.get_close_matches(head, names, n=1, cutoff=0.7)


def _near(row: Format, option: str) -> list[str]:
    """The format's words that look like `option`: `group=64` for g64, group64 and group-64."""
    words = [word for group in words_of(row) for word in group]
    abbreviated = re.fullmatch(r"([a-z]+)[=-]?([0-9.]+)", option)
    if abbreviated is not None:
        start, number = abbreviated.groups()
        full = [word for word in words if word.startswith(start) and word.endswith(f"={number}")]
        if full:
            return full
    begun = [word for word in words if len(option) > 1 and word.startswith(option)]
    return begun[:3] or difflib.get_close_matches(option, words, n=3, cutoff=0.7)


def _did_you_mean(words: list[str]) -> str:
    return f"Did you mean {' or '.join(words)}?" if words else ""


def _choices(text: str) -> str:
    """What may follow the format that the text begins with."""
    head = text.strip().lower().split(":")[0]
    row = FORMATS.get(ALIASES.get(head, head))
    if row is None:
        return (
            "Write float, int1…int16, uint1…uint16, float16, bfloat16, fp8-e4m3, fp8-e5m2, "
            "fp6-e2m3, fp6-e3m2, fp4-e2m1, mxfp4, mxfp6, mxfp8, mxint8, nvfp4, nf4, pot2…pot6, "
            "apot3…apot5, kmeans1…kmeans8, lloyd1…lloyd8, ternary, binary, dorefa-w1…dorefa-w8 or "
            "dorefa-a1…dorefa-a8, for example int4:channel:mse"
        )
    words = options_of(row)
    if not words:
        return f"Write {row.name} alone"
    return f"{row.name} takes any of {', '.join(words)}"


def options_of(row: Format) -> tuple[str, ...]:
    """What may follow a format in a spelling; of each group of words one."""
    return tuple("|".join(group) for group in _groups(row))


def words_of(row: Format) -> tuple[tuple[str, ...], ...]:
    """The same as words that can be written as they stand, with examples of their values."""
    values = {**_WITH_VALUE, _group(row): tuple(f"group={size}" for size in GROUP_SIZES)}
    return tuple(
        tuple(word for part in group for word in values.get(part, (part,)))
        for group in _groups(row)
    )


def _group(row: Format) -> str:
    return f"group[={row.group}]"


def _groups(row: Format) -> tuple[tuple[str, ...], ...]:
    """The words of a format's grammar; a spelling takes one of each group."""
    codes = row.integer and row.bits > 1
    grains = tuple(_group(row) if name == "group" else name for name in row.granularities)
    ranges = {"percentile": "percentile[=99.99]", "clip": "clip=LOW..HIGH"}
    groups = (
        ("sym", "asym") if codes else (),
        ("narrow", "full", "wide") if codes and row.signed else (),
        grains if grains[1:] else (),
        tuple(ranges.get(name, name) for name in row.ranges) if row.ranges[1:] else (),
        row.variants if row.variants[1:] else (),
        ("pow2",) if row.integer else (),
        (_ROUND,) if row.integer else (),
        ("stochastic=SEED",) if row.integer else (),
    )
    return tuple(group for group in groups if group)


def _unknown(text: str, cause: str, cure: str = "") -> QvizError:
    return QvizError(f"scheme '{text}'", cause, cure or _choices(text))

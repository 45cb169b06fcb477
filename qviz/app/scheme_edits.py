"""Scheme edits: Scheme -> Scheme, one function per field of the Inspector's form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

from qviz.errors import QvizError
from qviz.quant.formats import FORMATS, Format, Role
from qviz.quant.scheme import CodeRange, Granularity, Scheme, number, plain
from qviz.quant.spelling import parse_scheme

DEFAULT_BITS = 8  # of a slot that was float


def with_field(old: Scheme, role: Role, field: str, value: str) -> Scheme:
    """A slot's scheme with one field of the form changed; a float slot is given integers first.

    Raises:
        QvizError: an unknown field, or a value that the format does not take.
    """
    if field not in ("bits", "family", "format", *_FIELDS):
        raise QvizError(f"field '{field}'", "a scheme has no such field", "Use the form's fields")
    try:
        made = _changed(old, role, field, value)
    except (ValueError, KeyError, OverflowError):
        raise QvizError(
            f"{field} '{value}'", "the field has no such value", "Use a value of the form"
        ) from None

    # A file's scales are of the codes that it was quantized to, and of no others.
    return made if field in ("range", "rounding") else without_stored(made)


def without_stored(scheme: Scheme) -> Scheme:
    """The scheme with the range of its values where it had a file's scales."""
    return replace(scheme, range=scheme.ranges[0]) if scheme.range == "stored" else scheme


def _changed(old: Scheme, role: Role, field: str, value: str) -> Scheme:
    if field == "bits":
        return widened(old, role, int(value))
    if field == "family":
        return of_family(old, role, value)
    if field == "format":
        return of_format(old, role, value)
    return _FIELDS[field](fresh(role, DEFAULT_BITS) if old.is_float else old, value)


def _either(value: str, yes: str, no: str) -> bool:
    """Whether a value is `yes`; raises KeyError where it is neither."""
    return {yes: True, no: False}[value]


def fresh(role: Role, bits: int) -> Scheme:
    """Integers as they are usual for weights and for inputs."""
    return plain(f"int{bits}", "channel") if role == "weight" else plain(f"uint{bits}")


def widened(old: Scheme, role: Role, bits: int) -> Scheme:
    """The same scheme in the format of its family with this width, else integers; 0 is float."""
    if bits == 0:
        return plain("float")
    row = old.row
    same = [r for r in _family(row.family) if r.bits == bits and r.signed == row.signed]
    if old.is_float or not same:
        return fresh(role, bits)
    return old if row in same else without_stored(_moved(old, same[0]))


def of_family(old: Scheme, role: Role, family: str) -> Scheme:
    """The family's format nearest in width."""
    if family == "dorefa":
        family = "dorefa-w" if role == "weight" else "dorefa-a"
    if family == old.family:
        return old
    rows = _family(family)
    if not rows:
        raise QvizError(f"format '{family}'", "there is no such format", "Choose a listed one")
    wanted = DEFAULT_BITS if old.is_float else min(old.bits, 16)
    if family == "integer":
        return of_format(old, role, fresh(role, wanted).format)
    return of_format(old, role, min(rows, key=lambda row: abs(row.bits - wanted)).name)


def of_format(old: Scheme, role: Role, name: str) -> Scheme:
    """Another format; what both have stays, and a granularity that nobody chose is the usual one.

    Float, MX blocks and codebooks leave no choice: after them weights get scales per channel.
    """
    row = parse_scheme(name).row
    grains = old.row.granularities
    if len(grains) == 1 or (grains[0] == "group" and old.group == old.row.group):
        old = replace(fresh(role, DEFAULT_BITS), range=old.range)
    return _moved(old, row)


def _moved(old: Scheme, row: Format) -> Scheme:
    """The scheme in another format, with every choice that the two have in common."""
    made = plain(row.name)
    one_bit = row.integer and 1 in (row.bits, old.bits)  # has no middle code to keep
    if row.family == old.family and row.signed == old.signed and not one_bit:
        return replace(old, format=row.name)
    if len(row.granularities) > 1 and row.family != "nf4":
        made = replace(made, granularity=old.granularity, group=old.group)
    if old.range in made.ranges[1:] and old.range != old.ranges[0]:
        made = replace(made, range=old.range, percentile=old.percentile, clip=old.clip)
    if row.integer:
        made = replace(made, pow2=old.pow2, rounding=old.rounding, seed=old.seed)
    return made


def _family(name: str) -> list[Format]:
    return [row for row in FORMATS.values() if row.family == name]


def _signed(old: Scheme, value: str) -> Scheme:
    """Symmetry and code range follow the sign's own defaults."""
    return _moved(old, FORMATS[f"{value}{old.bits}"])


def _symmetric(old: Scheme, value: str) -> Scheme:
    symmetric = _either(value, "sym", "asym")
    if symmetric == old.symmetric:
        return old
    codes = "narrow" if symmetric and old.signed else "full"
    return _checked(replace(old, symmetric=symmetric), codes)


def _checked(old: Scheme, word: str) -> Scheme:
    """A scheme with one more word of its spelling, which says what the format does not take."""
    head, *rest = str(old).split(":")
    kept = [part for part in rest if _same_choice(part) != _same_choice(word)]
    return parse_scheme(":".join([head, *kept, word]))


_WORDS: tuple[set[str], ...] = (
    set(get_args(Granularity)),
    set(get_args(CodeRange)),
    {word for row in FORMATS.values() for word in row.variants if word},
    {"round", "stochastic"},
    {"sym", "asym"},
    {"pow2"},
)


def _same_choice(part: str) -> int:
    """Which choice a word of a spelling makes; range methods are all the words left."""
    word = part.partition("=")[0]
    return next((at for at, words in enumerate(_WORDS) if word in words), -1)


def _grained(old: Scheme, value: str) -> Scheme:
    """Another granularity; a range method that does not go with it gives way."""
    if value == old.granularity:
        return old
    kept = old
    if value == "channel":
        kept = replace(old, granularity="channel")
    elif value == "group":
        kept = replace(old, granularity="group")
    if kept.range != old.range:
        old = replace(old, range="minmax", clip=None)
    return _checked(old, value)


def _rounded(old: Scheme, value: str) -> Scheme:
    return _checked(old, "stochastic=0" if value == "stochastic" else f"round={value}")


def _seeded(old: Scheme, value: str) -> Scheme:
    seed = max(0, int(float(value)))
    if old.rounding == "stochastic":
        return _checked(old, f"stochastic={seed}")
    return _checked(old, f"random={seed}") if old.variant == "random" else old


def _clipped(old: Scheme, value: str) -> Scheme:
    low, _, high = value.partition("..")
    return clipped(old, float(low), float(high))


_FIELDS: dict[str, Callable[[Scheme, str], Scheme]] = {
    "sign": _signed,
    "symmetry": _symmetric,
    "code_range": _checked,
    "granularity": _grained,
    "group": lambda old, value: _checked(old, f"group={value}"),
    "variant": _checked,
    "scales": lambda old, value: replace(old, pow2=_either(value, "pow2", "float")),
    "range": _checked,
    "percentile": lambda old, value: _checked(old, f"percentile={float(value)!r}"),
    "clip": _clipped,
    "rounding": _rounded,
    "seed": _seeded,
}


def clipped(scheme: Scheme, low: float, high: float) -> Scheme:
    """A scheme with its range set by hand, widened to contain zero."""
    return _checked(scheme, f"clip={number(min(low, 0.0))}..{number(max(high, 0.0))}")

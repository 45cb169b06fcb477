"""Completion: the spellings that a cell offers while a scheme is typed, a word at a time."""

from __future__ import annotations

from collections.abc import Iterator

from qviz.app.refusals import refusal
from qviz.app.views import Role
from qviz.errors import QvizError
from qviz.quant.formats import FORMATS
from qviz.quant.scheme import plain
from qviz.quant.spelling import parse_scheme, words_of

_FIRST = (8, 4, 6, 5, 3, 2, 7, 16, 1)  # widths of integers, the usual ones first

_CODES = ("sym", "asym", "narrow", "full", "wide")


def completions(role: Role, typed: str) -> tuple[str, ...]:
    """Spellings that go on from `typed`; each of them is a scheme that the role can have.

    A format that is typed whole offers longer names, then what may follow it.
    """
    text = typed.strip().lower()
    done, colon, begun = text.rpartition(":")
    if not colon:
        names = [name for name in _formats(role) if text in name and name != text]
        longer = [name for name in names if name.startswith(text)]
        others = [name for name in names if not name.startswith(text)]
        return (*longer, *(f"{text}:{word}" for word in _next_words(text, role)), *others)
    words = [word for word in _next_words(done, role) if word.startswith(begun) and word != begun]
    further = (f"{text}:{word}" for word in _next_words(text, role)) if begun else ()
    return (*(f"{done}:{word}" for word in words), *further)


def _formats(role: Role) -> Iterator[str]:
    """Names of the formats that a role can have, the usual ones first."""
    yield "float"
    widths = (*_FIRST, *(bits for bits in range(1, 17) if bits not in _FIRST))
    for sign in ("int", "uint") if role == "weight" else ("uint", "int"):
        yield from (f"{sign}{bits}" for bits in widths)
    for row in FORMATS.values():
        plain_one = not row.integer and row.name != "float"
        if plain_one and not refusal(plain(row.name), role):
            yield row.name


def _next_words(spelling: str, role: Role) -> tuple[str, ...]:
    """Words that may follow a spelling, the usual ones first, those that change nothing last."""
    try:
        present = parse_scheme(spelling)
    except QvizError:
        return ()
    found: list[tuple[int, str]] = []
    for word in (word for group in words_of(present.row) for word in group):
        try:
            scheme = parse_scheme(f"{spelling}:{word}")
        except QvizError:  # a choice that was made, or that does not go with another
            continue
        if not refusal(scheme, role):
            rank = 2 if scheme == present else 1 if word in _CODES else 0
            found.append((rank, word))
    return tuple(word for _, word in sorted(found, key=lambda entry: entry[0]))

"""Wording: lists of formats and numbers as a sentence says them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from qviz.quant.formats import FORMATS

MOST = 6  # names that one sentence lists
_INTEGER = re.compile(r"(u?int)(\d+)")


def listed(values: Iterable[object]) -> str:
    """`1, 2 or 3`."""
    words = [str(value) for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def spelled(formats: Collection[str]) -> str:
    """Formats in the order of the table, neighbouring widths as `int2…int8`; a long list is cut."""
    runs: list[list[str]] = []
    for name in sorted(formats, key=_place):
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    names = [run[0] if len(run) == 1 else f"{run[0]}…{run[-1]}" for run in runs]
    return listed(names) if len(names) <= MOST else f"{', '.join(names[:MOST])} and others"


def _place(name: str) -> tuple[str, int]:
    """Integers by sign and width, then the other formats as they stand in the table."""
    found = _INTEGER.fullmatch(name)
    if found:
        return (" " + found[1], int(found[2]))
    return ("~", [*FORMATS].index(name))


def _follows(last: str, name: str) -> bool:
    one, other = _INTEGER.fullmatch(last), _INTEGER.fullmatch(name)
    if one is None or other is None or one[1] != other[1]:
        return False
    return int(other[2]) == int(one[2]) + 1

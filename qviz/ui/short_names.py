"""Names and schemes that do not fit: which of their words they lose first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

ELLIPSIS = "…"
SHORT = 2  # letters that are no longer than what would stand for them
_WORD = re.compile(r"[^/._;:]*[/._;:]*")  # up to and with the marks that end it
_GAP = re.compile(f"{ELLIPSIS}[/._;:{ELLIPSIS}]*{ELLIPSIS}")  # with nothing but marks in it


@dataclass(frozen=True, slots=True)
class Run:
    """Words of a name that stand together; `telling` where names that begin alike part."""

    text: str
    telling: bool


def runs_of(names: Iterable[str]) -> dict[str, tuple[Run, ...]]:
    """Every name cut into runs of words that tell it from the others, or do not.

    Two names differ in their first telling run after what they begin with alike, so that they
    still differ when all other runs are left out. The last word is a run of its own.
    """
    words = {name: [word for word in _WORD.findall(name) if word] for name in names}
    followers: dict[tuple[str, ...], set[str]] = {}
    for parts in words.values():
        for at in range(len(parts) + 1):
            following = parts[at] if at < len(parts) else ""
            followers.setdefault(tuple(parts[:at]), set()).add(following)
    return {name: _joined(parts, followers) for name, parts in words.items()}


def _joined(parts: list[str], followers: dict[tuple[str, ...], set[str]]) -> tuple[Run, ...]:
    runs: list[Run] = []
    for at, word in enumerate(parts):
        telling = len(followers[tuple(parts[:at])]) > 1
        if runs and runs[-1].telling == telling and at < len(parts) - 1:
            runs[-1] = Run(runs[-1].text + word, telling)
        else:
            runs.append(Run(word, telling))
    return tuple(runs)


def fitting(runs: tuple[Run, ...], room: float, width: Callable[[str], float]) -> str:
    """The name with as few runs left out as its room asks for, from the left; the last word last.

    Where the telling runs alone are too wide, the end of them is kept.
    """
    shown = [run.text for run in runs]
    spare = [at for at, run in enumerate(runs[:-1]) if not run.telling and len(run.text) > SHORT]
    for at in spare:
        if width(_said(shown)) <= room:
            return _said(shown)
        shown[at] = ELLIPSIS
    if any(run.telling for run in runs[:-1]) and not runs[-1].telling:
        while len(shown[-1]) > 1 and width(_said(shown)) > room:
            shown[-1] = shown[-1].rstrip(ELLIPSIS)[:-1] + ELLIPSIS
    words = _said(shown)
    while words.lstrip(ELLIPSIS) and width(words) > room:
        words = _said([ELLIPSIS, words.lstrip(ELLIPSIS)[1:]])
    return words


def short_scheme(scheme: str, room: float, width: Callable[[str], float]) -> str:
    """The spelling with as few words left out as its room asks for: `int8:full:…:stored`.

    The format and the last word, where the range comes from, stay longest; then the format.
    """
    first, *between = scheme.split(":")
    if not between or width(scheme) <= room:
        return scheme
    last = between.pop()
    for kept in range(len(between) - 1, -1, -1):
        words = ":".join([first, *between[:kept], ELLIPSIS, last])
        if width(words) <= room:
            return words
    return f"{first}:{ELLIPSIS}"


def _said(shown: list[str]) -> str:
    return _GAP.sub(ELLIPSIS, "".join(shown))

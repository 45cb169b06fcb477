"""Parts of a data set in one file: x_train and y_train beside x_test and y_test."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from qviz.data.samples import listed

# The likeliest to be scored comes first.
_PARTS: tuple[tuple[str, ...], ...] = (
    ("test", "testing", "te"),
    ("val", "valid", "validation", "dev"),
    ("train", "training", "tr"),
)
_WORDS = re.compile(r"[_.-]")


def one_part(names: Iterable[str], inputs: Iterable[str]) -> tuple[Mapping[str, str], str]:
    """Names without the word of their part, by the whole name, and a note on parts left out.

    Of several parts the one for testing is taken, else that for validation. Names of inputs stay.
    """
    own = set(inputs)
    parts = {name: (None, name) if name in own else _split(name) for name in names}
    present = [part for part, _ in parts.values() if part is not None]
    if not present:
        return {name: name for name in parts}, ""
    taken = min(present)
    left = [name for name, (part, _) in parts.items() if part not in (None, taken)]
    kept = {name: short for name, (part, short) in parts.items() if part in (None, taken)}
    if not left:
        return kept, ""
    chosen = [name for name, (part, _) in parts.items() if part == taken]
    return kept, f"{listed(chosen)} of several parts taken, {listed(left)} left out"


def _split(name: str) -> tuple[int | None, str]:
    """The part that a word of a name tells, and the name without that word."""
    words = _WORDS.split(name)
    for index, part in enumerate(_PARTS):
        others = [word for word in words if word.lower() not in part]
        if others and len(others) == len(words) - 1:
            return index, "_".join(others)
    return None, name

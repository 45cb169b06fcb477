"""Memory: how a budget is written, and those that the window offers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qviz.errors import QvizError

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


@dataclass(frozen=True, slots=True)
class Budget:
    """One entry of the menu."""

    word: str  # as it is remembered
    label: str
    bytes: int | None  # None for a quarter of what is free


BUDGETS = (
    Budget("auto", "A Quarter of What Is Free", None),
    Budget("8GB", "8 GB", 8 * 10**9),
    Budget("2GB", "2 GB", 2 * 10**9),
    Budget("500MB", "500 MB", 500 * 10**6),
    Budget("0", "None", 0),
)


def read_size(text: str) -> int:
    """Bytes of a size such as 2GiB, 500MB or 0.

    Raises:
        QvizError: it is no size.
    """
    found = _SIZE.fullmatch(text)
    unit = None if found is None else UNITS.get(found[2].upper())
    if found is None or unit is None:
        raise QvizError(f"memory {text}", "it is no size", "Write 2GiB, 500MB or 0")
    return int(float(found[1]) * unit)


def budget_of(word: str) -> Budget:
    """The budget that was remembered; the first where the word is not known."""
    return next((budget for budget in BUDGETS if budget.word == word), BUDGETS[0])

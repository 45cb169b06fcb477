"""Which array goes by the name of which input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def by_name(names: Iterable[str], inputs: Sequence[str]) -> dict[str, str]:
    """The name for each input that has one: as written, or in another case where that is unique."""
    given = set(names)
    exact = {name: name for name in inputs if name in given}
    free = _unique([name for name in given if name not in exact])
    wanted = _unique([name for name in inputs if name not in exact])
    others = {wanted[low]: free[low] for low in wanted if low in free}
    found = {**exact, **others}
    return {name: found[name] for name in inputs if name in found}


def array_for(name: str, names: Iterable[str], inputs: Sequence[str]) -> str | None:
    """The array of one input: by name, else the only one that goes by the name of no input."""
    every = list(names)
    found = by_name(every, inputs)
    others = [each for each in every if each not in found.values()]
    return found.get(name) or (others[0] if len(others) == 1 else None)


def _unique(names: Sequence[str]) -> dict[str, str]:
    """Names by their lower case, where no two share one."""
    lowered = [name.lower() for name in names]
    return {low: name for low, name in zip(lowered, names, strict=True) if lowered.count(low) == 1}

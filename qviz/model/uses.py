"""How often values are still needed, so that each is freed after its last use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, MutableMapping
from typing import Any

from qviz.model.model import Step


def count_uses(steps: Iterable[Step]) -> Counter[str]:
    """How often these steps read or write each value; count one more for what is to be kept."""
    return Counter(name for step in steps for name in _used(step))


def release(step: Step, uses: Counter[str], values: MutableMapping[str, Any]) -> None:
    """After a step has run, take its uses off the count and drop the values without any left."""
    for name in _used(step):
        uses[name] -= 1
        if not uses[name]:
            values.pop(name, None)


def _used(step: Step) -> tuple[str, ...]:
    return (*step.inputs, *step.captures, *step.outputs)

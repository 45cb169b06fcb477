"""Looks: which plans' numbers were shown on which samples, and what that makes of a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qviz.data.parts import Part

_SAMPLES_OF: dict[Part, frozenset[Part]] = {
    "tune": frozenset({"tune", "all"}),
    "confirm": frozenset({"confirm", "all"}),
    "all": frozenset({"tune", "confirm", "all"}),
}


@dataclass(frozen=True, slots=True)
class Looks:
    """Plans by the part on which a number of theirs was shown; all of one split of the samples."""

    split: str = ""  # the hash of its membership
    plans: Mapping[Part, tuple[str, ...]] = field(default_factory=dict)  # keys, the first first

    def with_one(self, split: str, part: Part, plan: str) -> Looks:
        """With one more look; itself if that changes nothing. Another split starts anew."""
        plans = self.plans if split == self.split else {}
        seen = plans.get(part, ())
        if plan in seen:
            return self
        return Looks(split, {**plans, part: (*seen, plan)})

    def count(self, split: str, part: Part) -> int:
        """How many plans a number was shown of that has samples of this part in it."""
        if split != self.split:
            return 0
        parts = _SAMPLES_OF.get(part, frozenset())
        return len({plan for name in parts for plan in self.plans.get(name, ())})


NO_LOOKS = Looks()


@dataclass(frozen=True, slots=True)
class Selection:
    """How far the number shown chose the plan that it is of: a word for a badge, and why.

    The word is "" for a number of samples that nothing was chosen by.
    """

    word: str = ""
    why: str = ""


def selection(looks: Looks, split: str, part: Part, calibration: int) -> Selection:
    """What to say of a number on a part; see docs/decisions/0013."""
    plans = looks.count(split, part)
    if part == "confirm":
        if plans < 2:
            return Selection()
        return Selection(
            f"looked at {plans} times",
            f"Numbers of {plans} plans were shown on the confirm samples. From the second look on "
            "they help to choose a plan as well, so that the best of them looks better than it is",
        )
    if plans > 1:
        return Selection(
            "used to choose",
            f"Used to choose this plan: {plans} plans had numbers on these samples, and the best "
            "of several looks better than it is. Look at Confirm for an unbiased number",
        )
    if part == "all" and calibration:
        return Selection(
            "with calibration",
            f"Among these are the {calibration:,} samples that the ranges were measured on. "
            "Look at Confirm for an unbiased number",
        )
    return Selection()


def to_json(looks: Looks) -> dict[str, Any]:
    """Looks as JSON values."""
    return {"split": looks.split, "plans": {part: list(p) for part, p in looks.plans.items()}}


def from_json(data: Mapping[str, Any]) -> Looks:
    """Looks from JSON values; parts that are not known are left out."""
    given = {str(part): tuple(map(str, keys)) for part, keys in data["plans"].items()}
    plans = {part: given[part] for part in _SAMPLES_OF if part in given}
    return Looks(str(data["split"]), plans)

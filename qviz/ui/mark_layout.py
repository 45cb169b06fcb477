"""Where the labels of vertical lines go, so that none hides another. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

APART = 3.0  # pixels between labels, and from a label to its line
INSET = 7.0  # how far a label that stands over its line may reach past it


@dataclass(frozen=True, slots=True)
class Label:
    """A label to place at one of its lines `xs`: its width, and whether it goes first."""

    xs: tuple[float, ...]
    width: float
    first: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label goes: its left edge, its row counted from the plot upwards, its line's x."""

    left: float
    row: int
    x: float


Places = list[Place | None]
Taken = list[tuple[Place, float]]  # with the label's width


def place_labels(labels: Sequence[Label], width: float, rows: int) -> Places:
    """A place for each label within 0..width; None for those that do not fit.

    No label meets another one, nor the stem from another one to its line. As few of the `rows`
    are used as hold the most labels, and those that go first are among them.
    """
    best: Places = [None] * len(labels)
    score = (0, 0)
    for count in range(1, rows + 1):
        for lines in _choices(labels):
            for split in range(len(labels) + 1):
                found = _stairs(labels, lines, split, width, count)
                reached = _score(labels, found)
                if reached > score:
                    best, score = found, reached
                if None not in best:
                    return best
    return best


def place_last(label: Label, width: float, rows: int, taken: Taken) -> Place | None:
    """A place for one label more, in the lowest row that has one beside those that are taken."""
    own = label.width
    for row in range(rows):
        for x in label.xs:
            for left in (x + APART, x - APART - own, x - own / 2, x - INSET, x + INSET - own):
                place = Place(left, row, x)
                if 0 <= left <= width - own and _is_free(place, own, taken):
                    return place
    return None


def make_way(labels: Sequence[Label], places: Places, label: Label, place: Place | None) -> Places:
    """The places of those labels that do not meet another one."""
    if place is None:
        return places
    pairs = zip(labels, places, strict=True)
    taken = [(place, label.width)]
    return [p if p and _is_free(p, own.width, taken) else None for own, p in pairs]


def _score(labels: Sequence[Label], places: Places) -> tuple[int, int]:
    """How many of the first are placed, and how many of all."""
    kept = [label for label, place in zip(labels, places, strict=True) if place is not None]
    return sum(label.first for label in kept), len(kept)


def _choices(labels: Sequence[Label]) -> Iterator[list[float]]:
    """Which of its lines each label takes: in turns one of the two, or all the same one."""
    yield [label.xs[0] for label in labels]
    if any(len(label.xs) > 1 for label in labels):
        order = sorted(range(len(labels)), key=lambda at: labels[at].xs[0])
        for first in (0, 1):
            turns = {at: (number + first) % 2 for number, at in enumerate(order)}
            yield [label.xs[turns[at] % len(label.xs)] for at, label in enumerate(labels)]


def _stairs(
    labels: Sequence[Label], lines: list[float], split: int, width: float, rows: int
) -> Places:
    """The first `split` labels stand left of their lines, the others right, climbing inwards.

    So no label stands in the way of a stem that is still to come. What finds no step may go
    anywhere else in the end.
    """
    found: Places = [None] * len(labels)
    taken: Taken = []
    order = sorted(range(len(labels)), key=lambda at: lines[at])
    steps = [(at, True) for at in order[:split]] + [(at, False) for at in order[split:][::-1]]
    for at, leftwards in steps:
        found[at] = _climb(labels[at].width, lines[at], leftwards, width, rows, taken)
    for at, label in enumerate(labels):
        if found[at] is None:
            found[at] = place_last(label, width, rows, taken)
            _take(found[at], label.width, taken)
    return found


def _climb(
    own: float, x: float, leftwards: bool, width: float, rows: int, taken: Taken
) -> Place | None:
    left = x - APART - own if leftwards else x + APART
    if 0 <= left <= width - own:
        for place in (Place(left, row, x) for row in range(rows)):
            if _is_free(place, own, taken):
                _take(place, own, taken)
                return place
    return None


def _take(place: Place | None, own: float, taken: Taken) -> None:
    if place is not None:
        taken.append((place, own))


def _is_free(place: Place, own: float, taken: Taken) -> bool:
    start, end, row = place.left, place.left + own, place.row
    for other, width in taken:
        its_start, its_end = other.left, other.left + width
        over = other.row == row and start < its_end + APART and its_start < end + APART
        crossed = other.row >= row and start < other.x < end
        crosses = other.row < row and its_start < place.x < its_end
        if over or crossed or crosses:
            return False
    return True

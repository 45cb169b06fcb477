"""Where the labels of vertical lines go, so that none hides another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

APART = 3.0  # pixels between labels, and from a label to its line


@dataclass(frozen=True, slots=True)
class Label:
    """A label to place: the line's x, the label's width, and whether it goes first."""

    x: float
    width: float
    first: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label goes: its left edge, and its row counted from the plot upwards."""

    left: float
    row: int


def place_labels(labels: Sequence[Label], width: float, rows: int) -> list[Place | None]:
    """A place for each label within 0..width; None for those that do not fit.

    The first is placed first, the others from the right. A label stands right or left of its
    line or over it, in the lowest row where it meets no other label and no other line's stem.
    """
    placed: list[Place | None] = [None] * len(labels)
    taken: list[tuple[float, float, int]] = []  # left, right, row of a label
    stems: list[tuple[float, int]] = []  # x, the row that the stem reaches up to
    for at in sorted(range(len(labels)), key=lambda i: (not labels[i].first, -labels[i].x)):
        label = labels[at]
        place = _first_free(label, width, rows, taken, stems)
        if place is not None:
            placed[at] = place
            taken.append((place.left, place.left + label.width, place.row))
            stems.append((label.x, place.row))
    return placed


def _first_free(
    label: Label,
    width: float,
    rows: int,
    taken: list[tuple[float, float, int]],
    stems: list[tuple[float, int]],
) -> Place | None:
    for row in range(rows):
        for left in (label.x + APART, label.x - APART - label.width, label.x - label.width / 2):
            right = left + label.width
            if left < 0 or right > width:
                continue
            over = any(
                other == row and left < end + APART and start < right + APART
                for start, end, other in taken
            )
            crossed = any(left < x < right and reach >= row for x, reach in stems)
            crosses = any(start < label.x < end and other < row for start, end, other in taken)
            if not (over or crossed or crosses):
                return Place(left, row)
    return None

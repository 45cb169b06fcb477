"""Where the columns of the Sensitivity chart stand: name, one cell for each scheme, bar."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF

SIDE = 14  # margins of the card
GAP = 8  # between name, cells and bar
LEAST_NAME, LEAST_CELL, LEAST_BAR = 56, 22, 64
MOST_CELL = 88
CELL_SHARE = 0.09  # of the width, where it is more than the texts ask for
BAR_SHARE = 0.3  # of the width, which cells leave where their texts let them
NAME_SHARE = 0.34  # of the width, at most


@dataclass(frozen=True, slots=True)
class Columns:
    """Lefts and widths in pixels."""

    name: float  # width
    cell: float  # width of one
    count: int
    bar: float  # width

    @classmethod
    def share(cls, width: float, count: int, name: float, cell: float) -> Columns:
        """Share a width; `name` and `cell` are what their texts ask for.

        Cells shrink before the name does, and the bar keeps its least.
        """
        room = width - 2 * SIDE - 2 * GAP
        named = min(name, max(LEAST_NAME, NAME_SHARE * width))
        spare = (room - named - LEAST_BAR) / max(1, count)
        more = min(CELL_SHARE * width, (room - named - BAR_SHARE * width) / max(1, count))
        celled = min(max(cell, more, LEAST_CELL), MOST_CELL, max(spare, LEAST_CELL))
        named = max(LEAST_NAME, min(named, room - LEAST_BAR - celled * count))
        return cls(named, celled, count, max(LEAST_BAR, room - named - celled * count))

    @property
    def bar_left(self) -> float:
        """Where the bars' column begins."""
        return SIDE + self.name + GAP + self.cell * self.count + GAP

    def cell_left(self, at: int) -> float:
        """Where a scheme's column begins."""
        return SIDE + self.name + GAP + self.cell * at

    def name_rect(self, top: float, height: float) -> QRectF:
        """The name's place in a row."""
        return QRectF(SIDE, top, self.name, height)

    def cell_rect(self, at: int, top: float, height: float) -> QRectF:
        """A scheme's place in a row."""
        return QRectF(self.cell_left(at), top, self.cell, height)

    def bar_rect(self, top: float, height: float) -> QRectF:
        """The bar's place in a row."""
        return QRectF(self.bar_left, top, self.bar, height)

    def scheme_at(self, x: float) -> int | None:
        """The scheme whose column `x` is in."""
        at = int((x - self.cell_left(0)) // self.cell)
        return at if 0 <= at < self.count else None

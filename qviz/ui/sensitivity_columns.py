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
    """Lefts and widths in pixels. Of the schemes `count` are in sight, from `first` on."""

    name: float  # width
    cell: float  # width of one
    count: int
    bar: float  # width
    first: int = 0

    @classmethod
    def share(
        cls, width: float, count: int, name: float, cell: float, least: float, first: int = 0
    ) -> Columns:
        """Share a width; `name` and `cell` are what their texts ask for, `least` when shortened.

        Cells shrink before the name does, and the bar keeps its least. Schemes that have no room
        for their least are out of sight.
        """
        room = width - 2 * SIDE - 2 * GAP
        least = max(least, LEAST_CELL)
        count = max(1, min(count, int((room - LEAST_NAME - LEAST_BAR) // least)))
        named = min(name, max(LEAST_NAME, NAME_SHARE * width))
        spare = (room - named - LEAST_BAR) / max(1, count)
        more = min(CELL_SHARE * width, (room - named - BAR_SHARE * width) / max(1, count))
        celled = min(max(cell, more, least), MOST_CELL, max(spare, least))
        named = max(LEAST_NAME, min(named, room - LEAST_BAR - celled * count))
        return cls(named, celled, count, max(LEAST_BAR, room - named - celled * count), first)

    @property
    def shown(self) -> range:
        """The schemes in sight."""
        return range(self.first, self.first + self.count)

    @property
    def bar_left(self) -> float:
        """Where the bars' column begins."""
        return SIDE + self.name + GAP + self.cell * self.count + GAP

    def cell_left(self, at: int) -> float:
        """Where a scheme's column begins."""
        return SIDE + self.name + GAP + self.cell * (at - self.first)

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
        at = self.first + int((x - self.cell_left(self.first)) // self.cell)
        return at if at in self.shown else None

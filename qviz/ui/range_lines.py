"""The dashed lines of the range methods in a histogram, under their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt

from qviz.app.slot_views import DistributionView, RangeLine
from qviz.ui.palette import Palette, tint
from qviz.ui.range_marks import BY_HAND, Mark, RangeMarks

COINCIDE = 1.5  # pixels; methods that are closer at all their ends share a label
BESIDE = 40.0  # pixels at the left of the labels, where the button of those without room stands


def ends(line: RangeLine, *, mirrored: bool) -> tuple[float, ...]:
    """Where a method's lines stand: its high end, then its low end; a zero end has none."""
    if mirrored:
        wider = max(-line.low, line.high)
        return (wider, -wider) if wider > 0 else ()
    return tuple(end for end in (line.high, line.low) if end != 0)


def by_hand(view: DistributionView, clip: tuple[float, float]) -> RangeLine:
    """The clip that was set by hand, as one more range beside those of the methods."""
    sqnr = float("nan") if view.sqnr_db is None else view.sqnr_db
    return RangeLine(BY_HAND, "by hand", *clip, sqnr, True, "Drag a clip line to change it")


def to_marks(
    places: Sequence[tuple[RangeLine, tuple[float, ...]]], left: float, right: float
) -> list[Mark]:
    """Methods with the pixels of their ends as marks, those that coincide as one.

    One whose ends are all out of left..right stands at the side where it is.
    """
    marks: list[Mark] = []
    for line, xs in places:
        seen = tuple(x for x in xs if left <= x <= right)
        beyond = 0 if seen else -1 if xs[0] < left else 1
        made = Mark((line,), seen or (left if beyond < 0 else right,), beyond)
        for at, mark in enumerate(marks):
            if _coincide(mark, made):
                marks[at] = replace(mark, lines=(*mark.lines, line))
                break
        else:
            marks.append(made)
    return marks


def _coincide(one: Mark, other: Mark) -> bool:
    if one.beyond or other.beyond or len(one.xs) != len(other.xs):
        return False
    pairs = zip(one.xs, other.xs, strict=True)
    return all(abs(x - its) <= COINCIDE for x, its in pairs)


class RangeLines:
    """Lines that cannot be grabbed, so that they are never in the way; the labels can be pressed.

    Every method has its line, labelled or not.
    """

    def __init__(self) -> None:
        """No methods yet."""
        self.marks = RangeMarks()
        self.others = pg.PlotCurveItem(connect="pairs")
        self.current = pg.PlotCurveItem(connect="pairs")

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.marks.set_palette(palette)
        dashed = Qt.PenStyle.DashLine
        self.others.setPen(pg.mkPen(tint(palette.text_faint, 0.6), width=1, style=dashed))
        self.current.setPen(pg.mkPen(palette.accent, width=1, style=dashed))

    def draw(
        self,
        view: DistributionView,
        span: tuple[float, float],
        frame: QRectF,
        heights: tuple[float, float],
        hand: tuple[float, float] | None,
        *,
        held: bool,
    ) -> None:
        """Draw the view's ranges; the plot shows the values `span` in the pixels of `frame`.

        `hand` is the clip that was set by hand; `held` while it is being dragged.
        """
        scale = frame.width() / (span[1] - span[0])
        places = [(line, ends(line, mirrored=view.mirrored)) for line in view.ranges]
        if hand is not None:
            places = [(replace(line, current=False), at) for line, at in places]
            own = by_hand(view, hand)
            places.append((own, ends(own, mirrored=False)))
        pixels = [
            (line, tuple(frame.left() + (value - span[0]) * scale for value in at))
            for line, at in places
            if at
        ]
        self.marks.setVisible(bool(pixels))
        standing = [pair for pair in pixels if not (held and pair[0].method == BY_HAND)]
        marks = to_marks(standing, frame.left(), frame.right())
        moving = to_marks(pixels[len(standing) :], frame.left(), frame.right())
        room = BESIDE, float(self.marks.width())
        self.marks.show_marks(marks, moving[0] if moving else None, room)
        for item in (self.others, self.current):
            wanted = [at for line, at in places if line.current == (item is self.current)]
            x = np.unique(np.array([value for at in wanted for value in at]))
            item.setData(np.repeat(x, 2), np.tile(heights, x.size))

    def clear(self) -> None:
        """No methods."""
        self.marks.hide()
        for item in (self.others, self.current):
            item.setData(np.zeros(0), np.zeros(0))


def near(view: DistributionView, value: float, within: float) -> list[RangeLine]:
    """The methods whose lines stand within some distance of a value."""
    return [
        line
        for line in view.ranges
        if any(abs(end - value) <= within for end in ends(line, mirrored=view.mirrored))
    ]

"""The dashed lines of the range methods in a histogram, under their labels."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt

from qviz.app.views import DistributionView
from qviz.ui.palette import Palette, tint
from qviz.ui.range_marks import RangeMarks, ends


class RangeLines:
    """Lines that cannot be grabbed, so that they are never in the way; the labels can be pressed.

    A method whose label has no room has no line either.
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
        *,
        shown: bool,
    ) -> None:
        """Draw the view's ranges; the plot shows the values `span` in the pixels of `frame`."""
        ranges = view.ranges if shown else ()
        scale = frame.width() / (span[1] - span[0])
        places = {line: ends(line, mirrored=view.mirrored) for line in ranges}
        self.marks.setVisible(bool(ranges))
        labelled = self.marks.show_ranges(
            places,
            lambda value: frame.left() + (value - span[0]) * scale,
            (frame.left(), frame.right()),
        )
        for item in (self.others, self.current):
            own = [
                place
                for line in ranges
                if line.current == (item is self.current) and line.method in labelled
                for place in places[line]
            ]
            x = np.unique(np.array(own))
            item.setData(np.repeat(x, 2), np.tile(heights, x.size))

"""How the layer table's columns share its width: figures are shown whole or not at all."""

from __future__ import annotations

from PySide6.QtGui import QFontMetrics

from qviz.app.views import LayerRow
from qviz.ui.fonts import ui_font
from qviz.ui.layer_columns import Column
from qviz.ui.layer_delegates import LINK
from qviz.ui.layer_header import PADDING, LayerHeader

Rows = tuple[LayerRow, ...]
WIDTHS: dict[Column, int] = {
    Column.INDEX: 34,
    Column.OP: 54,
    Column.SHAPE: 84,
    Column.PARAMETERS: 52,
    Column.WEIGHT: 84,
    Column.INPUT: 54,
    Column.WEIGHT_SQNR: 58,
    Column.INPUT_SQNR: 56,
    Column.LOCAL: 46,
    Column.ACCUMULATED: 50,
    Column.SIZE: 54,
}
OP_WIDTHS = (46, 110)  # the column is as wide as the longest operator, within these
SCHEME_MOST = 136  # the columns of schemes grow with what is in them, up to this
NAME_ROOM = 260  # pixels for which a long name may drive out operators and empty columns
NAME_LEAST = 96  # and those for which it drives out figures
GIVE_WAY = (Column.OP, Column.LOCAL, Column.ACCUMULATED, Column.SIZE)  # the first one first
OF_INPUTS = (Column.LOCAL, Column.ACCUMULATED, Column.INPUT_SQNR)  # empty where there are none


class ColumnRoom:
    """Sizes and hides the columns of one table; what the user chose to show or hide stays."""

    def __init__(self, header: LayerHeader) -> None:
        """Every column as wide as it is at first."""
        self._header = header
        self._metrics = QFontMetrics(ui_font(12))
        self._op_width = WIDTHS[Column.OP]
        self.chosen: frozenset[int] = frozenset()  # columns that the user has shown or hidden
        for column, width in WIDTHS.items():
            header.resizeSection(column, width)

    def share(self, rows: Rows, width: int) -> None:
        """Schemes and operators get what they need; columns give way where names need room."""
        least, most = OP_WIDTHS
        self._op_width = min(most, max(least, self._widest({(row.op, 0) for row in rows})))
        self._header.resizeSection(Column.OP, self._op_width)
        for column, cells in (
            (Column.WEIGHT, [row.weight for row in rows]),
            (Column.INPUT, [row.input for row in rows]),
        ):
            texts = {(cell.scheme, LINK * bool(cell.shared_with)) for cell in cells if cell}
            needed = min(self._widest(texts), SCHEME_MOST)
            self._header.resizeSection(column, max(self._header.sectionSize(column), needed))
        self._give_way(rows, width)

    def _widest(self, texts: set[tuple[str, int]]) -> int:
        """The width of the longest text with what stands beside it."""
        widths = (self._metrics.horizontalAdvance(words) + more for words, more in texts)
        return max(widths, default=0) + 2 * PADDING + 1

    def _give_way(self, rows: Rows, width: int) -> None:
        longest = max((row.name for row in rows), key=len, default="")
        wanted = self._metrics.horizontalAdvance(longest) + 2 * PADDING
        empty = () if any(row.input for row in rows) else OF_INPUTS
        order = (*empty, *(column for column in GIVE_WAY if column not in empty))
        self._show_again({*GIVE_WAY, *OF_INPUTS} - {*order, *self.chosen})
        giving = {column: self._width(column) for column in order if column not in self.chosen}
        others = set(Column) - {Column.NAME, *giving}
        room = width - sum(map(self._header.sectionSize, others)) - sum(giving.values())
        for column, own in giving.items():
            least = NAME_ROOM if column in (Column.OP, *empty) else NAME_LEAST
            hidden = room < min(wanted, least)
            room += own if hidden else 0
            if hidden != self._header.isSectionHidden(column):
                self._header.setSectionHidden(column, hidden)

    def _show_again(self, columns: set[Column]) -> None:
        """Columns that gave way for another model and have no reason to here."""
        for column in columns:
            self._header.setSectionHidden(column, False)

    def _width(self, column: Column) -> int:
        """Also of a hidden column, whose size the header does not tell."""
        usual = self._op_width if column == Column.OP else WIDTHS[column]
        return self._header.sectionSize(column) or usual

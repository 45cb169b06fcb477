"""How the layer table's columns share its width: figures are shown whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtGui import QFontMetrics

from qviz.app.views import Cell, LayerRow
from qviz.ui.fonts import ui_font
from qviz.ui.layer_cells import LINK
from qviz.ui.layer_columns import HEADS, SCHEME_COLUMNS, Column, cell_of
from qviz.ui.layer_cost import cost_words
from qviz.ui.layer_header import PADDING, LayerHeader
from qviz.ui.short_names import ELLIPSIS

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
    Column.SENSITIVITY: 66,
}
OP_WIDTHS = (46, 110)  # the column is as wide as the longest operator, within these
SCHEME_MOST = 136  # schemes take this much before names and figures get what they want
SCHEME_LEAST = 62  # and no less than this, where names need the rest
NAME_ROOM = 260  # pixels for which a long name may drive out operators and empty columns
NAME_LEAST = 96  # and those for which it drives out figures, and then words of schemes
GIVE_WAY = (Column.OP, Column.LOCAL, Column.ACCUMULATED, Column.SIZE)  # the first one first
MEASURED = (Column.INPUT_SQNR, Column.SENSITIVITY)  # and then these, where the last is known
OF_INPUTS = (Column.LOCAL, Column.ACCUMULATED, Column.INPUT_SQNR)  # empty where there are none


@dataclass(frozen=True, slots=True)
class _Scheme:
    """Widths of a column of schemes, in pixels, the widest first."""

    whole: int  # with every spelling whole
    usual: int
    short: int  # with every spelling as `int8:…:mse`
    least: int


class ColumnRoom:
    """Sizes and hides the columns of one table; what the user chose to show or hide stays."""

    def __init__(self, header: LayerHeader) -> None:
        """Every column as wide as it is at first."""
        self._header = header
        self._regular = QFontMetrics(ui_font(12))
        self._strong = QFontMetrics(ui_font(12, "semibold"))
        self._dragged: dict[int, int] = {}  # widths that the user gave to columns sized here
        self._sharing = False
        self.chosen: frozenset[int] = frozenset()  # columns that the user has shown or hidden
        for column, width in WIDTHS.items():
            header.resizeSection(column, width)
        header.sectionResized.connect(self._resized)

    def _resized(self, column: int, before: int, after: int) -> None:
        """A width is the user's, unless it is set here or comes from hiding or showing."""
        sized = column in (Column.OP, Column.SENSITIVITY) or column in SCHEME_COLUMNS
        if sized and before and after and not self._sharing:
            self._dragged[column] = after

    def forget_dragged(self) -> None:
        """Another model: its columns are as wide as it needs."""
        self._dragged.clear()

    def share(self, rows: Rows, width: int) -> None:
        """Schemes and operators get what they need; columns give way where names need room."""
        around, self._sharing = self._sharing, True  # a bar that comes or goes shares anew
        fitted = {Column.OP: self._op_width(rows), Column.SENSITIVITY: self._cost_width(rows)}
        for column, own in fitted.items():
            self._header.resizeSection(column, own)
        schemes = {column: self._scheme(column, rows) for column in SCHEME_COLUMNS}
        longest = max((row.name for row in rows), key=len, default="")
        words = (HEADS[Column.NAME].title, longest)
        wanted = max(map(self._regular.horizontalAdvance, words)) + 2 * PADDING + 2
        taken = sum(scheme.usual for scheme in schemes.values())
        spare = taken - sum(scheme.short for scheme in schemes.values())
        room = self._give_way(rows, width - taken, wanted, spare, fitted)
        for column, own in _scheme_widths(schemes, room, wanted).items():
            self._header.resizeSection(column, own)
        self._sharing = around

    def _op_width(self, rows: Rows) -> int:
        least, most = OP_WIDTHS
        words = {row.op for row in rows}
        widest = max(map(self._regular.horizontalAdvance, words), default=0) + 2 * PADDING + 1
        return self._dragged.get(Column.OP, min(most, max(least, widest)))

    def _cost_width(self, rows: Rows) -> int:
        words = {cost_words(row.sensitivity) for row in rows}
        widest = max(map(self._regular.horizontalAdvance, words), default=0) + 2 * PADDING + 1
        usual = WIDTHS[Column.SENSITIVITY]
        return self._dragged.get(Column.SENSITIVITY, max(usual, widest))

    def _scheme(self, column: Column, rows: Rows) -> _Scheme:
        dragged = self._dragged.get(column)
        if dragged is not None:
            return _Scheme(dragged, dragged, dragged, dragged)
        found = (cell_of(row, SCHEME_COLUMNS[column]) for row in rows)
        looks = {_look(cell) for cell in found if cell}
        whole = max([WIDTHS[column], *(self._look_width(*look) for look in looks)])
        shorts = ((_shortest(scheme), strong, linked) for scheme, strong, linked in looks)
        short = max([WIDTHS[column], *(self._look_width(*look) for look in shorts)])
        usual = min(whole, SCHEME_MOST)
        return _Scheme(whole, usual, min(short, usual), min(short, usual, SCHEME_LEAST))

    def _look_width(self, scheme: str, strong: bool, linked: bool) -> int:
        """The width of a spelling with what stands beside it."""
        metrics = self._strong if strong else self._regular
        return metrics.horizontalAdvance(scheme) + LINK * linked + 2 * PADDING + 1

    def _give_way(
        self, rows: Rows, width: int, wanted: int, spare: int, fitted: Mapping[Column, int]
    ) -> int:
        """Hide what is unknown or leaves names too little of `width`; returns the room they have.

        `width` is without the schemes, which give up their `spare` pixels before figures go.
        """
        empty = () if any(row.input for row in rows) else OF_INPUTS
        known = any(row.sensitivity for row in rows)
        first = (*empty,) if known else (Column.SENSITIVITY, *empty)
        last = (*GIVE_WAY, *MEASURED) if known else GIVE_WAY
        order = (*first, *(column for column in last if column not in first))
        self._show_again({*GIVE_WAY, *OF_INPUTS} - {*order, *self.chosen})
        giving = {
            column: self._width(column, fitted) for column in order if column not in self.chosen
        }
        others = set(Column) - {Column.NAME, *SCHEME_COLUMNS, *giving}
        room = width - sum(map(self._header.sectionSize, others)) - sum(giving.values())
        for column, own in giving.items():
            early = column in (Column.OP, *empty)
            short = room < min(wanted, NAME_ROOM) if early else room + spare < _floor(wanted)
            hidden = short or (column == Column.SENSITIVITY and not known)
            room += own if hidden else 0
            if hidden != self._header.isSectionHidden(column):
                self._header.setSectionHidden(column, hidden)
        return room

    def _show_again(self, columns: set[Column]) -> None:
        """Columns that gave way for another model and have no reason to here."""
        for column in columns:
            self._header.setSectionHidden(column, False)

    def _width(self, column: Column, fitted: Mapping[Column, int]) -> int:
        """Also of a hidden column, whose size the header does not tell."""
        return self._header.sectionSize(column) or fitted.get(column, WIDTHS[column])


def _floor(wanted: int) -> int:
    return min(wanted, NAME_LEAST)


def _look(cell: Cell) -> tuple[str, bool, bool]:
    """What the width of a cell depends on."""
    return cell.scheme, cell.overridden, bool(cell.shared_with)


def _shortest(scheme: str) -> str:
    """Its first and last word."""
    first, *more = scheme.split(":")
    return f"{first}:{ELLIPSIS}:{more[-1]}" if len(more) > 1 else scheme


def _scheme_widths(schemes: dict[Column, _Scheme], room: int, wanted: int) -> dict[Column, int]:
    """The usual widths, more where names leave room, less where they have too little."""
    widths = {column: scheme.usual for column, scheme in schemes.items()}
    left = max(0, room - wanted)
    for column, scheme in schemes.items():
        more = min(left, scheme.whole - scheme.usual)
        widths[column] += more
        left -= more
    missing = max(0, _floor(wanted) - room)
    bounds = [(column, scheme.short) for column, scheme in schemes.items()]
    bounds += [(column, scheme.least) for column, scheme in schemes.items()]
    for column, bound in bounds:
        less = min(missing, widths[column] - bound)
        widths[column] -= less
        missing -= less
    return widths

"""The Channels view: range and error of every channel of one slot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QFontMetrics, QResizeEvent, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QStackedLayout, QVBoxLayout, QWidget

from qviz.app.session import Session
from qviz.app.slot_views import ChannelsView
from qviz.app.views import Cell, LayerRow, Role
from qviz.errors import QvizError
from qviz.ui import channel_figures as figures
from qviz.ui.channel_figures import METRICS, SORTS
from qviz.ui.channel_legend import ChannelLegend
from qviz.ui.channels_plot import ChannelsPlot
from qviz.ui.distribution_view import NO_SLOT
from qviz.ui.fonts import ui_font
from qviz.ui.inspector import role_choices
from qviz.ui.palette import Palette
from qviz.ui.parts import Card, Chip, Notice, label
from qviz.ui.segmented import Segmented

HINT = "Point at a channel to read it; a click or Enter opens its histogram."
LONGEST = (
    "channel 123: −0.123 … 0.123, outlier, SQNR 12.3 dB, "
    "bias +12.1 %, clipped 12.1 %, RMSE 0.29 steps, largest error 0.000123"
)
SIDE = 14  # margin of the lines of text


class ChannelsPane(Card):
    """Draws one slot of the current layer; tells which channel and which role the user wants."""

    channel_picked = Signal(str, str, int)  # role, slot, channel
    role_picked = Signal(str)

    def __init__(self, session: Session) -> None:
        """Empty until `show_layer`."""
        super().__init__("Channels")
        self._session = session
        self._row: LayerRow | None = None
        self._role: Role = "weight"
        self._slot: str | None = None  # the one picked, where the layer has several
        self._pointed = -1
        self._sort = "index"  # what the user wants; by error only where errors are known
        self.view: ChannelsView | None = None
        self.roles = Segmented("Weights or inputs")
        self.scheme = Chip()
        self.slots = _menu({}, "Which slot of the layer")
        self.sort = _menu(SORTS, "Order of the channels")
        self.error = _menu({name: row.label for name, row in METRICS.items()}, "Error to draw")
        for at, row in enumerate(METRICS.values()):
            self.error.setItemData(at, row.tip, Qt.ItemDataRole.ToolTipRole)
        self.legend = ChannelLegend("values", "grid", "outlier")
        self.legend.words["values"].setToolTip("From the least to the largest value of the channel")
        self.legend.words["grid"].setToolTip("What the grid of the channel can represent")
        self.error_legend = ChannelLegend("worst", "exact")
        self.summary = label("", 12, tone="soft")
        self.readout = label("", 12, tone="soft")
        self.plot = ChannelsPlot()
        self._notice = Notice()
        self._assemble()
        self.roles.picked.connect(self.role_picked)
        self.slots.activated.connect(self._pick_slot)
        self.sort.activated.connect(self._pick_sort)
        self.error.activated.connect(self._draw)
        self.plot.pointed.connect(self._point)
        self.plot.moved.connect(self._show_readout)
        self.plot.opened.connect(self._open)

    def _assemble(self) -> None:
        self.header.addWidget(self.scheme)
        self.header.addStretch(1)
        self.header.addWidget(self.slots)
        self.header.addWidget(self.roles)
        for line in (self.summary, self.readout):
            line.setWordWrap(True)
            line.setContentsMargins(SIDE, 0, SIDE, 0)
            line.setAlignment(Qt.AlignmentFlag.AlignTop)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 6)
        column.setSpacing(4)
        column.addWidget(self.summary)
        column.addLayout(self._plots(), 1)
        column.addWidget(self.readout)
        self._stack = QStackedLayout()
        self._stack.addWidget(page)
        self._stack.addWidget(self._notice)
        self.body.addLayout(self._stack)

    def _plots(self) -> QVBoxLayout:
        top = QVBoxLayout()
        top.setContentsMargins(SIDE, 0, 6, 0)
        top.setSpacing(2)
        self.legend.row.addStretch(1)
        self.legend.row.addWidget(self.sort)
        top.addWidget(self.legend)
        self.plot.between.addWidget(label("Error", 12, "medium", tone="soft"))
        self.plot.between.addSpacing(4)
        self.plot.between.addWidget(self.error_legend)
        self.plot.between.addStretch(1)
        self.plot.between.addWidget(self.error)
        top.addWidget(self.plot, 1)
        return top

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.plot.set_palette(palette)
        for legend in (self.legend, self.error_legend):
            legend.set_palette(palette)
        self._notice.set_palette(palette)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The readout keeps the lines it may need, so that the plots do not jump."""
        super().resizeEvent(event)
        room = QRect(0, 0, self.width() - 2 * SIDE, self.height())
        flags = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft
        line = figures.unbroken(LONGEST, ", ")
        needed = QFontMetrics(self.readout.font()).boundingRect(room, int(flags), line)
        self.readout.setFixedHeight(needed.height() + 2)

    # what is drawn

    def show_layer(self, row: LayerRow | None, role: Role) -> None:
        """Draw the slot of a role of `row`."""
        if row is None or self._row is None or (row.name, role) != (self._row.name, self._role):
            self._slot = None
        self._row, self._role = row, role
        self.refresh()

    def refresh(self) -> None:
        """Draw again what the Session knows now."""
        row = self._row
        cells = {} if row is None else {"weight": row.weight, "input": row.input}
        missing = tuple(role for role in NO_SLOT if row is not None and cells[role] is None)
        self.roles.show_choices(role_choices(missing), self._role)
        cell = cells.get(self._role)
        if cell is None:
            self._show_nothing(NO_SLOT[self._role] if row else "Choose a layer")
            return
        try:
            view = self._session.channels(self._slot_of(cell))
        except QvizError:  # another model is open: its rows arrive with the next repaint
            self._show_nothing("")
            return
        self._show_slots(cell, view.slot)
        self.show_view(view)

    def _slot_of(self, cell: Cell) -> str:
        return self._slot if self._slot in cell.slots else cell.slots[0]

    def _show_slots(self, cell: Cell, current: str) -> None:
        self.slots.setVisible(len(cell.slots) > 1)
        self.slots.clear()
        for number, slot in enumerate(cell.slots):
            self.slots.addItem(f"{'Weight' if self._role == 'weight' else 'Input'} {number + 1}")
            self.slots.setItemData(number, slot)
        self.slots.setCurrentIndex(cell.slots.index(current))

    def _show_nothing(self, notice: str) -> None:
        self.view = None
        self.scheme.hide()
        self.slots.hide()
        self._notice.setText(notice)
        self._stack.setCurrentIndex(1)

    def show_view(self, view: ChannelsView) -> None:
        """Draw `view`, or say why there is nothing to draw."""
        if self.view is None or self.view.slot != view.slot:
            self._pointed = -1
        self.view = view
        self.scheme.setText(view.scheme)
        self.scheme.show()
        self._notice.setText(view.notice)
        self._stack.setCurrentIndex(0 if view.minimum.size else 1)
        if view.minimum.size:
            self.summary.setToolTip(f"Dead: {view.dead_rule}" if figures.dead(view).any() else "")
            self.summary.setText(figures.unbroken(figures.summary(view), figures.DOT))
            rule = view.outlier_rule
            self.legend.words["outlier"].setToolTip(rule[:1].upper() + rule[1:])
            self.legend.show_kinds(
                {"grid": view.low.size > 0, "outlier": bool(view.outliers.any())}
            )
            self.plot.setAccessibleName(
                f"Channels of {view.slot}: left and right move, Enter opens the histogram"
            )
            self._draw()

    def _draw(self) -> None:
        view, error = self.view, self.error.currentData()
        if view is not None and view.minimum.size:
            why = figures.why_no_errors(view, METRICS[error])
            self._show_sort(why)
            self.plot.show_view(view, error, self.sort.currentData())
            values, worst = METRICS[error].values(view), figures.worst(view, METRICS[error])
            self.error_legend.show_kinds(
                {
                    "worst": bool(worst.any()) and not why,
                    "exact": bool(np.isposinf(values).any()),
                }
            )
            self.error.setToolTip(METRICS[error].tip)
            self._show_readout()

    def _pick_sort(self, _at: int) -> None:
        self._sort = self.sort.currentData()
        self._draw()

    def _show_sort(self, why: str) -> None:
        """The order that is drawn; by error it is only where there are errors, else says why."""
        at = self.sort.findData("error")
        entries = self.sort.model()
        if isinstance(entries, QStandardItemModel):
            entries.item(at).setEnabled(not why)
        self.sort.setItemData(at, why, Qt.ItemDataRole.ToolTipRole)
        shown = "index" if why and self._sort == "error" else self._sort
        self.sort.setCurrentIndex(self.sort.findData(shown))

    def _open(self, channel: int) -> None:
        if self.view is not None:
            self.channel_picked.emit(self._role, self.view.slot, channel)

    def _pick_slot(self, index: int) -> None:
        self._slot = self.slots.itemData(index)
        self.refresh()

    # the readout

    def _point(self, channel: int) -> None:
        self._pointed = channel
        self._show_readout()

    def _show_readout(self) -> None:
        """The channel under the mouse, or else the current one."""
        view, current = self.view, self.plot.current
        if view is None:
            return
        channel = self._pointed if self._pointed >= 0 else current
        error = self.error.currentData()
        line = HINT
        if channel is not None:
            line = figures.unbroken(figures.readout(view, channel, error), ", ")
        self.readout.setText(line)
        if current is not None:
            self.plot.setAccessibleDescription(figures.readout(view, current, error))


def _menu(entries: Mapping[str, str], name: str) -> QComboBox:
    box = QComboBox()
    box.setFont(ui_font(12))
    box.setAccessibleName(name)
    box.setToolTip(name)
    for key, text in entries.items():
        box.addItem(text, key)
    return box

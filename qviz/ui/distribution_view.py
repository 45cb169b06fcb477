"""The Distribution view: the current layer's weights above, its input activations below."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QSplitter, QToolButton

from qviz.app.session import Session
from qviz.app.views import Cell, DistributionView, LayerRow, Role
from qviz.errors import QvizError
from qviz.ui.histogram_panel import HistogramPanel
from qviz.ui.icons import icon
from qviz.ui.legend import Legend
from qviz.ui.palette import Palette
from qviz.ui.parts import Card

NO_SLOT: dict[Role, str] = {
    "weight": "This layer has no weights",
    "input": "This layer has no input that can be quantized",
}


class DistributionPane(Card):
    """Draws the two slots of one layer and turns dragged clip lines into edits."""

    failed = Signal(str)

    def __init__(self, session: Session) -> None:
        """Empty until `show_layer`."""
        super().__init__("Distribution")
        self._session = session
        self._row: LayerRow | None = None
        self._slot: dict[Role, str] = {}
        self._channel: dict[str, int | None] = {}
        self.legend = Legend()
        self.overlay = self._toggle("Quantized overlay (Space)")
        self.log = self._toggle("Logarithmic counts (L)")
        self.header.addStretch(1)
        self.header.addWidget(self.legend)
        self.header.addSpacing(4)
        self.header.addWidget(self.overlay)
        self.header.addWidget(self.log)
        self.panels: dict[Role, HistogramPanel] = {
            "weight": HistogramPanel("weight"),
            "input": HistogramPanel("input"),
        }
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.setHandleWidth(5)
        self.splitter.setChildrenCollapsible(False)
        for role, panel in self.panels.items():
            self._connect(role, panel)
            self.splitter.addWidget(panel)
        line = QFrame()
        line.setObjectName("divider")
        line.setFixedHeight(1)
        self.body.addWidget(line)
        self.body.addWidget(self.splitter)

    def _toggle(self, tip: str) -> QToolButton:
        button = QToolButton()
        button.setCheckable(True)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def _connect(self, role: Role, panel: HistogramPanel) -> None:
        panel.plot.dragged.connect(lambda low, high: self._preview(role, low, high))
        panel.plot.released.connect(lambda low, high: self._set_clip(role, low, high))
        panel.channel_picked.connect(lambda channel: self._pick_channel(role, channel))
        panel.slot_picked.connect(lambda slot: self._pick_slot(role, slot))

    # looks

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.overlay.setIcon(icon("stack-simple", palette))
        self.log.setIcon(icon("chart-line-up", palette))
        self.legend.set_palette(palette)
        for panel in self.panels.values():
            panel.set_palette(palette)

    def set_overlay(self, overlay: bool) -> None:
        """With or without the quantized histogram."""
        self.legend.set_overlay(overlay)
        for panel in self.panels.values():
            panel.plot.set_overlay(overlay)

    def set_log(self, log: bool) -> None:
        """Logarithmic or linear counts."""
        for panel in self.panels.values():
            panel.plot.set_log(log)

    # what is drawn

    def show_layer(self, row: LayerRow | None) -> None:
        """Draw the slots of `row`."""
        if row is None or self._row is None or row.name != self._row.name:
            self._channel.clear()
            self._slot.clear()
        self._row = row
        self.refresh()

    def refresh(self) -> None:
        """Draw again what the Session knows now."""
        for role, panel in self.panels.items():
            cell = self._cell(role)
            if cell is None:
                panel.show_nothing(NO_SLOT[role] if self._row else "Choose a layer")
                continue
            slot = self._slot_of(cell, role)
            try:
                view = self._session.distribution(slot, self._channel.get(slot))
            except QvizError:  # another model is open: its rows arrive with the next repaint
                panel.show_nothing("")
                continue
            panel.show_slots(cell.slots, slot)
            panel.show_view(view, mirrored=symmetric(view))

    def _cell(self, role: Role) -> Cell | None:
        if self._row is None:
            return None
        return self._row.weight if role == "weight" else self._row.input

    def _current(self, role: Role) -> str | None:
        cell = self._cell(role)
        return None if cell is None else self._slot_of(cell, role)

    def _slot_of(self, cell: Cell, role: Role) -> str:
        picked = self._slot.get(role)
        return picked if picked in cell.slots else cell.slots[0]

    def _pick_channel(self, role: Role, channel: int) -> None:
        slot = self._current(role)
        if slot is not None:
            self._channel[slot] = None if channel < 0 else channel
            self.refresh()

    def _pick_slot(self, role: Role, slot: str) -> None:
        self._slot[role] = slot
        self.refresh()

    # clip lines

    def _preview(self, role: Role, low: float, high: float) -> None:
        slot = self._current(role)
        if slot is None:
            return
        try:
            view = self._session.preview_clip(slot, low, high, self._channel.get(slot))
        except QvizError as error:
            self.failed.emit(str(error))
            return
        self.panels[role].show_view(view, mirrored=symmetric(view))

    def _set_clip(self, role: Role, low: float, high: float) -> None:
        slot = self._current(role)
        if slot is None:
            return
        try:
            self._session.set_clip([slot], low, high)
        except QvizError as error:
            self.failed.emit(str(error))
            self.refresh()


def symmetric(view: DistributionView) -> bool:
    """Whether the grid's two ends move together: zero is the middle of the codes."""
    if view.low is None or view.high is None or view.low == 0:
        return False
    if view.zero_point is not None:
        return view.zero_point == 0
    return abs(view.low + view.high) <= 0.01 * view.high  # scales per channel, all shown at once

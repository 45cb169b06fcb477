"""The Distribution view: the current layer's weights above, its input activations below."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSplitter, QToolButton, QWidget

from qviz.app.session import Session
from qviz.app.views import Cell, LayerRow, Role
from qviz.errors import QvizError
from qviz.ui.histogram_panel import HistogramPanel
from qviz.ui.icons import icon
from qviz.ui.legend import Legend, Parts
from qviz.ui.palette import Palette
from qviz.ui.parts import Card

NO_SLOT: dict[Role, str] = {
    "weight": "This layer has no weights",
    "input": "This layer has no input that can be quantized",
}
NO_GRAPH = "The file holds weights without a graph: what a layer is fed is not known"


class DistributionPane(Card):
    """Draws the two slots of one layer and turns what is dragged or picked there into edits."""

    failed = Signal(str)

    def __init__(self, session: Session) -> None:
        """Empty until `show_layer`."""
        super().__init__("Distribution")
        self._session = session
        self._row: LayerRow | None = None
        self._overlay = True
        self._slot: dict[Role, str] = {}
        self._channel: dict[str, int | None] = {}
        self._block: dict[str, int | None] = {}
        self.legend = Legend()
        self.overlay = self._toggle("Quantized overlay (Space)")
        self.curve = self._toggle("Error curve (E)")
        self.log = self._toggle("Logarithmic counts (L)")
        self.curve.setChecked(True)
        self.curve.toggled.connect(self.set_curve)
        self.header.addWidget(self.legend, 1)
        self.tools = QWidget()  # beside the tabs
        buttons = QHBoxLayout(self.tools)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(3)
        for button in (self.overlay, self.curve, self.log):
            buttons.addWidget(button)
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
        button.setProperty("compact", True)
        button.setFixedSize(28, 26)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def _connect(self, role: Role, panel: HistogramPanel) -> None:
        panel.plot.dragged.connect(lambda low, high: self._preview(role, low, high))
        panel.plot.released.connect(lambda low, high: self._set_clip(role, low, high))
        panel.plot.returned.connect(self.refresh)
        panel.plot.range_picked.connect(lambda word: self._set_field(role, "range", word))
        panel.plot.drawn.connect(self._show_legend)
        panel.widths.picked.connect(lambda word: self._set_field(role, "format", word))
        panel.channel_picked.connect(lambda channel: self._pick_channel(role, channel))
        panel.block_picked.connect(lambda block: self._pick_block(role, block))
        panel.slot_picked.connect(lambda slot: self._pick_slot(role, slot))

    # looks

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.overlay.setIcon(icon("stack-simple", palette))
        self.curve.setIcon(icon("chart-line", palette))
        self.log.setIcon(icon("chart-bar", palette))
        self.legend.set_palette(palette)
        for panel in self.panels.values():
            panel.set_palette(palette)

    def set_overlay(self, overlay: bool) -> None:
        """With or without the quantized histogram."""
        self._overlay = overlay
        for panel in self.panels.values():
            panel.plot.set_overlay(overlay)
        self._show_legend()

    def set_curve(self, shown: bool) -> None:
        """With or without the error curve."""
        self.curve.setChecked(shown)
        for panel in self.panels.values():
            panel.plot.set_curve(shown)
        self._show_legend()

    def set_log(self, log: bool) -> None:
        """Logarithmic or linear counts."""
        for panel in self.panels.values():
            panel.plot.set_log(log)

    def _show_legend(self) -> None:
        plots = [panel.plot for panel in self.panels.values() if panel.view is not None]
        self.legend.show_parts(
            Parts(
                quantized=self._overlay,
                curve=any(plot.shows_curve for plot in plots),
                threshold=any(plot.shows_thresholds for plot in plots),
            )
        )

    # what is drawn

    def show_layer(self, row: LayerRow | None, only: Role | None = None) -> None:
        """Draw the slots of `row`, or only those of one role."""
        if row is None or self._row is None or row.name != self._row.name:
            self._channel.clear()
            self._block.clear()
            self._slot.clear()
        self._row = row
        self.refresh(only)

    def refresh(self, only: Role | None = None) -> None:
        """Draw again what the Session knows now, of one role only if that is asked for."""
        for role, panel in self.panels.items():
            if only not in (None, role):
                continue
            cell = self._cell(role)
            if cell is None:
                panel.show_nothing(self._why_none(role))
                continue
            slot = self._slot_of(cell, role)
            try:
                part = self._channel.get(slot), self._block.get(slot)
                view = self._session.distribution(slot, *part)
            except QvizError:  # another model is open: its rows arrive with the next repaint
                panel.show_nothing("")
                continue
            panel.show_slots(cell.slots, slot)
            if panel.view is None or not view.key or panel.view.key != view.key:
                panel.show_view(view)

    def _why_none(self, role: Role) -> str:
        if self._row is None:
            return "Choose a layer"
        model = self._session.current().model
        weights_only = model is not None and not model.runs
        return NO_GRAPH if weights_only and role == "input" else NO_SLOT[role]

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

    def show_channel(self, role: Role, slot: str, channel: int) -> None:
        """Draw one channel of a slot of the layer."""
        self._slot[role] = slot
        self._pick_channel(role, channel)

    def _pick_channel(self, role: Role, channel: int) -> None:
        slot = self._current(role)
        if slot is not None:
            self._channel[slot] = None if channel < 0 else channel
            if channel < 0:  # a block is one of a channel
                self._block[slot] = None
            self.refresh()

    def _pick_block(self, role: Role, block: int) -> None:
        slot = self._current(role)
        if slot is not None:
            self._block[slot] = None if block < 0 else block
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
        self.panels[role].show_view(view)

    def _set_clip(self, role: Role, low: float, high: float) -> None:
        slot = self._current(role)
        if slot is None:
            return
        try:
            self._session.set_clip([slot], low, high)
        except QvizError as error:
            self.failed.emit(str(error))
            self.refresh()

    # range methods and widths

    def _set_field(self, role: Role, field: str, word: str) -> None:
        slot = self._current(role)
        if slot is None:
            return
        try:
            self._session.set_field([slot], field, word)
        except QvizError as error:
            self.failed.emit(str(error))

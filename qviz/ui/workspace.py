"""The open model: number strip, layer table, views of a layer and Inspector, held together."""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from qviz.app.session import Session
from qviz.app.views import LayerRow, Role
from qviz.ui.channels_view import ChannelsPane
from qviz.ui.distribution_view import DistributionPane
from qviz.ui.inspector import Inspector
from qviz.ui.layer_columns import Column
from qviz.ui.layers_panel import LayersPanel
from qviz.ui.number_strip import NumberStrip
from qviz.ui.palette import Palette
from qviz.ui.sensitivity_view import SensitivityPane
from qviz.ui.settings import Settings
from qviz.ui.views_card import ViewsCard

GAP = 8
BASE = (612, 396, 240)  # the widths of the three cards in a window of 1280 pixels
GROWTH = (0.26, 0.66, 0.08)  # how they share what a wider window has more

ROLES: tuple[Role, Role] = ("weight", "input")


class Workspace(QWidget):
    """The selection of the table decides what the other cards show."""

    failed = Signal(str)

    def __init__(self, session: Session) -> None:
        """Empty until the table has rows."""
        super().__init__()
        self._session = session
        self.strip = NumberStrip(session)
        self.layers = LayersPanel(session)
        self.table = self.layers.table
        self.distribution = DistributionPane(session)
        self.channels = ChannelsPane(session)
        self.sensitivity = SensitivityPane(session)
        self.views = ViewsCard()
        self.views.add_view(
            "distribution",
            "Distribution",
            "The values of the layer's slots",
            self.distribution,
            self.distribution.tools,
        )
        self.views.add_view(
            "channels", "Channels", "Range and error of every channel", self.channels
        )
        self.views.add_view(
            "sensitivity",
            "Sensitivity",
            "What quantizing each layer costs",
            self.sensitivity,
            self.sensitivity.tools,
        )
        self.inspector = Inspector(session)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(GAP)
        self.splitter.setChildrenCollapsible(False)
        for card, least in ((self.layers, 410), (self.views, 320), (self.inspector, 236)):
            card.setMinimumWidth(least)
            self.splitter.addWidget(card)
        self._watched: tuple[str, ...] = ()  # slots
        self._sized = False  # the user has moved a handle, now or in an earlier run
        self.splitter.splitterMoved.connect(self._keep_sizes)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(self.strip)
        column.addWidget(self.splitter, 1)
        # Moving the cursor changes selection and current cell at once: show the outcome once.
        self._picked = QTimer(self)
        self._picked.setSingleShot(True)
        self._picked.setInterval(0)
        self._picked.timeout.connect(self.show_selection)
        self.table.picked.connect(self._picked.start)
        self.views.shown_changed.connect(self.show_selection)
        self.channels.channel_picked.connect(self._show_channel)
        self.sensitivity.layer_picked.connect(self._go_to)
        self.sensitivity.layer_opened.connect(self._open_layer)
        for chooser in (self.channels, self.inspector):
            chooser.role_picked.connect(self._pick_role)
        for editor in (self.table, self.distribution, self.inspector):
            editor.failed.connect(self.failed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Until the user moves a handle, the cards follow the window's width."""
        super().resizeEvent(event)
        if not self._sized:
            more = max(0, self.width() - 2 * GAP - sum(BASE))
            shares = zip(BASE, GROWTH, strict=True)
            self.splitter.setSizes([round(base + more * part) for base, part in shares])

    def _keep_sizes(self) -> None:
        self._sized = True

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        views = (self.views, self.distribution, self.channels, self.sensitivity)
        for card in (self.strip, self.layers, *views, self.inspector):
            card.set_palette(palette)

    def show_selection(self) -> None:
        """The view in front shows the current layer, the Inspector the form of all selected."""
        self.show_view()
        self.show_form()

    def show_view(self, only: Role | None = None) -> None:
        """Draw the current layer in the view in front, or one role of it where it shows both."""
        self._picked.stop()
        row = self.table.current_row()
        self._watch(row)
        match self.views.shown():
            case "sensitivity":
                self.sensitivity.show_layer(row)
            case "channels" if only != "input":
                self.channels.show_layer(row, self._role_shown())
            case "distribution":
                self.distribution.show_layer(row, only)

    def show_form(self) -> None:
        """Show the form of the selected layers' schemes."""
        role = self._role_shown()
        slots = {name: self.table.selected_slots(name) for name in ROLES}
        missing = tuple(name for name in ROLES if not slots[name])
        self.inspector.show_slots(slots[role], role, missing)

    def _role_shown(self) -> Role:
        """The cursor's role; the other where the selection has no slot of it."""
        role = self.table.current_role()
        other: Role = "input" if role == "weight" else "weight"
        lacking = not self.table.selected_slots(role)
        return other if lacking and self.table.selected_slots(other) else role

    def _watch(self, row: LayerRow | None) -> None:
        """Have the slots that are looked at measured in detail."""
        cells = () if row is None else (row.weight, row.input)
        slots = tuple(slot for cell in cells if cell for slot in cell.slots)
        if slots != self._watched:
            self._watched = slots
            self._session.watch(slots)

    def _show_channel(self, role: Role, slot: str, channel: int) -> None:
        """The histogram of one channel, in the view that draws it."""
        self.views.show_view("distribution")
        self.distribution.show_channel(role, slot, channel)

    def _go_to(self, layer: str) -> None:
        """Make a layer the current one, unless the filter hides it."""
        if not self.table.go_to(layer):
            self.failed.emit(f"{layer} is hidden by the filter: clear it to go there.")

    def _open_layer(self, layer: str) -> None:
        """The histograms of a layer."""
        self._go_to(layer)
        self.views.show_view("distribution")

    def _pick_role(self, role: str) -> None:
        """The cursor goes to the column of the role, so that digits mean the same."""
        column = Column.INPUT if role == "input" else Column.WEIGHT
        index = self.table.currentIndex().siblingAtColumn(column)
        self.table.selectionModel().setCurrentIndex(
            index, QItemSelectionModel.SelectionFlag.NoUpdate
        )

    def save(self, settings: Settings) -> None:
        """Remember the sizes and the view in front."""
        settings.set_word("view", self.views.shown())
        settings.set_word("ramp", self.sensitivity.legend.ramp)
        if self._sized:
            settings.set_state("cards", self.splitter.saveState())
        settings.set_state("histograms", self.distribution.splitter.saveState())
        settings.set_state("columns", self.table.header.saveState())
        settings.set_word("columns_chosen", " ".join(map(str, sorted(self.table.room.chosen))))

    def restore(self, settings: Settings) -> None:
        """Take the sizes and the view of last time."""
        self.views.show_view(settings.word("view", self.views.shown()))
        self.sensitivity.set_ramp(settings.word("ramp", self.sensitivity.legend.ramp))
        for name, part in (
            ("cards", self.splitter),
            ("histograms", self.distribution.splitter),
            ("columns", self.table.header),
        ):
            state = settings.state(name)
            if state is not None:
                part.restoreState(state)
                self._sized = self._sized or part is self.splitter
        chosen = settings.word("columns_chosen", "").split()
        self.table.room.chosen = frozenset(int(column) for column in chosen if column.isdecimal())

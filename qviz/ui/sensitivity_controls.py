"""What the Sensitivity page measures: mode, role, schemes and samples; and what it shows of it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from qviz.app.sensitivity.offers import first_schemes
from qviz.app.sensitivity.present import Order, SensitivityView
from qviz.app.sensitivity.quantities import QUANTITIES, QuantityName
from qviz.app.sensitivity.request import DEFAULT_SAMPLES, Mode, Request, Roles
from qviz.app.session import Session
from qviz.app.views import Choice
from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.palette import Palette
from qviz.ui.scheme_menu import SchemeMenu
from qviz.ui.segmented import Segmented

MODES: dict[str, Mode] = {"only": "only", "all-but": "all-but"}
ROLES: dict[str, Roles] = {"weights": "weights", "inputs": "inputs", "both": "both"}
MODE_CHOICES = (
    Choice("only", "Only this", "Quantize one layer at a time and leave the others in float"),
    Choice("all-but", "All but this", "Quantize as the plan says, but leave one layer in float"),
)
ROLE_CHOICES = (
    Choice("weights", "Weights", "The layer's weights alone"),
    Choice("inputs", "Inputs", "The layer's input activations alone"),
    Choice("both", "Both", "The layer's weights and inputs; inputs take uint of the same bits"),
)
SAMPLE_CHOICES = (
    Choice("some", str(DEFAULT_SAMPLES), f"{DEFAULT_SAMPLES} samples, which rank layers well"),
    Choice("all", "All", "All samples of the part, for exact numbers; takes longer"),
)
SPACE = 6  # between parts of a line
Lines = tuple[tuple[QWidget | None, ...], ...]
FROM_PLAN = "In this mode the plan says the schemes"


class SensitivityControls(QWidget):
    """In one line where it fits, else in two or three."""

    request_changed = Signal()
    look_changed = Signal()

    def __init__(self, session: Session) -> None:
        """Weights alone, with the first schemes, on 256 samples."""
        super().__init__()
        self._session = session
        self._schemes = {role: first_schemes(role) for role in ROLES.values()}
        self.modes = Segmented("Quantize only this layer, or all but this")
        self.roles = Segmented("Weights, inputs or both")
        self.samples = Segmented("How many samples")
        self.schemes = SchemeMenu()
        self.quantity = QComboBox()
        self.quantity.setFont(ui_font(12))
        self.quantity.setAccessibleName("What is shown")
        for name, row in QUANTITIES.items():
            self.quantity.addItem(row.label, name)
        self.order = QToolButton()
        self.order.setCheckable(True)
        self.order.setChecked(True)
        self.order.setProperty("compact", True)
        self.order.setFixedSize(28, 26)
        self.order.setAccessibleName("Worst layer first")
        self.order.setToolTip("Worst layer first, or the layers in the order of the graph")
        self.order.toggled.connect(lambda: self.look_changed.emit())
        self.modes.show_choices(MODE_CHOICES, "only")
        self.roles.show_choices(ROLE_CHOICES, "weights")
        self.samples.show_choices(SAMPLE_CHOICES, "some")
        self._lines: Lines = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(5)
        self._arrange()
        for part in (self.modes, self.roles, self.samples):
            part.picked.connect(self._picked)
        self.schemes.changed.connect(self._schemes_picked)
        self.quantity.activated.connect(lambda: self.look_changed.emit())
        self.offer()

    def _arrangements(self) -> tuple[Lines, ...]:
        """Lines of parts, None where they part; the first that fits is taken."""
        modes, roles, schemes, samples = self.modes, self.roles, self.schemes, self.samples
        look = (None, self.order, self.quantity)
        return (
            ((modes, roles, schemes, samples, *look),),
            ((modes, None, roles), (schemes, samples, *look)),
            ((modes, None, samples), (roles, None), (schemes, *look)),
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As few lines as have room."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        choices = self._arrangements()
        room = self.width()
        lines = next((c for c in choices if max(map(_needed, c)) <= room), choices[-1])
        if lines == self._lines:
            return
        self._lines = lines
        while (item := self._column.takeAt(0)) is not None:
            inner = item.layout()
            while inner is not None and inner.takeAt(0) is not None:
                pass
        for line in lines:
            row = QHBoxLayout()
            row.setSpacing(SPACE)
            for part in line:
                if part is None:
                    row.addStretch(1)
                else:
                    row.addWidget(part)
            self._column.addLayout(row)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.order.setIcon(icon("sort-descending", palette))

    def request(self) -> Request:
        """What is to be measured."""
        mode, role = MODES[self.modes.value() or "only"], self._role()
        samples = None if self.samples.value() == "all" else DEFAULT_SAMPLES
        schemes = ("plan",) if mode == "all-but" else self.schemes.checked()
        return Request(schemes, role, mode, samples)

    def shown_quantity(self) -> QuantityName:
        """The quantity that was asked for."""
        return next(name for name in QUANTITIES if name == self.quantity.currentData())

    def shown_order(self) -> Order:
        """The worst layer first, unless the order of the graph was asked for."""
        return "worst" if self.order.isChecked() else "graph"

    def _role(self) -> Roles:
        return ROLES[self.roles.value() or "weights"]

    def offer(self) -> None:
        """Offer the schemes of the role, the plan's among them."""
        role = self._role()
        checked = self._schemes[role]
        choices = self._session.sensitivity_schemes(role)
        known = {choice.value for choice in choices}
        gone = tuple(Choice(word, word) for word in checked if word not in known)
        self.schemes.show_choices((*choices, *gone), checked)
        if not self.schemes.checked():
            self._schemes[role] = first_schemes(role)
            self.schemes.show_choices((*choices, *gone), first_schemes(role))
        all_but = self.modes.value() == "all-but"
        self.schemes.setEnabled(not all_but)
        if all_but:
            self.schemes.setToolTip(FROM_PLAN)

    def _picked(self, _value: str) -> None:
        self.offer()
        self.request_changed.emit()

    def _schemes_picked(self) -> None:
        """Weights alone and with their inputs have the same schemes."""
        role = self._role()
        for other in ("weights", "both") if role != "inputs" else ("inputs",):
            self._schemes[ROLES[other]] = self.schemes.checked()
        self.request_changed.emit()

    def show_quantities(self, view: SensitivityView) -> None:
        """Offer what the samples have; the rest says why not."""
        entries = self.quantity.model()
        for at, choice in enumerate(view.quantities):
            self.quantity.setItemText(at, choice.label)
            self.quantity.setItemData(at, choice.reason or choice.tip, Qt.ItemDataRole.ToolTipRole)
            if isinstance(entries, QStandardItemModel):
                entries.item(at).setEnabled(not choice.reason)
        at = self.quantity.findData(view.quantity)
        if view.rows:
            self.quantity.setCurrentIndex(at)
        tip = self.quantity.itemData(at, Qt.ItemDataRole.ToolTipRole)
        self.quantity.setToolTip(f"What is shown. {tip}" if tip else "What is shown")


def _needed(line: tuple[QWidget | None, ...]) -> int:
    """The width of a line of parts."""
    parts = [part for part in line if part is not None]
    return sum(part.sizeHint().width() for part in parts) + SPACE * (len(parts) - 1)

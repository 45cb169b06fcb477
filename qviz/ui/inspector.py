"""The Inspector: the scheme of the selected slots as a form, and the facts of a single one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from qviz.app.session import Session
from qviz.app.views import Choice, Role, SchemeForm
from qviz.errors import QvizError
from qviz.ui.fact_list import FactList
from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.palette import Palette
from qviz.ui.parts import Card, Chip, ElidedLabel, label, scrolling
from qviz.ui.scheme_fields import SchemeFields
from qviz.ui.segmented import Segmented

NONE: dict[Role, str] = {
    "weight": "The selected layers have no weights",
    "input": "The selected layers have no inputs to quantize",
}


def role_choices(missing: tuple[Role, ...] = ()) -> tuple[Choice, Choice]:
    """Weights or inputs; what the selection does not have says so."""
    why = {role: NONE[role] if role in missing else "" for role in NONE}
    return (
        Choice("weight", "Weights", "Show the weights", why["weight"]),
        Choice("input", "Inputs", "Show the input activations", why["input"]),
    )


class Inspector(Card):
    """Shows `Session.form` of the slots it is given and turns changes into edits."""

    failed = Signal(str)
    role_picked = Signal(str)

    def __init__(self, session: Session) -> None:
        """Empty until `show_slots`."""
        super().__init__("Inspector")
        self._session = session
        self._slots: tuple[str, ...] = ()
        self._stops: tuple[QWidget, ...] = ()
        self.roles = Segmented("Weights or inputs")
        self.roles.show_choices(role_choices(), "weight")
        self.roles.picked.connect(self.role_picked)
        self.header.addStretch(1)
        self.header.addWidget(self.roles)
        self.name = ElidedLabel(13, "semibold")
        self.name.mode = Qt.TextElideMode.ElideLeft  # slots begin alike and differ at the end
        self.scheme = Chip()
        self.empty = label("Select layers to see and change their schemes.", 13, tone="faint")
        self.empty.setWordWrap(True)
        self.fields = SchemeFields()
        self.fields.changed.connect(self._set_field)
        self.shared = label("", 12, tone="faint")
        self.shared.setWordWrap(True)
        self.reset = QPushButton("Reset to default")
        self.reset.setFont(ui_font(12, "medium"))
        self.reset.clicked.connect(lambda: self._edit(lambda: self._session.reset(self._slots)))
        self.facts = FactList()
        self._assemble()

    def _assemble(self) -> None:
        line = QFrame()
        line.setObjectName("divider")
        line.setFixedHeight(1)
        self.body.addWidget(line)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(14, 12, 10, 14)
        column.setSpacing(10)
        column.addWidget(self.empty)
        column.addWidget(self.name)
        chip = QHBoxLayout()
        chip.addWidget(self.scheme)
        chip.addStretch(1)
        column.addLayout(chip)
        column.addWidget(self.fields)
        column.addWidget(self.shared)
        column.addWidget(self.reset)
        column.addSpacing(2)
        column.addWidget(self.facts)
        column.addStretch(1)
        self.body.addWidget(scrolling(content))

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.reset.setIcon(icon("arrow-counter-clockwise", palette))

    def show_slots(
        self, slots: tuple[str, ...], role: Role, missing: tuple[Role, ...] = ()
    ) -> None:
        """Show the form of `slots`, all of one role; the selection has none of the `missing`."""
        self._slots = slots
        self.roles.show_choices(role_choices(missing), role)
        self.refresh()

    def refresh(self) -> None:
        """Show again what the Session knows now."""
        form = self._session.form(self._slots)
        some = bool(form.slots)
        self.empty.setVisible(not some)
        for widget in (self.name, self.scheme, self.fields, self.reset):
            widget.setVisible(some)
        self.name.setText(form.title)
        self.scheme.setText(form.scheme)
        if some:
            self.fields.show_form(form)
            self._chain()
        self._show_shared(form)
        self.reset.setEnabled(form.overridden)
        self.reset.setToolTip(
            "Give the selection the plan's default scheme again"
            if form.overridden
            else "The selection already follows the plan's defaults"
        )
        self.facts.show_facts(form.facts)

    def _chain(self) -> None:
        """The tab key follows the order on the screen, not the order of making."""
        stops = (*self.roles.stops(), *self.fields.stops(), self.reset)
        if stops != self._stops:
            self._stops = stops
            for before, stop in pairwise(stops):
                QWidget.setTabOrder(before, stop)

    def _show_shared(self, form: SchemeForm) -> None:
        self.shared.setVisible(bool(form.shared_with))
        self.shared.setText("Shares its quantizer with " + ", ".join(form.shared_with))

    def _set_field(self, field: str, value: str) -> None:
        self._edit(lambda: self._session.set_field(self._slots, field, value))

    def _edit(self, edit: Callable[[], None]) -> None:
        try:
            edit()
        except QvizError as error:
            self.failed.emit(str(error))
            self.refresh()

"""What a metric has to know before it can be measured: which class, or which threshold."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from qviz.app.views import Choice, FormField, MetricChoice
from qviz.ui.fonts import ui_font
from qviz.ui.parts import label
from qviz.ui.scheme_fields import Menu, Number


class MetricQuestion(QDialog):
    """Emits `answered` with the whole name of the metric, such as "recall:3"."""

    answered = Signal(str)

    def __init__(self, parent: QWidget, choice: MetricChoice, classes: tuple[str, ...]) -> None:
        """Begins with what was asked for last."""
        super().__init__(parent.window())
        self._name = choice.name
        self.setFont(ui_font(13))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Class" if choice.asks == "class" else "Threshold")
        self.editor: Menu | Number = Menu() if choice.asks == "class" else Number()
        field = _field(choice, classes)
        self.editor.show_field(field)
        meaning = label(choice.tip, 12, tone="soft")
        meaning.setWordWrap(True)
        button = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(button.Ok | button.Cancel)
        measure = self.buttons.button(button.Ok)
        measure.setText("Measure")
        measure.setProperty("primary", True)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(field.label, 14, "semibold"))
        column.addWidget(meaning)
        column.addWidget(self.editor)
        column.addSpacing(4)
        column.addWidget(self.buttons)
        self.setMinimumWidth(360)

    def accept(self) -> None:
        """Tell the answer."""
        if isinstance(self.editor, Number):
            self.editor.interpretText()
            self.answered.emit(f"{self._name}{self.editor.value():g}")
        else:
            self.answered.emit(f"{self._name}{self.editor.currentData()}")
        super().accept()


def _field(choice: MetricChoice, classes: tuple[str, ...]) -> FormField:
    if choice.asks == "class":
        entries = tuple(Choice(str(at), name) for at, name in enumerate(classes))
        return FormField("class", "Recall of which class?", "menu", choice.answer or "0", entries)
    word = choice.name.removesuffix("@").capitalize()
    return FormField(
        "threshold",
        f"{word} at which threshold?",
        "number",
        choice.answer or "0.5",
        tip="Probability of class 1 from which a sample counts as positive",
        most=1.0,
        decimals=3,
    )

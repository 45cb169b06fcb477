"""The preview of one sample as the model is given it, read in a lane of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QToolButton, QVBoxLayout

from qviz.app.jobs import Step, ThreadLane, Token
from qviz.app.views import InputView, SamplePreview
from qviz.ui import number_format as text
from qviz.ui.icons import icon
from qviz.ui.palette import Palette
from qviz.ui.parts import Card, Chip, ElidedLabel, label
from qviz.ui.post import MainThread
from qviz.ui.sample_canvas import SampleCanvas

Read = Callable[[], SamplePreview]
HEADINGS = ("", "min", "mean", "max")


class PreviewPane(Card):
    """Shows what `Session.sample_preview` gives; `row_wanted` asks for another sample."""

    row_wanted = Signal(int)
    shown_changed = Signal()

    def __init__(self) -> None:
        """Empty until `request`."""
        super().__init__("What the model is given")
        self._lane = ThreadLane("preview", MainThread(), _nothing)
        self._cells: list[QLabel] = []
        self._row, self._count = 0, 0
        self.shown: SamplePreview | None = None
        self.place = label("", 12, tone="faint")
        self.before = self._step("Previous sample", -1)
        self.after = self._step("Next sample", 1)
        self.header.addStretch(1)
        for widget in (self.place, self.before, self.after):
            self.header.addWidget(widget)
        self.canvas = SampleCanvas()
        self.caption = label("", 12, tone="faint")
        self.caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.caption.setWordWrap(True)
        self.name = ElidedLabel(13, "medium")
        self.label = Chip()
        self.label.setMinimumWidth(24)
        self._table = QGridLayout()
        self._table.setHorizontalSpacing(18)
        self._table.setVerticalSpacing(4)
        self._table.setColumnStretch(0, 1)
        self._assemble()

    def _assemble(self) -> None:
        named = QHBoxLayout()
        named.setSpacing(8)
        named.addWidget(self.name, 1)
        named.addWidget(self.label)
        column = QVBoxLayout()
        column.setContentsMargins(14, 2, 14, 14)
        column.setSpacing(8)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.caption)
        column.addLayout(named)
        column.addLayout(self._table)
        self.body.addLayout(column)

    def _step(self, words: str, by: int) -> QToolButton:
        button = QToolButton()
        button.setIconSize(QSize(16, 16))
        button.setProperty("compact", True)
        button.setAutoRepeat(True)
        button.setToolTip(words)
        button.setAccessibleName(words)
        button.clicked.connect(lambda: self._go(by))
        return button

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.canvas.set_palette(palette)
        self.before.setIcon(icon("caret-left", palette))
        self.after.setIcon(icon("caret-right", palette))

    def _go(self, by: int) -> None:
        self._row = min(max(self._row + by, 0), max(self._count - 1, 0))
        self.row_wanted.emit(self._row)

    def request(self, read: Read) -> None:
        """Show what `read` gives; it is called in the lane, and only the latest one counts."""

        def work(_token: Token) -> Iterator[Step]:
            yield Step(0, 0, read())

        self._lane.restart("Reading a sample", work, self._take, self._failed, _nothing)

    def _take(self, payload: object) -> None:
        if isinstance(payload, SamplePreview):
            self.show_preview(payload)

    def _failed(self, error: Exception) -> None:
        self.show_preview(SamplePreview(self._row, self._count, "", "", problem=str(error)))

    def show_preview(self, preview: SamplePreview) -> None:
        """Show a sample."""
        self.shown = preview
        self._row, self._count = preview.row, preview.count
        self.place.setText(f"{text.count(preview.row + 1)} of {text.count(preview.count)}")
        self.before.setEnabled(preview.row > 0)
        self.after.setEnabled(preview.row < preview.count - 1)
        self.canvas.show_sample(preview)
        self.caption.setText(preview.caption)
        self.caption.setVisible(bool(preview.caption))
        self.name.setText(preview.name or f"Sample {text.count(preview.row + 1)}")
        self.label.setText(preview.label)
        self.label.setVisible(bool(preview.label))
        self._show_table(preview.inputs)
        self.shown_changed.emit()

    def _show_table(self, inputs: tuple[InputView, ...]) -> None:
        rows = [row for view in inputs for row in _rows(view)]
        words = [word for row in rows for word in row]
        if len(words) != len(self._cells):
            self._build(len(rows))
        for cell, word in zip(self._cells, words, strict=True):
            cell.setText(word)

    def _build(self, rows: int) -> None:
        for cell in self._cells:
            self._table.removeWidget(cell)
            cell.hide()
            cell.deleteLater()
        self._cells = []
        for row in range(rows):
            for column in range(len(HEADINGS)):
                cell = label("", 12, tone="faint" if column == 0 else "soft")
                side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
                self._table.addWidget(cell, row, column, side)
                self._cells.append(cell)

    def tensors(self) -> tuple[str, ...]:
        """The words of the table, from the top left."""
        return tuple(cell.text() for cell in self._cells)

    def end(self) -> None:
        """Read nothing more."""
        self._lane.close()


def _rows(view: InputView) -> list[tuple[str, ...]]:
    """A line for the input, then one for each of its channels."""
    name = f"{view.name}   {view.dtype} {view.shape}"
    if view.constant:
        ends = (view.ranges[0].low, view.ranges[0].high)
        values = [text.significant(end) for end in dict.fromkeys(ends)]
        return [(f"{name}, the same for all", "", "", " … ".join(values))]
    found: list[tuple[str, ...]] = [(name, *HEADINGS[1:])]
    for part in view.ranges:
        numbers = (text.significant(value) for value in (part.low, part.mean, part.high))
        found.append((part.name, *numbers))
    return found


def _nothing() -> None:
    """Nobody waits for progress: a sample is read in an instant, or is replaced by the next."""

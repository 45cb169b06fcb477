"""The number strip: what the plan scores and what it costs."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from qviz.app.metric_choices import metric_tip, metric_title
from qviz.app.session import Session
from qviz.app.views import DocumentView, Strip
from qviz.ui.class_dialog import ClassDialog
from qviz.ui.figure import CAPTION_HEIGHT, MARK, BigNumber
from qviz.ui.fonts import ui_font
from qviz.ui.metric_button import MetricButton
from qviz.ui.metric_numbers import Spelling
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.parts import ElidedLabel, divider, label, set_look
from qviz.ui.segmented import Segmented
from qviz.ui.strip_figures import StripFigures, pixmap
from qviz.ui.strip_words import part_choices, seen_words

MARGIN = 16
SPACE = 10  # between the two numbers and the arrow
HEIGHT = 90
BADGE_ROOM = 72  # beside the caption
# Height of the digits, space between the figures, and room for two numbers and an interval, so
# that nothing moves: from the first on, until all numbers have room.
SIZES = ((26, 14, 304), (24, 10, 286), (21, 8, 264), (18, 6, 250), (15, 5, 240))


class NumberStrip(QFrame):
    """Draws `Session.strip`; `samples_wanted` when the user follows its advice."""

    samples_wanted = Signal()

    def __init__(self, session: Session) -> None:
        """Empty until `refresh`."""
        super().__init__()
        self._session = session
        self._shown: tuple[Strip, DocumentView] | None = None
        self._palette = LIGHT
        self._size = 0  # of SIZES
        self._title, self._unit = "", ""  # of the metric
        self._sized_for: tuple[int, str, str] | None = None  # width, and those two
        self.setObjectName("strip")
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName("What the plan scores and costs")
        self.caption = MetricButton()
        self.caption.picked.connect(session.set_metric)
        self.caption.classes_wanted.connect(self.show_classes)
        self.class_dialog: ClassDialog | None = None  # while it is open
        self.badge = label("exact", 11, "medium", badge="plain")
        self.used = label("", 11, "medium", badge="plain")
        self.float_number, self.arrow, self.number = BigNumber(), QLabel(), BigNumber()
        self.interval = label("", 15, "medium", tone="soft")
        self.interval.setContentsMargins(2, 0, 0, 3)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedSize(96, 4)
        self.progress.setAccessibleName("Samples seen")
        self.seen = ElidedLabel(12, tone="soft")
        self.seen.setMinimumWidth(140)
        self.advice = QPushButton()
        self.advice.setProperty("link", True)
        self.advice.setFont(ui_font(12, "medium"))
        self.advice.clicked.connect(self.samples_wanted)
        self.figures = StripFigures()
        self.change, self.flips, self.size_figure, self.bops = self.figures.all
        self.parts = Segmented("Samples to evaluate on")
        self.parts.picked.connect(session.set_part)
        self.accuracy = QWidget()
        self._assemble()
        self._fit()

    def _assemble(self) -> None:
        row = self._row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN, 10, MARGIN, 10)
        self.accuracy.setLayout(self._accuracy())
        row.addWidget(self.accuracy, 3)
        for figure in self.figures.all:
            row.addWidget(divider())
            row.addWidget(figure, 2)
        row.addWidget(divider())
        column = QVBoxLayout()
        column.setSpacing(4)
        caption = label("Evaluate on", 12, "medium", tone="faint")
        caption.setFixedHeight(CAPTION_HEIGHT)
        column.addWidget(caption)
        column.addWidget(self.parts)
        column.addStretch(1)
        row.addLayout(column)

    def _accuracy(self) -> QVBoxLayout:
        top, numbers, below = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        for line, spacing in ((top, 8), (numbers, SPACE), (below, 8)):
            line.setSpacing(spacing)
        top.addWidget(self.caption)
        top.addWidget(self.badge)
        top.addWidget(self.used)
        top.addStretch(1)
        numbers.addWidget(self.float_number)
        numbers.addWidget(self.arrow)
        numbers.addWidget(self.number)
        numbers.addWidget(self.interval, 0, Qt.AlignmentFlag.AlignBottom)
        numbers.addStretch(1)
        below.addWidget(self.seen, 1)
        below.addWidget(self.progress, 0, Qt.AlignmentFlag.AlignVCenter)
        below.addWidget(self.advice)
        below.addStretch(0)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addLayout(numbers)
        column.addLayout(below)
        column.addStretch(1)
        return column

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.arrow.setPixmap(pixmap("arrow-right", palette, palette.text_faint))
        self.figures.set_palette(palette)
        self._palette = palette
        self.caption.set_palette(palette)
        if self.class_dialog is not None:
            self.class_dialog.set_palette(palette)
        self._shown = None
        self.refresh()

    def refresh(self) -> None:
        """Draw the Session's strip."""
        strip, document = self._session.strip(), self._session.document()
        if (strip, document) == self._shown:
            return
        self._shown = strip, document
        self._show_parts(strip, dict(document.parts))
        self._show_accuracy(strip)
        self._show_below(strip)
        model = self._session.current().model
        self.figures.show_strip(strip, 0 if model is None else model.source_bytes)
        self._fit()
        if self.class_dialog is not None:
            self.class_dialog.show_strip(strip)

    def show_classes(self) -> None:
        """Open the table of all classes, or bring it to the front."""
        if self.class_dialog is None:
            self.class_dialog = ClassDialog(self.window(), self._palette)
            self.class_dialog.finished.connect(self._classes_closed)
        self.class_dialog.show_strip(self._session.strip())
        self.class_dialog.show()
        self.class_dialog.raise_()
        self.class_dialog.activateWindow()

    def _classes_closed(self) -> None:
        self.class_dialog = None

    def _show_parts(self, strip: Strip, counts: dict[str, int]) -> None:
        self.parts.show_choices(part_choices(counts), strip.part)

    def _show_accuracy(self, strip: Strip) -> None:
        classes = strip.classes
        self._title = metric_title(strip.metric, classes) if strip.metric else "Accuracy"
        self._unit = strip.unit
        meaning = metric_tip(strip.metric)
        for widget in (self.float_number, self.number):
            widget.setToolTip(meaning)
        self.caption.show_choices(strip.metrics, classes, by_class=strip.answers is not None)
        self.caption.setToolTip(f"{meaning}\nClick to measure something else" if meaning else "")
        spelling = Spelling(strip)
        unit = strip.unit if strip.float_value is not None else ""
        self.float_number.show_number(spelling.number(strip.float_value), unit, "soft")
        tone = "faint" if strip.stale or strip.value is None else ""
        unit = strip.unit if strip.value is not None else ""
        self.number.show_number(spelling.number(strip.value), unit, tone)
        self.badge.setVisible(strip.exact and not strip.stale)
        self.badge.setToolTip("All samples of the part are counted: there is no sampling error")
        self.used.setVisible(bool(strip.used) and strip.value is not None)
        self.used.setText(strip.used)
        self.used.setToolTip(strip.used_why)
        wide = strip.low is not None and strip.high is not None and not strip.exact
        self.interval.setVisible(wide)
        if strip.low is not None and strip.high is not None:
            half = (strip.high - strip.low) / 2
            low, high = (spelling.number(end) for end in (strip.low, strip.high))
            self.interval.setText(f"± {spelling.number(half)}")
            self.interval.setToolTip(f"95 % interval: {low} to {high} {strip.unit}".rstrip())

    def _show_below(self, strip: Strip) -> None:
        running = strip.state in ("waiting", "cancelled", "running") and strip.total > 0
        self.progress.setVisible(running)
        self.progress.setRange(0, max(1, strip.total))
        seen = strip.first_kl_samples if strip.stale else strip.samples
        self.progress.setValue(seen if running else 0)
        advised = strip.wants_samples
        self.advice.setVisible(advised)
        self.advice.setText(strip.message)
        self.seen.setVisible(not advised)
        set_look(self.seen, "tone", "bad" if strip.state == "failed" else "soft")
        self.seen.setText(seen_words(strip))

    # room

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Digits as large as the new width allows."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Numbers are never cut: where they have no room, the spaces and they themselves shrink.

        While nothing but the numbers changes they do not grow again.
        """
        sized_for = (self.width(), self._title, self._unit)
        first = self._size if sized_for == self._sized_for else 0
        self._sized_for = sized_for
        last = len(SIZES) - 1
        fitting = (at for at in range(first, last) if self._width_at(at) <= self.width())
        self._size = next(fitting, last)
        digits, space, room = SIZES[self._size]
        self._row.setSpacing(space)
        used = 0 if self.used.isHidden() else self.used.sizeHint().width() + 8
        self.caption.show_caption(self._title, room - BADGE_ROOM - used)
        for number in (self.float_number, self.number):
            number.set_digits(digits)
        self.accuracy.setMinimumWidth(max(room, self._numbers_width(digits)))
        for figure in self.figures.all:
            figure.set_digits(digits)

    def _width_at(self, size: int) -> int:
        digits, space, room = SIZES[size]
        figures = sum(figure.width_at(digits) for figure in self.figures.all)
        gaps = space * (self._row.count() - 1) + len(self.figures.all) + 1  # and dividers
        parts = self.parts.sizeHint().width()
        accuracy = max(room, self._numbers_width(digits))
        return 2 * MARGIN + accuracy + figures + parts + gaps

    def _numbers_width(self, digits: int) -> int:
        numbers = self.float_number.width_at(digits) + self.number.width_at(digits)
        interval = 0 if self.interval.isHidden() else SPACE + self.interval.sizeHint().width()
        advice = 0 if self.advice.isHidden() else self.advice.sizeHint().width()
        return max(numbers + MARK + 2 * SPACE + interval, advice)

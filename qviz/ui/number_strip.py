"""The number strip: what the plan scores and what it costs."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPixmap, QResizeEvent
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
from qviz.ui import number_format as text
from qviz.ui.class_dialog import ClassDialog
from qviz.ui.figure import CAPTION_HEIGHT, MARK, BigNumber, Figure
from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.metric_button import MetricButton
from qviz.ui.metric_numbers import Spelling, change_notes, change_tone
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.parts import ElidedLabel, divider, label, set_look
from qviz.ui.segmented import Segmented
from qviz.ui.strip_words import flip_notes, part_choices, seen_words

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
        self._arrows: dict[tuple[str, bool], QPixmap] = {}  # by tone, and whether it points up
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
        self.change = Figure("Change")
        self.flips = Figure("Flips")
        self.size_figure = Figure("Size")
        self.bops = Figure("Bit operations")
        self.parts = Segmented("Samples to evaluate on")
        self.parts.picked.connect(session.set_part)
        self.accuracy = QWidget()
        self._figures = (self.change, self.flips, self.size_figure, self.bops)
        self._assemble()
        self._fit()

    def _assemble(self) -> None:
        row = self._row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN, 10, MARGIN, 10)
        self.accuracy.setLayout(self._accuracy())
        row.addWidget(self.accuracy, 3)
        for figure in self._figures:
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
        self.arrow.setPixmap(_pixmap("arrow-right", palette, palette.text_faint))
        self._arrows = {
            (tone, up): _pixmap("arrow-up" if up else "arrow-down", palette, color)
            for tone, color in (("bad", palette.bad), ("good", palette.good))
            for up in (False, True)
        }
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
        self._show_change(strip)
        self._show_cost(strip)
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
        self.progress.setValue(strip.samples if running else 0)
        advised = strip.wants_samples
        self.advice.setVisible(advised)
        self.advice.setText(strip.message)
        self.seen.setVisible(not advised)
        set_look(self.seen, "tone", "bad" if strip.state == "failed" else "soft")
        self.seen.setText(seen_words(strip))

    def _show_change(self, strip: Strip) -> None:
        stale = strip.stale
        spelling, notes = Spelling(strip), change_notes(strip.unit)
        change = spelling.change(strip)
        self.change.setToolTip("The quantized model's number minus the float model's")
        if change is None:
            self.change.icon.hide()
            self.change.show_figure(text.NONE, "", "faint", *notes)
        else:
            tone = change_tone(change, strip.better)
            self.change.icon.setVisible(bool(tone) and not stale)
            self.change.icon.setPixmap(self._arrows.get((tone, change > 0), QPixmap()))
            shown = "faint" if stale else tone
            self.change.show_figure(spelling.signed(change), "", shown, *notes)
        if strip.flips is None:
            self.flips.show_figure(text.NONE, "", "faint", "changed answers", "changed")
            return
        shown = "faint" if stale else ""
        self.flips.show_figure(text.count(strip.flips), "", shown, *flip_notes(strip))
        part = f"{text.share(strip.flips / strip.samples)} of them. " if strip.samples else ""
        amount = "" if strip.kl is None else f" {text.significant(strip.kl, 2)} nats"
        self.flips.setToolTip(
            f"Samples with any answer that differs from the float model's: {part}\n"
            f"KL{amount}: how far the output distributions are from the float model's, the mean "
            "over the samples in nats"
        )

    def _show_cost(self, strip: Strip) -> None:
        if strip.bytes_float and strip.bytes_quantized is not None:
            value, unit = text.size(strip.bytes_quantized).split(" ")
            smaller = text.ratio(strip.bytes_float, strip.bytes_quantized)
            self.size_figure.show_figure(value, unit, "", f"{smaller} smaller", smaller)
            in_float = text.size(strip.bytes_float)
            model = self._session.current().model
            held = 0 if model is None else model.source_bytes
            file = f"\nThe file itself has {text.size(held)}" if held else ""
            self.size_figure.setToolTip(
                f"Bytes of the parameters with their scales; {in_float} in float{file}"
            )
        else:
            self.size_figure.show_figure(text.NONE, "", "faint")
        if strip.bops_float and strip.bops_quantized is not None:
            value, _, unit = text.short_count(strip.bops_quantized).partition(" ")
            fewer = text.ratio(strip.bops_float, strip.bops_quantized)
            self.bops.show_figure(value, unit, "", f"{fewer} fewer", fewer)
            self.bops.setToolTip(
                "Multiply-accumulates times weight bits times input bits, for one sample; "
                f"{text.short_count(strip.bops_float)} in float"
            )
        else:
            self.bops.show_figure(text.NONE, "", "faint")

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
        self.caption.show_caption(self._title, room - BADGE_ROOM)
        for number in (self.float_number, self.number):
            number.set_digits(digits)
        self.accuracy.setMinimumWidth(max(room, self._numbers_width(digits)))
        for figure in self._figures:
            figure.set_digits(digits)

    def _width_at(self, size: int) -> int:
        digits, space, room = SIZES[size]
        figures = sum(figure.width_at(digits) for figure in self._figures)
        gaps = space * (self._row.count() - 1) + len(self._figures) + 1  # and dividers
        parts = self.parts.sizeHint().width()
        accuracy = max(room, self._numbers_width(digits))
        return 2 * MARGIN + accuracy + figures + parts + gaps

    def _numbers_width(self, digits: int) -> int:
        numbers = self.float_number.width_at(digits) + self.number.width_at(digits)
        interval = 0 if self.interval.isHidden() else SPACE + self.interval.sizeHint().width()
        advice = 0 if self.advice.isHidden() else self.advice.sizeHint().width()
        return max(numbers + MARK + 2 * SPACE + interval, advice)


def _pixmap(name: str, palette: Palette, color: str) -> QPixmap:
    return icon(name, palette, color).pixmap(QSize(18, 18))

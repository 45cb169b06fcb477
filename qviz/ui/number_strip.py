"""The number strip: what the plan scores and what it costs."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPixmap
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
from qviz.app.views import Choice, DocumentView, Strip
from qviz.ui import number_format as text
from qviz.ui.figure import CAPTION_HEIGHT, BigNumber, Figure
from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.metric_button import MetricButton
from qviz.ui.metric_numbers import Spelling, change_note, change_tone
from qviz.ui.palette import Palette
from qviz.ui.parts import ElidedLabel, divider, label, set_look
from qviz.ui.segmented import Segmented

ACCURACY_WIDTH = 304  # room for two numbers and an interval, so that nothing moves
CAPTION_WIDTH = 232  # beside the badge
HEIGHT = 90
PART_WORDS: dict[str, tuple[str, str]] = {
    "tune": ("Tuning", "The samples to look at while the plan changes"),
    "all": ("All", "Every sample but those for calibration"),
    "confirm": ("Confirm", "Kept aside: look at them once, when the plan is final"),
}


class NumberStrip(QFrame):
    """Draws `Session.strip`; `samples_wanted` when the user follows its advice."""

    samples_wanted = Signal()

    def __init__(self, session: Session) -> None:
        """Empty until `refresh`."""
        super().__init__()
        self._session = session
        self._shown: tuple[Strip, DocumentView] | None = None
        self._arrows: dict[tuple[str, bool], QPixmap] = {}  # by tone, and whether it points up
        self.setObjectName("strip")
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName("What the plan scores and costs")
        self.caption = MetricButton()
        self.caption.picked.connect(session.set_metric)
        self.badge = label("exact", 11, "medium", badge="plain")
        self.float_number, self.arrow, self.number = BigNumber(), QLabel(), BigNumber()
        self.interval = label("", 15, "medium", tone="soft")
        self.interval.setContentsMargins(2, 0, 0, 3)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedSize(96, 4)
        self.progress.setAccessibleName("Samples seen")
        self.seen = ElidedLabel(12, tone="soft")
        self.seen.setMinimumWidth(190)
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
        self._assemble()

    def _assemble(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 16, 10)
        row.setSpacing(14)
        accuracy = QWidget()
        accuracy.setLayout(self._accuracy())
        accuracy.setMinimumWidth(ACCURACY_WIDTH)
        row.addWidget(accuracy, 3)
        for figure in (self.change, self.flips, self.size_figure, self.bops):
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
        for line, spacing in ((top, 8), (numbers, 10), (below, 8)):
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
        self.caption.set_palette(palette)
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

    def _show_parts(self, strip: Strip, counts: dict[str, int]) -> None:
        choices = []
        for value, (word, tip) in PART_WORDS.items():
            known = value in counts
            tip = f"{tip}: {text.count(counts[value])} samples" if known else tip
            reason = "" if known else "Open samples first"
            choices.append(Choice(value, word, tip, reason))
        self.parts.show_choices(choices, strip.part)

    def _show_accuracy(self, strip: Strip) -> None:
        classes = self._session.classes()
        metric = metric_title(strip.metric, classes) if strip.metric else "Accuracy"
        meaning = metric_tip(strip.metric)
        for widget in (self.float_number, self.number):
            widget.setToolTip(meaning)
        self.caption.show_choices(strip.metrics, classes)
        self.caption.show_caption(metric, CAPTION_WIDTH)
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
        self.seen.setText(_seen(strip))

    def _show_change(self, strip: Strip) -> None:
        stale = strip.stale
        spelling, note = Spelling(strip), change_note(strip.unit)
        change = spelling.change(strip)
        self.change.setToolTip("The quantized model's number minus the float model's")
        if change is None:
            self.change.icon.hide()
            self.change.show_figure(text.NONE, "", note, "faint")
        else:
            tone = change_tone(change, strip.better)
            self.change.icon.setVisible(bool(tone) and not stale)
            self.change.icon.setPixmap(self._arrows.get((tone, change > 0), QPixmap()))
            shown = "faint" if stale else tone
            self.change.show_figure(spelling.signed(change), "", note, shown)
        if strip.flips is None:
            self.flips.show_figure(text.NONE, "", "changed answers", "faint")
            return
        seen = text.count(strip.samples)
        below = f"of {seen} samples"
        if strip.kl is not None:
            below = f"of {seen}  ·  KL {text.significant(strip.kl, 2)} nats"
        self.flips.show_figure(text.count(strip.flips), "", below, "faint" if stale else "")
        part = f"{text.share(strip.flips / strip.samples)} of them. " if strip.samples else ""
        self.flips.setToolTip(
            f"Samples with any answer that differs from the float model's: {part}\n"
            "KL: how far the output distributions are from the float model's, the mean over the "
            "samples in nats"
        )

    def _show_cost(self, strip: Strip) -> None:
        if strip.bytes_float and strip.bytes_quantized is not None:
            value, unit = text.size(strip.bytes_quantized).split(" ")
            smaller = text.ratio(strip.bytes_float, strip.bytes_quantized)
            self.size_figure.show_figure(value, unit, f"{smaller} smaller")
            in_float = text.size(strip.bytes_float)
            self.size_figure.setToolTip(
                f"Bytes of the parameters with their scales; {in_float} in float"
            )
        else:
            self.size_figure.show_figure(text.NONE, "", "", "faint")
        if strip.bops_float and strip.bops_quantized is not None:
            value, _, unit = text.short_count(strip.bops_quantized).partition(" ")
            fewer = text.ratio(strip.bops_float, strip.bops_quantized)
            self.bops.show_figure(value, unit, f"{fewer} fewer")
            self.bops.setToolTip(
                "Multiply-accumulates times weight bits times input bits, for one sample; "
                f"{text.short_count(strip.bops_float)} in float"
            )
        else:
            self.bops.show_figure(text.NONE, "", "", "faint")


def _seen(strip: Strip) -> str:
    if strip.message:
        return strip.message
    if strip.total == 0:
        return "Waiting for the first samples" if strip.state == "waiting" else ""
    if strip.stale:
        return "The plan changed: measuring again"
    if strip.samples >= strip.total:
        return f"{text.count(strip.total)} samples"
    return f"{text.count(strip.samples)} of {text.count(strip.total)} samples"


def _pixmap(name: str, palette: Palette, color: str) -> QPixmap:
    return icon(name, palette, color).pixmap(QSize(18, 18))

"""One half of the Distribution view: what a slot holds, in figures, widths and a plot."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSpinBox, QStackedLayout, QVBoxLayout, QWidget

from qviz.app.slot_views import DistributionView
from qviz.app.views import Role
from qviz.ui import number_format as text
from qviz.ui.fonts import ui_font
from qviz.ui.histogram_plot import HistogramPlot
from qviz.ui.palette import Palette
from qviz.ui.parts import Chip, ElidedLabel, Notice, label
from qviz.ui.widths_strip import WidthsStrip

TITLES: dict[Role, str] = {"weight": "Weights", "input": "Inputs"}
SLOTS: dict[Role, str] = {"weight": "Weight", "input": "Input"}
DOT = " · "
ARROWS = 36  # pixels of a spin box beside its words
CLIPPED = "Clipped: beyond the outermost level by more than half a step"
VALUES: dict[Role, str] = {"weight": "weight value", "input": "activation value"}


class HistogramPanel(QWidget):
    """Header, figures, widths and plot of one slot; tells which part of it the user wants."""

    slot_picked = Signal(str)
    channel_picked = Signal(int)  # -1 for the whole tensor
    block_picked = Signal(int)  # -1 for all blocks

    def __init__(self, role: Role) -> None:
        """An empty panel for weights or for inputs."""
        super().__init__()
        self.role: Role = role
        self.view: DistributionView | None = None
        self.plot = HistogramPlot(VALUES[role])
        self.plot.setAccessibleName(f"Histogram of the {TITLES[role].lower()}")
        self.scheme = Chip()
        self._figures = FiguresLine()
        self.slots = self._make_slots()
        self.channel = _spin_box("Channel", self.channel_picked)
        self.block = _spin_box("Block", self.block_picked)
        self.widths = WidthsStrip()
        self._notice = Notice()
        self._stack = QStackedLayout()
        self._stack.addWidget(self.plot)
        self._stack.addWidget(self._notice)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(14, 4, 8, 1)
        outer.setSpacing(2)
        outer.addLayout(self._header())
        outer.addWidget(self._figures)
        outer.addWidget(self.widths)
        outer.addLayout(self._stack, 1)

    def _make_slots(self) -> QComboBox:
        box = QComboBox()
        box.setProperty("compact", True)
        box.setFont(ui_font(12))
        name = SLOTS[self.role].lower()
        box.setAccessibleName(f"Which {name} of the layer")
        box.setToolTip(f"This layer has several {name}s: which one to draw")
        box.activated.connect(lambda index: self.slot_picked.emit(box.itemData(index)))
        return box

    def _header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(5)
        row.addWidget(label(TITLES[self.role], 13, "semibold"))
        row.addWidget(self.scheme, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        for chooser in (self.slots, self.channel, self.block):
            row.addWidget(chooser)
        return row

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.plot.set_palette(palette)
        self.widths.set_palette(palette)
        self._notice.set_palette(palette)

    def show_nothing(self, notice: str) -> None:
        """No slot: say why."""
        self.view = None
        self.scheme.hide()
        self.slots.hide()
        self.channel.hide()
        self.block.hide()
        self.widths.show_bars(())
        self._figures.setText("")
        self._notice.setText(notice)
        self._stack.setCurrentIndex(1)

    def show_slots(self, slots: tuple[str, ...], current: str) -> None:
        """Offer the choice between several slots of one layer."""
        self.slots.setVisible(len(slots) > 1)
        if [self.slots.itemData(i) for i in range(self.slots.count())] != list(slots):
            self.slots.clear()
            for number, slot in enumerate(slots):
                self.slots.addItem(f"{SLOTS[self.role]} {number + 1}", slot)
        self.slots.setCurrentIndex(max(0, self.slots.findData(current)))

    def show_view(self, view: DistributionView) -> None:
        """Draw a slot, a channel or a block."""
        self.view = view
        self.scheme.setText(short_scheme(view.scheme))
        self.scheme.setToolTip(view.scheme)
        self.scheme.show()
        self._figures.setText(figures(view))
        _show_choice(self.channel, view.channels if view.channels > 1 else 0, view.channel)
        _show_choice(self.block, view.blocks, view.block)
        if view.widths or not self.plot.ends.held:  # a line that is dragged must not jump
            self.widths.show_bars(view.widths)
        empty = view.counts.size == 0
        self._notice.setText(view.notice)
        self._stack.setCurrentIndex(1 if empty else 0)
        if not empty:
            self.plot.show_view(view)


class FiguresLine(ElidedLabel):
    """Figures between dots; where they do not fit, whole ones at the end give way to …."""

    def __init__(self) -> None:
        """No figures."""
        super().__init__(12, tone="soft")

    def setText(self, text: str) -> None:
        """Show the figures; the tooltip has all of them, and says what is clipped."""
        super().setText(text)
        self.setToolTip(f"{text}\n{CLIPPED}" if "clipped" in text else text)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the figures that fit."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        room, metrics = self.contentsRect(), self.fontMetrics()
        parts = self.text().split(DOT)
        shown = self.text()
        while len(parts) > 1 and metrics.horizontalAdvance(shown) > room.width():
            parts.pop()
            shown = DOT.join([*parts, "…"])
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


def _spin_box(word: str, picked: SignalInstance) -> QSpinBox:
    """Chooses one of several parts, or all of them at -1."""
    box = QSpinBox()
    box.setFont(ui_font(12))
    box.setPrefix(f"{word} ")
    box.setSpecialValueText(f"All {word.lower()}s")
    box.setRange(-1, -1)
    box.setValue(-1)
    box.setKeyboardTracking(False)
    box.setProperty("compact", True)
    box.lineEdit().setTextMargins(7, 0, 0, 0)
    box.setAccessibleName(word)
    box.setToolTip(f"Draw one {word.lower()} alone; ↑ ↓ or the wheel go through them")
    box.valueChanged.connect(picked)
    box.hide()
    return box


def short_scheme(spelling: str) -> str:
    """A spelling with the numbers of its clip to three digits."""

    def rounded(found: re.Match[str]) -> str:
        return f"clip={float(found[1]):.3g}..{float(found[2]):.3g}"

    return re.sub(r"\bclip=([^:]+?)\.\.([^:]+)", rounded, spelling)


def _show_choice(box: QSpinBox, count: int, chosen: int | None) -> None:
    box.setVisible(count > 0)
    longest = max((f"{box.prefix()}{count - 1}", box.specialValueText()), key=len)
    box.setFixedWidth(box.fontMetrics().horizontalAdvance(longest) + ARROWS)
    box.blockSignals(True)
    box.setMaximum(max(-1, count - 1))
    box.setValue(-1 if chosen is None else chosen)
    box.blockSignals(False)


def figures(view: DistributionView) -> str:
    """The line of figures above a plot."""
    if view.counts.size == 0:
        return ""
    if view.quantized_counts is None:
        state = "kept in float" if view.scheme == "float" else "measuring…"
        return f"{text.short_count(view.values)} {text.word(view.values, 'value')} · {state}"
    parts = [
        text.decibels(view.sqnr_db, unit=True),
        f"{text.share(view.clipped)} clipped",
    ]
    if view.synthetic:
        parts.insert(0, "synthetic inputs")
    if view.sampled:
        parts.append(f"on a sample of {text.counted(view.sampled, 'value')}")
    if view.levels.size:
        parts.append(text.counted(view.levels.size, "level"))
    if view.scale is not None:
        word = "scale" if view.block is None else "block scale"
        parts.append(f"{word} {text.significant(view.scale, 3)}")
    return DOT.join(parts)

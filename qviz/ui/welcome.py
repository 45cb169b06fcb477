"""What the window shows before a model is open."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from qviz.ui.fonts import ui_font
from qviz.ui.icons import app_icon, icon
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.parts import ElidedLabel, label, set_look
from qviz.ui.settings import Recent

RECENT_SHOWN = 5
HINT = "or drop a model (ONNX, PyTorch, GGUF …), samples, a folder or a project"


class Welcome(QWidget):
    """Emits what the user wants to open."""

    model_wanted = Signal()
    samples_wanted = Signal()
    demo_wanted = Signal()
    recent_picked = Signal(str, str)

    def __init__(self) -> None:
        """No recent files until `show_recent`."""
        super().__init__()
        self._palette = LIGHT
        self.demo = self._button("Try the demo", primary=True)
        self.demo.clicked.connect(self.demo_wanted)
        self.model = self._button("Open model…")
        self.model.clicked.connect(self.model_wanted)
        self.samples = self._button("Open samples…")
        self.samples.clicked.connect(self.samples_wanted)
        self.hint = label(HINT, 13, tone="faint")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.drop = QFrame()
        self.drop.setObjectName("drop")
        self._recent_title = label("Recent", 12, "semibold", tone="faint")
        self._recent_title.setContentsMargins(0, 24, 0, 8)
        self._recent = QGridLayout()
        self._recent.setHorizontalSpacing(12)
        self._recent.setVerticalSpacing(6)
        self._recent.setColumnStretch(1, 1)
        self._fill_card()
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.drop)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.addStretch(2)
        column.addLayout(row)
        column.addStretch(3)

    def _button(self, words: str, *, primary: bool = False) -> QPushButton:
        button = QPushButton(words)
        button.setFont(ui_font(14, "medium"))
        button.setMinimumHeight(40)
        button.setIconSize(QSize(18, 18))
        button.setProperty("primary", primary)
        return button

    def _fill_card(self) -> None:
        self.drop.setFixedWidth(640)
        logo = QLabel()
        logo.setPixmap(app_icon().pixmap(QSize(72, 72)))
        logo.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        name = label("qviz", 30, "semibold")
        name.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        what = label("See what quantization does to a network, layer by layer.", 15, tone="soft")
        what.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        buttons = QHBoxLayout()
        buttons.setSpacing(12)
        for button in (self.demo, self.model, self.samples):
            buttons.addWidget(button, 1)
        column = QVBoxLayout(self.drop)
        column.setContentsMargins(48, 40, 48, 40)
        column.setSpacing(0)
        for widget, gap in ((logo, 12), (name, 6), (what, 28)):
            column.addWidget(widget)
            column.addSpacing(gap)
        column.addLayout(buttons)
        column.addSpacing(16)
        column.addWidget(self.hint)
        column.addWidget(self._recent_title)
        column.addLayout(self._recent)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.demo.setIcon(icon("play-circle", palette, palette.on_accent))
        self.model.setIcon(icon("folder-open", palette))
        self.samples.setIcon(icon("stack", palette))

    def show_recent(self, entries: tuple[Recent, ...]) -> None:
        """List models opened before."""
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._recent_title.setVisible(bool(entries))
        for row, entry in enumerate(entries[:RECENT_SHOWN]):
            button = QPushButton(Path(entry.model).name)
            button.setFont(ui_font(13, "medium"))
            button.setProperty("link", True)
            button.setToolTip(entry.model)
            button.clicked.connect(
                lambda _=False, e=entry: self.recent_picked.emit(e.model, e.samples)
            )
            where = ElidedLabel(12, tone="faint")
            where.setText(str(Path(entry.model).parent))
            self._recent.addWidget(button, row, 0)
            self._recent.addWidget(where, row, 1)

    def show_pending(self, samples: str) -> None:
        """Samples were chosen first: say that the model is still missing."""
        self.hint.setText(f"{Path(samples).name} is ready: now open its model" if samples else HINT)
        set_look(self.hint, "tone", "accent" if samples else "faint")

    def set_hot(self, hot: bool) -> None:
        """Light up while files are dragged over the window."""
        set_look(self.drop, "hot", hot)

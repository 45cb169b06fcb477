"""Help: the keys and the about box."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import numpy
import pyqtgraph
from PySide6 import __version__ as pyside_version
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QVBoxLayout,
    QWidget,
)

from qviz.app.actions import ACTIONS, TABLE_KEYS
from qviz.ui.fonts import ui_font
from qviz.ui.icons import app_icon
from qviz.ui.parts import label

Keys = list[tuple[str, str]]


def shortcuts_dialog(parent: QWidget) -> QDialog:
    """Every key, in two columns."""
    dialog = new_dialog(parent, "Keyboard Shortcuts")
    named: Keys = [(" or ".join(row.shortcuts), row.text) for row in ACTIONS if row.shortcuts]
    letters: Keys = [
        (" or ".join(row.shortcuts), row.text)
        for row in ACTIONS
        if row.shortcuts and row.scope == "views"
    ]
    window = [pair for pair in named if pair not in letters]
    columns = QHBoxLayout()
    columns.setSpacing(16)
    columns.addWidget(_keys("Anywhere", window), 1)
    column = QVBoxLayout()
    column.setSpacing(16)
    column.addWidget(_keys("In the layer table", list(TABLE_KEYS)))
    column.addWidget(_keys("In the layer table and the plots", letters))
    column.addStretch(1)
    columns.addLayout(column, 1)
    finish_dialog(dialog, columns)
    return dialog


def _keys(title: str, pairs: Keys) -> QFrame:
    card = QFrame()
    card.setObjectName("card")
    grid = QGridLayout(card)
    grid.setContentsMargins(16, 14, 16, 16)
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(7)
    grid.addWidget(label(title, 14, "semibold"), 0, 0, 1, 2)
    for row, (keys, words) in enumerate(pairs, start=1):
        key = label(keys.replace("Backspace", "⌫"), 12, "medium")
        key.setObjectName("key")
        grid.addWidget(key, row, 0, Qt.AlignmentFlag.AlignLeft)
        shown = label(words.rstrip("…"), 13, tone="soft")
        grid.addWidget(shown, row, 1)
    grid.setColumnStretch(1, 1)
    grid.setRowStretch(len(pairs) + 1, 1)
    return card


def about_dialog(parent: QWidget) -> QDialog:
    """Version and licences."""
    dialog = new_dialog(parent, "About qviz")
    logo = QLabel()
    logo.setPixmap(app_icon().pixmap(QSize(64, 64)))
    words = QVBoxLayout()
    words.setSpacing(6)
    words.addWidget(label(f"qviz {_version()}", 20, "semibold"))
    lines = (
        ("A workbench to see and plan the quantization of neural networks.", "soft"),
        ("Free software under the Apache License 2.0.", "soft"),
        ("Inter, by Rasmus Andersson, under the SIL Open Font License 1.1.", "faint"),
        ("Phosphor icons under the MIT License, through QtAwesome.", "faint"),
        (
            f"Python {platform.python_version()}, PySide {pyside_version}, "
            f"pyqtgraph {pyqtgraph.__version__}, numpy {numpy.__version__}",
            "faint",
        ),
    )
    for line, tone in lines:
        words.addWidget(label(line, 13, tone=tone))
    row = QHBoxLayout()
    row.setSpacing(20)
    row.addWidget(logo, 0, Qt.AlignmentFlag.AlignTop)
    row.addLayout(words)
    finish_dialog(dialog, row)
    return dialog


def _version() -> str:
    try:
        return version("qviz-workbench")
    except PackageNotFoundError:
        return "(not installed)"


def new_dialog(parent: QWidget, title: str) -> QDialog:
    """An empty dialog, deleted when it is closed."""
    dialog = QDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setFont(ui_font(13))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return dialog


def finish_dialog(dialog: QDialog, content: QLayout) -> None:
    """Put the content and a Close button into a dialog."""
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(20, 20, 20, 16)
    column.setSpacing(16)
    column.addLayout(content)
    column.addWidget(buttons)

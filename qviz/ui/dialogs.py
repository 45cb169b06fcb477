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

from qviz.app.actions import ACTIONS
from qviz.app.actions.action import Scope
from qviz.app.actions.keys import CHANNELS_KEYS, SENSITIVITY_KEYS, TABLE_KEYS, Keys
from qviz.ui.fonts import ui_font
from qviz.ui.icons import app_icon
from qviz.ui.parts import label


def shortcuts_dialog(parent: QWidget) -> QDialog:
    """Every key, in two columns."""
    dialog = new_dialog(parent, "Keyboard Shortcuts")
    anywhere, in_views = _keys_of("window"), _keys_of("views")
    columns = QHBoxLayout()
    columns.setSpacing(16)
    for cards in (  # as high as each other, near enough
        (("Anywhere", anywhere), ("In the Channels view", CHANNELS_KEYS)),
        (
            ("In the layer table", TABLE_KEYS),
            ("In the layer table and the plots", in_views),
            ("In the Sensitivity view", SENSITIVITY_KEYS),
        ),
    ):
        column = QVBoxLayout()
        column.setSpacing(16)
        for title, keys in cards:
            column.addWidget(_keys(title, keys), len(keys))
        columns.addLayout(column, 1)
    finish_dialog(dialog, columns)
    return dialog


def _keys_of(scope: Scope) -> Keys:
    rows = (row for row in ACTIONS if row.shortcuts and row.scope == scope)
    return tuple((" or ".join(row.shortcuts), row.text) for row in rows)


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

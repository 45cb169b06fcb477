"""The log of messages: a dialog as high as what it has to say."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QDialog, QGridLayout, QVBoxLayout, QWidget

from qviz.ui.dialogs import finish_dialog, new_dialog
from qviz.ui.parts import label, scrolling

WIDTH = 560
HIGHEST = 420  # beyond this the lines scroll


def log_dialog(parent: QWidget, lines: Sequence[tuple[QPixmap, str]]) -> QDialog:
    """The lines from top to bottom, each with its picture."""
    dialog = new_dialog(parent, "Messages")
    content = _lines(lines)
    scroll = scrolling(content)
    scroll.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the keys scroll what there is to read
    scroll.setFixedWidth(WIDTH)
    scroll.setFixedHeight(min(HIGHEST, content.heightForWidth(WIDTH)))
    column = QVBoxLayout()
    column.setSpacing(12)
    column.addWidget(label("Messages", 14, "semibold"))
    column.addWidget(scroll)
    finish_dialog(dialog, column)
    return dialog


def _lines(lines: Sequence[tuple[QPixmap, str]]) -> QWidget:
    content = QWidget()
    grid = QGridLayout(content)
    grid.setContentsMargins(0, 0, 12, 0)
    grid.setHorizontalSpacing(10)
    grid.setVerticalSpacing(8)
    grid.setColumnStretch(1, 1)
    for row, (picture, words) in enumerate(lines):
        mark, shown = label(), label(words, 13)
        mark.setPixmap(picture)
        shown.setWordWrap(True)
        shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        grid.addWidget(mark, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(shown, row, 1)
    if not lines:
        grid.addWidget(label("Nothing was said yet.", 13, tone="faint"), 0, 1)
    return content

"""The bottom line of the window: running work on the left, the latest message on the right."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from qviz.ui.jobs_strip import JobsStrip
from qviz.ui.message_area import MessageArea

HEIGHT = 32


class BottomBar(QWidget):
    """Holds the two; they draw themselves."""

    def __init__(self, jobs: JobsStrip, messages: MessageArea) -> None:
        """Side by side."""
        super().__init__()
        self.setObjectName("bottom")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 8, 0)
        row.setSpacing(24)
        row.addWidget(jobs)
        row.addWidget(messages, 1)

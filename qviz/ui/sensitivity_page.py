"""How the Sensitivity page shares its height: the chart keeps its rows, findings give way."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLayout, QToolButton, QVBoxLayout, QWidget

from qviz.app.sensitivity.result import Observation
from qviz.ui.findings_list import FindingsList
from qviz.ui.fonts import ui_font
from qviz.ui.number_format import counted
from qviz.ui.sensitivity_chart import SensitivityChart
from qviz.ui.sensitivity_painter import HEAD, ROW

FINDINGS_SHARE = 0.4  # of the page's height, at most
ROWS = 4  # of the chart that findings leave in sight
MARGIN = 4  # below everything


class SensitivityPage(QWidget):
    """Status line, chart and findings; where these have no room, one line that unfolds them."""

    def __init__(self, head: QLayout, chart: SensitivityChart, findings: FindingsList) -> None:
        """Nothing found."""
        super().__init__()
        self._head, self._chart, self._findings = head, chart, findings
        self._count = 0
        self.folded = QToolButton()
        self.folded.setFont(ui_font(12, "medium"))
        self.folded.setCheckable(True)
        self.folded.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.folded.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.folded.setToolTip("What stands out; there is no room for it beside the chart")
        self.folded.toggled.connect(self.share)
        self.folded.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, MARGIN)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(chart, 1)
        column.addWidget(self.folded)
        column.addWidget(findings)
        column.addStretch()
        QWidget.setTabOrder(chart, self.folded)
        findings.follows = self.folded
        findings.picked.connect(lambda: self.folded.setChecked(False))

    def show_findings(self, findings: tuple[Observation, ...]) -> None:
        """Say these, in their order."""
        if len(findings) != self._count:
            self.folded.setChecked(False)
        self._count = len(findings)
        self._findings.show_findings(findings)
        self.share()

    def share(self) -> None:
        """Give findings what the chart and the status line leave, or fold them."""
        room = self.height() - self._head.sizeHint().height() - MARGIN
        beside = min(room - HEAD - ROWS * ROW, round(FINDINGS_SHARE * self.height()))
        tight = bool(self._count) and beside < self._findings.least(self.width())
        unfolded = tight and self.folded.isChecked()
        mark = "\N{BLACK DOWN-POINTING SMALL TRIANGLE}"
        mark = mark if unfolded else "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}"
        self.folded.setText(f"{counted(self._count, 'finding')} {mark}")
        self.folded.setVisible(tight)
        self._chart.setVisible(not unfolded)
        line = self.folded.sizeHint().height()
        self._findings.set_limit(max(0, room - line if unfolded else beside))
        self._findings.setVisible(bool(self._count) and (unfolded or not tight))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The height is shared anew."""
        super().resizeEvent(event)
        self.share()

    def minimumSizeHint(self) -> QSize:
        """With findings folded, whether there are any or not."""
        line = self.folded.sizeHint().height() + self._head.minimumSize().height() + MARGIN
        width = self._head.minimumSize().width()
        return QSize(width, line + self._chart.minimumHeight())

"""The Sensitivity view: what quantizing each layer costs, scheme by scheme."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from qviz.app.sensitivity.present import SensitivityView, about
from qviz.app.session import Session
from qviz.app.views import LayerRow
from qviz.errors import QvizError
from qviz.ui.findings_list import FindingsList
from qviz.ui.fonts import ui_font
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.parts import Card, ElidedLabel, Notice, set_look
from qviz.ui.sensitivity_chart import SensitivityChart
from qviz.ui.sensitivity_columns import SIDE
from qviz.ui.sensitivity_controls import SensitivityControls
from qviz.ui.sensitivity_legend import RampButton
from qviz.ui.sensitivity_page import SensitivityPage
from qviz.ui.sensitivity_ramp import known_ramp

ANOTHER = "Another plan."
AGAIN = "These numbers are of another plan: Measure again."
CONFIRM = "These samples are kept for the final plan, so they are measured only when you ask"
ALL_KNOWN = "All that is asked for is measured"


class SensitivityPane(Card):
    """Draws `Session.sensitivity_view`; tells which layer the user wants."""

    layer_picked = Signal(str)
    layer_opened = Signal(str)
    samples_wanted = Signal()

    def __init__(self, session: Session) -> None:
        """Nothing is measured before the page is seen."""
        super().__init__("Sensitivity")
        self._session = session
        self._palette = LIGHT
        self._scheme = ""  # of the bars; the request's last until one is picked
        self._started: tuple[object, ...] = ()  # what was started last
        self._failure = ""  # why it could not be
        self.view: SensitivityView | None = None
        self._shown: tuple[SensitivityView, str] | None = None  # with the failure
        self.controls = SensitivityControls(session)
        self.status = ElidedLabel(12, tone="soft")
        self.chart = SensitivityChart()
        self.legend = RampButton()
        self.findings = FindingsList()
        self.notice = Notice()
        self.advice = QPushButton("Open Samples…")
        self.advice.setFont(ui_font(13, "medium"))
        self.measure = QPushButton("Measure")
        self.measure.setFont(ui_font(12, "medium"))
        self.measure.setAutoDefault(False)
        self._assemble()
        self._connect()

    def _assemble(self) -> None:
        self.header.addWidget(self.controls, 1)
        below = QHBoxLayout()
        below.setContentsMargins(SIDE, 0, 8, 0)
        below.addWidget(self.status, 1)
        below.addWidget(self.legend)
        self.page = SensitivityPage(below, self.chart, self.findings)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.page)
        self._stack.addWidget(self._empty())
        self.body.addLayout(self._stack)
        self.tools = QWidget()
        row = QHBoxLayout(self.tools)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(self.measure)

    def _empty(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addStretch(1)
        column.addWidget(self.notice)
        column.addWidget(self.advice, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        return page

    def _connect(self) -> None:
        self.controls.request_changed.connect(self.refresh)
        self.controls.look_changed.connect(self.refresh)
        self.chart.scheme_picked.connect(self._pick_scheme)
        self.chart.picked.connect(self.layer_picked)
        self.chart.opened.connect(self.layer_opened)
        self.findings.picked.connect(self._pick_finding)
        self.legend.ramp_picked.connect(self.set_ramp)
        self.measure.clicked.connect(self._measure_or_stop)
        self.advice.clicked.connect(self.samples_wanted)

    # looks

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.controls.set_palette(palette)
        self.findings.set_palette(palette)
        self.notice.set_palette(palette)
        self.set_ramp(self.legend.ramp)

    def set_ramp(self, word: str) -> None:
        """Draw in the colors of a ramp."""
        name = known_ramp(word)
        self.legend.set_colors(self._palette, name)
        self.chart.set_colors(self._palette, name)

    # what is drawn

    def showEvent(self, event: QShowEvent) -> None:
        """What is not known yet is measured once it is looked at."""
        super().showEvent(event)
        self.refresh()

    def show_layer(self, row: LayerRow | None) -> None:
        """Light up the layer that is current in the table."""
        self.chart.set_current("" if row is None else row.name)

    def follow_work(self) -> None:
        """Work began, went on or ended: draw again only where that changes what is shown."""
        view = self.view
        working = any(job.lane == "sweep" for job in self._session.jobs())
        if (
            view is None
            or view.state in ("notice", "ready")
            or (view.state == "running") != working
            or view.key[1:] != about(self._session.current())
        ):
            self.refresh()

    def refresh(self) -> None:
        """Draw what the Session knows now; measure what nobody has asked for yet."""
        if not self.isVisible():
            return
        self.controls.offer()
        view = self._known()
        confirm = self._session.current().part == "confirm"
        if view.state == "ready" and view.key != self._started and not confirm:
            self._measure()
            view = self._known()
        self._show_view(view)

    def _known(self) -> SensitivityView:
        controls = self.controls
        return self._session.sensitivity_view(
            controls.request(), controls.shown_quantity(), self._scheme, controls.shown_order()
        )

    def _show_view(self, view: SensitivityView) -> None:
        failure = self._failure if view.key == self._started else ""
        if (view, failure) == self._shown:
            return
        self.view, self._shown = view, (view, failure)
        self._show_button(view)
        self.controls.show_quantities(view)
        self.controls.setEnabled(view.state != "notice")
        if not view.rows:
            self.notice.setText(self._why_empty(view, failure))
            self.advice.setVisible(view.wants_samples)
            self._stack.setCurrentIndex(1)
            return
        other = view.other_plan and view.state != "running"
        words = [view.notice or failure] if view.notice or failure else []
        status = view.status[:1].upper() + view.status[1:]
        self.status.setText(" ".join((*([ANOTHER] if other else []), *words, status)))
        self.status.setToolTip("\n".join((*([AGAIN] if other else []), *words, status)))
        set_look(self.status, "tone", "warn" if words or other else "soft")
        self.legend.show_ends(*view.scale)
        self.page.show_findings(view.findings)
        self.chart.show_view(view)
        self._stack.setCurrentIndex(0)
        self._session.follow_sensitivity(view.request, view.schemes[view.chosen])

    def _why_empty(self, view: SensitivityView, failure: str) -> str:
        if view.notice or failure:
            return view.notice or failure
        if view.state == "running":
            return "Measuring: a first guess appears in a moment"
        if self._session.current().part == "confirm":
            return CONFIRM
        return "Stopped before anything was known; Measure starts again"

    def _show_button(self, view: SensitivityView) -> None:
        running = view.state == "running"
        known = view.state == "done" and not view.other_plan
        self.measure.setText("Stop" if running else "Measure")
        self.measure.setEnabled(view.state != "notice" and not known)
        tip = "Stop; what is measured stays" if running else "Measure every layer"
        self.measure.setToolTip(view.notice or (ALL_KNOWN if known else tip))

    # what the user does

    def _measure_or_stop(self) -> None:
        if self.view is not None and self.view.state == "running":
            self._session.cancel("sweep")
        else:
            self._measure()
        self.refresh()

    def _measure(self) -> None:
        request = self.controls.request()
        self._started, self._failure = self._known().key, ""
        schemes = None if request.mode == "all-but" else request.schemes
        samples = "all" if request.samples is None else request.samples
        try:
            self._session.start_sensitivity(schemes, request.role, request.mode, samples)
        except QvizError as error:
            self._failure = str(error)

    def _pick_scheme(self, scheme: str) -> None:
        self._scheme = scheme
        self.refresh()

    def _pick_finding(self, layer: int, scheme: str) -> None:
        """The layer becomes the current one, and the scheme the one of the bars."""
        rows = () if self.view is None else self.view.rows
        self._pick_scheme(scheme)
        for row in rows:
            if row.index == layer:
                self.layer_picked.emit(row.name)

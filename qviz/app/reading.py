"""Reading: what the window, the command line and a notebook can ask of a Session."""

from __future__ import annotations

from collections.abc import Sequence

from qviz.app import edits
from qviz.app.document import Document, Findings
from qviz.app.form import empty_form, scheme_form
from qviz.app.present import completions, document_view, plan_schemes, slot_view
from qviz.app.strip import number_strip
from qviz.app.table import layer_rows
from qviz.app.views import (
    DistributionView,
    DocumentView,
    JobView,
    LayerRow,
    Message,
    Role,
    SchemeForm,
    Strip,
)
from qviz.app.work import Work
from qviz.engine.memo import Memo
from qviz.model.model import Model
from qviz.plan.cost import Cost, cost_of
from qviz.plan.plan import Plan
from qviz.quant.scheme import Scheme


class Reading(Work):
    """The questions a Session answers; all of them fast enough for a frame. Use `Session`."""

    @property
    def model(self) -> Model | None:
        """The open model."""
        return self._document.model

    @property
    def plan(self) -> Plan:
        """The plan as it stands."""
        return self._document.plan

    @property
    def findings(self) -> Findings:
        """What has been measured so far."""
        return self._findings

    @property
    def memo(self) -> Memo:
        """The store of activations."""
        return self._memo

    @property
    def operators_run(self) -> int:
        """How many operators evaluations really ran; answers from the memo do not count."""
        return 0 if self._executor is None else self._executor.steps_run

    def current(self) -> Document:
        """The document itself."""
        return self._document

    def cost(self) -> Cost | None:
        """Bytes and BOPs of the plan; None when nothing is open."""
        model = self._document.model
        if model is None:
            return None
        key = (id(model), self._document.plan, id(self._findings.macs))
        if self._cost is None or self._cost[0] != key:
            cost = cost_of(model, self._document.plan, self._findings.macs)
            self._cost = (key, cost)
        return self._cost[1]

    def document(self) -> DocumentView:
        """What is open, for the title, the header and the actions."""
        history = self._history
        return document_view(self._document, self._findings, history.undo_text, history.redo_text)

    def rows(self) -> tuple[LayerRow, ...]:
        """The layer table."""
        cost = self.cost()
        if cost is None:
            return ()
        return layer_rows(self._document, self._findings, cost, plan_schemes(self._document))

    def strip(self) -> Strip:
        """The number strip."""
        return number_strip(
            self._document,
            self._findings,
            self.cost(),
            self._scores.shown,
            failure=self._scores.failure,
            running=self._lanes["evaluate"].job() is not None,
            current=self._scores.is_current(self._score_key()),
        )

    def jobs(self) -> tuple[JobView, ...]:
        """What is being worked on."""
        views = []
        for lane in self._lanes.values():
            job = lane.job()
            if job is not None:
                views.append(JobView(lane.name, job.title, job.done, job.total, job.seconds_left))
        return tuple(views)

    def messages(self) -> tuple[Message, ...]:
        """Everything that was said, newest last."""
        return tuple(self._messages)

    def completions(self, role: Role) -> tuple[str, ...]:
        """Spellings to offer for a cell."""
        return completions(role)

    def form(self, slots: Sequence[str]) -> SchemeForm:
        """The Inspector's form over a selection."""
        model = self._document.model
        if model is None:
            return empty_form()
        self._watched = frozenset(model.slots[name].group for name in slots if name in model.slots)
        values = plan_schemes(self._document)
        return scheme_form(self._document, self._findings, model, slots, values)

    def distribution(self, slot: str, channel: int | None = None) -> DistributionView:
        """The histogram of a slot with its grid."""
        model = self._require_model()
        return self._view(slot, plan_schemes(self._document)[model.slots[slot].name], channel)

    def preview_clip(
        self, slot: str, low: float, high: float, channel: int | None = None
    ) -> DistributionView:
        """The same with another clip range, while a line is dragged; changes nothing."""
        plan = edits.set_clip(self._require_model(), self._document.plan, [slot], low, high)
        return self._view(slot, plan.overrides[slot], channel)

    def _view(self, name: str, scheme: Scheme, channel: int | None) -> DistributionView:
        model, document = self._require_model(), self._document
        return slot_view(model, document, self._findings, name, scheme, channel, live=self._live)

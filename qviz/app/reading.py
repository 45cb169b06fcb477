"""Reading: what the window, the command line and a notebook can ask of a Session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qviz.app.channels import channels_view
from qviz.app.completion import completions
from qviz.app.departure import Departure, first_departure, why_no_departure
from qviz.app.details import details_of
from qviz.app.document import Document, Findings
from qviz.app.findings import with_near
from qviz.app.form import empty_form, scheme_form
from qviz.app.present import (
    document_view,
    plan_schemes,
    slot_encoding,
    slot_view,
    why_empty,
)
from qviz.app.projects import Projects
from qviz.app.sample_form import SampleDraft, sample_form, samples_notice, with_reading
from qviz.app.sample_preview import sample_preview
from qviz.app.scheme_edits import clipped
from qviz.app.sensitivity.result import Sensitivity
from qviz.app.slot_views import ChannelsView, DistributionView
from qviz.app.strip import class_choices, number_strip
from qviz.app.table import layer_rows
from qviz.app.views import (
    DocumentView,
    JobView,
    LayerRow,
    Message,
    Role,
    SampleForm,
    SamplePreview,
    SchemeForm,
    Strip,
)
from qviz.engine.evaluate import Evaluation
from qviz.engine.memo import Memo
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.cost import Cost, cost_of
from qviz.plan.plan import Plan
from qviz.quant.scheme import Scheme


class Reading(Projects):
    """The questions a Session answers; all of them fast enough for a frame. Use `Session`."""

    _proposed = ""  # the metric that fits the samples best

    def _measured(self, payload: object) -> None:
        if isinstance(payload, Evaluation) and not self._document.metric:
            self._proposed = payload.metric
        super()._measured(payload)

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
        model, findings = self._document.model, self._findings
        if model is None:
            return None
        schemes = self._schemes()
        made_of = (model, schemes, findings.macs, findings.wide)
        if self._cost is None or self._cost[0] != made_of:
            slots = model.slots.values()
            wide = {s.name for s in slots if (s.group, schemes[s.name]) in findings.wide}
            self._cost = (made_of, cost_of(model, schemes, findings.macs, wide))
        return self._cost[1]

    def _schemes(self) -> dict[str, Scheme]:
        """The scheme of every slot, worked out once per plan."""
        model, plan = self._document.model, self._document.plan
        known = self._planned
        if known is None or known[0] is not model or known[1] is not plan:
            known = self._planned = (model, plan, plan_schemes(self._document))
        return known[2]

    def document(self) -> DocumentView:
        """What is open, for the title, the header and the actions."""
        document, findings, history = self._document, self._findings, self._history
        view = document_view(document, findings, history.undo_text, history.redo_text)
        return replace(view, no_departure=why_no_departure(document, findings))

    def rows(self) -> tuple[LayerRow, ...]:
        """The layer table."""
        cost = self.cost()
        if cost is None:
            return ()
        self._know_outputs()
        findings = with_near(self._findings, self._require_model(), self._document.plan.key)
        swept = self.column_of_sensitivity()
        return layer_rows(self._document, findings, cost, self._schemes(), swept)

    def sensitivities(self) -> tuple[Sensitivity, ...]:
        """What sweeps have found, the latest request last."""
        return ()

    def column_of_sensitivity(self) -> tuple[Sensitivity, str] | None:
        """The result that the layer table shows, and the scheme of it; None without any."""
        return None

    def departure(self) -> Departure | None:
        """The first layer whose output has more error from earlier layers than of its own.

        None where there is none, or while it is not known.
        """
        self._know_outputs()
        model, errors = self._document.model, self._findings.outputs.get(self._document.plan.key)
        return None if model is None or errors is None else first_departure(model, errors)

    def strip(self) -> Strip:
        """The number strip."""
        key = self._score_key()
        return number_strip(
            self._document,
            self._findings,
            self.cost(),
            self._scores.shown,
            failure=self._scores.failure,
            running=not self._idle("evaluate"),
            calibrating=not (self._idle("open") and self._idle("calibrate")),
            current=self._scores.is_current(key),
            complete=self._scores.is_complete(key),
            proposed=self._proposed,
            told=self._scores.told(key),
        )

    def classes(self) -> tuple[str, ...]:
        """What the classes of the open samples are called, "3 Dress"; () without classes."""
        return class_choices(self._document.scored, self._scores.shown)

    def sample_draft(self) -> SampleDraft:
        """How the open samples are read, to be changed by `set_reading`.

        Raises:
            QvizError: there are none, or they cannot be read again.
        """
        return SampleDraft.of(self._document)

    def sample_form(self, draft: SampleDraft) -> SampleForm:
        """The fields of a draft that concern the open samples."""
        return sample_form(self._document, draft)

    def set_reading(self, draft: SampleDraft, field: str, value: str) -> SampleDraft:
        """The draft with one field of its form changed; the samples stay as they are.

        Raises:
            QvizError: a value that the field does not take.
        """
        return with_reading(self._document, draft, field, value)

    def sample_preview(self, draft: SampleDraft, row: int) -> SamplePreview:
        """One of the open samples as the draft would read it; may be called from any thread."""
        return sample_preview(self._document, draft, row)

    def samples_notice(self) -> str:
        """How images are read where nobody chose it; "" for other samples."""
        return samples_notice(self._document)

    def reopen_samples(self, draft: SampleDraft) -> None:
        """Open the samples again as the draft says; those that are open stay if it fails."""
        self.open_samples(draft.path, draft.reading, draft.values)

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

    def completions(self, role: Role, typed: str = "") -> tuple[str, ...]:
        """Spellings that a cell offers for what is typed so far."""
        return completions(role, typed)

    def form(self, slots: Sequence[str]) -> SchemeForm:
        """The Inspector's form over a selection."""
        model = self._document.model
        if model is None:
            return empty_form()
        values = self._schemes()
        return scheme_form(self._document, self._findings, model, slots, values)

    def distribution(
        self, slot: str, channel: int | None = None, block: int | None = None
    ) -> DistributionView:
        """The histogram of a slot with its grid, of one channel of it, or of one block.

        Raises:
            QvizError: the open model has no such slot.
        """
        scheme = self._scheme_of(slot)
        self._know_details(slot)
        return self._view(slot, scheme, channel, block)

    def preview_clip(
        self, slot: str, low: float, high: float, channel: int | None = None
    ) -> DistributionView:
        """The same with another clip range, while a line is dragged; changes nothing."""
        return self._view(slot, clipped(self._scheme_of(slot), low, high), channel)

    def _scheme_of(self, slot: str) -> Scheme:
        known = self._schemes()
        if slot not in known:
            raise QvizError(f"slot '{slot}'", "the model has no such slot", "Choose a listed layer")
        return known[slot]

    def _view(
        self, name: str, scheme: Scheme, channel: int | None, block: int | None = None
    ) -> DistributionView:
        model, document, findings = self._require_model(), self._document, self._findings
        return slot_view(model, document, findings, name, scheme, channel, block, live=self._live)

    def channels(self, slot: str) -> ChannelsView:
        """A slot channel by channel.

        Raises:
            QvizError: the open model has no such slot.
        """
        scheme, model = self._scheme_of(slot), self._require_model()
        self._know_details(slot)
        findings = self._findings
        where = model.slots[slot]
        stats = findings.statistics.get(where.group)
        encoding = None
        if stats is not None and not scheme.is_float:
            encoding = slot_encoding(findings, where.group, scheme, live=self._live)
        details, _ = details_of(findings.details, where.group, scheme)
        why = why_empty(self._document, where.role, self._findings.parity_note)
        notice = why if stats is None else ""
        return channels_view(model, where, scheme, stats, encoding, details, notice)

"""Session: the one mutable object. It holds the Document, its undo list, its findings and lanes.

The window, the command line and a notebook drive the same Session: with a `post` function work
runs in lanes and results arrive as topics; without one every call returns when its work is done.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import torch

from qviz.app import edits
from qviz.app.document import PARTS, Document, Findings
from qviz.app.findings import forget_inputs, learn
from qviz.app.form import empty_form, scheme_form
from qviz.app.history import History
from qviz.app.jobs import InlineLane, Job, Lane, Post, ThreadLane
from qviz.app.pipelines import (
    FloatChecked,
    ModelRead,
    SamplesRead,
    SlotMeasured,
    WeightsMeasured,
    calibrate_inputs,
    evaluate_plan,
    open_model,
    open_samples,
)
from qviz.app.present import completions, document_view, plan_schemes, slot_view
from qviz.app.scores import ScoreKey, Scores
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
from qviz.data.bundled import demo_model, demo_samples
from qviz.data.parts import Part
from qviz.engine.calibrate import Calibration
from qviz.engine.evaluate import Evaluation
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.cost import Cost, cost_of
from qviz.plan.plan import Plan, Rule, check_plan, parse_setting, read_plan, write_plan
from qviz.quant.scheme import Scheme, parse_scheme

Listener = Callable[[frozenset[str]], None]
_ALL = frozenset({"document", "rows", "distribution", "strip", "jobs", "messages"})


class Session:
    """A model, its samples and a plan, with everything qviz knows about them."""

    def __init__(
        self,
        post: Post | None = None,
        *,
        part: Part = "all",
        seed: int = 0,
        limit: int | None = None,
        memo_budget: int | None = None,
        progress: Callable[[Job], None] | None = None,
    ) -> None:
        """`post` runs a function on the owner's thread soon; without it, work runs in the call."""
        self._listeners: list[Listener] = []
        self._document = Document(part=part, seed=seed)
        self._findings = Findings()
        self._history = History()
        self._scores = Scores()
        self._messages: list[Message] = []
        self._limit = limit
        self._memo = Memo() if memo_budget is None else Memo(memo_budget)
        self._executor: Executor | None = None
        self._cost: tuple[object, Cost] | None = None
        self._watched: frozenset[str] = frozenset()
        self._live = post is not None
        if self._live:  # one core is the window's
            torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
        self._lanes: dict[str, Lane] = {
            name: InlineLane(name, progress)
            if post is None
            else ThreadLane(name, post, lambda: self._changed("jobs", "strip"))
            for name in ("open", "calibrate", "evaluate")
        }

    # ------------------------------------------------------------------ listening

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told which topics changed; returns the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _changed(self, *topics: str) -> None:
        for listener in list(self._listeners):
            listener(frozenset(topics))

    def _say(self, level: str, text: str) -> None:
        kind = {"info": Message("info", text), "warning": Message("warning", text)}
        self._messages.append(kind.get(level, Message("error", text)))
        self._changed("messages")

    # ------------------------------------------------------------------ opening

    def open_demo(self) -> None:
        """Open the bundled model and its samples."""
        self.open(demo_model(), demo_samples())

    def open(
        self, model: str | Path, samples: str | Path | None = None, plan: str | Path | None = None
    ) -> None:
        """Open a model, then samples and a plan if given. What is open stays if it fails."""
        path = Path(model)

        def finished() -> None:
            if plan is not None:
                self._guarded(lambda: self.load_plan(plan))
            if samples is not None:
                self.open_samples(samples)
            else:
                self._evaluate()

        self._lanes["open"].restart(
            f"Opening {path.name}",
            lambda token: open_model(path, token),
            self._receive,
            self._opening_failed,
            finished,
        )

    def open_samples(self, samples: str | Path) -> None:
        """Open samples for the model that is open."""
        model = self._require_model()
        path = Path(samples)
        seed = self._document.seed
        self._lanes["open"].restart(
            f"Opening {path.name}",
            lambda _token: open_samples(path, model, seed),
            self._receive,
            self._opening_failed,
            self._calibrate,
        )

    def _opening_failed(self, error: Exception) -> None:
        self._say("error", describe(error))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Run something after opening; with lanes its error becomes a message."""
        if not self._live:
            action()
            return
        try:
            action()
        except QvizError as error:
            self._opening_failed(error)

    def _receive(self, payload: object) -> None:
        """Take what a pipeline found."""
        match payload:
            case ModelRead():
                self._model_read(payload)
            case SamplesRead():
                self._samples_read(payload)
            case Evaluation():
                self._scores.show(self._score_key(), payload)
                self._changed("strip")
            case WeightsMeasured() | FloatChecked() | Calibration() | SlotMeasured():
                self._findings = learn(self._findings, payload)
                self._changed("rows", "distribution")
                if isinstance(payload, FloatChecked):
                    self._float_checked(payload)

    def _model_read(self, read: ModelRead) -> None:
        for lane in ("calibrate", "evaluate"):
            self._lanes[lane].cancel()
        old = self._document
        self._document = Document(model=read.model, part=old.part, seed=old.seed)
        self._memo.clear()
        self._executor = Executor(read.model, self._memo)
        self._findings = Findings()
        self._history, self._scores = History(), Scores()
        for note in read.model.notes:
            self._say("info", note)
        self._changed(*_ALL)

    def _samples_read(self, read: SamplesRead) -> None:
        for lane in ("calibrate", "evaluate"):
            self._lanes[lane].cancel()
        self._memo.clear()
        self._document = replace(self._document, samples=read.samples, split=read.split)
        self._findings = forget_inputs(self._findings, self._require_model())
        self._scores = Scores()
        self._changed(*_ALL)

    def _float_checked(self, checked: FloatChecked) -> None:
        if checked.parity is not None and not checked.parity.ok:
            self._say("warning", checked.parity.text)
        self._changed("document", "strip")

    # ------------------------------------------------------------------ calibration, evaluation

    def _calibrate(self) -> None:
        executor, document = self._executor, self._document
        if executor is None or document.samples is None:
            return
        self._lanes["calibrate"].restart(
            "Calibrating",
            lambda token: calibrate_inputs(executor, document, token),
            self._receive,
            self._work_failed,
            self._calibration_finished,
        )

    def _calibration_finished(self) -> None:
        self._findings = replace(self._findings, calibration_done=True)
        self._changed("rows", "distribution", "strip")
        self._evaluate()

    def _evaluate(self) -> None:
        """Start scoring the plan, unless its number is known or nothing is open."""
        if self._live:
            self._start_evaluation()

    def _start_evaluation(self) -> None:
        executor, document, findings = self._executor, self._document, self._findings
        if executor is None:
            return
        if self._scores.recall(self._score_key()):
            self._lanes["evaluate"].cancel()
            self._changed("strip", "rows", "distribution")
            return
        limit, first = self._limit, self._watched
        self._scores.failure = ""
        self._lanes["evaluate"].restart(
            "Evaluating",
            lambda token: evaluate_plan(executor, document, findings, first, token, limit),
            self._receive,
            self._work_failed,
            lambda: self._changed("strip", "rows"),
        )

    def _score_key(self) -> ScoreKey:
        return (self._document.plan.key, self._document.part, self._limit)

    def _work_failed(self, error: Exception) -> None:
        """The last good number stays, greyed; the strip says what failed."""
        self._scores.failure = describe(error)
        self._say("error", self._scores.failure)
        self._changed("strip")

    def evaluate(self, part: Part | None = None, limit: int | None = None) -> Evaluation:
        """Score the plan now and return the number; for notebooks and the command line.

        Raises:
            QvizError: nothing is open, or the samples and the model do not fit.
        """
        if self._live:
            raise QvizError("evaluate", "this session works in the background", "Read strip()")
        self._require_model()
        if self._document.samples is None:
            raise QvizError(
                "samples", "there are none to evaluate on", "Open some with samples=FILE"
            )
        if part is not None:
            self._document = replace(self._document, part=part)
        self._limit = self._limit if limit is None else limit
        self._start_evaluation()
        if self._scores.shown is None:
            raise QvizError("evaluate", "no sample was scored", "Use a limit of at least 1")
        return self._scores.shown

    # ------------------------------------------------------------------ edits

    def set_scheme(self, slots: Sequence[str], spelling: str) -> None:
        """Give slots one scheme by its spelling."""
        scheme = parse_scheme(spelling)
        self._edit(f"set {_listed(slots)} to {scheme}", edits.set_scheme, slots, spelling)

    def set_bits(self, slots: Sequence[str], bits: int) -> None:
        """Change the width of slots; 0 means float."""
        text = f"{bits} bits" if bits else "float"
        self._edit(f"set {_listed(slots)} to {text}", edits.set_bits, slots, bits)

    def set_field(self, slots: Sequence[str], field: str, value: str) -> None:
        """Change one field of the Inspector's form."""
        if (field, value) == ("range", "clip"):  # by hand starts from the range it has
            low, high = self._present_range(slots)
            self.set_clip(slots, low, high)
            return
        self._edit(f"set {field} of {_listed(slots)}", edits.set_field, slots, field, value)

    def set_clip(self, slots: Sequence[str], low: float, high: float) -> None:
        """Set the range of slots by hand."""
        self._edit(f"clip {_listed(slots)}", edits.set_clip, slots, low, high)

    def reset(self, slots: Sequence[str]) -> None:
        """Give slots back to the plan's defaults and rules."""
        self._edit(f"reset {_listed(slots)}", edits.reset, slots)

    def set(self, pattern: str, spelling: str) -> None:
        """Add a rule, such as `set("conv1.weight", "int4:channel")` or `set("re:.*.input", …)`."""
        self.set_text(f"{pattern}={spelling}")

    def set_text(self, setting: str) -> None:
        """Add a rule as the command line writes it: `conv1.weight=int4:channel`."""
        self.add_rule(parse_setting(setting))

    def add_rule(self, rule: Rule) -> None:
        """Add a rule that wins over earlier ones."""
        model = self._require_model()
        self._apply(
            f"set {rule.pattern} to {rule.scheme}",
            edits.add_rule(model, self._document.plan, rule),
        )

    def set_defaults(self, weight: str | None = None, inputs: str | None = None) -> None:
        """Change the schemes that slots have when nothing else is said of them."""
        plan = self._document.plan
        if weight is not None:
            plan = replace(plan, weight=parse_scheme(weight))
        if inputs is not None:
            plan = replace(plan, input=parse_scheme(inputs))
        self._check(plan)
        self._apply("set the defaults", plan)

    def presets(self) -> tuple[str, ...]:
        """Names of the presets."""
        return tuple(edits.PRESETS)

    def apply_preset(self, name: str) -> None:
        """Replace the plan by a preset; one undo step."""
        self._require_model()
        self._apply(f"preset {name}", edits.apply_preset(name))

    def _edit(self, label: str, edit: Callable[..., Plan], *arguments: object) -> None:
        self._apply(label, edit(self._require_model(), self._document.plan, *arguments))

    def _apply(self, label: str, plan: Plan) -> None:
        if plan == self._document.plan:
            return
        self._history.edited(label, self._document.plan)
        self._show_plan(plan)

    def _show_plan(self, plan: Plan) -> None:
        self._document = replace(self._document, plan=plan)
        self._changed("document", "rows", "distribution", "strip")
        self._evaluate()

    def undo(self) -> None:
        """Back to the plan before the last edit; its number is known, nothing is recomputed."""
        plan = self._history.undo(self._document.plan)
        if plan is not None:
            self._show_plan(plan)

    def redo(self) -> None:
        """Forward again."""
        plan = self._history.redo(self._document.plan)
        if plan is not None:
            self._show_plan(plan)

    def set_part(self, part: str) -> None:
        """Choose the samples that are scored: tune, all or confirm."""
        chosen = next((known for known in PARTS if known == part), None)
        if chosen is None:
            raise QvizError(f"part '{part}'", "there is no such part", "Use tune, all or confirm")
        if chosen != self._document.part:
            self._document = replace(self._document, part=chosen)
            self._changed("strip", "document")
            self._evaluate()

    # ------------------------------------------------------------------ plans

    def load_plan(self, path: str | Path) -> None:
        """Replace the plan by a file's; one undo step."""
        self._require_model()
        plan = read_plan(Path(path))
        self._check(plan)
        self._apply(f"open plan {Path(path).name}", plan)
        self._document = replace(self._document, plan_path=str(path), saved_plan=plan.key)
        self._changed("document")

    def save_plan(self, path: str | Path) -> None:
        """Save the plan with the hashes of what it was made on."""
        model = self._require_model()
        document = self._document
        provenance: dict[str, object] = {
            "qviz": metadata.version("qviz-workbench"),
            "model": {"name": Path(model.path).name, "sha256": model.hash},
        }
        if document.samples is not None and document.split is not None:
            provenance["samples"] = {
                "name": document.samples.name,
                "sha256": document.samples.hash,
                "seed": document.seed,
                "split": document.split.hash,
            }
        write_plan(document.plan, Path(path), provenance)
        self._document = replace(document, plan_path=str(path), saved_plan=document.plan.key)
        self._say("info", f"Saved the plan to {Path(path).name}")
        self._changed("document")

    def _check(self, plan: Plan) -> None:
        model = self._require_model()
        check_plan(plan, model.slots, {layer.index: layer.name for layer in model.layers})

    # ------------------------------------------------------------------ reading

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

    def _present_range(self, slots: Sequence[str]) -> tuple[float, float]:
        model = self._require_model()
        groups = [model.slots[name].group for name in slots if name in model.slots]
        known = [self._findings.statistics[g] for g in groups if g in self._findings.statistics]
        if not known:
            return -1.0, 1.0
        return (
            min(float(stats.minimum.min()) for stats in known),
            max(float(stats.maximum.max()) for stats in known),
        )

    def _require_model(self) -> Model:
        if self._document.model is None:
            raise QvizError("model", "none is open", "Open a model first")
        return self._document.model

    # ------------------------------------------------------------------ work

    def cancel(self, lane: str | None = None) -> None:
        """Stop the work of one lane, or of all."""
        for name, worker in self._lanes.items():
            if lane in (None, name):
                worker.cancel()
        self._changed("jobs", "strip")

    def close(self) -> None:
        """End all work."""
        self._listeners.clear()
        for lane in self._lanes.values():
            lane.close()


def describe(error: Exception) -> str:
    """One line for the user."""
    if isinstance(error, QvizError):
        return str(error)
    return f"Something unexpected failed ({type(error).__name__}: {error})"


def _listed(slots: Sequence[str]) -> str:
    return slots[0] if len(slots) == 1 else f"{len(slots)} slots"

"""Work: a sweep as a lane's job. First what gradients guess, then what is measured."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from qviz.app.document import Document, Findings
from qviz.app.jobs import Step, Token
from qviz.app.sensitivity.cache import Names
from qviz.app.sensitivity.candidates import Candidates, candidates
from qviz.app.sensitivity.observe import observe
from qviz.app.sensitivity.request import PLAN, Request
from qviz.app.sensitivity.result import Cost, LayerCosts, Sensitivity
from qviz.data.parts import Indices
from qviz.engine.chunks import Feeder, feeder
from qviz.engine.devices import CPU
from qviz.engine.execute import Executor, WorkCancelledError
from qviz.engine.float_run import FloatRun
from qviz.engine.memo import Memo
from qviz.engine.sensitivity.effect import Effect
from qviz.engine.sensitivity.gradient import Guess, NoGradientError
from qviz.engine.sensitivity.store import Store
from qviz.engine.sensitivity.sweep import Sweep
from qviz.errors import QvizError
from qviz.model.model import Model

TELL_S = 0.5  # how often what is known so far is told
SAVE_S = 20.0  # how often it is written to disk
GUESSED = 64  # samples at most that gradients are taken on


def sample_order(document: Document) -> Indices:
    """The samples of the part in the order of the document's seed.

    Raises:
        QvizError: there are no samples, or none in the part.
    """
    samples, split = document.scored, document.split
    if samples is None or split is None:
        raise QvizError("samples", "there are none to run", "Open some with samples=FILE")
    rows = split.indices(document.part)
    if not len(rows):
        why = f"the {document.part} part holds no samples"
        raise QvizError(samples.name, why, "Add samples, or choose another part")
    return np.random.default_rng(document.seed).permutation(rows)


@dataclass(frozen=True, eq=False)
class _Job:
    """A sweep, what it is about and where it is remembered."""

    model: Model
    document: Document
    findings: Findings
    request: Request
    made: Candidates
    rows: Indices
    feeder: Feeder
    sweep: Sweep
    names: tuple[str, tuple[str, ...]]  # of the start and of each candidate
    store: Store | None

    @property
    def wanted(self) -> int:
        return len(self.rows[: self.request.samples])

    def load(self) -> None:
        if self.store is not None:
            self.store.load(self.sweep, *self.names)

    def save(self) -> None:
        """A full or read-only disk is no reason to lose what was measured."""
        if self.store is not None:
            with suppress(OSError):
                self.store.save(self.sweep, *self.names)


def sweep_layers(
    model: Model,
    document: Document,
    findings: Findings,
    request: Request,
    folder: Path | None,
    token: Token,
    place: torch.device = CPU,
) -> Iterator[Step]:
    """Yield what is known of a request; the last is complete unless the work was cancelled.

    What was found before is read from `folder` and what is found is written there, also when the
    work stops early. Candidates run at `place`, gradients on the CPU.

    Raises:
        DeviceFailedError: see `Executor.run`.
    """
    job = _job(model, document, findings, request, folder, place)
    job.load()
    known, total = job.sweep.done, job.sweep.total
    guesses: list[float] = []
    note = ""
    told = saved = time.monotonic()
    steps = job.sweep.run(token.cancelled)
    try:
        if known < total:
            try:
                guesses = _guess(job, token)
            except NoGradientError as error:
                note = f"No guess from gradients: {error}"
        for _ in steps:
            now = time.monotonic()
            payload = None
            if now - told > TELL_S:
                payload, told = _result(job, guesses, note), now
            if now - saved > SAVE_S:
                job.save()
                saved = now
            yield Step(max(job.sweep.done - known, 0), total - known, payload)
        found = _result(job, guesses, note)
        found = replace(found, findings=observe(found, model, findings))
        yield Step(total - known, total - known, found)
    except WorkCancelledError:
        return
    finally:
        steps.close()
        job.save()


def _job(
    model: Model,
    document: Document,
    findings: Findings,
    request: Request,
    folder: Path | None,
    place: torch.device,
) -> _Job:
    rows, samples = sample_order(document), document.scored
    if samples is None:
        raise ValueError("a sample order needs samples")
    made = candidates(model, document, findings, request)
    feed = feeder(model, samples, findings.macs_per_sample)
    sweep = Sweep(
        model,
        feed,
        rows,
        made.base,
        [candidate.encodings for candidate in made.tried],
        limit=request.samples,
        metric=document.metric,
        own=document.own_metric,
        output=document.output,
        place=place,
    )
    names = Names(model, document, rows, place)
    each = tuple(names.name(made.base, candidate.encodings) for candidate in made.tried)
    own = document.own_metric is not None and document.metric == document.own_metric.name
    store = None if folder is None or own else Store(folder)  # a program may have changed
    start = names.name(made.base, made.base)
    return _Job(model, document, findings, request, made, rows, feed, sweep, (start, each), store)


def _guess(job: _Job, token: Token) -> list[float]:
    """What gradients expect of every candidate, from the first batch."""
    guess = Guess([candidate.own for candidate in job.made.tried], job.document.seed)
    executor = Executor(job.model, Memo(0))
    run = FloatRun(executor, job.feeder, job.rows, job.document.output, token.cancelled)
    chunk = job.feeder.chunk(job.feeder.cut(job.rows)[0][:GUESSED])
    with torch.inference_mode():
        reference = run.output(chunk)
        task = run.task(reference)
    guess.add(job.model, executor.runtime, chunk, run.reading, task, token.cancelled)
    return guess.values() if task.classes else []


def _result(job: _Job, guesses: list[float], note: str) -> Sensitivity:
    sweep, made = job.sweep, job.made
    by_layer: dict[int, list[Cost]] = {}
    for number, candidate in enumerate(made.tried):
        cost = Cost(candidate.layer.index, candidate.scheme)
        if guesses:
            cost = replace(cost, guess=guesses[number])
        cost = _with_effect(cost, sweep.effect(number))
        by_layer.setdefault(candidate.layer.index, []).append(cost)
    layers = []
    for index, costs in by_layer.items():
        layer = job.model.layers[index]
        layers.append(LayerCosts(index, layer.name, layer.op, layer.parameters, tuple(costs)))
    metric, start = sweep.metric, sweep.base_effect
    return Sensitivity(
        request=job.request,
        part=job.document.part,
        metric="" if metric is None else metric.name,
        unit="" if metric is None else metric.unit,
        better="higher" if metric is None else metric.better,
        layers=tuple(layers),
        start=_with_effect(Cost(-1, PLAN), start) if job.request.mode == "all-but" else None,
        wanted=job.wanted,
        total=len(job.rows),
        note=note,
    )


def _with_effect(cost: Cost, effect: Effect | None) -> Cost:
    if effect is None:
        return cost
    return replace(
        cost,
        kl=effect.kl,
        sqnr_db=effect.sqnr_db,
        flips=effect.flips,
        loss=effect.loss,
        delta=effect.delta,
        low=effect.low,
        high=effect.high,
        samples=effect.samples,
        total=effect.total,
    )

"""Sweeps: the numbers of separate evaluations, in one pass over the batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper

import qviz
from qviz.engine.chunks import Feeder, feeder
from qviz.engine.estimates import tango
from qviz.engine.evaluate import evaluate
from qviz.engine.execute import Executor, WorkCancelledError
from qviz.engine.memo import Memo
from qviz.engine.metrics import Metric, Task
from qviz.engine.program import Encodings
from qviz.engine.sensitivity.effect import Effect, Rows, effect_of
from qviz.engine.sensitivity.sweep import Sweep
from qviz.model.model import Model
from qviz.plan.resolve import resolve
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.spelling import parse_scheme


@dataclass(frozen=True)
class Case:
    """A model with samples, its plan's encodings, and one candidate per layer and role."""

    model: Model
    feed: Feeder
    rows: Any
    plan: dict[str, Encoding]
    candidates: list[dict[str, Encoding]]

    def sweep(self, base: Encodings, candidates: list[Any], **options: Any) -> Sweep:
        return Sweep(self.model, self.feed, self.rows, base, candidates, **options)


def make_case(model: Path, samples: Path, count: int, schemes: tuple[str, ...]) -> Case:
    session = qviz.open(model, samples)
    document, findings = session.current(), session.findings
    assert document.model is not None
    assert document.scored is not None
    network = document.model
    plan = resolve(network, document.plan, findings.statistics).encodings
    feed = feeder(network, document.scored, sum((findings.macs or {}).values()))
    rows = np.random.default_rng(0).permutation(document.scored.count)[:count]
    candidates = [
        {
            slot.name: find_encoding(findings.statistics[slot.group], parse_scheme(scheme))
            for slot in (network.slots[name] for name in layer.slots)
        }
        for layer in network.layers
        for scheme in schemes
    ]
    return Case(network, feed, rows, dict(plan), candidates)


@pytest.fixture(scope="module")
def demo(demo_model: Path, demo_samples: Path) -> Case:
    return make_case(demo_model, demo_samples, 200, ("uint4",))


def separately(case: Case, encodings: Encodings) -> tuple[float | None, int | None, float]:
    """KL, flips and the metric's value of an evaluation of its own."""
    executor = Executor(case.model, Memo(0))
    *_, last = evaluate(executor, case.feed, encodings, case.rows, "all")
    return last.kl, last.flips, last.value


def finished(sweep: Sweep) -> list[Effect]:
    for _ in sweep.run():
        pass
    found = [sweep.effect(number) for number in range(len(sweep.rows))]
    assert all(effect is not None for effect in found)
    return [effect for effect in found if effect is not None]


@pytest.mark.parametrize("start", ["float", "plan"])
def test_a_sweep_finds_what_separate_evaluations_find(demo: Case, start: str) -> None:
    base: dict[str, Encoding] = {} if start == "float" else demo.plan
    candidates: list[dict[str, Encoding]] = [{**base, **own} for own in demo.candidates]
    if start == "plan":  # also those that leave a layer in float
        candidates += [
            {name: e for name, e in base.items() if name not in own} for own in demo.candidates
        ]
    _, _, from_value = separately(demo, base)
    for encodings, effect in zip(candidates, finished(demo.sweep(base, candidates)), strict=True):
        kl, flips, value = separately(demo, encodings)
        assert effect.kl == pytest.approx(kl, rel=1e-12, abs=1e-15)
        assert effect.flips == flips
        assert effect.delta == pytest.approx(value - from_value, abs=1e-10)
        assert effect.samples == effect.total == 200
        assert effect.low == effect.delta == effect.high


def test_batches_are_outside_and_memory_is_of_one_batch(demo: Case) -> None:
    sweep = demo.sweep({}, demo.candidates)
    weights = sum(c.numel() * 4 for c in demo.model.constants.values())
    order, used = [], []
    for number in sweep.run():
        order.append(number)
        used.append(sweep.memory_used)
    each = len(demo.candidates)
    batches = len(demo.feed.cut(demo.rows))
    assert order == list(range(each)) * batches
    of_batch = used[0]
    assert 0 < of_batch <= max(used) <= of_batch + weights  # a later batch adds nothing
    assert sweep.memory_used == 0


def test_the_prefix_of_a_candidate_does_not_run_again(demo: Case) -> None:
    last = demo.sweep({}, demo.candidates[-1:])
    finished(last)
    first = demo.sweep({}, demo.candidates[:1])
    finished(first)
    batches = len(demo.feed.cut(demo.rows))
    steps = len(demo.model.steps)
    assert last.steps_run == batches * (steps + 1)  # the float run and the last layer
    assert first.steps_run > last.steps_run


def test_no_memory_gives_the_same_numbers(demo: Case) -> None:
    some = demo.candidates[::4]
    assert finished(demo.sweep({}, some, memory=0)) == finished(demo.sweep({}, some))


def counted(limit: int) -> Callable[[], bool]:
    """True from the `limit`-th question on."""
    asked: Iterator[int] = iter(range(10**9))
    return lambda: next(asked) >= limit


@pytest.mark.parametrize("questions", [3, 40, 120, 333])
def test_a_sweep_that_was_stopped_goes_on_to_identical_results(demo: Case, questions: int) -> None:
    whole = demo.sweep({}, demo.candidates)
    expected = finished(whole)
    stopped = demo.sweep({}, demo.candidates)
    with pytest.raises(WorkCancelledError):
        for _ in stopped.run(counted(questions)):
            pass
    assert stopped.memory_used == 0
    assert stopped.done < stopped.total
    assert finished(stopped) == expected
    for one, other in zip(whole.rows, stopped.rows, strict=True):
        assert one is not None
        assert other is not None
        pairs = zip(one.columns, other.columns, strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_a_sweep_that_its_owner_leaves_goes_on(demo: Case) -> None:
    sweep = demo.sweep({}, demo.candidates)
    steps = sweep.run()
    for _ in range(len(demo.candidates) + 5):
        next(steps)
    steps.close()
    assert sweep.memory_used == 0
    seen = [sweep.samples(number) for number in range(len(demo.candidates))]
    assert seen == [128] * 5 + [64] * (len(seen) - 5)
    assert finished(sweep) == finished(demo.sweep({}, demo.candidates))


def test_more_samples_take_up_whole_batches_of_fewer(demo: Case) -> None:
    some = demo.candidates[::4]
    fewer = demo.sweep({}, some, limit=100)
    for effect in finished(fewer):
        assert (effect.samples, effect.total) == (100, 200)
    more = demo.sweep({}, some)
    more.base_rows, more.rows = fewer.base_rows, fewer.rows
    assert finished(more) == finished(demo.sweep({}, some))
    again = demo.sweep({}, some, limit=100)
    again.base_rows, again.rows = more.base_rows, more.rows
    assert [effect.samples for effect in finished(again)] == [100] * len(some)
    assert again.done == again.total


def test_some_samples_leave_an_interval_that_holds_the_exact_change(demo: Case) -> None:
    fewer = finished(demo.sweep({}, demo.candidates, limit=64))
    whole = finished(demo.sweep({}, demo.candidates))
    for part, exact in zip(fewer, whole, strict=True):
        assert part.low is not None
        assert part.high is not None
        assert part.delta is not None
        assert exact.delta is not None
        assert part.low < part.delta < part.high
        assert part.low <= exact.delta <= part.high


def test_few_predictions_that_change_leave_room_for_more(demo: Case) -> None:
    """Tango's interval, as everywhere for right and wrong answers: not ± z·s/√n."""
    sweep = demo.sweep({}, demo.candidates, limit=64)
    for effect, rows in zip(finished(sweep), sweep.rows, strict=True):
        assert rows is not None
        assert sweep.base_rows is not None
        change = rows.scores[:, 0] - sweep.base_rows.scores[:, 0]
        low, high = tango(int((change > 0).sum()), int((change < 0).sum()), 64)
        assert (effect.low, effect.high) == pytest.approx((100.0 * low, 100.0 * high))


def test_agreement_with_float_cannot_rise(demo: Case) -> None:
    sweep = demo.sweep({}, demo.candidates, limit=64, metric="agreement with float")
    for effect in finished(sweep):
        assert effect.low is not None
        assert effect.delta is not None
        assert effect.high is not None
        assert -100.0 <= effect.low <= effect.delta <= effect.high <= 0.0


def test_the_loss_is_the_change_of_the_cross_entropy(demo: Case) -> None:
    name = "cross-entropy"
    for effect in finished(demo.sweep({}, demo.candidates, metric=name)):
        assert effect.loss is not None
        assert effect.loss == pytest.approx(effect.delta)


def test_the_plan_itself_is_told_of(demo: Case) -> None:
    sweep = demo.sweep(demo.plan, demo.candidates[:1])
    finished(sweep)
    start = sweep.base_effect
    kl, flips, _ = separately(demo, demo.plan)
    assert start is not None
    assert start.kl == pytest.approx(kl, rel=1e-12)
    assert (start.flips, start.delta) == (flips, 0.0)


def test_one_number_per_sample_has_no_classes(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(6, 5)).astype(np.float32),
        "v": rng.normal(size=(5, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="one"),
        helper.make_node("Tanh", ["h"], ["t"]),
        helper.make_node("MatMul", ["t", "v"], ["y2"], name="two"),
        helper.make_node("Squeeze", ["y2", "axes"], ["y"]),
    ]
    model = write_model(
        "reg.onnx", nodes, weights, {"x": ["n", 6]}, {"y": ["n"]}, {"axes": np.array([1])}
    )
    samples = tmp_path / "reg.npz"
    x = rng.normal(size=(50, 6)).astype(np.float32)
    np.savez(samples, x=x, labels=rng.normal(size=50).astype(np.float32))
    case = make_case(model, samples, 50, ("int3",))
    for effect in finished(case.sweep({}, case.candidates)):
        assert effect.kl is None
        assert effect.flips is None
        assert 0.0 < effect.sqnr_db < 60.0


def test_without_labels_and_classes_a_change_from_infinity_is_no_number(demo: Case) -> None:
    sweep = demo.sweep({}, demo.candidates[:1], metric="output SQNR")
    (effect,) = finished(sweep)
    assert effect.delta is effect.low is effect.high is None
    assert effect.sqnr_db > 0.0


def test_effects_are_summed_up_once_however_often_they_are_asked_for(
    demo: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    summed: list[int] = []

    def counting(rows: Rows, base: Rows, task: Task, metric: Metric, total: int) -> Effect:
        summed.append(len(rows.kl))
        return effect_of(rows, base, task, metric, total)

    monkeypatch.setattr("qviz.engine.sensitivity.sweep.effect_of", counting)
    sweep, some = demo.sweep({}, demo.candidates[:3]), range(3)
    for _ in sweep.run():
        for number in some:
            sweep.effect(number)
    assert len(summed) == 3 * len(demo.feed.cut(demo.rows))

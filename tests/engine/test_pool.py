"""The first number comes from few samples, holds what the last is, and changes nothing of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import qviz
from qviz.app.session import Session
from qviz.engine.chunks import feeder
from qviz.engine.evaluate import Divergence, Evaluation, evaluate, evaluate_in_order
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.engine.metrics import Task
from qviz.engine.pool import margins
from qviz.plan.resolve import resolve


def evaluations(session: Session, executor: Executor) -> list[Evaluation]:
    """All looks at the plan's score on all samples."""
    document, findings = session.current(), session.findings
    model, samples = document.model, document.scored
    assert model is not None
    assert samples is not None
    known = resolve(model, document.plan, findings.statistics, findings.encodings).encodings
    rows = np.arange(samples.count, dtype=np.int64)
    return list(evaluate(executor, feeder(model, samples, None), known, rows, "all"))


@pytest.fixture(scope="module")
def opened(demo_model: Path, demo_samples: Path) -> Session:
    session = qviz.open(demo_model, demo_samples)
    session.set_defaults("int5:channel", "uint8")
    session.evaluate()
    return session


def test_the_second_plan_is_known_from_few_samples(opened: Session) -> None:
    model = opened.current().model
    assert model is not None
    executor = Executor(model, Memo(0))
    plain = evaluations(opened, executor)
    drawn = evaluations(opened, executor)
    exact = plain[-1]
    assert exact.exact
    first = [look for look in drawn if look.flips is None]
    assert first
    assert max(look.samples for look in first) <= 2000 // 8 + 64
    assert len({look.samples for look in first}) > 1
    for look in drawn[:-1]:
        assert look.low <= exact.value <= look.high
        assert look.delta == pytest.approx(look.value - exact.float_value)
        assert look.float_value == pytest.approx(exact.float_value)
    assert all(a.samples <= b.samples for a, b in pairwise(drawn))
    last = drawn[-1]
    assert (last.value, last.low, last.high) == (exact.value, exact.low, exact.high)
    assert (last.flips, last.kl) == (exact.flips, exact.kl)
    assert np.array_equal(last.rows, exact.rows)


def test_the_divergence_of_the_first_samples_comes_before_any_score(opened: Session) -> None:
    document, findings = opened.current(), opened.findings
    model, samples = document.model, document.scored
    assert model is not None
    assert samples is not None
    known = resolve(model, document.plan, findings.statistics, findings.encodings).encodings
    rows, feed = np.arange(samples.count, dtype=np.int64), feeder(model, samples, None)
    executor = Executor(model, Memo(0))
    plain = list(evaluate_in_order(executor, feed, known, rows, "all"))
    assert isinstance(plain[0], Evaluation)  # nothing is drawn yet: its own KL is the first
    ran = executor.steps_run
    drawn = list(evaluate_in_order(executor, feed, known, rows, "all"))
    told, first = drawn[0], drawn[1]
    assert isinstance(told, Divergence)
    assert told.samples == 256
    alike = [look for look in plain if look.samples == 256]
    assert [look.kl for look in alike] == [pytest.approx(told.kl, rel=1e-12)]
    assert isinstance(first, Evaluation)
    assert (first.kl, first.kl_samples, first.flips) == (told.kl, 256, None)
    last, exact = drawn[-1], plain[-1]
    assert isinstance(last, Evaluation)
    assert isinstance(exact, Evaluation)
    assert last.kl == pytest.approx(exact.kl, rel=1e-12)
    assert last.kl_samples == last.samples == 2000
    assert executor.steps_run < 2.3 * ran  # nothing but what is drawn runs twice


def test_another_metric_is_no_reason_to_trust_the_float_scores(opened: Session) -> None:
    model = opened.current().model
    assert model is not None
    executor = Executor(model, Memo(0))
    evaluations(opened, executor)
    document, findings = opened.current(), opened.findings
    assert document.scored is not None
    known = resolve(model, document.plan, findings.statistics, findings.encodings).encodings
    rows = np.arange(document.scored.count, dtype=np.int64)
    feed = feeder(model, document.scored, None)
    looks = list(evaluate(executor, feed, known, rows, "all", metric="cross-entropy"))
    assert all(look.metric == "cross-entropy" for look in looks)
    assert looks[0].flips is not None  # a loss has no bound: nothing is drawn


def test_margins_are_those_of_the_label_or_of_the_best_class() -> None:
    scores = torch.tensor([[3.0, 1.0, 0.5], [0.0, 2.0, 5.0]])
    task = Task("classes", 3, probabilities=False)
    assert margins(task, scores, torch.tensor([0, 1])).tolist() == [2.0, -3.0]
    assert margins(task, scores, None).tolist() == [2.0, 3.0]
    per_pixel = torch.tensor([[[[3.0, 0.0]], [[1.0, 4.0]]]])  # [1, 2 classes, 1, 2]
    assert margins(Task("positions", 2, probabilities=False), per_pixel, None).tolist() == [3.0]
    values = Task("values", 0, probabilities=False)
    assert margins(values, scores, None).tolist() == [0.0, 0.0]


def test_samples_come_in_an_order_that_no_sorted_file_decides(
    demo_model: Path, demo_samples: Path, tmp_path: Path
) -> None:
    with np.load(demo_samples) as archive:
        arrays = {name: archive[name] for name in archive.files}
    order = np.argsort(arrays["labels"], kind="stable")
    np.savez(tmp_path / "sorted.npz", **{name: array[order] for name, array in arrays.items()})
    session = qviz.open(demo_model, tmp_path / "sorted.npz")
    session.evaluate()
    model = session.current().model
    assert model is not None
    looks = evaluations(session, Executor(model, Memo(0)))
    labels = session.current().scored
    assert labels is not None
    assert labels.labels is not None
    assert len(set(labels.labels[looks[0].rows].tolist())) == 10
    exact = looks[-1].value
    assert all(look.low <= exact <= look.high for look in looks)

"""The score while samples come in: beside float's on all of them, and narrowing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import qviz
from qviz.data.bundled import demo_model, demo_samples
from qviz.engine.chunks import Feeder, feeder
from qviz.engine.evaluate import evaluate
from qviz.engine.evaluation import Evaluation
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.engine.program import Encodings
from qviz.engine.tally import both
from qviz.plan.resolve import resolve


@pytest.fixture(scope="module")
def case() -> tuple[Executor, Feeder, Encodings]:
    """The demo and a plan that costs some points."""
    session = qviz.open(demo_model(), demo_samples())
    session.set_defaults("int4:channel", "uint8")
    document, findings = session.current(), session.findings
    assert document.model is not None
    assert document.scored is not None
    encodings = resolve(document.model, document.plan, findings.statistics).encodings
    feed = feeder(document.model, document.scored, findings.macs_per_sample)
    return Executor(document.model, Memo()), feed, encodings


def looks(
    case: tuple[Executor, Feeder, Encodings], count: int, metric: str
) -> Iterator[Evaluation]:
    """Of the plan, after float is known on all samples."""
    executor, feed, encodings = case
    rows = np.arange(count)
    for _ in evaluate(executor, feed, {}, rows, "all", metric=metric):
        pass
    return evaluate(executor, feed, encodings, rows, "all", metric=metric)


@pytest.mark.parametrize("count", [200, 700])
@pytest.mark.parametrize("metric", ["top-1", "mean recall", "cross-entropy"])
def test_float_does_not_move_and_the_interval_holds(
    case: tuple[Executor, Feeder, Encodings], count: int, metric: str
) -> None:
    found = list(looks(case, count, metric))
    last = found[-1]
    assert last.exact
    assert last.low == last.value == last.high
    for look in found:
        assert look.float_value == pytest.approx(last.float_value)
        assert look.low - 1e-9 <= last.value <= look.high + 1e-9
        assert look.delta == pytest.approx(look.value - look.float_value)


@pytest.mark.parametrize("count", [200, 700])
def test_the_interval_narrows_while_samples_come_in(
    case: tuple[Executor, Feeder, Encodings], count: int
) -> None:
    widths = [look.high - look.low for look in looks(case, count, "top-1")]
    assert widths[-2] < 0.5 * widths[0]
    assert widths[-1] == 0.0
    assert all(after <= before + 2.0 for before, after in pairwise(widths))


def test_two_ways_overlap_unless_they_contradict(
    case: tuple[Executor, Feeder, Encodings],
) -> None:
    look = next(looks(case, 200, "top-1"))
    one = replace(look, value=80.0, low=70.0, high=90.0, float_value=91.0)
    near = both(one, replace(one, low=82.0, high=95.0))
    assert (near.value, near.low, near.high, near.delta) == (82.0, 82.0, 90.0, -9.0)
    assert both(one, replace(one, low=95.0, high=96.0)) is one

"""The SQNR of one layer's output from inputs at hand is that of the whole model's run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import qviz
from qviz.engine.chunks import feeder
from qviz.engine.execute import Executor
from qviz.engine.layer_errors import layer_errors
from qviz.engine.memo import Memo
from qviz.engine.near_errors import fetch_float_inputs, near_sqnr
from qviz.plan.resolve import resolve

ROWS = np.arange(64, dtype=np.int64)


def test_it_is_what_following_all_errors_gives(demo_model: Path, demo_samples: Path) -> None:
    session = qviz.open(demo_model, demo_samples)
    session.set("block2.pw.weight", "int4:channel")
    session.evaluate(limit=64)
    document, findings = session.current(), session.findings
    model, samples = document.model, document.scored
    assert model is not None
    assert samples is not None
    plan = resolve(model, document.plan, findings.statistics, findings.encodings).encodings
    executor, feed = Executor(model, Memo()), feeder(model, samples, None)
    *_, followed = layer_errors(model, executor.runtime, feed, ROWS, plan)
    steps = [layer.step for layer in model.layers if layer.step is not None]
    assert near_sqnr(executor, feed, ROWS, plan, steps[1]) is None  # nothing is at hand
    fetch_float_inputs(executor, feed, ROWS, steps, 1.0)
    assert executor.steps_run == 0
    found = [near_sqnr(executor, feed, ROWS, plan, step) for step in steps]
    assert len(found) == len(followed.layers) == 12
    for near, layer in zip(found, followed.layers, strict=True):
        assert layer.local is not None
        assert near == pytest.approx(layer.local.sqnr_db, abs=1e-4)


def test_without_a_budget_nothing_is_at_hand(demo_model: Path, demo_samples: Path) -> None:
    session = qviz.open(demo_model, demo_samples)
    document = session.current()
    model, samples = document.model, document.scored
    assert model is not None
    assert samples is not None
    executor, feed = Executor(model, Memo(0)), feeder(model, samples, None)
    last = [layer.step for layer in model.layers if layer.step is not None][-1]
    fetch_float_inputs(executor, feed, ROWS, [last], 1.0)
    assert near_sqnr(executor, feed, ROWS, {}, last) is None

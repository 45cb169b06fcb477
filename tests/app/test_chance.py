"""A float model that scores like chance is told of, once, and others are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import qviz
from qviz.app.chance import chance_warning
from qviz.data.samples import Samples
from qviz.engine.evaluate import Evaluation


def test_samples_in_another_scale_are_told_of_once(
    demo_model: Path, demo_samples: Path, tmp_path: Path
) -> None:
    with np.load(demo_samples) as archive:
        images, labels = archive["image"][:300], archive["labels"][:300]
    np.savez(tmp_path / "scaled.npz", image=images.astype(np.float32) / 255.0, labels=labels)
    session = qviz.open(demo_model, tmp_path / "scaled.npz")
    for scheme in ("int8", "int4"):
        session.set("fc.weight", scheme)
        session.evaluate()
    warnings = [m.text for m in session.messages() if m.level == "warning"]
    assert [text.startswith("The float model scores like chance") for text in warnings] == [True]


def test_a_model_that_works_is_left_alone(demo_model: Path, demo_samples: Path) -> None:
    session = qviz.open(demo_model, demo_samples, limit=200)
    session.evaluate()
    assert not [m for m in session.messages() if m.level == "warning"]


def test_labels_of_positions_are_counted_one_by_one() -> None:
    labels = np.zeros((60, 4), np.int64)
    labels[:, 1:] = (1, 2, -100)
    samples = Samples("x", "", "", {}, labels)
    scored = Evaluation(
        metric="top-1",
        unit="%",
        better="higher",
        choices=("top-1",),
        part="all",
        value=33.0,
        low=33.0,
        high=33.0,
        float_value=33.0,
        delta=0.0,
        flips=0,
        kl=0.0,
        samples=60,
        total=60,
        rows=np.arange(60),
        predictions=None,
        float_predictions=None,
    )
    assert chance_warning(samples, scored).startswith("The float model scores like chance")
    assert not chance_warning(samples, replace(scored, float_value=80.0))
    ignored = Samples("x", "", "", {}, np.full((60, 4), -100))
    assert not chance_warning(ignored, scored)

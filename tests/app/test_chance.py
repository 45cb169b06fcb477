"""A float model that scores like chance is told of, once, and others are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import qviz
from qviz.app.chance import chance_warning
from qviz.data.samples import Samples
from qviz.engine.evaluate import Evaluation

Classes = NDArray[np.int64]


def scoring(percent: float, count: int, answers: Classes | None = None) -> Evaluation:
    return Evaluation(
        metric="top-1",
        unit="%",
        better="higher",
        choices=("top-1",),
        part="all",
        value=percent,
        low=percent,
        high=percent,
        float_value=percent,
        delta=0.0,
        flips=0,
        kl=0.0,
        samples=count,
        total=count,
        rows=np.arange(count),
        predictions=answers,
        float_predictions=answers,
    )


def warned(answers: Classes, labels: Classes) -> bool:
    percent = 100.0 * float((answers == labels).mean())
    samples = Samples("x", "", "", {}, labels)
    return bool(chance_warning(samples, scoring(percent, len(labels), answers)))


def imbalanced(count: int) -> Classes:
    """Three quarters of class 0, the others of 1 to 6."""
    rng = np.random.default_rng(0)
    return np.where(rng.random(count) < 0.75, 0, rng.integers(1, 7, count))


def partly(labels: Classes, share: float) -> Classes:
    """Answers that are right for a share of the samples and else shuffled."""
    rng = np.random.default_rng(1)
    return np.where(rng.random(len(labels)) < share, labels, rng.permutation(labels))


def test_a_model_that_beats_chance_on_imbalanced_labels_is_left_alone() -> None:
    labels = imbalanced(1000)
    assert not warned(partly(labels, 0.6), labels)
    assert warned(np.zeros_like(labels), labels)  # 75 %, and says nothing
    assert warned(partly(labels, 0.0), labels)


def test_a_score_far_below_the_commonest_class_is_told() -> None:
    labels = np.r_[np.zeros(180, np.int64), np.ones(20, np.int64)]
    assert warned(labels + 2, labels)
    assert warned(np.where(np.arange(200) % 3 == 0, labels, 5), labels)


@pytest.mark.parametrize("count", [20, 44])
def test_few_samples_tell_chance_from_a_model_that_works(count: int) -> None:
    labels = np.arange(count) % 10
    assert warned(np.full(count, 3), labels)
    assert not warned(partly(labels, 0.6), labels)
    assert not warned(np.full(19, 3), np.arange(19) % 10)  # too few to say
    rare = np.r_[np.ones(1, np.int64), np.zeros(count - 1, np.int64)]
    assert not warned(rare, rare)


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
    scored = scoring(33.0, 60)
    assert chance_warning(samples, scored).startswith("The float model scores like chance")
    assert not chance_warning(samples, replace(scored, float_value=80.0))
    void = Samples("x", "", "", {}, np.where(labels == 2, 255, labels))
    text = chance_warning(void, replace(scored, float_value=50.0, ignored=255))
    assert "the commonest class gives 50.0 %" in text
    ignored = Samples("x", "", "", {}, np.full((60, 4), -100))
    assert not chance_warning(ignored, scored)

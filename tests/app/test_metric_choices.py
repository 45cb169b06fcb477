"""The menu of metrics: words, what is checked, what asks for more; and the strip that holds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from qviz.app.metric_choices import METRICS, metric_choices, metric_tip, metric_title
from qviz.app.session import Session
from qviz.engine.metrics import metrics_of
from qviz.engine.metrics.task import Kind, Task

CLASSES = ("0 cat", "1 dog")
TWO = [metric.name for metric in metrics_of(Task("classes", 2, probabilities=False))]
KINDS: tuple[Kind, ...] = (
    "classes",
    "multilabel",
    "positions",
    "sequences",
    "values",
    "unlabelled",
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_says_meaning_unit_and_direction(kind: Kind) -> None:
    for metric in metrics_of(Task(kind, 2, probabilities=False, yes_or_no=3)):
        word = metric.name.partition("@")[0]
        unit, better, meaning = METRICS[word]
        assert better == metric.better, metric.name
        assert unit == {"%": "percent", "": "no unit"}.get(metric.unit, metric.unit)
        assert meaning
        assert f"{metric.better} is better" in metric_tip(metric.name)


def test_the_automatic_choice_stands_first_and_is_checked() -> None:
    choices = metric_choices(TWO, "", "top-1", CLASSES)
    assert choices[0].label == "Fits best: top-1 (automatic)"
    assert [choice.current for choice in choices].count(True) == 1
    assert choices[0].current
    assert metric_choices((), "", "") == ()


def test_a_class_and_a_threshold_are_asked_for() -> None:
    choices = {choice.name: choice for choice in metric_choices(TWO, "", "top-1", CLASSES)}
    assert choices["recall:"].asks == "class"
    assert choices["recall:"].label == "Recall of class…"
    assert choices["sensitivity@"].asks == "threshold"
    assert choices["specificity@"].label == "Specificity at threshold…"


@pytest.mark.parametrize(
    ("chosen", "entry", "label", "answer"),
    [
        ("recall:1", "recall:", "Recall of class 1 dog…", "1"),
        ("sensitivity@0.3", "sensitivity@", "Sensitivity at 0.3…", "0.3"),
        ("precision:0", "precision:0", "Precision of class 0 cat", ""),
        ("AUROC", "AUROC", "AUROC", ""),
    ],
)
def test_what_is_chosen_is_checked_with_its_answer(
    chosen: str, entry: str, label: str, answer: str
) -> None:
    current = [choice for choice in metric_choices(TWO, chosen, "top-1", CLASSES) if choice.current]
    assert [(c.name, c.label, c.answer) for c in current] == [(entry, label, answer)]
    assert metric_title(chosen, CLASSES) == label.removesuffix("…")


def test_classes_are_only_asked_for_where_a_sample_has_one() -> None:
    names = [metric.name for metric in metrics_of(Task("positions", 3, probabilities=False))]
    assert not any(choice.asks for choice in metric_choices(names, "", ""))


def test_the_strip_offers_what_the_samples_can_tell(mlp: Path, mlp_samples: Path) -> None:
    session = Session()
    session.open(mlp, mlp_samples)
    session.evaluate("all")
    strip = session.strip()
    assert strip.metrics[0].label == "Fits best: top-1 (automatic)"
    assert session.classes() == ("0", "1", "2", "3")
    session.set_metric("ECE")
    session.evaluate()
    strip = session.strip()
    assert strip.better == "lower"
    assert [choice.name for choice in strip.metrics if choice.current] == ["ECE"]
    assert strip.metrics[0].label == "Fits best: top-1 (automatic)"


def test_without_samples_the_strip_says_what_is_missing(mlp: Path, tmp_path: Path) -> None:
    session = Session()
    session.open(mlp)
    assert session.strip().message == "Synthetic inputs: open samples to see the accuracy"
    assert session.strip().wants_samples
    path = tmp_path / "weights.safetensors"
    save_file({"a.weight": np.ones((4, 4), np.float32)}, path)
    session.open(path)
    assert session.strip().message == "Weights only: no accuracy"
    assert not session.strip().wants_samples
    assert session.classes() == ()

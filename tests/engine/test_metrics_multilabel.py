"""Multilabel metrics against golden values, scikit-learn's definitions and the jackknife."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor

import qviz
from qviz.app.session import Session
from qviz.engine.estimates import interval, wilson
from qviz.engine.metrics import Metric, Task, find_metric, find_task, metrics_of, propose

Array = NDArray[Any]
NAMES = (
    "mean average precision",
    "AUROC",
    "micro F1",
    "mean recall",
    "worst recall",
    "mean precision",
    "F1",
    "Hamming accuracy",
    "exact match",
    "cross-entropy",
)
THREE = Task("multilabel", 2, probabilities=False, single=True, yes_or_no=3)


def value(metric: Metric, output: Tensor, labels: Tensor) -> float:
    return metric.estimate(metric.rows(output, output, labels))[0]


def made(n: int = 150, classes: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits, some of them tied, and labels of which a sample has none to all."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, classes)) < np.linspace(0.2, 0.6, classes)).astype(np.int64)
    logits = rng.normal(size=(n, classes)) + 1.5 * (labels - 0.5)
    return torch.from_numpy(logits.round(1)), torch.from_numpy(labels)


def average_precision(scores: Array, positive: Array) -> float:
    """Σ (R_k - R_{k-1})·P_k over the thresholds, highest first."""
    total, before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        chosen = scores >= threshold
        reached = (chosen & positive).sum() / positive.sum()
        total += (reached - before) * (chosen & positive).sum() / chosen.sum()
        before = reached
    return float(total)


def area(scores: Array, positive: Array) -> float:
    """The share of pairs of a positive and a negative that are in order, ties one half."""
    gap = scores[positive][:, None] - scores[~positive][None, :]
    return float(((gap > 0) + 0.5 * (gap == 0)).mean())


def test_golden_values_of_a_hand_made_case() -> None:
    logits = torch.tensor(
        [[2.0, -1.0, 1.0], [-1.0, 3.0, -2.0], [1.0, 1.0, -3.0], [-2.0, -1.0, 2.0]]
    )
    labels = torch.tensor([[1, 0, 1], [0, 1, 1], [0, 1, 0], [1, 0, 0]])
    # hits 1, 2, 1; labels 2, 2, 2; predictions 2, 2, 2
    wanted = {
        "micro F1": 8 / 12,
        "F1": (1 / 2 + 1 + 1 / 2) / 3,
        "mean recall": (1 / 2 + 1 + 1 / 2) / 3,
        "worst recall": 1 / 2,
        "Hamming accuracy": 8 / 12,
        "exact match": 1 / 4,
        "recall:0": 1 / 2,
        "precision:1": 1.0,
        # ranks of the positives: 1 and 4 of the first class, 1 and 2 of the second, 2 and 3
        "mean average precision": ((1 + 2 / 4) / 2 + 1.0 + (1 / 2 + 2 / 3) / 2) / 3,
        "AUROC": (1 / 2 + 1.0 + 1 / 2) / 3,
    }
    for name, expected in wanted.items():
        assert value(find_metric(THREE, name), logits, labels) == pytest.approx(expected), name


def test_metrics_against_their_definitions() -> None:
    output, labels = made()
    task = find_task(output, labels.numpy(), "samples")
    scores, positive = output.numpy(), labels.numpy() == 1
    found = scores > 0
    hits, real, said = (found & positive).sum(0), positive.sum(0), found.sum(0)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(output, labels.double())
    wanted = {
        "mean average precision": np.mean(
            [average_precision(scores[:, c], positive[:, c]) for c in range(4)]
        ),
        "AUROC": np.mean([area(scores[:, c], positive[:, c]) for c in range(4)]),
        "micro F1": 2 * hits.sum() / (real.sum() + said.sum()),
        "F1": (2 * hits / (real + said)).mean(),
        "mean recall": (hits / real).mean(),
        "worst recall": (hits / real).min(),
        "mean precision": (hits / said).mean(),
        "Hamming accuracy": (found == positive).mean(),
        "exact match": (found == positive).all(1).mean(),
        "cross-entropy": float(losses),
        "recall:3": hits[3] / real[3],
    }
    for name, expected in wanted.items():
        assert value(find_metric(task, name), output, labels) == pytest.approx(expected), name


@pytest.mark.parametrize("name", NAMES[1:4] + NAMES[5:])
def test_influences_predict_what_leaving_a_sample_out_changes(name: str) -> None:
    """The jackknife: (n - 1)·(value - value without a sample) is its influence, up to 1/n."""
    output, labels = made(n=200)
    labels[::7, 1] = -1  # not known
    task = find_task(output, labels.numpy(), "samples")
    metric = find_metric(task, name)
    rows = metric.rows(output, output, labels)
    found, influence = metric.estimate(rows)
    assert float(influence.mean()) == pytest.approx(0.0, abs=1e-9)
    without = [metric.estimate(torch.cat([rows[:k], rows[k + 1 :]]))[0] for k in range(200)]
    jackknife = 199.0 * (found - torch.tensor(without, dtype=torch.float64))
    assert float((influence - jackknife).abs().max()) < 0.06 * float(influence.abs().max())


def weighted_precision(scores: Array, positive: Array, weights: Array) -> float:
    """Average precision of samples that count as often as their weight says."""
    reached = scores[None, :] >= scores[:, None]
    precision = (reached * (weights * positive)).sum(1) / (reached * weights).sum(1)
    return float((weights * positive * precision).sum() / (weights * positive).sum())


def test_influences_on_the_average_precision_are_its_derivatives_by_the_samples_weights() -> None:
    output, labels = made(n=60, classes=2)
    metric = find_metric(find_task(output, labels.numpy(), "samples"), "mean average precision")
    _, influence = metric.estimate(metric.rows(output, output, labels))
    scores, positive = output.numpy(), labels.numpy() == 1

    def shifted(sample: int, weight: float) -> float:
        weights = np.ones(60)
        weights[sample] += weight
        each = [weighted_precision(scores[:, c], positive[:, c], weights) for c in range(2)]
        return float(np.mean(each))

    slopes = [60 * (shifted(j, 1e-5) - shifted(j, -1e-5)) / 2e-5 for j in range(60)]
    np.testing.assert_allclose(influence.numpy(), slopes, atol=1e-7)


@pytest.mark.parametrize("name", ["mean average precision", "micro F1"])
def test_intervals_cover_as_often_as_they_say(name: str) -> None:
    """95 % intervals from 120 of 600 samples, over 200 seeded draws."""
    output, labels = made(n=600)
    metric = find_metric(find_task(output, labels.numpy(), "samples"), name)
    rows = metric.rows(output, output, labels)
    truth, _ = metric.estimate(rows)
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        found, influence = metric.estimate(rows[rng.permutation(600)[:120]])
        low, high = interval(found, influence, 600, proportion=False, share=True)
        covered += low <= truth <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_every_metric_has_an_interval_at_its_end() -> None:
    labels = torch.tensor([[1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 0]] * 5)
    output = 4.0 * labels.double() - 2.0
    for metric in metrics_of(THREE):
        rows = metric.rows(output, output, labels)
        found, influence = metric.estimate(rows)
        low, high = interval(
            found,
            influence,
            1000,
            proportion=metric.proportion,
            share=metric.unit == "%",
            draws=None if metric.draws is None else metric.draws(rows),
        )
        if metric.unit == "%":
            assert found == 1.0, metric.name
            assert high == pytest.approx(1.0), metric.name
            assert 0.0 < low < 1.0, metric.name
    exact = find_metric(THREE, "exact match")
    rows = exact.rows(output, output, labels)
    assert exact.draws is not None
    assert exact.draws(rows) == 20
    ends = interval(1.0, rows[:, 0], 10**9, proportion=True, draws=20)
    assert ends == pytest.approx(wilson(1.0, 20), abs=1e-6)


def test_labels_that_are_not_known_weigh_nothing() -> None:
    output, labels = made()
    known = find_task(output, labels.numpy(), "samples")
    more_output = torch.cat([output, torch.full((9, 4), 7.0)])
    more_labels = torch.cat([labels, torch.full((9, 4), -1)])
    task = find_task(more_output, more_labels.numpy(), "samples")
    assert (task.kind, task.yes_or_no) == ("multilabel", 4)
    for name in NAMES:
        assert value(find_metric(task, name), more_output, more_labels) == pytest.approx(
            value(find_metric(known, name), output, labels)
        ), name


def test_an_exact_match_is_of_the_labels_that_are_known() -> None:
    logits = torch.tensor([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    labels = torch.tensor([[1, -1, 0], [-1, 1, 0], [-1, -1, -1]])
    assert value(find_metric(THREE, "exact match"), logits, labels) == pytest.approx(1 / 2)
    assert value(find_metric(THREE, "Hamming accuracy"), logits, labels) == pytest.approx(3 / 4)


def test_a_class_that_no_sample_has_is_passed_over() -> None:
    output, labels = made()
    labels[:, 2] = 0
    task = find_task(output, labels.numpy(), "samples")
    kept = [0, 1, 3]
    wanted = np.mean(
        [average_precision(output[:, c].numpy(), labels[:, c].numpy() == 1) for c in kept]
    )
    metric = find_metric(task, "mean average precision")
    assert value(metric, output, labels) == pytest.approx(wanted)
    assert math.isnan(value(find_metric(task, "recall:2"), output, labels))
    none = torch.zeros_like(labels)
    for name in ("mean average precision", "AUROC"):
        found, influence = find_metric(task, name).estimate(
            find_metric(task, name).rows(output, output, none)
        )
        assert math.isnan(found)
        assert influence.shape == (150,)


@pytest.mark.parametrize("shape", [(150, 4), (150, 4, 1, 1)])
@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_several_ones_in_a_row_are_seen_to_be_multilabel(
    shape: tuple[int, ...], dtype: type[np.generic]
) -> None:
    output, labels = made()
    given = labels.numpy().astype(dtype)
    task = find_task(output.reshape(shape), given, "samples")
    assert (task.kind, task.counted_classes, task.probabilities) == ("multilabel", 4, False)
    assert propose(task, output.ndim).name == "mean average precision"
    assert find_task(output.sigmoid().reshape(shape), given, "samples").probabilities
    names = [metric.name for metric in metrics_of(task)]
    assert set(NAMES) < set(names)
    assert {"agreement with float", "KL to float", "output SQNR"} < set(names)
    shaped = output.reshape(shape)
    assert value(find_metric(task, "exact match"), shaped, torch.from_numpy(given)) < 1.0


@pytest.mark.parametrize(
    ("shape", "labels", "kind"),
    [
        ((4, 3), np.array([[0.0, 0.5, 1.0]] * 4), "values"),
        ((4, 3), np.zeros((4, 3)), "values"),
        ((4, 1, 5), np.eye(5, dtype=np.int64)[:4] + np.eye(5, dtype=np.int64)[1:], "positions"),
        ((4, 3, 2), np.array([[0, 1, 1]] * 4), "positions"),
        ((4, 3), np.array([0, 1, 1, 2]), "classes"),
    ],
)
def test_other_labels_stay_what_they_are(shape: tuple[int, ...], labels: Array, kind: str) -> None:
    assert find_task(torch.zeros(shape), labels, "samples").kind == kind


def test_a_model_of_sigmoids_is_scored_from_a_file(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(4)
    w = rng.normal(size=(6, 5)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="fc"),
        helper.make_node("Sigmoid", ["h"], ["y"], name="shares"),
    ]
    model = write_model("tags.onnx", nodes, {"w": w}, {"x": ["N", 6]}, {"y": ["N", 5]})
    x = rng.normal(size=(80, 6)).astype(np.float32)
    labels = (x @ w + rng.normal(size=(80, 5)) > 0).astype(np.float32)
    np.savez(tmp_path / "tags.npz", x=x, labels=labels)
    session = qviz.open(model, tmp_path / "tags.npz")
    session.set_defaults("int4", "uint4")
    found = session.evaluate("all")
    assert (found.metric, found.unit, found.better) == ("mean average precision", "%", "higher")
    seen = labels[found.rows] == 1
    wanted = [average_precision((x[found.rows] @ w)[:, c], seen[:, c]) for c in range(5)]
    assert found.float_value == pytest.approx(100 * np.mean(wanted))
    assert found.flips is not None
    assert found.flips > 0
    session.set_metric("exact match")
    float_right = (((x @ w) > 0) == (labels == 1)).all(1)[found.rows]
    assert session.evaluate().float_value == pytest.approx(100 * float_right.mean())


def test_one_hot_labels_are_classes(mlp: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x, labels = rng.normal(size=(40, 6)).astype(np.float32), rng.integers(0, 4, 40)
    found = []
    for name, given in (("plain", labels), ("hot", np.eye(4, dtype=np.uint8)[labels])):
        np.savez(tmp_path / f"{name}.npz", x=x, labels=given)
        session = Session()
        session.open(mlp, tmp_path / f"{name}.npz")
        evaluation = session.evaluate()
        found.append((evaluation.metric, evaluation.value, evaluation.float_value))
    assert found[0] == found[1]
    assert found[0][0] == "top-1"

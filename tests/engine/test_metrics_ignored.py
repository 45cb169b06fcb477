"""Positions without a class: negative labels and masks' 255 are left out, and weigh nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

import qviz
from qviz.engine.estimates import interval
from qviz.engine.metrics import Metric, Task, find_metric, find_task, metrics_of
from qviz.errors import QvizError

PIXELS = Task("positions", 3, probabilities=False)


def value(metric: Metric, output: torch.Tensor, labels: torch.Tensor) -> float:
    return metric.estimate(metric.rows(output, output, labels))[0]


def bounds(metric: Metric, output: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    rows = metric.rows(output, output, labels)
    found, influence = metric.estimate(rows)
    assert bool(influence.isfinite().all())
    draws = None if metric.draws is None else metric.draws(rows)
    share = metric.unit == "%"
    return interval(found, influence, 10**9, proportion=metric.proportion, share=share, draws=draws)


def of_labels(metric: Metric) -> bool:
    return metric.name not in ("agreement with float", "KL to float", "output SQNR")


@pytest.mark.parametrize("name", [m.name for m in metrics_of(PIXELS) if of_labels(m)])
def test_a_sample_all_of_whose_positions_are_ignored_weighs_nothing(name: str) -> None:
    rng = torch.Generator().manual_seed(0)
    output = torch.randn(12, 3, 4, 4, generator=rng, dtype=torch.float64)
    labels = torch.randint(0, 3, (12, 4, 4), generator=rng)
    labels[0, :2] = -1
    metric = find_metric(PIXELS, name)
    more = torch.cat([output, torch.randn(5, 3, 4, 4, generator=rng, dtype=torch.float64)])
    void = torch.cat([labels, torch.full((5, 4, 4), -100)])
    assert value(metric, more, void) == pytest.approx(value(metric, output, labels))
    low, high = bounds(metric, more, void)
    wanted_low, wanted_high = bounds(metric, output, labels)
    assert high - low == pytest.approx(wanted_high - wanted_low, rel=0.05)


def test_top_1_is_the_mean_over_samples_with_a_counted_position() -> None:
    output = torch.nn.functional.one_hot(torch.tensor([[0, 1], [2, 2], [1, 1]]), 3).double()
    labels = torch.tensor([[0, -1], [-1, -1], [1, 2]])
    metric = find_metric(PIXELS, "top-1")
    rows = metric.rows(output, output, labels)
    assert rows.tolist() == [[1.0, 1.0], [0.0, 0.0], [0.5, 1.0]]
    assert metric.estimate(rows)[0] == pytest.approx(0.75)
    assert metric.draws is not None
    assert metric.draws(rows) == 2


def test_where_nothing_is_counted_nothing_is_known() -> None:
    output, labels = torch.randn(3, 5, 3), torch.full((3, 5), -1)
    for metric in filter(of_labels, metrics_of(PIXELS)):
        assert math.isnan(value(metric, output, labels)), metric.name


def test_an_ignored_position_may_have_any_output() -> None:
    output = torch.zeros(2, 3, 3, dtype=torch.float64)
    labels = torch.tensor([[0, 1, -1], [2, 0, 1]])
    known = value(find_metric(PIXELS, "cross-entropy"), output, labels)
    output[0, 2] = math.nan
    found = value(find_metric(PIXELS, "cross-entropy"), output, labels)
    assert found == pytest.approx(known) == pytest.approx(math.log(3))


@pytest.mark.parametrize(("classes", "single"), [(3, False), (2, True)])
def test_255_is_left_out_of_masks_as_negative_labels_are(classes: int, single: bool) -> None:
    rng = torch.Generator().manual_seed(1)
    output = torch.randn(6, 1 if single else classes, 4, 4, generator=rng)
    labels = torch.randint(0, classes, (6, 4, 4), generator=rng)
    labels[:, 1] = 255
    task = find_task(output, labels.numpy(), "masks")
    assert (task.kind, task.ignored, task.classes) == ("positions", 255, classes)
    assert task.note == "labels of 255 are left out"
    negative = torch.where(labels == 255, -1, labels)
    plain = find_task(output, negative.numpy(), "masks")
    assert (plain.ignored, plain.note) == (None, "")
    for metric in filter(of_labels, metrics_of(task)):
        wanted = value(find_metric(plain, metric.name), output, negative)
        assert value(metric, output, labels) == pytest.approx(wanted, nan_ok=True), metric.name


def test_255_is_a_class_where_there_are_as_many() -> None:
    labels = np.array([[0, 255], [3, 4]])
    assert find_task(torch.zeros(2, 256, 2), labels, "masks").ignored is None


def test_a_mask_of_0_and_255_lacks_a_class_and_is_no_mask_of_void() -> None:
    labels = np.array([[[0, 255], [0, 255]]])
    with pytest.raises(QvizError, match="label 255 of sample 0 is out of range"):
        find_task(torch.zeros(1, 2, 2, 2), labels, "masks")
    alone = find_task(torch.zeros(1, 1, 2, 2), labels, "masks")  # one score: 255 is class 1
    assert (alone.kind, alone.ignored, alone.positive) == ("positions", None, 255)


@pytest.mark.parametrize("kind", ["classes", "sequences"])
def test_255_is_out_of_range_elsewhere(kind: str) -> None:
    output = torch.zeros(2, 4) if kind == "classes" else torch.zeros(2, 9, 4)
    labels = np.array([1, 255]) if kind == "classes" else np.array([[1, 2], [1, 255]])
    with pytest.raises(QvizError, match="label 255 of sample 1 is out of range"):
        find_task(output, labels, "samples")


def test_a_mask_with_255_is_scored_and_says_so(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(2)
    w = rng.normal(size=(3, 2, 1, 1)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
    model = write_model(
        "pixels.onnx", nodes, {"w": w}, {"x": ["N", 2, 4, 4]}, {"y": ["N", 3, 4, 4]}
    )
    x = rng.normal(size=(40, 2, 4, 4)).astype(np.float32)
    truth = np.einsum("nchw,kc->nkhw", x, w[:, :, 0, 0]).argmax(1).astype(np.uint8)
    truth[:, 0] = 255
    np.savez(tmp_path / "masks.npz", x=x, labels=truth)
    session = qviz.open(model, tmp_path / "masks.npz")
    found = session.evaluate("all")
    assert (found.metric, found.float_value) == ("mean IoU", 100.0)
    assert found.note == "labels of 255 are left out"

"""Metrics against golden values, direct formulas and the jackknife."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qviz.data.labels import check_labels
from qviz.engine.estimates import interval, wilson
from qviz.engine.metrics import Metric, Task, find_metric, find_task, metrics_of, propose
from qviz.errors import QvizError

BINARY = Task("classes", 2, probabilities=True)
THREE = Task("classes", 3, probabilities=False)
LOWER = {"ECE", "cross-entropy", "perplexity", "MSE", "MAE", "KL to float"}


def value(metric: Metric, output: Tensor, labels: Tensor | None) -> float:
    return metric.estimate(metric.rows(output, output, labels))[0]


def of_scores(scores: list[float]) -> Tensor:
    """Probabilities of two classes."""
    positive = torch.tensor(scores, dtype=torch.float64)
    return torch.stack([1.0 - positive, positive], 1)


# The clinical golden values of the science sheet (section 5.6).
TRUTH = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
FIRST = of_scores([0.9, 0.8, 0.7, 0.3, 0.6, 0.5, 0.4, 0.2, 0.1, 0.05])
SECOND = of_scores([0.8, 0.9, 0.4, 0.35, 0.6, 0.45, 0.4, 0.3, 0.1, 0.0])


def test_auroc_golden_values_and_delongs_variances() -> None:
    auroc = find_metric(BINARY, "AUROC")
    influences = []
    for scores, area in ((FIRST, 0.875), (SECOND, 0.7708333333333334)):
        found, influence = auroc.estimate(auroc.rows(scores, scores, TRUTH))
        assert found == pytest.approx(area, abs=1e-12)
        influences.append(influence)
    # DeLong's covariance: sample covariances of the components, per class.
    cov = torch.zeros(2, 2, dtype=torch.float64)
    for members in (TRUTH == 1, TRUTH == 0):
        n, share = int(members.sum()), float(members.double().mean())
        parts = torch.stack([influence[members] * share for influence in influences])
        cov += torch.cov(parts) / n
    expected = [[0.01875, 0.0170138889], [0.0170138889, 0.0286458333]]
    np.testing.assert_allclose(cov.numpy(), expected, atol=1e-9)


def test_sensitivity_and_specificity_golden_values() -> None:
    sensitivity = value(find_metric(BINARY, "sensitivity@0.5"), FIRST, TRUTH)
    assert sensitivity == pytest.approx(0.75)
    specificity = value(find_metric(BINARY, "specificity@0.5"), FIRST, TRUTH)
    assert specificity == pytest.approx(0.6666667, abs=1e-6)
    lower = value(find_metric(BINARY, "sensitivity@0.25"), FIRST, TRUTH)
    assert lower == pytest.approx(1.0)


def test_calibration_error_golden_value_at_the_edges_of_its_bins() -> None:
    confidence = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5]
    correct = [1, 1, 1, 0, 1, 1, 0, 1, 0, 0]
    outputs = of_scores(confidence)
    labels = torch.tensor(correct)  # class 1 is the top class of every sample but the last, a tie
    outputs[-1] = torch.tensor([0.499999, 0.500001])
    found = value(find_metric(BINARY, "ECE"), outputs, labels)
    gaps = np.zeros(15)
    for p, ok in zip(confidence, correct, strict=True):
        gaps[min(math.ceil(round(p * 15, 9)), 15) - 1] += p - ok
    assert found == pytest.approx(np.abs(gaps).sum() / 10, abs=1e-6)


def test_confusion_metrics_against_their_definitions() -> None:
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 3, 200))
    logits = torch.from_numpy(rng.normal(size=(200, 3))) + 0.8 * torch.eye(3)[labels]
    found = logits.argmax(1)
    hits = np.array([int(((found == c) & (labels == c)).sum()) for c in range(3)])
    labelled = np.array([int((labels == c).sum()) for c in range(3)])
    predicted = np.array([int((found == c).sum()) for c in range(3)])
    expected = {
        "top-1": hits.sum() / 200,
        "mean recall": (hits / labelled).mean(),
        "worst recall": (hits / labelled).min(),
        "mean precision": (hits / predicted).mean(),
        "F1": (2 * hits / (labelled + predicted)).mean(),
        "recall:2": hits[2] / labelled[2],
        "precision:0": hits[0] / predicted[0],
        "F1:1": 2 * hits[1] / (labelled[1] + predicted[1]),
        "cross-entropy": float(torch.nn.functional.cross_entropy(logits, labels)),
    }
    for name, wanted in expected.items():
        assert value(find_metric(THREE, name), logits, labels) == pytest.approx(wanted), name


def test_means_over_classes_count_what_is_never_predicted_or_never_labelled() -> None:
    """Of six classes 3 is labelled and never predicted, 4 predicted and never labelled."""
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3])
    found = torch.tensor([0, 0, 1, 1, 4, 2, 0, 2])
    logits = torch.eye(6)[found]
    task = Task("classes", 6, probabilities=False)
    precision = np.array([2 / 3, 1 / 2, 1 / 2, 0, 0])
    f1 = np.array([2 * 2 / 6, 2 * 1 / 4, 2 * 1 / 3, 0, 0])
    recall = np.array([2 / 3, 1 / 2, 1, 0])  # of those that are labelled: balanced accuracy
    for name, wanted in (("mean precision", precision), ("F1", f1), ("mean recall", recall)):
        metric = find_metric(task, name)
        assert value(metric, logits, labels) == pytest.approx(wanted.mean()), name
        influence = metric.estimate(metric.rows(logits, logits, labels))[1]
        assert bool(influence.isfinite().all()), name


def test_ties_are_ranked_as_the_predictions_rank_them() -> None:
    task = Task("classes", 40, probabilities=False)
    output, labels = torch.zeros(40, 40), torch.arange(40)
    assert value(find_metric(task, "top-1"), output, labels) == pytest.approx(1 / 40)
    assert value(find_metric(task, "top-5"), output, labels) == pytest.approx(5 / 40)
    levels = torch.randint(0, 3, (300, 40), generator=torch.Generator().manual_seed(0)).double()
    labels = torch.arange(300) % 40
    likely = torch.argsort(levels, dim=-1, descending=True, stable=True)
    for k in (1, 5):
        wanted = float((likely[:, :k] == labels.unsqueeze(1)).any(1).double().mean())
        assert value(find_metric(task, f"top-{k}"), levels, labels) == pytest.approx(wanted)
    assert value(find_metric(task, "top-5"), torch.full((40, 40), math.nan), labels[:40]) < 0.2


def test_auroc_of_several_classes_does_not_depend_on_a_samples_offset() -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    logits = torch.randn(90, 3, generator=rng, dtype=torch.float64) + torch.eye(3)[labels]
    shifted = logits + 20.0 * torch.randn(90, 1, generator=rng, dtype=torch.float64)
    auroc = find_metric(THREE, "AUROC")
    assert value(auroc, shifted, labels) == pytest.approx(value(auroc, logits, labels))


def test_mean_iou_counts_all_pixels_and_leaves_negative_labels_out() -> None:
    task = Task("positions", 2, probabilities=False)
    labels = torch.tensor([[[0, 1], [1, -1]], [[0, 0], [1, 1]]])
    chosen = torch.tensor([[[0, 1], [0, 1]], [[0, 1], [1, 1]]])
    output = torch.nn.functional.one_hot(chosen, 2).movedim(-1, 1).float()
    # class 0: hits 2, labels 3, predictions 3; class 1: hits 3, labels 4, predictions 4
    wanted = (2 / 4 + 3 / 5) / 2
    assert value(find_metric(task, "mean IoU"), output, labels) == pytest.approx(wanted)
    assert value(find_metric(task, "top-1"), output, labels) == pytest.approx((2 / 3 + 3 / 4) / 2)


def test_perplexity_is_of_all_tokens_together() -> None:
    task = Task("positions", 5, probabilities=False)
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 7, 5, generator=rng, dtype=torch.float64)
    labels = torch.randint(0, 5, (4, 7), generator=rng)
    labels[0, 3:] = -100
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    assert value(find_metric(task, "perplexity"), logits, labels) == pytest.approx(
        math.exp(float(loss))
    )


def test_ctc_merges_repeats_and_drops_blanks() -> None:
    task = Task("sequences", 4, probabilities=False)
    paths = torch.tensor([[0, 1, 1, 0, 1, 2], [3, 3, 3, 3, 3, 0], [0, 0, 0, 0, 0, 0]])
    output = torch.nn.functional.one_hot(paths, 4).float()
    labels = torch.tensor([[1, 1, 2], [3, 3, -1], [-1, -1, -1]])
    assert value(find_metric(task, "CTC exact match"), output, labels) == pytest.approx(2 / 3)


@pytest.mark.parametrize("padding", [-1, 0])
def test_blanks_at_the_end_of_labels_are_padding(padding: int) -> None:
    paths = torch.tensor([[0, 2, 2, 0, 3], [1, 0, 1, 0, 0], [2, 0, 3, 0, 1]])
    logits = torch.eye(4)[paths]
    labels = np.array([[2, 3, padding], [1, 1, padding], [2, 1, padding]])
    task = find_task(logits, labels, "samples")
    assert (task.kind, task.blank) == ("sequences", 0)
    assert ("padding" in task.note) == (padding == 0)
    metric = find_metric(task, "CTC exact match")
    assert value(metric, logits, torch.from_numpy(labels)) == pytest.approx(2 / 3)


def test_labels_that_need_class_0_have_the_last_class_as_the_blank() -> None:
    paths = torch.tensor([[3, 0, 0, 3, 1], [2, 3, 0, 2, 3]])
    logits = torch.eye(4)[paths]
    labels = np.array([[0, 1, 3], [2, 0, 2]])  # one row is padded with the blank
    task = find_task(logits, labels, "samples")
    assert task.blank == 3
    assert task.note == "class 3 is the blank, labels of 3 at the end are padding"
    assert value(find_metric(task, "CTC exact match"), logits, torch.from_numpy(labels)) == 1.0


@pytest.mark.parametrize("top", [1, 255])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_masks_of_two_values_are_classes_where_there_is_one_score_per_pixel(
    top: int, kind: type[np.generic]
) -> None:
    rng = np.random.default_rng(0)
    shares, truth = rng.random((6, 1, 5, 5)), rng.random((6, 1, 5, 5)) < 0.4
    labels = check_labels("masks", (truth * top).astype(kind), 6)
    output = torch.from_numpy(shares)
    task = find_task(output, labels, "masks")
    found = shares > 0.5
    wanted = [
        (found & truth).sum() / (found | truth).sum(),
        (~found & ~truth).sum() / (~found | ~truth).sum(),
    ]
    assert propose(task, 4).name == "mean IoU"
    metric = find_metric(task, "mean IoU")
    assert value(metric, output, torch.from_numpy(labels)) == pytest.approx(np.mean(wanted))
    assert task.note == ("labels of 255 are class 1" if top == 255 else "")


def test_pictures_are_no_masks() -> None:
    output, wanted = torch.rand(6, 1, 5, 5), np.random.default_rng(0).random((6, 1, 5, 5))
    assert propose(find_task(output, wanted, "pictures"), 4).name == "PSNR"
    assert find_task(output, np.zeros((6, 1, 5, 5)), "pictures").kind == "values"  # of one value


def test_regression_metrics_against_their_definitions() -> None:
    rng = np.random.default_rng(1)
    y = torch.from_numpy(rng.normal(3.0, 2.0, size=(50, 1)))
    x = y + torch.from_numpy(rng.normal(0.0, 0.5, size=(50, 1)))
    task = Task("values", 0, probabilities=False, peak=1.0)
    error = (y - x).square().mean()
    assert value(find_metric(task, "MSE"), x, y) == pytest.approx(float(error))
    assert value(find_metric(task, "MAE"), x, y) == pytest.approx(float((y - x).abs().mean()))
    r2 = 1.0 - float((y - x).square().sum() / (y - y.mean()).square().sum())
    assert value(find_metric(task, "R²"), x, y) == pytest.approx(r2)
    psnr = (-10.0 * (y - x).square().log10()).clamp(max=100.0).mean()
    assert value(find_metric(task, "PSNR"), x, y) == pytest.approx(float(psnr))


@pytest.mark.parametrize("labels", [[3.0], [0.1] * 7, [0.0, 0.0]])
def test_r_squared_of_equal_labels_is_unknown(labels: list[float]) -> None:
    y = torch.tensor(labels, dtype=torch.float64).unsqueeze(1)
    metric = find_metric(Task("values", 0, probabilities=False), "R²")
    assert math.isnan(value(metric, y + 0.5, y))


@pytest.mark.parametrize(
    "name",
    ["mean recall", "F1", "mean precision", "AUROC", "cross-entropy", "output SQNR"],
)
def test_influences_predict_what_leaving_a_sample_out_changes(name: str) -> None:
    """The jackknife: (n - 1)·(value - value without a sample) is its influence, up to 1/n."""
    rng = np.random.default_rng(2)
    labels = torch.from_numpy(rng.integers(0, 2, 120))
    logits = torch.from_numpy(rng.normal(size=(120, 2))) + 0.7 * torch.eye(2)[labels]
    noisy = logits + 0.3 * torch.from_numpy(rng.normal(size=(120, 2)))
    metric = find_metric(Task("classes", 2, probabilities=False), name)
    rows = metric.rows(noisy, logits, labels)
    found, influence = metric.estimate(rows)
    assert float(influence.mean()) == pytest.approx(0.0, abs=1e-9)
    without = [metric.estimate(torch.cat([rows[:k], rows[k + 1 :]]))[0] for k in range(120)]
    jackknife = 119.0 * (found - torch.tensor(without, dtype=torch.float64))
    scale = float(influence.abs().max())
    assert float((influence - jackknife).abs().max()) < 0.06 * scale


def test_intervals_cover_as_often_as_they_say() -> None:
    """95 % intervals of the mean recall from 60 of 400 samples, over 300 seeded draws."""
    rng = np.random.default_rng(3)
    labels = torch.from_numpy(rng.integers(0, 3, 400))
    logits = torch.from_numpy(rng.normal(size=(400, 3))) + 0.9 * torch.eye(3)[labels]
    metric = find_metric(THREE, "mean recall")
    rows = metric.rows(logits, logits, labels)
    truth, _ = metric.estimate(rows)
    covered = 0
    for _ in range(300):
        found, influence = metric.estimate(rows[rng.permutation(400)[:60]])
        low, high = interval(found, influence, 400, proportion=False)
        covered += low <= truth <= high
    assert 0.90 <= covered / 300 <= 0.99


@given(st.integers(2, 40), st.integers(0, 1000))
def test_an_interval_closes_when_all_samples_are_seen(n: int, seed: int) -> None:
    influence = torch.from_numpy(np.random.default_rng(seed).normal(size=n))
    assert interval(0.7, influence, n, proportion=False) == (0.7, 0.7)
    low, high = interval(0.7, influence, n + 1, proportion=False)
    assert low < 0.7 < high


def bounds(metric: Metric, output: Tensor, labels: Tensor, total: int) -> tuple[float, float]:
    rows = metric.rows(output, output, labels)
    found, influence = metric.estimate(rows)
    draws = None if metric.draws is None else metric.draws(rows)
    return interval(
        found,
        influence,
        total,
        proportion=metric.proportion,
        share=metric.unit == "%",
        draws=draws,
    )


@pytest.mark.parametrize(
    ("name", "of"),
    [("sensitivity@0.5", 1), ("specificity@0.5", 0), ("recall:1", 1), ("precision:0", 0)],
)
def test_a_ratio_of_few_samples_gets_their_wilson_interval(name: str, of: int) -> None:
    labels = torch.tensor([1] * 5 + [0] * 40)
    output = of_scores([0.9] * 5 + [0.1] * 40)
    count = int((labels == of).sum())
    found = bounds(find_metric(BINARY, name), output, labels, 10**9)
    assert found == pytest.approx(wilson(1.0, count), abs=1e-6)


@pytest.mark.parametrize("name", ["mean recall", "worst recall", "F1", "mean precision", "AUROC"])
def test_a_share_at_its_end_is_not_certain_and_no_share_leaves_0_to_1(name: str) -> None:
    labels = torch.tensor([1] * 5 + [0] * 40)
    metric = find_metric(BINARY, name)
    low, high = bounds(metric, of_scores([0.9] * 5 + [0.1] * 40), labels, 10**9)
    assert low == pytest.approx(1.0 - 3 / 5)
    assert high == 1.0
    near = of_scores([0.9] * 4 + [0.2] + [0.7] + [0.1] * 39)
    low, high = bounds(metric, near, labels, 10**9)
    assert 0.0 <= low < high <= 1.0


def test_a_class_without_samples_is_unknown() -> None:
    labels, logits = torch.tensor([0, 1, 0]), torch.eye(3)[[0, 1, 1]]
    for name in ("recall:2", "precision:2", "F1:2"):
        assert math.isnan(value(find_metric(THREE, name), logits, labels)), name
    negative = torch.zeros(3, dtype=torch.int64)
    sensitivity = find_metric(BINARY, "sensitivity@0.5")
    assert math.isnan(value(sensitivity, of_scores([0.1, 0.6, 0.2]), negative))
    ignored = torch.full((2, 4), -100)
    task = Task("positions", 3, probabilities=False)
    for name in ("worst recall", "mean IoU", "F1", "perplexity"):
        assert math.isnan(value(find_metric(task, name), torch.randn(2, 4, 3), ignored)), name


@pytest.mark.parametrize(
    ("output", "labels", "kind", "proposed"),
    [
        ((4, 10), np.array([1, 2, 3, 9]), "classes", "top-1"),
        ((4, 1), np.array([0, 1, 1, 0]), "classes", "top-1"),
        ((4, 1), np.array([0.5, 1.5, 2.5, 3.0]), "values", "R²"),
        ((4, 1), np.array([3, 5, 7, 9]), "values", "R²"),
        ((4, 3, 8, 8), np.zeros((4, 8, 8), np.int64), "positions", "mean IoU"),
        ((4, 6, 50), np.zeros((4, 6), np.int64), "positions", "perplexity"),
        ((4, 20, 50), np.zeros((4, 6), np.int64), "sequences", "CTC exact match"),
        ((4, 3, 8, 8), np.zeros((4, 3, 8, 8)), "values", "PSNR"),
        ((4, 10), None, "unlabelled", "agreement with float"),
        ((4, 1), None, "unlabelled", "output SQNR"),
        ((4, 1, 8, 8), None, "unlabelled", "output SQNR"),
    ],
)
def test_the_metric_that_fits_is_proposed(
    output: tuple[int, ...],
    labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None,
    kind: str,
    proposed: str,
) -> None:
    example = torch.randn(output, generator=torch.Generator().manual_seed(0))
    task = find_task(example, labels, "samples")
    assert (task.kind, propose(task, example.ndim).name) == (kind, proposed)
    names = [metric.name for metric in metrics_of(task)]
    assert len(set(names)) == len(names)
    assert "output SQNR" in names


def test_every_metric_says_its_unit_and_direction() -> None:
    for task in (BINARY, THREE, Task("positions", 3, False), Task("values", 0, False)):
        for metric in metrics_of(task):
            assert metric.unit in ("%", "dB", "nats", "")
            assert metric.better == (
                "lower"
                if metric.name
                in ("ECE", "cross-entropy", "perplexity", "MSE", "MAE", "KL to float")
                else "higher"
            )


def test_one_score_per_sample_is_a_choice_of_two_classes() -> None:
    logits = torch.tensor([[-2.0], [3.0], [0.5]])
    task = find_task(logits, np.array([0, 1, 0]), "samples")
    assert task.predictions(logits).tolist() == [0, 1, 1]
    shares = torch.tensor([[0.2], [0.9], [0.4]])
    task = find_task(shares, np.array([0, 1, 0]), "samples")
    assert task.probabilities
    assert task.predictions(shares).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("shape", "labels", "axis"),
    [
        ((5, 4, 7), (5, 7), 1),  # channels before steps
        ((5, 7, 4), (5, 7), 2),
        ((5, 7, 7), (5, 7), 2),  # where both could be, the usual one
        ((5, 1, 4), (5,), 2),
        ((5, 4, 1, 1), (5,), 1),
        ((5, 1, 1, 4), (5,), 3),
        ((5, 4, 6, 1), (5, 6, 1), 1),
        ((5, 4, 6, 1), (5, 6), 1),
        ((5, 4, 4, 1), (5, 4, 1), 1),
        ((5, 6, 3, 4), (5, 6, 3), 3),  # channels last
        ((5, 4, 6, 3), (5, 6, 3), 1),
        ((5, 4, 2, 6, 3), (5, 2, 6, 3), 1),
    ],
)
def test_classes_lie_along_the_axis_that_the_labels_leave(
    shape: tuple[int, ...], labels: tuple[int, ...], axis: int
) -> None:
    output = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    truth = output.argmax(axis).reshape(labels)
    truth[0] = 0
    task = find_task(output, truth.numpy(), "samples")
    assert task.kind == ("classes" if len(labels) == 1 else "positions")
    assert task.classes == shape[axis]
    hits = (output.argmax(axis).reshape(labels) == truth).double().mean()
    assert value(find_metric(task, "top-1"), output, truth) == pytest.approx(float(hits))
    logits = output.movedim(axis, -1).reshape(-1, task.classes).double()
    wanted = torch.nn.functional.cross_entropy(logits, truth.reshape(-1))
    assert value(find_metric(task, "cross-entropy"), output, truth) == pytest.approx(float(wanted))


@pytest.mark.parametrize("shape", [(2, 1, 2, 2), (2, 2, 2, 1)])
@pytest.mark.parametrize("axes", [(2, 2, 2), (2, 1, 2, 2)])
def test_one_score_per_pixel_is_a_choice_of_two_classes(
    shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    logits = torch.tensor([-1.0, 2.0, 3.0, -1.0, -1.0, 2.0, 3.0, 3.0]).reshape(shape)
    labels = torch.tensor([0, 1, 0, -100, 0, 0, 1, 1]).reshape(axes)
    task = find_task(logits, labels.numpy(), "samples")
    assert (task.kind, task.classes, task.probabilities) == ("positions", 2, False)
    assert propose(task, logits.ndim).name == "mean IoU"
    # class 0: hits 2, labels 4, predictions 2; class 1: hits 3, labels 3, predictions 5
    wanted = (2 / 4 + 3 / 5) / 2
    assert value(find_metric(task, "mean IoU"), logits, labels) == pytest.approx(wanted)
    top = value(find_metric(task, "top-1"), logits, labels)
    assert top == pytest.approx((2 / 3 + 3 / 4) / 2)
    assert find_task(logits.sigmoid(), labels.numpy(), "samples").probabilities
    pixels = 100 * labels.clamp(min=0).reshape(shape)
    assert find_task(logits, pixels.numpy(), "samples").kind == "values"


@pytest.mark.parametrize(
    ("output", "labels", "message"),
    [
        ((3, 4), np.array([0, 4, 1]), "label 4 of sample 1 is out of range"),
        ((3, 4), np.array([0, -1, 1]), "label -1 of sample 1 is out of range"),
        ((3, 4), np.zeros((3, 2, 2), np.int64), "fit no reading"),
        ((3, 4), np.array([0.5, 1.5, 2.5]), "values of shape"),
        ((3, 2, 8, 8), np.full((3, 8, 8), 2), "label 2 of sample 0 is out of range"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    output: tuple[int, ...], labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]], message: str
) -> None:
    with pytest.raises(QvizError, match=message):
        find_task(torch.zeros(output), labels, "samples")


def test_a_metric_the_samples_do_not_have_names_those_they_have() -> None:
    with pytest.raises(QvizError, match="top-1, mean recall"):
        find_metric(THREE, "PSNR")
    with pytest.raises(QvizError, match="do not have it"):
        find_metric(THREE, "recall:3")


@pytest.mark.parametrize(
    ("spelling", "offered"),
    [
        ("recall", r"recall:0 \(up to recall:2\) for one class, or mean recall for all"),
        ("Precision", "precision:0 .* for one class, or mean precision for all"),
        ("F1:9", "F1:0 .* for one class, or F1 for all"),
    ],
)
def test_a_metric_that_lacks_its_class_is_told_how_to_say_it(spelling: str, offered: str) -> None:
    with pytest.raises(QvizError, match=offered):
        find_metric(THREE, spelling)
    with pytest.raises(QvizError, match=r"do not have it\. Use one of MSE"):
        find_metric(Task("values", 0, probabilities=False), "recall")

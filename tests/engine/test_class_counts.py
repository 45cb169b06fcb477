"""Labels, predictions and hits of every class in every sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper
from torch import Tensor

import qviz
from qviz.app.session import Session
from qviz.engine.metrics import class_counts as counting
from qviz.engine.metrics.class_counts import class_counts, keeps_counts
from qviz.engine.metrics.task import Task

MASKS = Task("positions", 4, probabilities=False, ignored=255)


def by_hand(found: Tensor, labels: Tensor) -> list[list[list[int]]]:
    """The same, a position at a time."""
    counts = np.zeros((len(found), 4, 3), int)
    for at, (answers, wanted) in enumerate(zip(found, labels, strict=True)):
        for answer, want in zip(answers.flatten(), wanted.flatten(), strict=True):
            if 0 <= int(want) < 255:
                counts[at, int(want), 0] += 1
                counts[at, int(answer), 1] += 1
                counts[at, int(want), 2] += int(answer) == int(want)
    found_: list[list[list[int]]] = counts.tolist()
    return found_


def test_counts_against_a_position_at_a_time() -> None:
    generator = torch.Generator().manual_seed(0)
    found = torch.randint(0, 4, (5, 3, 6), generator=generator)
    labels = torch.randint(0, 4, (5, 3, 6), generator=generator)
    labels[:, 0, :2], labels[:, 1, 3] = 255, -1  # left out
    labels[4] = 255
    counts = class_counts(MASKS, found, labels)
    assert counts.dtype == torch.int32
    assert counts.tolist() == by_hand(found, labels)
    assert not counts[4].any()
    assert int(counts[..., 0].sum()) == int(counts[..., 1].sum()) == 4 * 15


def test_labels_with_an_axis_of_one_are_the_same() -> None:
    found, labels = torch.tensor([[[0, 1], [2, 2]]]), torch.tensor([[[[0, 1], [1, 2]]]])
    assert class_counts(MASKS, found, labels).tolist() == by_hand(found, labels)


def test_only_positions_are_counted_and_not_too_many() -> None:
    assert keeps_counts(MASKS, 2**18)
    assert not keeps_counts(MASKS, 2**18 + 1)
    assert not keeps_counts(Task("classes", 4, probabilities=False), 10)
    assert not keeps_counts(Task("unlabelled", 4, probabilities=False), 10)


@pytest.fixture
def masks(write_model: Callable[..., Path], tmp_path: Path) -> Session:
    w = np.random.default_rng(1).normal(size=(3, 2, 1, 1)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
    shapes = {"x": ["N", 2, 4, 4]}, {"y": ["N", 3, 4, 4]}
    model = write_model("pixels.onnx", nodes, {"w": w}, *shapes)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 2, 4, 4)).astype(np.float32)
    labels = rng.integers(0, 3, (60, 4, 4)).astype(np.uint8)
    labels[:, :, 3] = 255
    np.savez(tmp_path / "masks.npz", x=x, labels=labels)
    session = qviz.open(model, tmp_path / "masks.npz")
    session.set_defaults("int2", "uint2")
    return session


def test_an_evaluation_of_masks_has_them_for_float_and_plan(masks: Session) -> None:
    evaluation = masks.evaluate("all")
    assert evaluation.predictions is None
    assert evaluation.counts is not None
    assert evaluation.float_counts is not None
    assert evaluation.counts.shape == evaluation.float_counts.shape == (60, 3, 3)
    answers = masks.strip().answers
    assert answers is not None
    assert answers.samples.labels is not None
    truth = answers.samples.labels[evaluation.rows]
    for at in range(3):
        wanted = (truth == at).sum((1, 2))
        assert np.array_equal(evaluation.counts[:, at, 0], wanted)
        assert np.array_equal(evaluation.float_counts[:, at, 0], wanted)
    masks.set_metric("mean IoU")
    iou = masks.evaluate("all")
    for counts, value in ((iou.counts, iou.value), (iou.float_counts, iou.float_value)):
        assert counts is not None
        labelled, predicted, hits = counts.sum(0).T
        shares = hits / (labelled + predicted - hits)
        assert 100.0 * shares.mean() == pytest.approx(value)


def test_no_counts_where_they_would_take_much_memory(
    masks: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST", 60 * 3 - 1)
    assert masks.evaluate("all").counts is None
    assert masks.strip().answers is None


def test_samples_with_a_class_each_have_none(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    evaluation = session.evaluate("all")
    assert evaluation.counts is None
    assert evaluation.predictions is not None

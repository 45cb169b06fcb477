"""Recall and precision by class: values, intervals, order; in the strip and the command line."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from rich.console import Console

import qviz
from qviz.app.class_table import Answers, answers_of, class_rows
from qviz.app.session import Session
from qviz.cli.headless import run_plan
from qviz.cli.tables import INTERVALS, class_table
from qviz.engine.estimates import wilson

Cell = tuple[int, int, int]


@pytest.fixture
def answers(mlp: Path, mlp_samples: Path) -> Answers:
    session = qviz.open(mlp, mlp_samples)
    session.set_defaults("int2", "uint2")
    session.evaluate("all", limit=50)
    found = session.strip().answers
    assert found is not None
    return found


def with_answers(answers: Answers, labels: list[int], before: list[int], now: list[int]) -> Answers:
    count = len(labels)
    return Answers(
        replace(answers.samples, labels=np.array(labels), class_names=("cat", "dog")),
        replace(
            answers.evaluation,
            rows=np.arange(count),
            predictions=np.array(now),
            float_predictions=np.array(before),
        ),
    )


def test_rows_of_a_hand_made_case(answers: Answers) -> None:
    labels = [0, 0, 0, 0, 1, 1, 2, 2]
    before = [0, 0, 0, 1, 1, 1, 2, 0]
    now = [0, 0, 1, 1, 1, 2, 2, 2]
    rows = class_rows(with_answers(answers, labels, before, now))
    assert [(row.name, row.samples) for row in rows] == [("1 dog", 2), ("0 cat", 4), ("2", 2)]
    assert [row.recall_change for row in rows] == [-50.0, -25.0, 50.0]
    cat = rows[1]
    assert cat.float_recall is not None
    assert cat.recall is not None
    assert cat.float_precision is not None
    assert cat.precision is not None
    assert (cat.float_recall.value, cat.recall.value) == (75.0, 50.0)
    assert (cat.float_precision.value, cat.precision.value) == (75.0, 100.0)
    assert (cat.recall.of, cat.precision.of) == (4, 2)
    assert cat.precision_change == 25.0
    # Wilson's 95 % interval of 2 of 4 and of 2 of 2
    assert (cat.recall.low, cat.recall.high) == pytest.approx((15.00389, 84.99611), abs=1e-4)
    assert (cat.precision.low, cat.precision.high) == pytest.approx((34.23802, 100.0), abs=1e-4)


def test_a_class_without_samples_or_answers_has_no_share(answers: Answers) -> None:
    rows = {r.index: r for r in class_rows(with_answers(answers, [0, 0, 4], [0, 3, 4], [0, 0, 0]))}
    assert sorted(rows) == [0, 3, 4]  # 1 and 2 neither occur nor are answered
    assert (rows[3].float_recall, rows[3].recall, rows[3].recall_change) == (None, None, None)
    assert rows[3].float_precision is not None
    assert (rows[3].float_precision.value, rows[3].precision) == (0.0, None)
    assert rows[4].precision_change is None
    assert rows[4].recall_change == -100.0


def test_rows_against_counts_of_what_a_model_answers(answers: Answers) -> None:
    evaluation, labels = answers.evaluation, answers.samples.labels
    assert labels is not None
    assert evaluation.predictions is not None
    assert evaluation.float_predictions is not None
    truth, rows = labels[evaluation.rows], class_rows(answers)
    assert sum(row.samples for row in rows) == evaluation.samples == 50
    for row in rows:
        for found, recall, precision in (
            (evaluation.predictions, row.recall, row.precision),
            (evaluation.float_predictions, row.float_recall, row.float_precision),
        ):
            hits = int(((found == row.index) & (truth == row.index)).sum())
            for share, of in ((recall, row.samples), (precision, int((found == row.index).sum()))):
                if share is None:
                    assert of == 0
                    continue
                assert share.of == of
                assert share.value == pytest.approx(100 * hits / of)
                ends = [100 * end for end in wilson(hits / of, of)]
                assert [share.low, share.high] == pytest.approx(ends)
    changes = [row.recall_change for row in rows if row.recall_change is not None]
    assert changes == sorted(changes)


def test_the_rows_agree_with_the_metrics_of_one_class(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.set_defaults("int3", "uint3")
    session.evaluate("all")
    answers = session.strip().answers
    assert answers is not None
    rows = {row.index: row for row in class_rows(answers)}
    recall, precision = rows[2], rows[1]
    for name, before, now in (
        ("recall:2", recall.float_recall, recall.recall),
        ("precision:1", precision.float_precision, precision.precision),
    ):
        session.set_metric(name)
        evaluation = session.evaluate()
        assert before is not None
        assert now is not None
        assert before.value == pytest.approx(evaluation.float_value)
        assert now.value == pytest.approx(evaluation.value)


def test_the_same_evaluation_gives_equal_answers(mlp: Path, mlp_samples: Path) -> None:
    session = qviz.open(mlp, mlp_samples)
    session.evaluate("all")
    before = session.strip().answers
    assert before == session.strip().answers
    session.set_defaults("int2", "uint8")
    session.evaluate("all")
    assert before != session.strip().answers


def test_without_labels_there_are_no_answers(mlp: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", np.ones((20, 6), np.float32))
    session = qviz.open(mlp, tmp_path / "plain.npz")
    evaluation = session.evaluate("all")
    assert session.strip().answers is None
    assert answers_of(None, evaluation) is None


@pytest.fixture
def tagger(write_model: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """A model of five yes-or-no classes, and samples with names for them."""
    rng = np.random.default_rng(4)
    w = rng.normal(size=(6, 5)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")]
    model = write_model("tags.onnx", nodes, {"w": w}, {"x": ["N", 6]}, {"y": ["N", 5]})
    x = rng.normal(size=(40, 6)).astype(np.float32)
    np.savez(tmp_path / "tags.npz", x=x, labels=x @ w + rng.normal(size=(40, 5)) > 0)
    return model, tmp_path / "tags.npz"


def test_multilabel_samples_have_named_classes_but_no_one_answer(
    tagger: tuple[Path, Path],
) -> None:
    session = Session()
    session.open(*tagger)
    assert session.evaluate("all").metric == "mean average precision"
    strip = session.strip()
    assert strip.answers is None
    assert strip.classes == ("0", "1", "2", "3", "4")
    assert "recall:" in [choice.name for choice in strip.metrics]
    session.set_metric("recall:4")
    session.evaluate()
    current = [choice.label for choice in session.strip().metrics if choice.current]
    assert current == ["Recall of class 4…"]


def test_a_thousand_classes_stand_with_the_worst_first(answers: Answers) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 1000, 5000)
    before, now = (np.where(rng.random(5000) < p, labels, (labels + 1) % 1000) for p in (0.9, 0.7))
    rows = class_rows(with_answers(answers, labels.tolist(), before.tolist(), now.tolist()))
    assert len(rows) > 950
    worst = [row.recall_change for row in rows if row.recall_change is not None]
    assert worst == sorted(worst)
    assert worst[0] < -20.0


@pytest.fixture
def masks(write_model: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """A model of three classes at every pixel, and masks of which a quarter is left out."""
    w = np.random.default_rng(1).normal(size=(3, 2, 1, 1)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
    shapes = {"x": ["N", 2, 4, 4]}, {"y": ["N", 3, 4, 4]}
    model = write_model("pixels.onnx", nodes, {"w": w}, *shapes)
    x = np.random.default_rng(2).normal(size=(20, 2, 4, 4)).astype(np.float32)
    labels = np.tile(np.array([0, 1, 2, 255], np.uint8), (20, 4, 1))
    np.savez(tmp_path / "masks.npz", x=x, labels=labels)
    return model, tmp_path / "masks.npz"


def with_counts(answers: Answers, before: list[list[Cell]], now: list[list[Cell]]) -> Answers:
    counts = (np.array(each, np.int32) for each in (before, now))
    float_counts, own = counts
    evaluation = replace(answers.evaluation, counts=own, float_counts=float_counts)
    return Answers(replace(answers.samples, class_names=("road", "car")), evaluation)


def test_classes_of_pixels_of_a_hand_made_case(answers: Answers) -> None:
    """Labels, predictions and hits of two classes in three pictures of 10 pixels."""
    before: list[list[Cell]] = [
        [(8, 8, 8), (2, 2, 2)],
        [(10, 9, 9), (0, 1, 0)],
        [(7, 7, 6), (3, 3, 2)],
    ]
    now: list[list[Cell]] = [
        [(8, 10, 8), (2, 0, 0)],
        [(10, 10, 10), (0, 0, 0)],
        [(7, 8, 6), (3, 2, 1)],
    ]
    car, road = class_rows(with_counts(answers, before, now))
    assert (car.name, road.name) == ("1 car", "0 road")
    assert (car.samples, road.samples) == (2, 3)
    for share, hits, of, samples in (
        (car.float_recall, 4, 5, 2),
        (car.recall, 1, 5, 2),
        (car.float_precision, 4, 6, 3),
        (car.precision, 1, 2, 1),
        (car.float_iou, 4, 7, 3),
        (car.iou, 1, 6, 2),
        (road.float_recall, 23, 25, 3),
        (road.recall, 24, 25, 3),
        (road.precision, 24, 28, 3),
        (road.iou, 24, 29, 3),
    ):
        assert share is not None
        assert (share.of, share.samples) == (of, samples)
        assert share.value == pytest.approx(100.0 * hits / of)
        assert 0.0 <= share.low <= share.value <= share.high <= 100.0
        assert ((share.low, share.high) == (0.0, 100.0)) == (samples < 3)
    assert car.iou_change == pytest.approx(100.0 * (1 / 6 - 4 / 7))
    assert (road.iou_change or 0.0) > (car.iou_change or 0.0)


def test_a_class_that_no_pixel_has_is_left_out(answers: Answers) -> None:
    rows = class_rows(with_counts(answers, [[(4, 4, 4), (0, 0, 0)]], [[(4, 4, 4), (0, 0, 0)]]))
    assert [row.name for row in rows] == ["0 road"]
    rows = class_rows(with_counts(answers, [[(4, 4, 4), (0, 0, 0)]], [[(4, 3, 3), (0, 1, 0)]]))
    car = next(row for row in rows if row.index == 1)
    assert (car.samples, car.recall, car.float_iou) == (0, None, None)
    assert car.iou is not None
    assert car.iou.value == 0.0
    assert rows[-1] is car  # no change is known


def test_the_rows_of_masks_agree_with_their_metrics(masks: tuple[Path, Path]) -> None:
    session = qviz.open(*masks)
    session.set_defaults("int2", "uint2")
    session.evaluate("all")
    answers = session.strip().answers
    assert answers is not None
    assert answers.of_positions
    rows = class_rows(answers)
    for metric, shares in (
        ("mean recall", [row.recall for row in rows]),
        ("mean IoU", [row.iou for row in rows]),
    ):
        session.set_metric(metric)
        values = [share.value for share in shares if share is not None]
        assert np.mean(values) == pytest.approx(session.evaluate().value)
    changes = [row.iou_change for row in rows]
    assert None not in changes
    assert changes == sorted(changes, key=lambda change: change or 0.0)


def run(model: Path, samples: Path) -> None:
    run_plan(
        str(model),
        str(samples),
        values={},
        run_code=False,
        weights="int4:channel",
        inputs="uint8",
        settings=(),
        plan=None,
        limit=None,
        seed=None,
        part=None,
        output=None,
        metric=None,
        json_file=None,
        save_plan=None,
        screenshot=None,
        theme="light",
        size=(1280, 800),
        select=None,
        view="distribution",
        classes=True,
    )


def test_the_command_line_prints_every_class(
    mlp: Path, mlp_samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(mlp, mlp_samples)
    said = capsys.readouterr().out
    head = next(line for line in said.splitlines() if line.startswith("class "))
    assert "recall: float" in head
    assert "precision: float" in head
    table = said[said.index(head) :].splitlines()[1:5]
    assert sorted(line.split()[0] for line in table) == ["0", "1", "2", "3"]


def test_the_command_line_prints_the_classes_of_masks(
    masks: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    run(*masks)
    said = capsys.readouterr().out
    assert "labels of 255 are left out" in " ".join(said.split())
    head = next(line for line in said.splitlines() if line.startswith("class "))
    assert "IoU: float" in head
    table = said[said.index(head) :].splitlines()
    assert sorted(line.split()[0] for line in table[1:4]) == ["0", "1", "2"]
    assert table[4] == INTERVALS


def test_the_command_line_says_where_samples_have_no_class_each(
    tagger: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run(*tagger)
    assert "classes: these samples do not have a class each" in capsys.readouterr().out


@pytest.mark.parametrize(("width", "columns"), [(60, 5), (80, 5), (100, 8), (112, 10), (130, 12)])
def test_a_long_class_name_leaves_the_figures_their_room(
    answers: Answers, width: int, columns: int
) -> None:
    names = tuple("x" * 60 + str(at) for at in range(9))
    long = Answers(replace(answers.samples, class_names=names), answers.evaluation)
    table = class_table(long, width)
    console = Console(width=width, file=io.StringIO())
    assert console.measure(table).maximum <= width
    assert len(table.columns) == columns
    full = class_table(long, 999)
    figures = {(str(c.header), tuple(map(str, c.cells))) for c in full.columns[1:]}
    assert figures >= {(str(c.header), tuple(map(str, c.cells))) for c in table.columns[1:]}
    assert all(12 <= len(str(name)) < 60 for name in table.columns[0].cells)

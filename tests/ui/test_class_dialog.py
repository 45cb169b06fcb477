"""The table of all classes: from the strip's menu, sorted, filtered, copied, following the plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from qviz.app.class_table import ClassRow, ClassShare
from qviz.app.session import Session
from qviz.ui.class_dialog import ClassDialog
from qviz.ui.class_model import OF_POSITIONS, ClassColumn, ClassModel
from qviz.ui.main_window import MainWindow
from qviz.ui.palette import DARK, LIGHT

Settle = Callable[[MainWindow], None]


def share(value: float) -> ClassShare:
    return ClassShare(value, value - 3.0, value + 2.0, 40)


ROWS = (
    ClassRow(0, "0 cat", 40, share(90.0), share(70.0), share(80.0), share(82.0)),
    ClassRow(1, "1 dog", 1200, share(90.0), share(95.0), share(60.0), None),
    ClassRow(2, "2 catfish", 0, None, None, None, share(5.0)),
)


def shown(model: ClassModel, column: ClassColumn) -> list[str]:
    return [model.data(model.index(row, column)) for row in range(model.rowCount())]


@pytest.fixture
def model() -> ClassModel:
    made = ClassModel()
    made.show_rows(ROWS)
    return made


def test_the_worst_change_of_recall_stands_first_and_the_unknown_last(model: ClassModel) -> None:
    assert shown(model, ClassColumn.CLASS) == ["0 cat", "1 dog", "2 catfish"]
    assert shown(model, ClassColumn.RECALL_CHANGE) == ["−20.00", "+5.00", "–"]
    assert shown(model, ClassColumn.RECALL) == ["70.00", "95.00", "–"]
    assert shown(model, ClassColumn.RECALL_INTERVAL) == ["67.0 – 72.0", "92.0 – 97.0", "–"]
    assert shown(model, ClassColumn.PRECISION_CHANGE) == ["+2.00", "–", "–"]
    assert shown(model, ClassColumn.SAMPLES) == ["40", "1,200", "0"]


@pytest.mark.parametrize(
    ("column", "order", "classes"),
    [
        (ClassColumn.RECALL_CHANGE, Qt.SortOrder.DescendingOrder, [1, 0, 2]),
        (ClassColumn.SAMPLES, Qt.SortOrder.AscendingOrder, [2, 0, 1]),
        (ClassColumn.FLOAT_RECALL, Qt.SortOrder.DescendingOrder, [0, 1, 2]),
        (ClassColumn.PRECISION, Qt.SortOrder.AscendingOrder, [2, 0, 1]),
        (ClassColumn.CLASS, Qt.SortOrder.DescendingOrder, [2, 1, 0]),
    ],
)
def test_every_column_sorts(
    model: ClassModel, column: ClassColumn, order: Qt.SortOrder, classes: list[int]
) -> None:
    model.sort(column, order)
    assert [row.index for row in model.rows] == classes


def test_a_class_is_found_by_its_name(model: ClassModel) -> None:
    model.filter("CAT")
    assert shown(model, ClassColumn.CLASS) == ["0 cat", "2 catfish"]
    model.filter("")
    assert model.rowCount() == 3


def test_losses_and_gains_have_their_colors_and_signs(model: ClassModel) -> None:
    for palette in (LIGHT, DARK):
        model.set_palette(palette)
        colors = [
            model.data(model.index(row, ClassColumn.RECALL_CHANGE), Qt.ItemDataRole.ForegroundRole)
            for row in range(3)
        ]
        names = [color.name().upper() for color in colors]
        assert names == [palette.bad.upper(), palette.good.upper(), palette.text_faint.upper()]


def test_cells_say_their_interval_and_titles_their_meaning(model: ClassModel) -> None:
    cell = model.index(0, ClassColumn.FLOAT_RECALL)
    tip = "95 % interval: 87.0 – 92.0 %, of 40"
    assert model.data(cell, Qt.ItemDataRole.ToolTipRole) == tip
    for column in ClassColumn:
        assert model.headerData(column, Qt.Orientation.Horizontal)
        assert model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)


def opened(window: MainWindow) -> ClassDialog:
    strip = window.workspace.strip
    strip.caption.by_class.trigger()
    assert isinstance(strip.class_dialog, ClassDialog)
    return strip.class_dialog


def test_the_strips_menu_opens_a_table_that_follows_the_plan(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    assert window.workspace.strip.caption.by_class.isVisible()
    dialog = opened(window)
    assert dialog.isVisible()
    assert not dialog.isModal()
    assert opened(window) is dialog
    assert {row.index for row in dialog.classes.rows} == {0, 1, 2, 3}
    assert dialog.summary.text() == "29 samples (tune), in percent"
    before = {row.index: row.recall for row in dialog.classes.rows}
    session.set_defaults("int2", "uint2")
    settle(window)
    now = {row.index: row.recall for row in dialog.classes.rows}
    assert now != before
    window.workspace.strip.set_palette(DARK)
    assert dialog.header.palette_used is DARK
    dialog.close()
    assert window.workspace.strip.class_dialog is None


def test_the_chosen_class_stays_chosen_and_is_copied(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    dialog = opened(window)
    dialog.table.selectRow(1)
    chosen = dialog.classes.rows[1].index
    session.set_defaults("int2", "uint2")
    settle(window)
    current = dialog.table.currentIndex().row()
    assert dialog.classes.rows[current].index == chosen
    QTest.keyClick(dialog.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].startswith("Class\tSamples\tRecall: float\tRecall: quantized\tRecall: 95 %")
    assert [line.split("\t")[0] for line in lines[1:]] == [str(chosen)]
    dialog.table.clearSelection()
    assert len(dialog.copied().splitlines()) == 5


def test_enter_in_the_filter_does_not_close_the_table(window: MainWindow, qtbot: QtBot) -> None:
    dialog = opened(window)
    qtbot.waitUntil(dialog.isActiveWindow)
    QTest.keyClicks(dialog.filter_line, "2")
    QTest.keyClick(dialog.filter_line, Qt.Key.Key_Return)
    assert dialog.isVisible()
    assert [row.index for row in dialog.classes.rows] == [2]
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert window.workspace.strip.class_dialog is None


def test_without_labels_no_table_is_offered(
    empty_window: MainWindow, session: Session, settle: Settle, mlp: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "plain.npz", rng.normal(size=(60, 6)).astype(np.float32))
    session.open(mlp, tmp_path / "plain.npz")
    settle(empty_window)
    assert session.strip().metrics
    assert not empty_window.workspace.strip.caption.by_class.isVisible()


def test_other_samples_empty_an_open_table(
    window: MainWindow, session: Session, settle: Settle, tmp_path: Path
) -> None:
    dialog = opened(window)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "plain.npz", rng.normal(size=(60, 6)).astype(np.float32))
    session.open_samples(tmp_path / "plain.npz")
    settle(window)
    assert dialog.classes.rowCount() == 0
    assert dialog.summary.text() == "Nothing is measured of samples that have classes"


@pytest.mark.parametrize("count", [2, 1000])
def test_few_and_many_classes_fit(qtbot: QtBot, count: int) -> None:
    ground = QWidget()
    qtbot.addWidget(ground)
    dialog = ClassDialog(ground, LIGHT)
    qtbot.addWidget(dialog)
    rows = tuple(
        ClassRow(at, f"{at} class", 40, share(90.0), share(90.0 - at % 7), None, None)
        for at in range(count)
    )
    dialog.classes.show_rows(rows)
    dialog.show()
    qtbot.waitExposed(dialog)
    assert (dialog.table.verticalScrollBar().maximum() > 0) == (count > 20)
    assert dialog.table.horizontalScrollBar().maximum() == 0
    for column in set(ClassColumn) - set(OF_POSITIONS):
        room = dialog.header.sectionSize(column)
        font = dialog.table.fontMetrics()
        cells = (dialog.classes.data(dialog.classes.index(at, column)) for at in range(count))
        assert max(font.horizontalAdvance(cell) for cell in cells) + 12 <= room


@pytest.fixture
def masks(write_model: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """A model of three classes at every pixel, and masks."""
    w = np.random.default_rng(1).normal(size=(3, 2, 1, 1)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
    shapes = {"x": ["N", 2, 4, 4]}, {"y": ["N", 3, 4, 4]}
    model = write_model("pixels.onnx", nodes, {"w": w}, *shapes)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 2, 4, 4)).astype(np.float32)
    np.savez(tmp_path / "masks.npz", x=x, labels=rng.integers(0, 3, (60, 4, 4)))
    return model, tmp_path / "masks.npz"


def test_masks_have_an_iou_and_intervals_over_samples(
    empty_window: MainWindow, session: Session, settle: Settle, masks: tuple[Path, Path]
) -> None:
    session.open(*masks)
    settle(empty_window)
    session.set_defaults("int2", "uint2")
    settle(empty_window)
    dialog = opened(empty_window)
    assert dialog.title.text() == "Recall, precision and IoU by class"
    said = "samples (tune), in percent of their positions, intervals over samples"
    assert dialog.summary.text().endswith(said)
    assert not any(dialog.table.isColumnHidden(column) for column in ClassColumn)
    assert dialog.table.horizontalScrollBar().maximum() == 0
    changes = [row.iou_change for row in dialog.classes.rows]
    assert len(changes) == 3
    assert changes == sorted(changes, key=lambda change: change or 0.0)
    of = dialog.classes.rows[0].iou
    assert of is not None
    cell = dialog.classes.index(0, ClassColumn.IOU)
    hint = dialog.classes.data(cell, Qt.ItemDataRole.ToolTipRole)
    assert hint.endswith(f"%, of {of.of} in {of.samples} samples")
    tip = dialog.classes.headerData(
        ClassColumn.IOU_INTERVAL, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
    )
    assert "over samples, not positions" in tip
    assert (
        dialog.copied().splitlines()[0].endswith("IoU: quantized\tIoU: 95 % interval\tIoU: change")
    )


def test_classes_of_samples_have_no_iou(window: MainWindow) -> None:
    dialog = opened(window)
    assert all(dialog.table.isColumnHidden(column) for column in OF_POSITIONS)
    assert "IoU" not in dialog.copied() + dialog.title.text()
    listed = [action.text() for action in dialog.header.columns_menu().actions()]
    assert len(listed) == len(ClassColumn) - len(OF_POSITIONS) - 1
    assert not any(text.startswith("IoU") for text in listed)

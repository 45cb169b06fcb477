"""Finding layers: filter, order, and the walk by error."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTableView
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.app.views import Cell, LayerRow
from qviz.ui.column_room import ColumnRoom
from qviz.ui.fonts import ui_font
from qviz.ui.layer_columns import Column
from qviz.ui.layer_header import PADDING, LayerHeader
from qviz.ui.layer_model import LayerModel
from qviz.ui.main_window import MainWindow
from qviz.ui.settings import Settings


def layer(
    index: int, sqnr: float | None = 40.0, op: str = "Conv", scheme: str = "int8"
) -> LayerRow:
    cell = Cell((f"layer{index}.weight",), scheme, False, sqnr, 0.0)
    return LayerRow(
        index=index,
        name=f"layer{index}",
        op=op,
        shape="3×3",
        parameters=9,
        macs=None,
        weight=cell,
        input=None,
        size_bytes=9,
        size_share=0.1,
    )


def names(model: LayerModel) -> list[str]:
    return [model.row_at(position).name for position in range(model.rowCount())]


def test_sorting_by_error_puts_unknown_values_last_in_both_orders() -> None:
    model = LayerModel()
    model.show_rows((layer(0, 30.0), layer(1, None), layer(2, 10.0), layer(3, 20.0)))
    model.sort(Column.WEIGHT_SQNR)
    assert names(model) == ["layer2", "layer3", "layer0", "layer1"]
    model.sort(Column.WEIGHT_SQNR, Qt.SortOrder.DescendingOrder)
    assert names(model) == ["layer0", "layer3", "layer2", "layer1"]
    assert model.worst_first() == ["layer2", "layer3", "layer0"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", ["layer0", "layer1", "layer12"]),
        ("layer1", ["layer1", "layer12"]),
        ("gemm 12", ["layer12"]),
        ("re:r[01]$", ["layer0", "layer1"]),
        ("re:^Gemm$", ["layer12"]),
        ("nothing", []),
    ],
)
def test_the_filter_matches_names_and_operators(pattern: str, found: list[str]) -> None:
    model = LayerModel()
    model.show_rows((layer(0), layer(1), layer(12, op="Gemm")))
    model.set_filter(pattern)
    assert names(model) == found


def test_new_values_repaint_rows_without_a_reset(qtbot: QtBot) -> None:
    model = LayerModel()
    rows = tuple(layer(index) for index in range(5))
    model.show_rows(rows)
    changed = (*rows[:3], layer(3, 12.0), rows[4])
    with qtbot.assertNotEmitted(model.modelReset), qtbot.waitSignal(model.dataChanged) as signal:
        assert model.show_rows(changed) is False
    assert signal.args is not None
    assert (signal.args[0].row(), signal.args[1].row()) == (3, 3)


def test_a_thousand_layers_are_taken_sorted_and_filtered_within_a_stall_of_50_ms() -> None:
    model = LayerModel()
    rows = tuple(layer(index, float((index * 7919) % 1000)) for index in range(1000))
    model.show_rows(rows)
    model.sort(Column.WEIGHT_SQNR)
    changed = tuple(dataclasses.replace(row, size_share=0.2) for row in rows)
    times = []
    for step in (
        lambda: model.show_rows(changed),
        lambda: model.sort(Column.NAME),
        lambda: model.set_filter("layer1"),
    ):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    assert max(times) < 0.05


def test_the_filter_box_hides_layers_and_escape_shows_them_again(window: MainWindow) -> None:
    panel = window.workspace.layers
    total = panel.table.layers.rowCount()
    window.commands["find"].trigger()
    QTest.keyClicks(panel.filter, "fc2")
    assert panel.table.layers.rowCount() == 1
    assert panel.count.text() == f"1 of {total}"
    current = panel.table.current_row()
    assert current is not None
    assert current.name == "fc2"
    QTest.keyClick(panel.filter, Qt.Key.Key_Escape)
    assert panel.table.layers.rowCount() == total


def test_a_broken_expression_is_marked_and_changes_nothing(window: MainWindow) -> None:
    panel = window.workspace.layers
    total = panel.table.layers.rowCount()
    panel.filter.setText("re:(")
    assert panel.filter.property("invalid") is True
    assert "regular expression" in panel.filter.toolTip()
    assert panel.count.text() == panel.filter.toolTip()
    assert panel.table.layers.rowCount() == total


def test_the_selection_survives_sorting(window: MainWindow) -> None:
    table = window.workspace.table
    table.go_to("fc2")
    table.header.setSortIndicator(Column.NAME, Qt.SortOrder.DescendingOrder)
    assert [row.name for row in table.selected_rows()] == ["fc2"]


def current_name(window: MainWindow) -> str:
    row = window.workspace.table.current_row()
    assert row is not None
    return row.name


def press(window: MainWindow, keys: str) -> str:
    QTest.keyClicks(window.workspace.table, keys)
    return current_name(window)


def test_brackets_walk_in_order_of_error_and_stop_at_its_ends(window: MainWindow) -> None:
    table = window.workspace.table
    table.layers.show_rows(tuple(layer(index, db) for index, db in enumerate((30, 10, None, 20))))
    table.setFocus()
    table.go_to("layer0")
    assert press(window, "[") == "layer1"
    assert press(window, "[") == "layer1"
    assert press(window, "]") == "layer3"
    assert press(window, "]") == "layer0"
    assert press(window, "]") == "layer0"
    assert press(window, "[") == "layer3"
    table.go_to("layer2")
    assert press(window, "]") == "layer3"


def test_a_changed_row_sends_the_bracket_to_the_worst_layer_again(window: MainWindow) -> None:
    table = window.workspace.table
    rows = tuple(layer(index, db) for index, db in enumerate((10, 20, 30, 40)))
    table.layers.show_rows(rows)
    table.go_to("layer2")
    assert press(window, "]") == "layer3"
    table.layers.show_rows((*rows[:3], layer(3, 41)))
    assert press(window, "[") == "layer0"


def test_operators_are_shown_whole_or_give_their_room_to_the_names(
    qtbot: QtBot,
    window: MainWindow,
    session: Session,
    settings: Settings,
    write_model: Callable[..., Path],
) -> None:
    table = window.workspace.table
    assert not table.isColumnHidden(Column.OP)
    metrics = QFontMetrics(ui_font(12))
    assert table.columnWidth(Column.OP) > metrics.horizontalAdvance("Gemm") + 2 * PADDING
    weight = {"w": np.ones((4, 4), dtype=np.float32)}
    name = "/model/encoder/layers.0/self_attention/query/MatMul"
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name=name)
    path = write_model("long.onnx", [node], weight, {"x": ["N", 4]}, {"y": ["N", 4]})
    session.open(path)
    qtbot.waitUntil(lambda: table.isColumnHidden(Column.OP), timeout=5000)
    window.resize(2400, 900)
    qtbot.waitUntil(lambda: not table.isColumnHidden(Column.OP))
    action = next(a for a in table.header.columns_menu().actions() if a.text() == "Op")
    action.setChecked(False)  # what the user chooses stays
    window.resize(2500, 900)
    assert table.isColumnHidden(Column.OP)
    window.workspace.save(settings)
    assert settings.word("columns_chosen", "") == str(int(Column.OP))


def test_a_model_without_layers_says_so(
    qtbot: QtBot, empty_window: MainWindow, session: Session, write_model: Callable[..., Path]
) -> None:
    relu = onnx.helper.make_node("Relu", ["x"], ["y"], name="relu")
    session.open(write_model("relu.onnx", [relu], {}, {"x": ["N", 4]}, {"y": ["N", 4]}))
    panel = empty_window.workspace.layers
    qtbot.waitUntil(panel.nothing.isVisible, timeout=5000)
    assert panel.nothing.text().startswith("No layer of this model can be quantized")


def test_weights_that_layers_share_count_once(
    qtbot: QtBot,
    empty_window: MainWindow,
    session: Session,
    write_model: Callable[..., Path],
) -> None:
    weight = {"w": np.ones((4, 4), dtype=np.float32)}
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["h"], name="first"),
        onnx.helper.make_node("MatMul", ["h", "w"], ["y"], name="second"),
    ]
    path = write_model("tied.onnx", nodes, weight, {"x": ["N", 4]}, {"y": ["N", 4]})
    session.open(path)
    qtbot.waitUntil(lambda: session.strip().state == "no samples" and not session.jobs())
    empty_window.refresh.flush()
    rows = session.rows()
    assert sum(row.size_share for row in rows) == pytest.approx(1.0)
    assert rows[1].size_bytes == 0
    model = empty_window.workspace.table.layers
    shown = [model.index(at, Column.SIZE).data() for at in (0, 1)]
    assert shown == ["100 %", "shared"]
    assert "first" in model.index(1, Column.SIZE).data(Qt.ItemDataRole.ToolTipRole)


def test_in_a_small_window_figures_are_whole_or_gone(qtbot: QtBot, window: MainWindow) -> None:
    table = window.workspace.table
    window.resize(window.minimumSize())
    qtbot.waitUntil(lambda: table.isColumnHidden(Column.OP))
    qtbot.waitUntil(lambda: table.horizontalScrollBar().maximum() == 0)
    assert not table.isColumnHidden(Column.WEIGHT_SQNR)
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: not table.isColumnHidden(Column.LOCAL))
    qtbot.waitUntil(lambda: table.horizontalScrollBar().maximum() == 0)


LONG = "int8:full:channel:stored"


@pytest.fixture
def header(qtbot: QtBot) -> Iterator[LayerHeader]:
    view = QTableView()
    qtbot.addWidget(view)
    made = LayerHeader(view)
    view.setHorizontalHeader(made)
    view.setModel(LayerModel(view))
    for column in (Column.SHAPE, Column.PARAMETERS):
        made.setSectionHidden(column, True)
    yield made
    view.close()


def with_schemes(scheme: str) -> tuple[LayerRow, ...]:
    rows = (layer(at, scheme=scheme) for at in range(3))
    return tuple(dataclasses.replace(row, input=row.weight) for row in rows)


def test_columns_of_schemes_shrink_with_what_is_in_them(header: LayerHeader) -> None:
    room = ColumnRoom(header)
    room.share(with_schemes("int8"), 608)
    before = header.sectionSize(Column.INPUT)
    room.share(with_schemes(LONG), 1600)
    assert header.sectionSize(Column.INPUT) > QFontMetrics(ui_font(12)).horizontalAdvance(LONG)
    room.share(with_schemes("int8"), 608)
    assert header.sectionSize(Column.INPUT) == before


def test_a_dragged_width_stays_until_another_model_opens(header: LayerHeader) -> None:
    room = ColumnRoom(header)
    room.share(with_schemes("int8"), 900)
    usual = header.sectionSize(Column.WEIGHT)
    header.resizeSection(Column.WEIGHT, 123)
    room.share(with_schemes("int8:channel"), 900)
    assert header.sectionSize(Column.WEIGHT) == 123
    room.forget_dragged()
    room.share(with_schemes("int8"), 900)
    assert header.sectionSize(Column.WEIGHT) == usual


@pytest.mark.parametrize("width", [388, 408, 500, 608])
def test_long_schemes_leave_names_their_room(header: LayerHeader, width: int) -> None:
    ColumnRoom(header).share(with_schemes(LONG), width)
    others = set(Column) - {Column.NAME}
    left = width - sum(map(header.sectionSize, others))
    assert left >= QFontMetrics(ui_font(12)).horizontalAdvance("layer0") + 2 * PADDING
    short = QFontMetrics(ui_font(12)).horizontalAdvance("int8:…:stored") + 2 * PADDING
    assert header.sectionSize(Column.INPUT) >= short


def test_another_model_gets_widths_of_its_own(
    qtbot: QtBot, window: MainWindow, session: Session, write_model: Callable[..., Path]
) -> None:
    table = window.workspace.table
    usual = table.columnWidth(Column.WEIGHT)
    table.setColumnWidth(Column.WEIGHT, usual + 40)
    weight = {"w": np.ones((4, 4), dtype=np.float32)}
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="other")
    session.open(write_model("other.onnx", [node], weight, {"x": ["N", 4]}, {"y": ["N", 4]}))
    qtbot.waitUntil(lambda: table.layers.rowCount() == 1, timeout=5000)
    assert table.columnWidth(Column.WEIGHT) == usual

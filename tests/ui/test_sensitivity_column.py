"""The layer table's column of sensitivities, the walk by it, and the jump to the departure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.app.views import Cell, CellCost, LayerRow
from qviz.ui.fonts import ui_font
from qviz.ui.layer_columns import HEADS, Column, tooltip
from qviz.ui.layer_cost import cost_words
from qviz.ui.layer_header import PADDING
from qviz.ui.layer_model import LayerModel
from qviz.ui.main_window import MainWindow
from qviz.ui.settings import Settings


def cost(value: float, share: float = 0.5, guessed: bool = False) -> CellCost:
    return CellCost(
        value=value,
        share=share,
        unit="nats",
        guessed=guessed,
        scheme="int4:channel",
        role="weights",
        mode="only",
        sqnr_db=20.0,
        flips=14,
        metric="top-1",
        metric_unit="%",
        delta=-1.5625,
        low=-4.0,
        high=0.25,
        samples=64,
        total=960,
    )


def row(index: int, found: CellCost | None, sqnr: float | None = 40.0) -> LayerRow:
    return LayerRow(
        index=index,
        name=f"layer{index}",
        op="Conv",
        shape="3×3",
        parameters=9,
        macs=None,
        weight=Cell((f"layer{index}.weight",), "int8", False, sqnr, 0.0),
        input=None,
        size_bytes=9,
        size_share=0.1,
        sensitivity=found,
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0123, "0.012"),
        (0.01, "0.010"),
        (0.00042, "4.2e−4"),
        (1.0, "1.0"),
        (12.3, "12"),
        (1234.0, "1234"),
        (-0.0061, "−0.0061"),
        (0.0, "0"),
    ],
)
def test_figures_have_two_digits(value: float, shown: str) -> None:
    assert cost_words(cost(value)) == shown
    assert cost_words(cost(value, guessed=True)) == f"~{shown}"
    noise = dataclasses.replace(cost(value / 100), unit="noise")
    assert cost_words(noise) == f"{shown} %"


def test_the_tip_says_what_was_measured_and_how_well() -> None:
    assert tooltip(row(0, cost(0.0123)), Column.SENSITIVITY).split("\n") == [
        "The weights of this layer alone at int4:channel, all else in float",
        "KL 0.0123 nats",
        "14 of 64 predictions differ from float",
        "top-1: −1.6 points against float (95 %: −4.0 … +0.25)",
        "On 64 of 960 samples, not exact",
    ]
    exact = dataclasses.replace(cost(0.0123), samples=960)
    lines = tooltip(row(0, exact), Column.SENSITIVITY).split("\n")
    assert lines[3:] == ["top-1: −1.6 points against float", "Exact: all 960 samples of the part"]
    guess = tooltip(row(0, cost(0.0123, guessed=True)), Column.SENSITIVITY).split("\n")
    assert guess[1:] == ["KL ~0.0123 nats, guessed from gradients until it is measured"]
    restored = dataclasses.replace(cost(0.0123), mode="all-but", role="both", scheme="plan")
    lines = tooltip(row(0, restored), Column.SENSITIVITY).split("\n")
    assert lines[0] == "The plan with the weights and inputs of this layer alone left in float"
    assert lines[1] == "Takes 0.0123 nats of the plan's KL away"
    assert "against the plan" in lines[3]
    noise = dataclasses.replace(cost(0.01), unit="noise")
    assert "Noise 1.0 % of the signal (SQNR 20.0 dB)" in tooltip(row(0, noise), Column.SENSITIVITY)


def test_it_sorts_and_the_title_says_what_is_shown() -> None:
    model = LayerModel()

    def title_tip() -> str:
        role = Qt.ItemDataRole.ToolTipRole
        return str(model.headerData(Column.SENSITIVITY, Qt.Orientation.Horizontal, role))

    model.show_rows((row(0, None), row(1, None)))
    assert "Shown" not in title_tip()
    model.show_rows((row(0, None), row(1, cost(0.1)), row(2, cost(0.3)), row(3, cost(-0.1))))
    assert title_tip().startswith(
        "Shown: the weights of each layer alone at int4:channel, all else in float"
    )
    model.sort(Column.SENSITIVITY, Qt.SortOrder.DescendingOrder)
    assert [model.row_at(at).index for at in range(4)] == [2, 1, 3, 0]


def test_the_walk_goes_by_sensitivity_and_then_by_sqnr() -> None:
    model = LayerModel()
    rows = (row(0, None, 30.0), row(1, cost(0.1)), row(2, None, 20.0), row(3, cost(0.3)))
    model.show_rows((*rows, row(4, None, None)))
    assert model.worst_first() == ["layer3", "layer1", "layer2", "layer0"]


@pytest.fixture
def swept(
    window: MainWindow, session: Session, settle: Callable[[MainWindow], None], tmp_path: Path
) -> MainWindow:
    """Everything measured, the sensitivities too."""
    session.start_sensitivity(["int4", "int2"], samples="all", cache=tmp_path / "cache")
    settle(window)
    return window


def test_the_column_comes_with_the_first_result(
    window: MainWindow,
    session: Session,
    settle: Callable[[MainWindow], None],
    tmp_path: Path,
) -> None:
    table = window.workspace.table
    assert table.isColumnHidden(Column.SENSITIVITY)
    session.start_sensitivity(["int2"], samples="all", cache=tmp_path / "cache")
    settle(window)
    assert not table.isColumnHidden(Column.SENSITIVITY)
    metrics = QFontMetrics(ui_font(12))
    room = table.columnWidth(Column.SENSITIVITY) - 2 * PADDING
    shown = [HEADS[Column.SENSITIVITY].show(found) for found in session.rows()]
    assert all(shown)
    assert max(map(metrics.horizontalAdvance, shown)) <= room
    assert table.horizontalScrollBar().maximum() == 0
    window.commands["copy_rows"].trigger()
    head, copied = QGuiApplication.clipboard().text().split("\n")
    assert head.split("\t")[-1] == "Sens."
    assert copied.split("\t")[-1] == shown[0]


def test_it_stays_in_a_small_window_and_inputs_give_way(qtbot: QtBot, swept: MainWindow) -> None:
    table = swept.workspace.table
    swept.resize(swept.minimumSize())
    qtbot.waitUntil(lambda: table.isColumnHidden(Column.SIZE))
    qtbot.waitUntil(lambda: table.horizontalScrollBar().maximum() == 0)
    assert not table.isColumnHidden(Column.SENSITIVITY)
    swept.resize(1280, 800)
    qtbot.waitUntil(lambda: not table.isColumnHidden(Column.INPUT_SQNR))


def test_who_hides_it_does_not_see_it_again(
    swept: MainWindow,
    session: Session,
    settle: Callable[[MainWindow], None],
    tmp_path: Path,
) -> None:
    table = swept.workspace.table
    entries = {action.text(): action for action in table.header.columns_menu().actions()}
    entries["Sens."].setChecked(False)
    session.start_sensitivity(["int3"], samples=8, cache=tmp_path / "cache")
    settle(swept)
    assert table.isColumnHidden(Column.SENSITIVITY)


def test_widths_of_a_table_without_it_can_be_restored(
    qtbot: QtBot, swept: MainWindow, session: Session, settings: Settings
) -> None:
    swept.workspace.save(settings)
    again = MainWindow(session, swept.theme, settings)
    qtbot.addWidget(again)
    again.show()
    again.workspace.layers.refresh()
    assert not again.workspace.table.isColumnHidden(Column.SENSITIVITY)
    assert again.workspace.table.columnWidth(Column.SENSITIVITY) > 0
    again.close()


def test_the_bar_of_a_guess_is_dashed(swept: MainWindow) -> None:
    table = swept.workspace.table
    table.layers.show_rows((row(0, cost(0.1, 1.0)), row(1, cost(0.1, 1.0, guessed=True))))
    ramp = swept.theme.palette.ramp[-1].lower()

    def painted(at: int) -> int:
        rect = table.visualRect(table.layers.index(at, Column.SENSITIVITY))
        image = table.viewport().grab(rect).toImage()
        middle = image.height() - 4
        return sum(image.pixelColor(x, middle).name() == ramp for x in range(image.width()))

    solid, dashed = painted(0), painted(1)
    assert solid >= table.columnWidth(Column.SENSITIVITY) - 2 * PADDING - 4
    assert 0.4 * solid < dashed < 0.8 * solid


def test_brackets_follow_the_sensitivity(swept: MainWindow, session: Session) -> None:
    table = swept.workspace.table
    ranked = [layer.name for layer in session.sensitivities()[-1].ranking()]
    table.setFocus()
    for key, name in (("[", ranked[0]), ("]", ranked[1]), ("[", ranked[0])):
        QTest.keyClicks(table, key)
        current = table.current_row()
        assert current is not None
        assert current.name == name


def test_the_jump_to_the_departure_selects_and_says(
    qtbot: QtBot, window: MainWindow, session: Session, settle: Callable[[MainWindow], None]
) -> None:
    action = window.commands["first_departure"]
    session.set_defaults("float", "float")
    settle(window)
    qtbot.waitUntil(lambda: action.toolTip() == "No layer inherits more error than it adds")
    assert not action.isEnabled()
    session.set("fc1.weight", "int2")
    settle(window)
    qtbot.waitUntil(action.isEnabled)
    assert "more than 3 dB below" in action.toolTip()
    panel = window.workspace.layers
    panel.filter.setText("fc1")
    panel.table.setFocus()
    QTest.keyClicks(panel.table, "d")
    assert panel.filter.text() == ""
    assert [found.name for found in panel.table.selected_rows()] == ["fc2"]
    assert window.message_area.latest.text().startswith("fc2 inherits all of its output's error")


def test_without_samples_the_departure_says_why(
    qtbot: QtBot, empty_window: MainWindow, session: Session, mlp: Path
) -> None:
    session.open(mlp)
    action = empty_window.commands["first_departure"]
    qtbot.waitUntil(lambda: action.toolTip().startswith("Open samples first"), timeout=5000)
    assert not action.isEnabled()

"""The Distribution view: what is drawn, and clip lines that change the encoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.app.views import DistributionView
from qviz.errors import QvizError
from qviz.ui import histogram_shape as shape
from qviz.ui.distribution_view import symmetric
from qviz.ui.histogram_panel import HistogramPanel, figures
from qviz.ui.main_window import MainWindow

Settle = Callable[[MainWindow], None]


def distribution(counts: list[float], levels: list[float]) -> DistributionView:
    """Bins of width 1 from 0; every bin's mass sits where rounding to the levels puts it."""
    edges = np.arange(len(counts) + 1, dtype=np.float64)
    grid = np.asarray(levels, dtype=np.float64)
    quantized = np.zeros(len(counts))
    for number, count in enumerate(counts):
        nearest = grid[np.argmin(np.abs(grid - (number + 0.5)))]
        quantized[min(int(nearest), len(counts) - 1)] += count
    return DistributionView(
        slot="a.weight",
        title="a",
        role="weight",
        scheme="uint4",
        edges=edges,
        counts=np.asarray(counts, dtype=np.float64),
        quantized_counts=quantized,
        levels=grid,
        low=float(grid[0]),
        high=float(grid[-1]),
        minimum=0.0,
        maximum=float(len(counts)),
        values=int(sum(counts)),
        clipped=0.0,
        sqnr_db=20.0,
        mse=0.1,
        cosine=0.99,
        max_error=0.5,
        scale=1.0,
        zero_point=0,
        channels=0,
        channel=None,
    )


@given(
    st.lists(st.integers(0, 50), min_size=8, max_size=60).filter(any),
    st.integers(2, 40),
    st.integers(20, 2000),
)
def test_the_staircase_has_the_float_histograms_area(
    counts: list[int], levels: int, pixels: int
) -> None:
    end = float(len(counts))
    view = distribution([float(c) for c in counts], np.linspace(0.0, end, levels).tolist())
    group = shape.bins_per_step(view, 0.0, end, pixels)
    floats = shape.float_steps(view, group)
    stairs = shape.quantized_steps(view, group, 0.0, end, pixels)
    assert floats.heights.sum() == pytest.approx(sum(counts))
    area = float((stairs.heights * np.diff(stairs.edges)).sum())
    assert area == pytest.approx(sum(counts) * group, rel=1e-9)


def test_dense_grids_are_thinned_to_marks_and_then_to_nothing() -> None:
    view = distribution([1.0] * 100, np.linspace(0.0, 100.0, 101).tolist())
    assert shape.grid(view, 0.0, 100.0, 1000).kind == "lines"
    assert shape.grid(view, 0.0, 100.0, 300).kind == "rug"
    assert shape.grid(view, 0.0, 100.0, 100).kind == "none"
    assert shape.grid(view, 0.0, 10.0, 300).kind == "lines"


def test_both_slots_of_the_current_layer_are_drawn(window: MainWindow) -> None:
    window.workspace.table.go_to("fc1")
    window.workspace.show_selection()
    drawn = {role: panel.view for role, panel in window.workspace.distribution.panels.items()}
    assert drawn["weight"] is not None
    assert drawn["weight"].slot == "fc1.weight"
    assert drawn["weight"].counts.sum() == 48
    assert drawn["input"] is not None
    assert drawn["input"].counts.size > 0


def test_dragging_a_clip_line_previews_and_releasing_it_edits_once(
    qtbot: QtBot, window: MainWindow, session: Session, settle: Settle
) -> None:
    session.set_scheme(["fc1.weight"], "int8:tensor")
    settle(window)
    panel = window.workspace.distribution.panels["weight"]
    plot = panel.plot
    before = session.distribution("fc1.weight")
    assert before.high is not None
    viewport = plot.canvas.viewport()

    def pixel(value: float) -> QPoint:
        middle = sum(plot.box.viewRange()[1]) / 2
        scene = plot.box.mapViewToScene(QPointF(value, middle))
        return QPoint(plot.canvas.mapFromScene(scene))

    start, end = pixel(before.high), pixel(before.high / 2)
    with qtbot.waitSignal(plot.dragged):
        QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=start)
        for step in range(1, 11):
            QTest.mouseMove(viewport, start + (end - start) * step / 10)
    assert panel.view is not None
    assert panel.view.high is not None
    assert panel.view.high < before.high
    assert panel.view.low == pytest.approx(-panel.view.high)
    undo = session.document().undo_text
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=end)
    settle(window)
    after = session.distribution("fc1.weight")
    assert after.high == pytest.approx(before.high / 2, rel=0.05)
    assert "clip" in after.scheme
    assert session.document().undo_text != undo
    session.undo()
    assert session.distribution("fc1.weight").high == pytest.approx(before.high)


@pytest.mark.usefixtures("window")
def test_a_symmetric_grid_is_told_from_an_asymmetric_one(session: Session) -> None:
    answers = {}
    for scheme in ("int8:tensor", "int8:channel", "uint8"):
        session.set_scheme(["fc1.weight"], scheme)
        answers[scheme] = symmetric(session.distribution("fc1.weight"))
    assert answers == {"int8:tensor": True, "int8:channel": True, "uint8": False}


def test_one_channel_can_be_drawn_alone(window: MainWindow) -> None:
    window.workspace.table.go_to("fc1")
    window.workspace.show_selection()
    panel = window.workspace.distribution.panels["weight"]
    panel.channel.setValue(3)
    assert panel.view is not None
    assert panel.view.channel == 3
    assert panel.view.counts.sum() == 6
    panel.channel.setValue(-1)
    assert panel.view.channel is None


def test_space_takes_the_overlay_away_and_l_changes_the_scale(window: MainWindow) -> None:
    table, plot = window.workspace.table, window.workspace.distribution.panels["weight"].plot
    table.setFocus()
    top = plot.box.viewRange()[1][1]
    QTest.keyClick(table, Qt.Key.Key_L)
    assert not window.commands["log_scale"].isChecked()
    assert plot.box.viewRange()[1][1] > 2 * top
    QTest.keyClick(table, Qt.Key.Key_Space)
    assert not window.commands["overlay"].isChecked()
    assert not window.workspace.distribution.overlay.isChecked()
    assert window.settings.flag("overlay", True) is False


def test_a_slot_in_float_has_no_clip_lines(window: MainWindow, session: Session) -> None:
    session.set_bits(["fc1.weight"], 0)
    window.refresh.flush()
    panel = window.workspace.distribution.panels["weight"]
    assert panel.view is not None
    assert panel.view.quantized_counts is None
    assert not any(line.isVisible() for line in panel.plot.clips)


def test_an_encoding_that_is_not_known_yet_is_not_called_float() -> None:
    view = replace(distribution([1.0, 2.0], [0.0, 1.0]), quantized_counts=None)
    assert figures(replace(view, scheme="int4:mse")).endswith("measuring…")
    assert figures(replace(view, scheme="float")).endswith("kept in float")


def test_several_slots_of_a_layer_are_named_by_their_role(qtbot: QtBot) -> None:
    for panel, word in ((HistogramPanel("weight"), "Weight"), (HistogramPanel("input"), "Input")):
        qtbot.addWidget(panel)
        panel.show_slots(("lstm.W", "lstm.R"), "lstm.R")
        names = [panel.slots.itemText(at) for at in range(panel.slots.count())]
        assert names == [f"{word} 1", f"{word} 2"]
        assert word.lower() in panel.slots.accessibleName()
        assert word.lower() in panel.slots.toolTip()


def test_slots_of_the_model_before_show_nothing(
    window: MainWindow, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(slot: str, channel: int | None = None) -> DistributionView:
        raise QvizError(f"slot '{slot}'", f"no channel {channel} of it", "Choose another")

    panels = window.workspace.distribution.panels.values()
    with monkeypatch.context() as patch:
        patch.setattr(session, "distribution", unknown)
        window.workspace.show_selection()
        assert all(panel.view is None for panel in panels)
    window.workspace.show_selection()
    assert all(panel.view is not None for panel in panels)


def test_a_picked_slot_that_the_layer_does_not_have_is_forgotten(window: MainWindow) -> None:
    panel = window.workspace.distribution.panels["weight"]
    panel.slot_picked.emit("gone.weight")
    assert panel.view is not None
    assert panel.view.slot == "fc1.weight"

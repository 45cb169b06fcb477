"""The Distribution view: what is drawn, and clip lines that change the encoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from qviz.app.session import Session
from qviz.app.slot_views import DistributionView
from qviz.errors import QvizError
from qviz.ui.distribution_view import NO_GRAPH
from qviz.ui.histogram_panel import HistogramPanel
from qviz.ui.histogram_plot import HistogramPlot
from qviz.ui.main_window import MainWindow

Settle = Callable[[MainWindow], None]


def test_both_slots_of_the_current_layer_are_drawn(window: MainWindow) -> None:
    window.workspace.table.go_to("fc1")
    window.workspace.show_selection()
    drawn = {role: panel.view for role, panel in window.workspace.distribution.panels.items()}
    assert drawn["weight"] is not None
    assert drawn["weight"].slot == "fc1.weight"
    assert drawn["weight"].counts.sum() == 48
    assert drawn["input"] is not None
    assert drawn["input"].counts.size > 0


@dataclass(frozen=True)
class Mouse:
    """Drags a clip line of a plot through values."""

    qtbot: QtBot
    plot: HistogramPlot

    def pixel(self, value: float) -> QPoint:
        low, high = self.plot.box.viewRange()[1]
        scene = self.plot.box.mapViewToScene(QPointF(value, (low + high) / 2))
        return QPoint(self.plot.canvas.mapFromScene(scene))

    def press(self, line: int, *through: float) -> None:
        """Take a line and carry it through some values, at the pace of the display."""
        viewport = self.plot.canvas.viewport()
        at = self.pixel(float(self.plot.clips[line].value()))
        places = [self.pixel(value) for value in through]
        QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=at)
        for place in places:
            with self.qtbot.waitSignal(self.plot.dragged):
                for step in range(1, 6):
                    QTest.mouseMove(viewport, at + (place - at) * step / 5)
            at = place

    def release(self, value: float) -> None:
        viewport = self.plot.canvas.viewport()
        QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=self.pixel(value))


def test_dragging_a_clip_line_previews_and_releasing_it_edits_once(
    qtbot: QtBot, window: MainWindow, session: Session, settle: Settle
) -> None:
    session.set_scheme(["fc1.weight"], "int8:tensor")
    settle(window)
    panel = window.workspace.distribution.panels["weight"]
    plot = panel.plot
    before = session.distribution("fc1.weight")
    assert before.high is not None
    mouse = Mouse(qtbot, plot)
    mouse.press(1, before.high / 2)
    assert panel.view is not None
    assert panel.view.high is not None
    assert panel.view.high < before.high
    assert panel.view.low == pytest.approx(-panel.view.high)
    at, _ = plot.curve.dots.getData()
    assert at == pytest.approx([panel.view.low, panel.view.high], rel=1e-4)
    undo = session.document().undo_text
    mouse.release(before.high / 2)
    settle(window)
    after = session.distribution("fc1.weight")
    assert after.high == pytest.approx(before.high / 2, rel=0.05)
    assert "clip" in after.scheme
    assert plot.ranges.marks.button("clip").text() == "by hand"
    assert session.document().undo_text != undo
    session.undo()
    assert session.distribution("fc1.weight").high == pytest.approx(before.high)


def test_dragging_one_line_leaves_the_other_where_it_was(
    qtbot: QtBot, window: MainWindow, session: Session, settle: Settle
) -> None:
    session.set_scheme(["fc1.weight"], "uint8:tensor")
    settle(window)
    plot = window.workspace.distribution.panels["weight"].plot
    lows = []
    for part in (0.7, 0.9, 0.5):  # the zero point, and so the grid's low end, moves with the scale
        high = part * session.distribution("fc1.weight").maximum
        Mouse(qtbot, plot).press(1, high)
        lows.append(float(plot.clips[0].value()))
        Mouse(qtbot, plot).release(high)
        settle(window)
        lows.append(float(plot.clips[0].value()))
    assert lows == pytest.approx([lows[0]] * len(lows), rel=1e-5)  # as many digits as are spelled
    assert len(set(lows[1:])) == 1


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_drag_out_and_back_changes_nothing(
    qtbot: QtBot, window: MainWindow, session: Session, settle: Settle, by_hand: bool
) -> None:
    session.set_scheme(["fc1.weight"], "uint8:tensor")
    whole = session.distribution("fc1.weight")
    if by_hand:
        session.set_clip(["fc1.weight"], 0.61 * whole.minimum, 0.73 * whole.maximum)
    settle(window)
    plot = window.workspace.distribution.panels["weight"].plot
    before = session.document().undo_text, session.distribution("fc1.weight").scheme
    start = float(plot.clips[1].value())
    mouse = Mouse(qtbot, plot)
    mouse.press(1, 0.5 * start, start)
    mouse.release(start)
    settle(window)
    assert (session.document().undo_text, session.distribution("fc1.weight").scheme) == before
    assert float(plot.clips[1].value()) == start


@pytest.mark.usefixtures("window")
def test_the_session_says_which_ends_move_together(session: Session) -> None:
    answers = {}
    for scheme in ("int8:tensor", "int8:channel", "uint8"):
        session.set_scheme(["fc1.weight"], scheme)
        answers[scheme] = session.distribution("fc1.weight").mirrored
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
    def unknown(slot: str, *_parts: int | None) -> DistributionView:
        raise QvizError(f"slot '{slot}'", "the model has no such slot", "Choose another")

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


def test_a_click_on_a_range_method_adopts_it(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    session.set_scheme(["fc1.weight"], "uint4:tensor")
    settle(window)
    panel = window.workspace.distribution.panels["weight"]
    assert panel.view is not None
    other = next(line for line in panel.view.ranges if not line.current)
    panel.plot.range_picked.emit(other.method)
    settle(window)
    assert panel.view is not None
    assert [line.method for line in panel.view.ranges if line.current] == [other.method]
    assert session.document().undo_text


def test_a_click_on_a_width_sets_the_format(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    session.set_scheme(["fc1.weight"], "int8:tensor")
    settle(window)
    panel = window.workspace.distribution.panels["weight"]
    bars = {button.format: button for button in panel.widths.buttons}
    bars["int3"].click()
    settle(window)
    assert panel.view is not None
    assert panel.view.scheme == "int3"
    assert [button.format for button in panel.widths.buttons if button.current] == ["int3"]


def test_e_takes_the_error_curve_away(window: MainWindow, session: Session, settle: Settle) -> None:
    session.set_scheme(["fc1.weight"], "int4:tensor")
    settle(window)
    pane = window.workspace.distribution
    plot = pane.panels["weight"].plot
    assert plot.shows_curve
    pane.curve.click()
    assert not plot.shows_curve
    assert not window.commands["error_curve"].isChecked()


def test_one_block_can_be_drawn_alone(window: MainWindow, session: Session, settle: Settle) -> None:
    session.set_scheme(["fc1.weight"], "nf4:group=16")
    settle(window)
    panel = window.workspace.distribution.panels["weight"]
    assert not panel.block.isHidden()
    panel.block.setValue(0)
    assert panel.view is not None
    assert panel.view.block == 0
    assert panel.view.channel == 0
    assert panel.view.values == panel.view.counts.sum() <= 16
    panel.channel.setValue(-1)  # all channels have no one block
    assert panel.view.block is None
    assert panel.view.channel is None


def test_a_channel_is_shown_from_elsewhere(window: MainWindow) -> None:
    pane = window.workspace.distribution
    drawn = pane.panels["weight"].view
    assert drawn is not None
    pane.show_channel("weight", drawn.slot, 2)
    view = pane.panels["weight"].view
    assert view is not None
    assert view.channel == 2


def test_a_file_of_weights_has_no_graph_to_feed_a_layer(
    qtbot: QtBot, empty_window: MainWindow, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a.weight": np.ones((4, 4), np.float32)}, path)
    session.open(path)
    pane = empty_window.workspace.distribution
    qtbot.waitUntil(lambda: pane.panels["weight"].view is not None, timeout=20000)
    with patch.object(pane.panels["input"], "show_nothing") as told:
        pane.refresh("input")
    told.assert_called_once_with(NO_GRAPH)

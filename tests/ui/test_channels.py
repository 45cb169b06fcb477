"""The Channels view: what is said and drawn per channel, and how a channel is opened."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.app.slot_views import ChannelsView
from qviz.errors import QvizError
from qviz.ui import channel_figures as figures
from qviz.ui.channel_canvas import ChannelCanvas
from qviz.ui.channel_figures import METRICS
from qviz.ui.channels_view import HINT, ChannelsPane
from qviz.ui.palette import DARK, LIGHT
from qviz.ui.settings import Settings
from qviz.ui.workspace import Workspace

NONE = np.empty(0)


def channels(ends: list[float], **given: Any) -> ChannelsView:
    """Channels from -end to end under one grid; SQNRs rise by 1 dB from 20 dB."""
    high = np.asarray(ends, dtype=np.float64)
    count = high.size
    view = ChannelsView(
        slot="a.weight",
        title="a",
        role="weight",
        scheme="int8:tensor",
        minimum=-high,
        maximum=high,
        low=np.full(count, -high.max(initial=0.0)),
        high=np.full(count, high.max(initial=0.0)),
        sqnr_db=20.0 + np.arange(count, dtype=np.float64),
        bias=np.zeros(count),
        clipped=np.zeros(count),
        rmse_steps=np.full(count, 0.25),
        outliers=high > 10.0,
        outlier_rule="more than ten",
    )
    return replace(view, **given)


@pytest.fixture
def pane(qtbot: QtBot, session: Session) -> ChannelsPane:
    made = ChannelsPane(session)
    qtbot.addWidget(made)
    made.set_palette(LIGHT)
    made.resize(600, 700)
    made.show()
    return made


@pytest.fixture
def workspace(qtbot: QtBot, session: Session, mlp: Path, mlp_samples: Path) -> Iterator[Workspace]:
    """The perceptron, measured, with the Channels view in front."""
    session.open(mlp, mlp_samples)
    qtbot.waitUntil(lambda: session.strip().state == "done" and not session.jobs(), timeout=20000)
    made = Workspace(session)
    qtbot.addWidget(made)
    made.set_palette(LIGHT)
    made.resize(1280, 700)
    made.layers.refresh()
    made.show()
    made.activateWindow()
    made.views.show_view("channels")
    made.table.go_to("fc1")
    made.show_selection()
    yield made
    made.close()


def pixel(canvas: ChannelCanvas, position: float) -> QPoint:
    """The middle of a position in the plot's own pixels."""
    middle = sum(canvas.box.viewRange()[1]) / 2
    scene = canvas.box.mapViewToScene(QPointF(position, middle))
    return QPoint(canvas.canvas.mapFromScene(scene))


# sentences


def test_the_summary_says_how_far_apart_the_channels_are() -> None:
    line = figures.summary(channels([0.5, 1.0, 50.0, 1e-9], dead=np.arange(4) == 3))
    assert line.split(figures.DOT) == [
        "4 channels",
        "1 dead",
        "range 1 … 100 (×100 apart)",
        "1 outlier",
        "worst SQNR 20.0 dB in channel 0",
    ]


def test_the_summary_leaves_out_what_is_not_known() -> None:
    assert figures.summary(channels([1.0, 1.0], sqnr_db=NONE)) == "2 channels  ·  range 2 … 2"
    exact = channels([1.0, 1.0], sqnr_db=np.full(2, math.inf))
    assert figures.summary(exact).endswith("every channel exact")
    assert figures.summary(channels([])) == ""


def test_dead_channels_are_neither_the_worst_nor_the_narrowest() -> None:
    gone = np.array([False, True, False, True])
    view = channels([1.0, 1e-12, 2.0, 0.0], dead=gone, sqnr_db=np.array([40.0, 0.0, 30.0, 0.0]))
    line = figures.summary(view)
    assert "2 dead" in line
    assert "range 2 … 4 (×2.0 apart)" in line
    assert line.endswith("worst SQNR 30.0 dB in channel 2")
    assert not (figures.worst(view, METRICS["sqnr"]) & gone).any()
    assert "dead" in figures.readout(view, 1)
    nothing = channels([0.0, 0.0], dead=np.ones(2, dtype=np.bool_), sqnr_db=np.full(2, math.inf))
    assert figures.summary(nothing).startswith("2 channels  ·  2 dead")


def test_a_constant_channel_is_not_dead() -> None:
    view = channels([1.0, 2.0], minimum=np.array([1.0, -2.0]))
    assert "1 constant  ·  range 4 … 4" in figures.summary(view)


def test_the_readout_has_the_error_that_is_drawn() -> None:
    view = channels([1.0], mse=np.array([1.25e-5]), cosine=np.array([0.99925]))
    assert figures.readout(view, 0, "mse").endswith("MSE 1.25e−05")
    assert figures.readout(view, 0, "cosine").endswith("cosine 0.99925")
    assert figures.readout(view, 0, "sqnr") == figures.readout(view, 0)


def test_a_channel_reads_as_a_line() -> None:
    view = channels([0.4, 20.0], bias=np.array([0.003, -0.2]), clipped=np.array([0.0, 0.012]))
    assert figures.readout(view, 0) == (
        "channel 0: −0.4 … 0.4, SQNR 20.0 dB, bias +0.3 %, clipped 0 %, RMSE 0.25 steps"
    )
    assert "outlier" in figures.readout(view, 1)
    assert "−2,000 … 2,000" in figures.readout(channels([2000.0]), 0)
    bare = replace(view, sqnr_db=NONE, bias=NONE, clipped=NONE, rmse_steps=NONE)
    assert figures.readout(bare, 0) == "channel 0: −0.4 … 0.4"


def test_a_line_breaks_between_its_parts_only() -> None:
    line = figures.unbroken("2 channels  ·  1 outlier", figures.DOT)
    assert line.replace(figures.NO_BREAK, " ") == "2 channels  ·  1 outlier"
    assert line.split(" ") == [
        f"2{figures.NO_BREAK}channels",
        "",
        "·",
        "",
        f"1{figures.NO_BREAK}outlier",
    ]


# the worst channels and the orders


@given(
    st.lists(
        st.one_of(st.floats(-20, 60), st.sampled_from([math.inf, math.nan, -math.inf])),
        min_size=1,
        max_size=300,
    )
)
def test_the_worst_are_few_and_no_other_channel_is_worse(sqnr: list[float]) -> None:
    view = channels([1.0] * len(sqnr), sqnr_db=np.asarray(sqnr))
    found = figures.worst(view, METRICS["sqnr"])
    bad = figures.badness(view, METRICS["sqnr"])
    assert found.sum() <= min(figures.WORST_LIMIT, math.ceil(figures.WORST_SHARE * len(sqnr)))
    if found.any():
        assert bad[found].min() >= bad[~found].max(initial=-math.inf)
        assert not np.isnan(view.sqnr_db[found]).any()


def test_no_channel_is_the_worst_where_all_are_alike() -> None:
    assert not figures.worst(channels([1.0] * 40), METRICS["rmse"]).any()


def test_every_error_puts_its_worst_channel_first() -> None:
    view = channels(
        [1.0, 2.0, 3.0, 4.0],
        sqnr_db=np.array([30.0, math.inf, 10.0, math.nan]),
        bias=np.array([0.1, -0.4, 0.2, 0.0]),
        rmse_steps=np.array([0.1, 0.2, 0.3, 0.9]),
        clipped=np.array([0.5, 0.0, 0.0, 0.0]),
        mse=np.array([0.1, 0.4, 0.2, 0.0]),
        cosine=np.array([0.9, 1.0, 0.99, 0.2]),
        max_error=np.array([0.1, 0.2, 0.9, 0.0]),
    )
    first = {name: int(figures.order(view, "error", row)[0]) for name, row in METRICS.items()}
    assert first == {
        "sqnr": 2,
        "mse": 1,
        "cosine": 3,
        "largest": 2,
        "rmse": 3,
        "bias": 1,
        "clipped": 0,
    }
    assert figures.order(view, "range", METRICS["sqnr"]).tolist() == [3, 2, 1, 0]
    assert figures.order(view, "index", METRICS["sqnr"]).tolist() == [0, 1, 2, 3]


def test_without_errors_the_order_by_error_is_by_index() -> None:
    view = channels([3.0, 1.0, 2.0], rmse_steps=NONE)
    assert figures.order(view, "error", METRICS["rmse"]).tolist() == [0, 1, 2]


def test_severity_runs_along_the_error_colors() -> None:
    row = METRICS["sqnr"]
    bad = figures.badness(channels([1.0] * 4, sqnr_db=np.array([60.0, 45.0, 25.0, 5.0])), row)
    assert figures.severity(row, bad).tolist() == [0.0, 0.0, 0.5, 1.0]


def test_an_error_in_the_values_unit_is_colored_by_the_sqnr() -> None:
    large = channels([1.0] * 20, sqnr_db=np.full(20, 45.0), mse=np.arange(20.0))
    found = figures.tones(large, METRICS["mse"], 9)
    assert found[19] == figures.RAMP
    assert found[:10].tolist() == [figures.CALM] * 10


def test_bars_of_exact_channels_are_higher_than_all_others() -> None:
    heights = figures.bar_heights(np.array([30.0, math.inf, -4.0, -math.inf, math.nan]))
    assert heights.tolist() == pytest.approx([30.0, 33.0, -4.0, 0.0, 0.0])


# drawing


def marked(canvas: ChannelCanvas) -> list[float]:
    """The positions that carry a mark."""
    return [float(x) for x in canvas.marks.getData()[0]]


def drawn_colors(canvas: ChannelCanvas) -> set[str]:
    """The colors in sight."""
    picture = canvas.grab().toImage()
    return {
        picture.pixelColor(x, y).name()
        for x in range(picture.width())
        for y in range(0, picture.height(), 4)
    }


@pytest.mark.parametrize("count", [16, 2000])
def test_one_bad_channel_of_many_is_in_sight(pane: ChannelsPane, count: int) -> None:
    sqnr = np.full(count, 40.0)
    sqnr[count // 3] = 3.0
    pane.show_view(channels([1.0] * count, sqnr_db=sqnr))
    worst = LIGHT.ramp[-1].lower()
    assert worst in drawn_colors(pane.plot.errors)
    assert marked(pane.plot.errors) == [float(count // 3)]
    sqnr[count // 3] = 40.0
    pane.show_view(channels([1.0] * count, sqnr_db=sqnr))
    assert worst not in drawn_colors(pane.plot.errors)
    assert not marked(pane.plot.errors)


def test_outliers_carry_a_mark_as_well_as_a_color(pane: ChannelsPane) -> None:
    pane.show_view(channels([1.0, 1.0, 30.0, 1.0]))
    assert marked(pane.plot.ranges) == [2.0]
    assert pane.legend.words["outlier"].isVisible()
    assert pane.legend.words["outlier"].toolTip() == "More than ten"
    pane.sort.setCurrentIndex(pane.sort.findData("range"))
    pane.sort.activated.emit(pane.sort.currentIndex())
    assert marked(pane.plot.ranges) == [0.0]
    pane.show_view(channels([1.0, 1.0, 3.0]))
    assert not pane.legend.words["outlier"].isVisible()


def test_the_grid_and_all_values_are_in_sight(pane: ChannelsPane) -> None:
    view = channels([1.0, 2.0], low=np.full(2, -8.0), high=np.full(2, 7.0))
    pane.show_view(view)
    low, high = pane.plot.ranges.box.viewRange()[1]
    assert low <= -8.0
    assert high >= 7.0
    pane.show_view(replace(view, low=NONE, high=NONE))
    assert pane.plot.ranges.box.viewRange()[1][1] < 4.0
    assert not pane.legend.words["grid"].isVisible()


def test_both_plots_show_the_same_channels(pane: ChannelsPane) -> None:
    pane.show_view(channels([1.0] * 50))
    pane.plot.ranges.box.setXRange(10.0, 20.0, padding=0)
    assert pane.plot.errors.box.viewRange()[0] == pytest.approx([10.0, 20.0], abs=0.2)
    pane.show_view(channels([2.0] * 50))
    assert pane.plot.ranges.box.viewRange()[0] == pytest.approx([10.0, 20.0])
    pane.plot.fit()
    assert pane.plot.ranges.box.viewRange()[0][1] > 49.0
    pane.plot.ranges.box.setXRange(10.0, 20.0, padding=0)
    pane.show_view(channels([2.0] * 50, slot="b.weight"))
    assert pane.plot.ranges.box.viewRange()[0][1] > 49.0


def test_what_cannot_be_drawn_says_why(pane: ChannelsPane) -> None:
    pane.show_view(channels([], notice="Open samples first"))
    assert not pane.plot.isVisible()
    assert pane._notice.text() == "Open samples first"
    none = {"sqnr_db": NONE, "bias": NONE, "clipped": NONE, "rmse_steps": NONE}
    pane.show_view(channels([1.0, 2.0], error_notice="Kept as ranges", **none))
    assert pane.plot.ranges.isVisible()
    assert not pane.plot.errors.isVisible()
    assert pane.plot.notice.text() == "Kept as ranges"
    pane.error.setCurrentIndex(pane.error.findData("rmse"))
    pane.show_view(channels([1.0, 2.0], rmse_steps=NONE))
    assert "uniform step" in pane.plot.notice.text()


def test_a_channel_without_a_grid_leaves_the_scale_alone(pane: ChannelsPane) -> None:
    ends = np.array([0.1, np.nan, 0.2])
    pane.show_view(channels([0.1, 0.0, 0.2], low=-ends, high=ends))
    low, high = pane.plot.ranges.box.viewRange()[1]
    assert -0.3 < low < -0.2
    assert 0.2 < high < 0.3
    pane.plot.ranges.box.setXRange(0.6, 1.4, padding=0)
    pane.plot.grab()


@pytest.mark.parametrize("metric", METRICS)
def test_where_nothing_is_wrong_the_view_says_so(pane: ChannelsPane, metric: str) -> None:
    exact = {"mse": np.zeros(3), "cosine": np.ones(3), "max_error": np.zeros(3)}
    pane.error.setCurrentIndex(pane.error.findData(metric))
    pane.show_view(channels([1.0, 2.0, 3.0], **exact))
    said = pane.plot.notice.text() if pane.plot.notice.isVisible() else ""
    assert (said == "") == (metric in ("sqnr", "rmse"))
    if metric == "clipped":
        assert said == "No value of any channel is clipped"


def test_an_order_by_error_waits_for_errors(pane: ChannelsPane) -> None:
    known = channels([1.0, 2.0, 3.0])
    none: dict[str, Any] = {"sqnr_db": NONE, "bias": NONE, "clipped": NONE, "rmse_steps": NONE}
    pane.sort.setCurrentIndex(pane.sort.findData("error"))
    pane.sort.activated.emit(pane.sort.currentIndex())
    pane.show_view(replace(known, error_notice="This slot stays in float", **none))
    assert pane.sort.currentData() == "index"
    at = pane.sort.findData("error")
    assert not pane.sort.model().flags(pane.sort.model().index(at, 0)) & Qt.ItemFlag.ItemIsEnabled
    assert pane.sort.itemData(at, Qt.ItemDataRole.ToolTipRole) == "This slot stays in float"
    pane.show_view(known)
    assert pane.sort.currentData() == "error"


def test_pictures_differ_between_the_themes(pane: ChannelsPane) -> None:
    pane.show_view(channels([1.0, 2.0, 30.0]))
    light = pane.plot.grab().toImage()
    pane.set_palette(DARK)
    assert pane.plot.grab().toImage() != light


@pytest.mark.parametrize("width", [320, 480, 620, 900])
def test_the_longest_readout_is_never_cut_off(pane: ChannelsPane, width: int) -> None:
    pane.resize(width, 600)
    view = channels([0.1234, 12.34], sqnr_db=np.array([9.5, 12.3]), bias=np.full(2, 0.121))
    pane.show_view(replace(view, clipped=np.full(2, 0.1212)))
    pane.plot.set_current(1)
    assert "outlier" in pane.readout.text()
    assert pane.readout.heightForWidth(pane.readout.width()) <= pane.readout.height()


# pointing, keys and clicks


def test_the_mouse_reads_a_channel_and_leaves_the_hint(pane: ChannelsPane) -> None:
    pane.show_view(channels([1.0, 2.0, 3.0, 4.0]))
    assert pane.readout.text() == HINT
    QTest.mouseMove(pane.plot.ranges.canvas.viewport(), pixel(pane.plot.ranges, 2.0))
    pane.plot.ranges.canvas.sceneObj.sigMouseMoved.emit(
        pane.plot.ranges.box.mapViewToScene(QPointF(2.2, 0.0))
    )
    assert pane.readout.text().startswith(f"channel{figures.NO_BREAK}2:")
    pane.plot.pointed.emit(-1)
    assert pane.readout.text() == HINT


def test_arrows_move_the_current_channel_and_enter_opens_it(
    qtbot: QtBot, pane: ChannelsPane
) -> None:
    pane.show_view(channels([1.0] * 30))
    plot = pane.plot
    for key, channel in (
        (Qt.Key.Key_Right, 0),
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_PageDown, 11),
        (Qt.Key.Key_Left, 10),
        (Qt.Key.Key_End, 29),
        (Qt.Key.Key_Right, 29),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_Left, 0),
    ):
        QTest.keyClick(plot, key)
        assert plot.current == channel
    assert plot.accessibleDescription().startswith("channel 0:")
    assert "a.weight" in plot.accessibleName()
    with qtbot.waitSignal(pane.channel_picked) as picked:
        QTest.keyClick(plot, Qt.Key.Key_Return)
    assert picked.args == ["weight", "a.weight", 0]


def test_arrows_follow_the_order_drawn_and_the_zoom_follows_them(pane: ChannelsPane) -> None:
    pane.sort.setCurrentIndex(pane.sort.findData("range"))
    pane.sort.activated.emit(pane.sort.currentIndex())
    pane.show_view(channels([float(i + 1) for i in range(100)]))
    pane.plot.ranges.box.setXRange(-0.5, 9.5, padding=0)
    QTest.keyClick(pane.plot, Qt.Key.Key_Right)
    assert pane.plot.current == 99
    QTest.keyClick(pane.plot, Qt.Key.Key_End)
    assert pane.plot.current == 0
    left, right = pane.plot.ranges.box.viewRange()[0]
    assert left <= 99 <= right


def test_a_click_opens_the_channel_under_it(qtbot: QtBot, pane: ChannelsPane) -> None:
    pane.show_view(channels([1.0] * 8))
    for canvas in (pane.plot.ranges, pane.plot.errors):
        with qtbot.waitSignal(pane.channel_picked) as picked:
            QTest.mouseClick(
                canvas.canvas.viewport(), Qt.MouseButton.LeftButton, pos=pixel(canvas, 5.0)
            )
        assert picked.args == ["weight", "a.weight", 5]


def test_a_double_click_on_a_zoomed_plot_fits_it_and_opens_nothing(
    qtbot: QtBot, pane: ChannelsPane
) -> None:
    pane.show_view(channels([1.0] * 40))
    pane.plot.ranges.box.setXRange(10.0, 20.0, padding=0)
    canvas = pane.plot.ranges
    viewport, left = canvas.canvas.viewport(), Qt.MouseButton.LeftButton
    interval = QGuiApplication.styleHints().mouseDoubleClickInterval()
    with qtbot.assertNotEmitted(pane.channel_picked, wait=interval + 50):
        QTest.mouseClick(viewport, left, pos=pixel(canvas, 15.0))
        qtbot.wait(20)  # a first click that opened at once would do so now
        assert pane.plot.current == 15
        QTest.mouseDClick(viewport, left, pos=pixel(canvas, 15.0))
        QTest.mouseRelease(viewport, left)
    assert canvas.box.viewRange()[0][1] > 39.0


def test_among_thin_bars_a_marked_one_nearby_is_meant(pane: ChannelsPane) -> None:
    ends = [1.0] * 2000
    ends[700] = 50.0
    pane.show_view(channels(ends, sqnr_db=np.full(2000, 30.0)))
    assert pane.plot.channel_at(702.0) == 700
    assert pane.plot.channel_at(1000.0) == 1000
    assert pane.plot.channel_at(-9.0) is None


# in the window


def test_the_view_follows_the_role_of_the_table(workspace: Workspace) -> None:
    pane = workspace.channels
    assert pane.view is not None
    assert pane.view.slot == "fc1.weight"
    assert pane.view.minimum.size == 8
    assert pane.roles.value() == "weight"
    pane.roles.button("input").click()
    workspace.show_selection()
    assert workspace.table.current_role() == "input"
    assert workspace.inspector.roles.value() == "input"
    assert pane.roles.value() == "input"
    assert pane.view is not None
    assert pane.view.role == "input"


def test_only_the_view_in_front_asks_the_session(
    workspace: Workspace, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*arguments: Any, **named: Any) -> Any:
            asked.append(name)
            return answer(*arguments, **named)

        return ask

    for name in ("channels", "distribution"):
        monkeypatch.setattr(session, name, counted(name, getattr(session, name)))
    workspace.show_selection()
    assert set(asked) == {"channels"}
    asked.clear()
    workspace.views.show_view("distribution")
    assert set(asked) == {"distribution"}
    asked.clear()
    workspace.table.go_to("fc2")
    workspace.show_selection()
    workspace.views.show_view("channels")
    assert asked[-1] == "channels"
    assert workspace.channels.view is not None
    assert workspace.channels.view.slot == "fc2.weight"


def test_an_opened_channel_shows_its_histogram(workspace: Workspace) -> None:
    plot = workspace.channels.plot
    plot.set_current(3)
    QTest.keyClick(plot, Qt.Key.Key_Return)
    assert workspace.views.shown() == "distribution"
    drawn = workspace.distribution.panels["weight"].view
    assert drawn is not None
    assert (drawn.slot, drawn.channel) == ("fc1.weight", 3)


def test_an_edit_shows_in_the_errors_of_the_channels(
    qtbot: QtBot, workspace: Workspace, session: Session
) -> None:
    pane = workspace.channels
    found = []

    def measured(scheme: str) -> bool:
        workspace.show_selection()
        view = pane.view
        return view is not None and view.scheme == scheme and view.sqnr_db.size == 8

    for scheme in ("int8:channel", "int3:channel"):
        session.set_scheme(["fc1.weight"], scheme)
        qtbot.waitUntil(partial(measured, scheme), timeout=20000)
        assert pane.view is not None
        found.append(pane.view.sqnr_db)
    assert (found[0] > found[1] + 15.0).all()


def test_a_layer_of_the_model_before_shows_nothing(
    workspace: Workspace, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(slot: str) -> ChannelsView:
        raise QvizError(f"slot '{slot}'", "the model has no such slot", "Choose another")

    with monkeypatch.context() as patch:
        patch.setattr(session, "channels", unknown)
        workspace.show_selection()
        assert workspace.channels.view is None
    workspace.show_selection()
    assert workspace.channels.view is not None


def test_the_tab_is_remembered(
    workspace: Workspace, session: Session, settings: Settings, qtbot: QtBot
) -> None:
    workspace.save(settings)
    other = Workspace(session)
    qtbot.addWidget(other)
    assert other.views.shown() == "distribution"
    other.restore(settings)
    assert other.views.shown() == "channels"
    settings.set_word("view", "gone")
    other.restore(settings)
    assert other.views.shown() == "channels"


def test_tabs_are_chosen_by_mouse_and_keys(workspace: Workspace) -> None:
    tabs = workspace.views.tabs
    QTest.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(0).center())
    assert workspace.views.shown() == "distribution"
    assert workspace.distribution.isVisible()
    assert not workspace.channels.isVisible()
    QTest.keyClick(tabs, Qt.Key.Key_Right)
    assert workspace.channels.isVisible()
    assert tabs.tabToolTip(1)

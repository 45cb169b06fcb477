"""The Sensitivity page in the window: it measures what it shows, and is linked to the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPixmap
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from qviz.app.sensitivity.offers import first_schemes
from qviz.app.sensitivity.present import sensitivity_view
from qviz.app.sensitivity.request import Request
from qviz.app.sensitivity.result import Cost, LayerCosts, Observation, Sensitivity
from qviz.app.session import Session
from qviz.app.views import Choice, Part
from qviz.ui.findings_list import FindingsList
from qviz.ui.main_window import MainWindow
from qviz.ui.palette import DARK, LIGHT
from qviz.ui.parts import Card
from qviz.ui.run import lay_out, screenshot
from qviz.ui.scheme_menu import SchemeMenu
from qviz.ui.sensitivity_chart import SensitivityChart
from qviz.ui.sensitivity_columns import Columns
from qviz.ui.sensitivity_painter import HEAD, ROW, head_words
from qviz.ui.sensitivity_ramp import RAMPS, ink_on, ramp, ramp_color
from qviz.ui.sensitivity_view import ANOTHER, CONFIRM, SensitivityPane
from qviz.ui.settings import Settings
from qviz.ui.views_card import ViewsCard

Settle = Callable[[MainWindow], None]


def state(pane: SensitivityPane) -> str:
    """Of what the page shows."""
    assert pane.view is not None
    return pane.view.state


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QVIZ_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pane(window: MainWindow, settle: Settle) -> SensitivityPane:
    """The page in front, measured."""
    window.commands["show_sensitivity"].trigger()
    settle(window)
    return window.workspace.sensitivity


def many(count: int, samples: int = 50) -> Sensitivity:
    """Layers that cost less and less."""
    request = Request(("int8", "int4"))

    def costs(at: int) -> tuple[Cost, ...]:
        made = [Cost(at, scheme, guess=0.1 / (at + 1)) for scheme in request.schemes]
        if samples:
            kl = 0.2 / (at + 1)
            made = [replace(c, kl=kl, sqnr_db=20.0, samples=samples, total=200) for c in made]
        return tuple(made)

    layers = (LayerCosts(at, f"block{at}.conv", "Conv", 10, costs(at)) for at in range(count))
    return Sensitivity(request, "tune", "top-1", "%", "higher", tuple(layers), None, 50, 200)


@pytest.fixture
def chart(qtbot: QtBot) -> SensitivityChart:
    made = SensitivityChart()
    qtbot.addWidget(made)
    made.set_colors(LIGHT, "warm")
    made.resize(390, HEAD + 10 * ROW)
    made.show()
    return made


def show(chart: SensitivityChart, found: Sensitivity) -> None:
    chart.show_view(sensitivity_view(found.request, found))


def row_middle(chart: SensitivityChart, place: int) -> QPoint:
    return QPoint(40, HEAD + place * ROW + ROW // 2 - chart.verticalScrollBar().value())


# in the window


def test_the_page_measures_what_it_shows(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    assert session.sensitivities() == ()  # not before anyone looks
    window.commands["show_sensitivity"].trigger()
    pane = window.workspace.sensitivity
    assert "sweep" in [job.lane for job in session.jobs()]
    assert pane.measure.text() == "Stop"
    settle(window)
    (found,) = session.sensitivities()
    assert found.complete
    assert pane.view is not None
    assert pane.view.found == found
    assert [row.name for row in pane.view.rows] == [layer.name for layer in found.ranking()]
    assert pane.measure.text() == "Measure"
    assert not pane.measure.isEnabled()
    assert pane.status.text() == f"Exact: all {found.total} tuning samples"


def test_another_request_is_measured_and_the_first_is_remembered(
    window: MainWindow, pane: SensitivityPane, session: Session, settle: Settle
) -> None:
    pane.controls.roles.button("both").click()
    assert "sweep" in [job.lane for job in session.jobs()]
    settle(window)
    assert [found.request.role for found in session.sensitivities()] == ["weights", "both"]
    pane.controls.roles.button("weights").click()
    assert session.jobs() == ()
    assert pane.view is not None
    assert pane.view.request.role == "weights"
    pane.controls.samples.button("all").click()
    settle(window)
    assert session.sensitivities()[-1].request.samples is None


def test_work_that_is_stopped_stays_stopped_until_it_is_asked_for(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    window.commands["show_sensitivity"].trigger()
    pane = window.workspace.sensitivity
    pane.measure.click()
    settle(window)
    assert state(pane) in ("ready", "stopped")
    window.workspace.views.show_view("channels")
    window.workspace.views.show_view("sensitivity")
    assert session.jobs() == ()
    pane.measure.click()
    settle(window)
    assert state(pane) == "done"


def test_a_row_becomes_the_layer_of_the_table_and_back(
    window: MainWindow, pane: SensitivityPane, qtbot: QtBot
) -> None:
    table, chart = window.workspace.table, pane.chart
    assert pane.view is not None
    layers = [row.name for row in pane.view.rows]
    last = len(layers) - 1
    QTest.mouseClick(chart.viewport(), Qt.MouseButton.LeftButton, pos=row_middle(chart, last))
    row = table.current_row()
    assert row is not None
    assert row.name == layers[last]
    qtbot.waitUntil(lambda: chart.current == row.name)
    QTest.keyClick(chart, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: chart.current == layers[last - 1])
    table.go_to(layers[last])
    qtbot.waitUntil(lambda: chart.current == layers[last])
    QTest.keyClick(chart, Qt.Key.Key_Return)
    assert window.workspace.views.shown() == "distribution"


def test_a_double_click_opens_the_histograms(window: MainWindow, pane: SensitivityPane) -> None:
    chart = pane.chart
    assert pane.view is not None
    QTest.mouseDClick(chart.viewport(), Qt.MouseButton.LeftButton, pos=row_middle(chart, 1))
    row = window.workspace.table.current_row()
    assert row is not None
    assert row.name == pane.view.rows[1].name
    assert window.workspace.views.shown() == "distribution"


def test_a_layer_that_the_filter_hides_is_named(window: MainWindow, pane: SensitivityPane) -> None:
    window.workspace.table.set_filter("fc2")
    pane.layer_picked.emit("fc1")
    assert window.banner.isVisible()
    row = window.workspace.table.current_row()
    assert row is not None
    assert row.name == "fc2"


def test_all_but_belongs_to_a_plan(
    window: MainWindow, pane: SensitivityPane, session: Session, settle: Settle
) -> None:
    pane.controls.modes.button("all-but").click()
    assert not pane.controls.schemes.isEnabled()
    settle(window)
    assert pane.view is not None
    assert pane.view.schemes == ("plan",)
    session.set_bits(["fc1.weight"], 3)
    settle(window)
    assert pane.status.text().startswith(ANOTHER)
    assert pane.measure.isEnabled()
    pane.measure.click()
    settle(window)
    measured = pane.view.found
    assert ANOTHER not in pane.status.text()
    assert not pane.view.other_plan
    for step in (session.undo, session.redo):  # both plans are known
        step()
        settle(window)
        assert not pane.view.other_plan
        assert not pane.measure.isEnabled()
    assert pane.view.found == measured


def test_an_empty_part_says_so_when_it_is_measured(
    window: MainWindow, session: Session, pane: SensitivityPane, qtbot: QtBot, tmp_path: Path
) -> None:
    few = tmp_path / "two.npz"
    np.savez(few, x=np.zeros((1, 6), np.float32), labels=np.zeros(1, np.int64))
    session.open_samples(few)
    qtbot.waitUntil(lambda: not session.jobs(), timeout=20000)
    part: Part
    for part in ("confirm", "tune"):
        session.set_part(part)
        window.refresh.flush()
        pane.measure.click()
        if session.current().split is not None and "holds no samples" in pane.notice.text():
            assert f"the {part} part holds no samples" in pane.notice.text()
            assert "--" not in pane.notice.text()
            return
    pytest.fail("one of the two parts holds no samples")


def test_findings_give_way_to_the_chart(window: MainWindow, pane: SensitivityPane) -> None:
    found = Observation(0, pane.controls.request().schemes[0], "words " * 30, "evidence " * 12)
    pane.page.show_findings((found,) * 4)
    for size in ((1920, 1080), (1280, 800), (1000, 640)):
        window.resize(*size)
        lay_out(window)
        chart, said = pane.chart.geometry(), pane.findings.geometry()
        assert chart.height() >= HEAD + 3 * ROW
        assert not pane.findings.isVisible() or said.top() >= chart.top() + chart.height()
    assert pane.page.folded.isVisible()
    assert pane.page.folded.text().startswith("4 findings")
    pane.page.folded.click()
    lay_out(window)
    assert pane.findings.isVisible()
    assert not pane.chart.isVisible()
    QTest.keyClick(pane.findings.lines[0], Qt.Key.Key_Return)
    assert pane.chart.isVisible()


def test_tab_goes_from_the_chart_to_the_findings(pane: SensitivityPane) -> None:
    found = Observation(0, "int8", "a stands out", "KL 0.1")
    pane.page.show_findings((found, found))
    lay_out(pane.window())
    pane.chart.setFocus()
    for line in pane.findings.lines:
        QTest.keyClick(pane.window(), Qt.Key.Key_Tab)
        assert line.hasFocus()


def test_many_schemes_stay_legible_and_all_can_be_reached(chart: SensitivityChart) -> None:
    schemes = tuple(f"int{bits}:channel" for bits in range(2, 9))
    request = Request(schemes)
    costs = tuple(Cost(0, s, kl=0.012, sqnr_db=9.0, samples=50, total=200) for s in schemes)
    layer = LayerCosts(0, "a", "Conv", 9, costs)
    found = replace(many(1), request=request, layers=(layer,))
    chart.resize(340, 240)
    for scheme in (schemes[-1], schemes[0]):
        chart.show_view(sensitivity_view(request, found, scheme=scheme))
        lay_out(chart)
        columns = chart.painter.columns(
            sensitivity_view(request, found, scheme=scheme),
            chart.viewport().width(),
            chart.horizontalScrollBar().value(),
        )
        assert columns.cell >= 40
        assert schemes.index(scheme) in columns.shown
        head = QPoint(round(columns.cell_left(schemes.index(scheme))) + 8, 12)
        assert chart.tip_at(head).startswith(scheme)
    assert chart.horizontalScrollBar().maximum() > 0


def test_the_column_shows_what_the_page_showed_last(
    window: MainWindow, pane: SensitivityPane, session: Session, settle: Settle
) -> None:
    def shown() -> list[tuple[str, str, str]]:
        cells = [row.sensitivity for row in session.rows()]
        return [(cell.mode, cell.role, cell.scheme) for cell in cells if cell is not None]

    first = first_schemes("weights")
    assert set(shown()) == {("only", "weights", first[-1])}
    pane.chart.scheme_picked.emit(first[0])
    assert set(shown()) == {("only", "weights", first[0])}
    pane.controls.roles.button("inputs").click()
    settle(window)
    assert set(shown()) == {("only", "inputs", first_schemes("inputs")[-1])}
    pane.controls.roles.button("weights").click()
    settle(window)
    assert {role for _, role, _ in shown()} == {"weights"}
    pane.controls.modes.button("all-but").click()
    settle(window)
    assert {mode for mode, _, _ in shown()} == {"all-but"}


def test_the_quantity_and_the_order_are_chosen(pane: SensitivityPane) -> None:
    box = pane.controls.quantity
    box.setCurrentIndex(box.findData("metric"))
    box.activated.emit(box.currentIndex())
    assert pane.view is not None
    assert pane.view.title == "Δ top-1, points"
    pane.controls.order.click()
    assert [row.name for row in pane.view.rows] == ["fc1", "fc2"]
    pane.chart.scheme_picked.emit("int8:channel")
    assert pane.view.schemes[pane.view.chosen] == "int8:channel"


def test_copying_takes_the_rows_of_the_chart(pane: SensitivityPane) -> None:
    pane.chart.setFocus()
    QTest.keyClick(pane.chart, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0].startswith("#\tlayer\top\tparameters\tint8:channel KL")
    assert len(lines) == 1 + 2


def test_both_themes_and_ramps_are_drawn(window: MainWindow, pane: SensitivityPane) -> None:
    def middle() -> QColor:
        rect = pane.chart._columns.cell_rect(1, HEAD, ROW)
        shot = pane.chart.viewport().grab().toImage()
        ratio = shot.devicePixelRatio()
        return shot.pixelColor((QPointF(rect.left() + 5, rect.top() + 5) * ratio).toPoint())

    light = middle()
    pane.set_ramp("blue")
    blue = middle()
    window.preferences.set_theme("dark")
    dark = middle()
    assert len({color.name() for color in (light, blue, dark)}) == 3
    assert pane.legend.ramp == "blue"


def test_the_view_and_the_ramp_are_remembered(
    window: MainWindow, pane: SensitivityPane, settings: Settings
) -> None:
    pane.set_ramp("blue")
    window.workspace.save(settings)
    assert settings.word("view", "") == "sensitivity"
    pane.set_ramp("warm")
    window.workspace.views.show_view("channels")
    window.workspace.restore(settings)
    assert window.workspace.views.shown() == "sensitivity"
    assert pane.legend.ramp == "blue"


def test_the_confirm_part_is_measured_only_when_asked(
    window: MainWindow, pane: SensitivityPane, session: Session, settle: Settle
) -> None:
    session.set_part("confirm")
    settle(window)
    assert pane.notice.isVisible()
    assert pane.notice.text() == CONFIRM
    pane.measure.click()
    settle(window)
    assert pane.view is not None
    assert pane.view.state == "done"


def test_another_metric_is_measured_as_well(
    window: MainWindow, pane: SensitivityPane, session: Session, settle: Settle
) -> None:
    session.set_metric("agreement with float")
    settle(window)
    settle(window)
    (found,) = session.sensitivities()
    assert found.metric == "agreement with float"
    assert pane.view is not None
    assert pane.view.found == found


def test_without_samples_there_is_a_way_to_open_some(
    empty_window: MainWindow, session: Session, mlp: Path, qtbot: QtBot
) -> None:
    session.open(mlp)
    qtbot.waitUntil(lambda: bool(session.rows()) and not session.jobs(), timeout=20000)
    empty_window.refresh.flush()
    empty_window.workspace.views.show_view("sensitivity")
    pane = empty_window.workspace.sensitivity
    assert "samples" in pane.notice.text()
    assert pane.advice.isVisible()
    assert not pane.measure.isEnabled()
    pane.samples_wanted.disconnect()  # or a dialog would open
    with qtbot.waitSignal(pane.samples_wanted):
        pane.advice.click()


def test_weights_alone_cannot_be_measured(
    empty_window: MainWindow, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    save_file({"a.weight": np.ones((4, 8), np.float32)}, tmp_path / "w.safetensors")
    session.open(tmp_path / "w.safetensors")
    qtbot.waitUntil(lambda: bool(session.rows()) and not session.jobs(), timeout=20000)
    empty_window.refresh.flush()
    empty_window.workspace.views.show_view("sensitivity")
    pane = empty_window.workspace.sensitivity
    assert pane.notice.text().startswith("Weights only")
    assert not pane.advice.isVisible()


def test_a_plan_of_floats_leaves_nothing_to_take_apart(
    window: MainWindow, pane: SensitivityPane, session: Session, settle: Settle
) -> None:
    session.set_defaults("float", "float")
    settle(window)
    pane.controls.modes.button("all-but").click()
    settle(window)
    assert "no layer has weights that the plan quantizes" in pane.notice.text()
    assert not window.banner.isVisible()


def test_the_demo_tells_what_stands_out(
    empty_window: MainWindow,
    session: Session,
    settle: Settle,
    demo_model: Path,
    demo_samples: Path,
    qtbot: QtBot,
) -> None:
    empty_window.workspace.views.show_view("sensitivity")
    pane = empty_window.workspace.sensitivity
    states: list[str] = []

    def note(topics: frozenset[str]) -> None:
        if "sensitivity" in topics:
            (found,) = session.sensitivities()
            states.append("whole" if found.complete else "part")

    session.subscribe(note)
    session.open(demo_model, demo_samples)  # measured as soon as the inputs are calibrated
    qtbot.waitUntil(lambda: "whole" in states and not session.jobs(), timeout=120000)
    settle(empty_window)
    lay_out(empty_window)
    assert states[0] == "part"  # guesses first
    words = "channel 3 of block1.dw has 63 × the median range"
    (line,) = (line for line in pane.findings.lines if words in line.finding.text)
    assert pane.findings.height() > 20
    QTest.mouseClick(line, Qt.MouseButton.LeftButton)
    row = empty_window.workspace.table.current_row()
    assert row is not None
    assert row.name == "block1.dw"
    assert pane.view is not None
    assert pane.view.schemes[pane.view.chosen] == "int8"


# the parts


def test_a_guess_is_replaced_and_the_current_layer_stays(chart: SensitivityChart) -> None:
    show(chart, many(5, samples=0))
    chart.set_current("block2.conv")
    guessed = chart.viewport().grab().toImage()
    assert "guess" in chart.accessibleDescription()
    show(chart, many(5))
    assert chart.viewport().grab().toImage() != guessed
    assert chart.current == "block2.conv"
    assert "50 of 200" in chart.accessibleDescription()


def test_many_layers_scroll_and_only_those_in_sight_are_painted(
    chart: SensitivityChart, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(chart, many(300))
    painted: list[str] = []
    paint = chart.painter.paint_row

    def noted(*given: Any) -> None:
        painted.append(given[2].name)
        paint(*given)

    monkeypatch.setattr(chart.painter, "paint_row", noted)
    chart.set_current("block299.conv")
    assert chart.verticalScrollBar().value() == chart.verticalScrollBar().maximum() > 0
    painted.clear()
    chart.viewport().grab()
    assert "block299.conv" in painted
    assert "block0.conv" not in painted
    assert len(painted) <= 12
    chart.set_current("block0.conv")
    assert chart.verticalScrollBar().value() == 0


def test_keys_move_between_layers_and_schemes(chart: SensitivityChart) -> None:
    show(chart, many(30))
    said: list[str] = []
    chart.picked.connect(said.append)
    chart.picked.connect(chart.set_current)
    chart.scheme_picked.connect(said.append)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_Left):
        QTest.keyClick(chart, key)
    assert said == ["block0.conv", "block29.conv", "block20.conv", "int8"]


def test_a_head_is_a_button_and_everything_has_a_tip(chart: SensitivityChart) -> None:
    show(chart, many(3))
    picked: list[str] = []
    chart.scheme_picked.connect(picked.append)
    head = chart._columns.cell_rect(0, 0, HEAD).center().toPoint()
    QTest.mouseClick(chart.viewport(), Qt.MouseButton.LeftButton, pos=head)
    assert picked == ["int8"]
    assert chart.tip_at(head).startswith("int8\n")
    assert "KL 0.200 nats" in chart.tip_at(row_middle(chart, 0))
    assert chart.tip_at(row_middle(chart, 9)) == ""


def test_a_value_that_has_no_room_is_shortened_not_cut() -> None:
    for width in (300, 390, 800, 1200):
        for count in (1, 3, 10):
            made = Columns.share(width, count, 120.0, 52.0, 44.0)
            assert made.bar >= 60
            assert made.cell >= 44.0  # the others are out of sight
            assert made.bar_left + made.bar <= width
            last = made.shown[-1]
            assert made.scheme_at(made.cell_left(last) + 1) == last
            moved = replace(made, first=count - made.count)
            assert moved.shown[-1] == count - 1
            assert moved.scheme_at(moved.cell_left(count - 1) + 1) == count - 1
    assert head_words("int8") == ("int8", "tensor")
    assert head_words("int4:group=32:mse") == ("int4", "group=32:mse")


def test_text_is_legible_on_every_color_and_lightness_orders_them() -> None:
    def luminance(color: QColor) -> float:
        parts = (color.redF(), color.greenF(), color.blueF())
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def is_ordered(colors: tuple[str, ...]) -> bool:
        lights = [luminance(QColor(color)) for color in colors]
        return lights in (sorted(set(lights)), sorted(set(lights), reverse=True))

    for palette in (LIGHT, DARK):
        for name in RAMPS:
            colors = ramp(palette, name)
            assert name != "blue" or is_ordered(colors)
            for step in range(41):
                ground = ramp_color(colors, step / 40)
                lights = sorted((luminance(ground), luminance(ink_on(ground))))
                assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5
    assert is_ordered(ramp(LIGHT, "warm"))


def test_schemes_are_checked_and_one_always_stays(qtbot: QtBot) -> None:
    menu = SchemeMenu()
    qtbot.addWidget(menu)
    offered = [Choice("int8", "int8"), Choice("int4", "int4"), Choice("x", "x", reason="no")]
    menu.show_choices(offered, ("int8", "x"))
    assert menu.checked() == ("int8",)
    eight, four, refused = menu.choices.actions()
    assert not refused.isEnabled()
    assert refused.toolTip() == "no"
    eight.trigger()
    assert (menu.checked(), eight.isChecked()) == (("int8",), True)
    changes: list[tuple[str, ...]] = []
    menu.changed.connect(lambda: changes.append(menu.checked()))
    menu.choices.aboutToShow.emit()
    four.trigger()
    assert changes == []  # nothing is measured while the menu is open
    menu.choices.aboutToHide.emit()
    assert changes == [("int8", "int4")]
    assert menu.text() == "2 schemes"


def test_findings_wrap_and_never_take_more_than_their_share(qtbot: QtBot) -> None:
    said = FindingsList()
    qtbot.addWidget(said)
    said.set_palette(LIGHT)
    said.set_limit(400)
    said.resize(360, 10)
    words = "channel 7 of block3.dw has 31 × the median range: per-channel weights " * 2
    said.show_findings((Observation(3, "int8", words, "largest |w| 291"),) * 2)
    said.show()
    lay_out(said)
    tall = said.height()
    assert 80 < tall < 400
    assert said.verticalScrollBar().maximum() == 0
    said.set_limit(60)
    lay_out(said)
    assert said.height() == 60
    assert said.verticalScrollBar().maximum() > 0
    picked: list[tuple[int, str]] = []
    said.picked.connect(lambda layer, scheme: picked.append((layer, scheme)))
    QTest.keyClick(said.lines[1], Qt.Key.Key_Return)
    assert picked == [(3, "int8")]
    said.show_findings(())
    assert not said.isVisible()


def test_tabs_shrink_before_they_meet_the_tools(qtbot: QtBot) -> None:
    card = ViewsCard()
    qtbot.addWidget(card)

    for title in ("Distribution", "Channels", "Sensitivity"):
        card.add_view(title, title, title, Card(title))
    card.resize(420, 300)
    card.show()
    wide = card.tabs.sizeHint().width()
    card.resize(260, 300)
    lay_out(card)
    assert card.tabs.sizeHint().width() < wide
    assert card.tabs.sizeHint().width() <= 260
    card.resize(420, 300)
    assert card.tabs.sizeHint().width() == wide
    assert not QPixmap(card.grab()).isNull()


def test_a_picture_waits_until_all_layers_are_measured(
    tmp_path: Path, mlp: Path, mlp_samples: Path
) -> None:
    picture = tmp_path / "page.png"
    screenshot(picture, mlp, mlp_samples, view="sensitivity", select="fc2")
    assert not QPixmap(str(picture)).isNull()
    kept = list((tmp_path / "cache" / "sensitivity").iterdir())
    assert len(kept) == 1 + 2 * len(first_schemes("weights"))


def test_the_space_bar_presses_what_has_the_focus(
    window: MainWindow, pane: SensitivityPane, settle: Settle
) -> None:
    button = pane.controls.roles.button("inputs")
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Space)
    settle(window)
    assert pane.view is not None
    assert pane.view.request.role == "inputs"
    assert pane.view.schemes == first_schemes("inputs")
    pane.chart.setFocus()
    reached = []
    for key in (Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight):  # as in the table
        QTest.keyClick(pane.chart, key)
        row = window.workspace.table.current_row()
        reached.append("" if row is None else row.name)
    assert sorted(reached) == ["fc1", "fc2"]

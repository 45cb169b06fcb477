"""The Inspector: the fields of the selection's format, why a choice is not possible, its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QScrollArea
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.app.views import Choice, Fact, FormField, Role, SchemeForm
from qviz.ui.fact_list import FactList, FactValue
from qviz.ui.inspector import Inspector
from qviz.ui.main_window import MainWindow
from qviz.ui.run import application
from qviz.ui.scheme_fields import Bounds, Menu, Number, SchemeFields, Segments
from qviz.ui.theme import Theme

Settle = Callable[[MainWindow], None]
WEIGHT = "block1.dw.weight"
NARROWEST = 236  # pixels that the window leaves to the Inspector


@pytest.fixture
def demo(demo_model: Path) -> Session:
    """The demo model without samples; every call returns when its work is done."""
    made = Session()
    made.open(demo_model)
    return made


@pytest.fixture
def inspector(qtbot: QtBot, demo: Session) -> Iterator[Inspector]:
    Theme(application(), "light")
    made = Inspector(demo)
    qtbot.addWidget(made)
    made.resize(NARROWEST, 700)
    made.show()
    made.show_slots((WEIGHT,), "weight")
    yield made
    made.close()


@pytest.fixture
def fields(qtbot: QtBot) -> SchemeFields:
    made = SchemeFields()
    qtbot.addWidget(made)
    made.resize(220, 400)
    made.show()
    return made


def choose(fields: SchemeFields, name: str, value: str) -> None:
    """Pick a choice as a hand does, which a disabled one does not let it."""
    editor = fields.editor(name)
    if isinstance(editor, Menu):
        at = editor.findData(value)
        editor.setCurrentIndex(at)
        editor.activated.emit(at)
    elif isinstance(editor, Segments):
        editor.button(value).click()


def form_of(*fields: FormField) -> SchemeForm:
    return SchemeForm(("a.weight",), "a.weight", "weight", "int8", fields)


BITS = FormField("bits", "Bits", "menu", "8", (Choice("8", "8 bits"), Choice("4", "4 bits")))
CLIP = FormField("clip", "", "range", "-1.5..2")
SEED = FormField("seed", "Seed", "number", "7", least=0, most=2**31 - 1)


def test_the_inspector_edits_all_selected_slots(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    window.workspace.table.selectAll()
    window.workspace.show_selection()
    fields = window.workspace.inspector.fields
    choose(fields, "bits", "4")
    settle(window)
    schemes = {row.weight.scheme for row in session.rows() if row.weight}
    assert schemes == {"int4:channel"}
    choose(fields, "granularity", "tensor")
    settle(window)
    assert {row.weight.scheme for row in session.rows() if row.weight} == {"int4"}
    window.workspace.inspector.reset.click()
    assert {row.weight.scheme for row in session.rows() if row.weight} == {"int8:channel"}


def test_the_inspector_moves_the_cursor_to_the_role_it_shows(window: MainWindow) -> None:
    window.workspace.table.go_to("fc1")
    window.workspace.inspector.roles.button("input").click()
    window.workspace.show_selection()
    assert window.workspace.table.current_role() == "input"
    assert window.workspace.inspector.name.text() == "fc1.input"


FAMILIES = (
    "integer",
    "cast",
    "minifloat",
    "mx",
    "nvfp4",
    "nf4",
    "pot",
    "apot",
    "kmeans",
    "lloyd",
    "ternary",
    "binary",
    "dorefa",
    "float",
)


@pytest.mark.parametrize("role", ["weight", "input"])
def test_every_family_shows_its_fields_and_they_fit(
    inspector: Inspector, demo: Session, role: Role
) -> None:
    slot = f"block1.dw.{role}"
    inspector.show_slots((slot,), role)
    menu = inspector.fields.editor("family")
    assert isinstance(menu, Menu)
    assert [menu.itemData(at) for at in range(menu.count())] == [FAMILIES[-1], *FAMILIES[:-1]]
    for family in FAMILIES:
        at = menu.findData(family)
        if not menu.model().flags(menu.model().index(at, 0)) & Qt.ItemFlag.ItemIsEnabled:
            assert role == "input"
            assert family in ("nf4", "kmeans", "ternary")
            assert "weights only" in menu.itemData(at, Qt.ItemDataRole.ToolTipRole)
            continue
        choose(inspector.fields, "family", family)
        inspector.refresh()
        form = demo.form([slot])
        assert form.fields[0].value == family
        assert inspector.fields.names() == tuple(field.name for field in form.fields)
        assert_fits(inspector)


def assert_fits(inspector: Inspector) -> None:
    """Nothing reaches beyond the scroll area's right edge."""
    scroll = inspector.findChild(QScrollArea)
    assert scroll is not None
    needed = inspector.fields.minimumSizeHint().width()
    assert needed <= NARROWEST - 38, f"{inspector.fields.names()}: {needed}"


@pytest.mark.parametrize(
    "spelling", ["int16", "int12:full", "kmeans4:random=7", "pot4:log", "int8:clip=-0.125..0.25"]
)
def test_the_widest_fields_fit(inspector: Inspector, demo: Session, spelling: str) -> None:
    demo.set_scheme([WEIGHT], spelling)
    inspector.refresh()
    assert_fits(inspector)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_menu_shows_its_choice_whole(inspector: Inspector, family: str) -> None:
    choose(inspector.fields, "family", family)
    inspector.refresh()
    for name in inspector.fields.names():
        menu = inspector.fields.editor(name)
        if isinstance(menu, Menu):
            room = NARROWEST - 38 - 34  # frame, padding and arrow
            texts = [menu.itemText(at) for at in range(menu.count())]
            wide = {text: menu.fontMetrics().horizontalAdvance(text) for text in texts}
            assert max(wide.values()) <= room, wide


def test_random_k_means_shows_a_seed_that_can_be_changed(
    inspector: Inspector, demo: Session
) -> None:
    choose(inspector.fields, "family", "kmeans")
    inspector.refresh()
    assert "seed" not in inspector.fields.names()
    choose(inspector.fields, "variant", "random")
    inspector.refresh()
    seed = inspector.fields.editor("seed")
    assert isinstance(seed, Number)
    assert seed.text() == "0"
    seed.setFocus()
    seed.selectAll()
    QTest.keyClicks(seed, "2147483647")
    QTest.keyClick(seed, Qt.Key.Key_Return)
    assert demo.form([WEIGHT]).scheme == "kmeans8:random=2147483647"


def test_the_clip_row_takes_two_numbers(inspector: Inspector, demo: Session) -> None:
    demo.set_clip([WEIGHT], -0.5, 0.25)
    inspector.refresh()
    bounds = inspector.fields.editor("clip")
    assert isinstance(bounds, Bounds)
    assert (bounds.low.text(), bounds.high.text()) == ("-0.5", "0.25")
    bounds.high.setFocus()
    bounds.high.selectAll()
    QTest.keyClicks(bounds.high, "0.75")
    inspector.refresh()
    assert bounds.high.text() == "0.75"
    QTest.keyClick(bounds.high, Qt.Key.Key_Return)
    assert demo.form([WEIGHT]).scheme == "int8:channel:clip=-0.5..0.75"


def test_a_clip_that_cannot_be_is_refused_and_taken_back(
    qtbot: QtBot, inspector: Inspector, demo: Session
) -> None:
    demo.set_clip([WEIGHT], -0.5, 0.25)
    inspector.refresh()
    bounds = inspector.fields.editor("clip")
    assert isinstance(bounds, Bounds)
    bounds.low.selectAll()
    QTest.keyClicks(bounds.low, "0.1")
    bounds.high.selectAll()
    QTest.keyClicks(bounds.high, "-0.1")
    with qtbot.waitSignal(inspector.failed) as failed:
        QTest.keyClick(bounds.low, Qt.Key.Key_Return)
    assert failed.args[0] == (
        "range 0.1 … -0.1: its low end does not lie below its high end. "
        "Give two numbers with zero between them."
    )
    assert bounds.low.text() == "-0.5"


def test_choices_that_are_not_possible_say_why(inspector: Inspector) -> None:
    inspector.show_slots(("block1.dw.input",), "input")
    segments = inspector.fields.editor("granularity")
    assert isinstance(segments, Segments)
    assert not segments.button("channel").isEnabled()
    assert "per tensor" in segments.button("channel").toolTip()
    assert segments.button("tensor").isEnabled()
    menu = inspector.fields.editor("rounding")
    assert isinstance(menu, Menu)
    at = menu.findData("stochastic")
    assert not menu.model().flags(menu.model().index(at, 0)) & Qt.ItemFlag.ItemIsEnabled
    assert "batch size" in menu.itemData(at, Qt.ItemDataRole.ToolTipRole)


def test_a_mixed_selection_shows_no_value_and_is_edited_as_one(
    inspector: Inspector, demo: Session
) -> None:
    slots = (WEIGHT, "block1.pw.weight")
    demo.set_scheme([WEIGHT], "int4:percentile=99.5")
    inspector.show_slots(slots, "weight")
    bits, grain = inspector.fields.editor("bits"), inspector.fields.editor("granularity")
    assert isinstance(bits, Menu)
    assert isinstance(grain, Segments)
    assert (bits.currentIndex(), bits.placeholderText()) == (-1, "mixed")
    assert grain.value() is None
    assert "percentile" not in inspector.fields.names()
    choose(inspector.fields, "bits", "6")
    inspector.refresh()
    assert bits.currentText() == "6 bits"
    assert [demo.form([slot]).scheme for slot in slots] == ["int6:percentile=99.5", "int6:channel"]


def test_a_mixed_number_says_so_and_takes_what_is_typed(fields: SchemeFields) -> None:
    made: list[tuple[str, str]] = []
    fields.changed.connect(lambda name, value: made.append((name, value)))
    fields.show_form(form_of(replace(SEED, value=None), replace(CLIP, value=None)))
    seed, clip = fields.editor("seed"), fields.editor("clip")
    assert isinstance(seed, Number)
    assert isinstance(clip, Bounds)
    assert seed.text() == "mixed"
    QTest.keyClick(seed, Qt.Key.Key_Up)
    assert made == []
    seed.selectAll()
    QTest.keyClicks(seed, "12")
    QTest.keyClick(seed, Qt.Key.Key_Return)
    assert made == [("seed", "12")]
    QTest.keyClicks(clip.low, "-2")
    QTest.keyClick(clip.low, Qt.Key.Key_Return)
    assert made[1:] == []
    QTest.keyClicks(clip.high, "3")
    QTest.keyClick(clip.high, Qt.Key.Key_Return)
    assert made[1:] == [("clip", "-2..3")]


def test_widgets_stay_while_fields_come_and_go(qtbot: QtBot, fields: SchemeFields) -> None:
    fields.show_form(form_of(BITS, SEED))
    bits, seed = fields.editor("bits"), fields.editor("seed")
    bits.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is bits)
    fields.show_form(form_of(CLIP, BITS))
    assert fields.names() == ("clip", "bits")
    assert QApplication.focusWidget() is bits
    assert not seed.isVisible()
    fields.show_form(form_of(SEED, BITS, CLIP))
    assert fields.names() == ("seed", "bits", "clip")
    assert fields.editor("seed") is seed


def test_the_tab_key_goes_from_the_top_to_the_bottom(inspector: Inspector, demo: Session) -> None:
    for spelling in ("float", "int8:clip=-1..1", "kmeans4:random", "int8:stochastic:group=64"):
        demo.set_scheme([WEIGHT], spelling)
        inspector.refresh()
        names = inspector.fields.names()
        stops = {stop: name for name in names for stop in inspector.fields.editor(name).stops()}
        inspector.fields.editor("family").setFocus()
        visited = []
        for _ in range(30):
            focused = QApplication.focusWidget()
            if focused is inspector.reset:
                break
            assert focused is not None
            visited.append(stops[focused])
            QTest.keyClick(focused, Qt.Key.Key_Tab)
        assert tuple(dict.fromkeys(visited)) == names


def test_a_refresh_leaves_an_open_menu_open(fields: SchemeFields) -> None:
    fields.show_form(form_of(BITS))
    bits = fields.editor("bits")
    assert isinstance(bits, Menu)
    bits.showPopup()
    fields.show_form(form_of(replace(BITS, value="4"), SEED))
    assert bits.view().isVisible()
    bits.hidePopup()
    assert bits.currentText() == "4 bits"


def test_choosing_what_is_chosen_is_no_edit(fields: SchemeFields) -> None:
    made: list[str] = []
    fields.changed.connect(lambda _name, value: made.append(value))
    fields.show_form(form_of(BITS))
    choose(fields, "bits", "8")
    assert made == []
    choose(fields, "bits", "4")
    assert made == ["4"]


def test_a_long_fact_is_wrapped_and_told_whole(qtbot: QtBot) -> None:
    facts = FactList()
    qtbot.addWidget(facts)
    facts.resize(200, 100)
    long = "0.291, rounding noise alone (1/√12)"
    path = "/features/block_with_a_very_long_name.0/depthwise/Conv"
    facts.show_facts(
        (
            Fact("Errors of the whole tensor", ""),
            Fact("RMSE / step", long, "Root of the MSE"),
            Fact("Layer", path),
            Fact("Values", "-1.5 … 2"),
        )
    )
    facts.show()
    heading = facts.findChildren(QLabel)[0]
    assert heading.text() == "Errors of the whole tensor"
    rmse, layer, values = facts.findChildren(FactValue)
    assert rmse.text() == long
    assert rmse.heightForWidth(rmse.width()) > values.heightForWidth(values.width())
    assert layer.text() != path
    assert layer.text().startswith("/feat")
    assert path in layer.toolTip()
    assert long in rmse.toolTip()
    assert "Root of the MSE" in rmse.toolTip()
    assert values.text() == "−1.5 … 2"
    facts.show_facts((Fact("Layer", "3  a-1"), Fact("MSE", "4.7e-06"), Fact("Codes", "-8 … -1")))
    shown = [value.text() for value in facts.findChildren(FactValue)]
    assert shown[-3:] == ["3  a-1", "4.7e−06", "−8 … −1"]
    assert facts.minimumSizeHint().width() <= 200

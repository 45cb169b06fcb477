"""Labels of the range methods: where they go, what they pick."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qviz.app.views import RangeLine
from qviz.ui.mark_layout import APART, Label, place_labels
from qviz.ui.range_marks import RangeMarks, ends

WORDS = ("min-max", "99.99 %", "least error", "KL", "ACIQ Gauss", "ACIQ Laplace")


def line(word: str, high: float, low: float = 0.0, current: bool = False) -> RangeLine:
    return RangeLine(word, word, low, high, 20.0, current, "")


def marks(qtbot: QtBot, lines: list[RangeLine], width: float = 300.0) -> RangeMarks:
    made = RangeMarks()
    qtbot.addWidget(made)
    made.resize(int(width), made.height())
    made.show()
    made.show_ranges(
        {row: ends(row, mirrored=False) for row in lines}, lambda x: x * width, (0.0, width)
    )
    return made


def shown(made: RangeMarks) -> list[str]:
    return [word for word in WORDS if not made.button(word).isHidden()]


@given(
    st.lists(st.tuples(st.floats(0, 300), st.floats(20, 80), st.booleans()), max_size=9),
    st.integers(1, 3),
)
def test_no_label_covers_another_nor_another_line(
    wanted: list[tuple[float, float, bool]], rows: int
) -> None:
    labels = [Label(*each) for each in wanted]
    found = place_labels(labels, 300.0, rows)
    kept = [(labels[at], place) for at, place in enumerate(found) if place is not None]
    for at, (label, place) in enumerate(kept):
        right = place.left + label.width
        assert place.left >= 0
        assert right <= 300.0
        for other, its in kept[:at] + kept[at + 1 :]:
            if its.row == place.row:
                assert its.left >= right + APART or its.left + other.width <= place.left - APART
            if its.row >= place.row:
                assert not place.left < other.x < right


def test_a_lone_label_always_has_room() -> None:
    for x in (0.0, 10.0, 150.0, 300.0):
        assert place_labels([Label(x, 80.0, False)], 300.0, 1)[0] is not None


def test_a_mirrored_grid_has_one_line_at_its_wider_end() -> None:
    assert ends(line("a", 1.0, -2.0), mirrored=True) == (2.0,)
    assert ends(line("a", 1.0, -2.0), mirrored=False) == (1.0, -2.0)
    assert ends(line("a", 2.0, -2.0), mirrored=False) == (2.0,)
    assert ends(line("a", 2.0), mirrored=False) == (2.0,)
    assert ends(line("a", 0.0, -2.0), mirrored=False) == (-2.0,)
    assert ends(line("a", 0.0), mirrored=False) == ()


def test_labels_that_collide_go_into_the_menu(qtbot: QtBot) -> None:
    made = marks(qtbot, [line(word, 0.9, current=word == "KL") for word in WORDS])
    visible = shown(made)
    assert "KL" in visible  # the one in use goes first
    hidden = [word for word in WORDS if word not in visible]
    assert hidden
    assert made.more.text() == f"+{len(hidden)}"
    menu = made.menu()
    assert [action.text().split(":")[0] for action in menu.actions()] == hidden
    with qtbot.waitSignal(made.picked) as picked:
        menu.actions()[0].trigger()
    assert picked.args == [hidden[0]]
    menu.close()


def test_what_is_out_of_view_is_in_the_menu_too(qtbot: QtBot) -> None:
    made = marks(qtbot, [line("KL", 0.5), line("min-max", 7.0)])
    assert not made.button("KL").isHidden()
    assert made.button("min-max").isHidden()
    assert made.more.text() == "+1"


def test_a_label_is_clicked_or_reached_by_the_keyboard(qtbot: QtBot) -> None:
    made = marks(qtbot, [line("KL", 0.2), line("min-max", 0.9, current=True)])
    with qtbot.waitSignal(made.picked) as picked:
        QTest.mouseClick(made.button("KL"), Qt.MouseButton.LeftButton)
    assert picked.args == ["KL"]
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made.button("KL").setFocus()
    QTest.keyClick(made.button("KL"), Qt.Key.Key_Right)
    assert made.button("min-max").hasFocus()
    with qtbot.waitSignal(made.picked) as picked:
        QTest.keyClick(made.button("min-max"), Qt.Key.Key_Return)
    assert picked.args == ["min-max"]


def test_the_tip_says_what_the_method_chooses_and_gives(qtbot: QtBot) -> None:
    made = marks(qtbot, [line("KL", 0.5, -0.25), line("min-max", 0.9, current=True)])
    tip = made.button("KL").toolTip()
    assert "KL: \N{MINUS SIGN}0.25 … 0.5, 20.0 dB" in tip
    assert "Click to use it" in tip
    assert "Click" not in made.button("min-max").toolTip()
    assert made.button("min-max").accessibleName() == "min-max, in use"

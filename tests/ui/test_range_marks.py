"""Labels of the range methods: where they go, what they pick."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qviz.app.slot_views import DistributionView, RangeLine
from qviz.ui.mark_layout import APART, Label, place_labels
from qviz.ui.range_lines import ends, near, to_marks
from qviz.ui.range_marks import BY_HAND, Mark, MarkButton, RangeMarks

WORDS = ("min-max", "99.99 %", "least error", "KL", "ACIQ Gauss", "ACIQ Laplace")

EMPTY = DistributionView(
    slot="a.weight",
    title="a",
    role="weight",
    scheme="int8",
    edges=np.zeros(0),
    counts=np.zeros(0),
    quantized_counts=None,
    levels=np.zeros(0),
    low=None,
    high=None,
    minimum=-1.0,
    maximum=1.0,
    values=0,
    clipped=None,
    sqnr_db=None,
    mse=None,
    cosine=None,
    max_error=None,
    scale=None,
    zero_point=None,
    channels=0,
    channel=None,
)


def line(word: str, high: float, low: float = 0.0, current: bool = False) -> RangeLine:
    return RangeLine(word, word, low, high, 20.0, current, "")


def marks(qtbot: QtBot, lines: list[RangeLine], width: float = 300.0) -> RangeMarks:
    made = RangeMarks()
    qtbot.addWidget(made)
    made.resize(int(width), made.height())
    made.show()
    show(made, lines, width=width)
    return made


def show(
    made: RangeMarks, lines: list[RangeLine], moving: RangeLine | None = None, width: float = 300.0
) -> None:
    """Values 0..1 over the width."""

    def found(rows: list[RangeLine]) -> list[Mark]:
        places = [(row, ends(row, mirrored=False)) for row in rows]
        return to_marks([(row, tuple(x * width for x in at)) for row, at in places], 0.0, width)

    made.show_marks(found(lines), found([moving])[0] if moving else None, (0.0, width))


def shown(made: RangeMarks) -> list[str]:
    return [button.text() for button in made.findChildren(MarkButton) if not button.isHidden()]


@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(0, 300), min_size=1, max_size=2).map(tuple),
            st.floats(20, 80),
            st.booleans(),
        ),
        max_size=9,
    ),
    st.integers(1, 3),
)
def test_no_label_covers_another_nor_another_line(
    wanted: list[tuple[tuple[float, ...], float, bool]], rows: int
) -> None:
    labels = [Label(*each) for each in wanted]
    found = place_labels(labels, 300.0, rows)
    kept = [(labels[at], place) for at, place in enumerate(found) if place is not None]
    for at, (label, place) in enumerate(kept):
        right = place.left + label.width
        assert place.x in label.xs
        assert 0 <= place.row < rows
        assert place.left >= 0
        assert right <= 300.0
        for other, its in kept[:at] + kept[at + 1 :]:
            if its.row == place.row:
                assert its.left >= right + APART or its.left + other.width <= place.left - APART
            if its.row >= place.row:
                assert not place.left < its.x < right


def test_a_lone_label_always_has_room() -> None:
    for x in (0.0, 10.0, 150.0, 300.0):
        assert place_labels([Label((x,), 80.0, False)], 300.0, 1)[0] is not None


def test_labels_of_lines_that_crowd_climb_to_both_sides() -> None:
    crowd = [Label((150.0 + 4 * at,), 70.0, at == 5) for at in range(6)]
    assert None not in place_labels(crowd, 330.0, 3)


def test_labels_of_a_mirrored_grid_use_both_halves() -> None:
    crowd = [Label((290.0 + at, 40.0 - at), 70.0, at == 0) for at in range(4)]
    found = place_labels(crowd, 330.0, 2)
    assert None not in found
    assert {place.x > 165.0 for place in found if place} == {True, False}


def test_the_method_in_use_is_labelled_whatever_else_is() -> None:
    crowd = [Label((20.0,), 60.0, at == 8) for at in range(9)]
    found = place_labels(crowd, 90.0, 1)
    assert found[8] is not None
    assert sum(place is not None for place in found) == 1


def test_a_method_has_a_line_at_each_of_its_ends() -> None:
    assert ends(line("a", 1.0, -2.0), mirrored=True) == (2.0, -2.0)
    assert ends(line("a", 1.0, -2.0), mirrored=False) == (1.0, -2.0)
    assert ends(line("a", 2.0), mirrored=False) == (2.0,)
    assert ends(line("a", 0.0, -2.0), mirrored=False) == (-2.0,)
    assert ends(line("a", 0.0), mirrored=True) == ends(line("a", 0.0), mirrored=False) == ()


def test_methods_that_coincide_share_a_label(qtbot: QtBot) -> None:
    lines = [line("min-max", 0.9, current=True), line("KL", 0.5), line("99.99 %", 0.9)]
    made = marks(qtbot, lines)
    assert set(shown(made)) == {"min-max = 99.99 %", "KL"}
    assert made.button("99.99 %") is made.button("min-max")
    assert made.button("min-max").current
    menu = made.menu(lines[::2])
    assert [action.isChecked() for action in menu.actions()] == [True, False]
    with qtbot.waitSignal(made.picked) as picked:
        menu.actions()[1].trigger()
    assert picked.args == ["99.99 %"]
    menu.close()


def test_a_shared_label_that_is_not_in_use_adopts_its_first_method(qtbot: QtBot) -> None:
    made = marks(qtbot, [line("KL", 0.5), line("least error", 0.5), line("min-max", 0.9, 0, True)])
    with qtbot.waitSignal(made.picked) as picked:
        made.button("least error").click()
    assert picked.args == ["KL"]


def test_many_methods_that_coincide_are_counted(qtbot: QtBot) -> None:
    made = marks(qtbot, [line(word, 0.9, current=word == "KL") for word in WORDS])
    assert shown(made) == [f"KL = {len(WORDS) - 1} others"]
    assert "ACIQ Gauss" in made.button("KL").toolTip()


def test_labels_without_room_go_into_the_menu(qtbot: QtBot) -> None:
    lines = [line(word, 0.5 + 0.1 * at, 0, word == "KL") for at, word in enumerate(WORDS[:4])]
    made = marks(qtbot, lines, width=70.0)
    visible = shown(made)
    assert "KL" in visible  # the one in use goes first
    hidden = [word for word in WORDS[:4] if word not in visible]
    assert hidden
    assert made.more.text() == f"+{len(hidden)}"
    menu = made.menu([one for mark in made.hidden for one in mark.lines])
    assert [action.text().split(":")[0] for action in menu.actions()] == hidden
    with qtbot.waitSignal(made.picked) as picked:
        menu.actions()[0].trigger()
    assert picked.args == [hidden[0]]
    menu.close()


def test_what_is_out_of_view_is_labelled_at_its_side(qtbot: QtBot) -> None:
    made = marks(qtbot, [line("KL", 0.5), line("min-max", 7.0)])
    assert set(shown(made)) == {"KL", "min-max →"}


def test_others_make_way_for_a_clip_that_is_dragged_and_stand_still(qtbot: QtBot) -> None:
    lines = [line("KL", 0.3), line("min-max", 0.9)]
    made = marks(qtbot, lines)
    before = made.button("KL").geometry()
    show(made, lines, line("clip", 0.5))
    assert set(shown(made)) == {"KL", "min-max", "clip"}
    assert made.button("KL").geometry() == before
    show(made, lines, line("clip", 0.31))
    assert set(shown(made)) == {"min-max", "clip"}
    show(made, lines)
    assert made.button("KL").geometry() == before


def test_the_clip_set_by_hand_has_a_label_that_adopts_nothing(qtbot: QtBot) -> None:
    made = marks(qtbot, [line("KL", 0.3), RangeLine(BY_HAND, "by hand", 0, 0.7, 20, True, "")])
    assert "by hand" in shown(made)
    with qtbot.assertNotEmitted(made.picked):
        made.button(BY_HAND).click()


def test_the_methods_near_a_value_are_known() -> None:
    view = replace(EMPTY, ranges=(line("KL", 0.5, -0.5), line("min-max", 0.9, -0.9)))
    assert [found.label for found in near(view, -0.49, 0.02)] == ["KL"]
    assert near(view, 0.0, 0.02) == []


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

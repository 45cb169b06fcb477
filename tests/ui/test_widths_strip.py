"""The widths strip: bars, what is current, the keyboard."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from qviz.app.slot_views import WidthBar
from qviz.ui.fonts import ui_font
from qviz.ui.widths_strip import WidthsStrip, spellings

BARS = tuple(WidthBar(f"int{b}", b, str(b), 6.0 * b - 5.0, b == 4) for b in range(1, 9))


def strip(qtbot: QtBot, bars: tuple[WidthBar, ...] = BARS) -> WidthsStrip:
    made = WidthsStrip()
    qtbot.addWidget(made)
    made.resize(312, made.height())
    made.show_bars(bars)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_eight_bars_have_room_for_their_figures_in_a_narrow_card(qtbot: QtBot) -> None:
    made = strip(qtbot)
    qtbot.waitUntil(lambda: made.buttons[-1].geometry().right() < 312)
    widths = [button.width() for button in made.buttons]
    assert len(widths) == 8
    figure = QFontMetrics(ui_font(11, "semibold")).horizontalAdvance("43.0")
    assert min(widths) >= figure + 2
    assert sum(widths) <= 312


def test_a_bar_tells_its_format_and_figure(qtbot: QtBot) -> None:
    made = strip(
        qtbot, (*BARS[:3], replace(BARS[3], sqnr_db=13.6), replace(BARS[7], sqnr_db=math.inf))
    )
    tips = [button.toolTip() for button in made.buttons]
    assert tips[3] == "int4: 13.6 dB"
    assert made.buttons[3].accessibleName() == "int4: 13.6 dB, in use"
    assert tips[4].startswith("int8: exact")
    made.show_bars((BARS[0], replace(BARS[7], sqnr_db=144.5)))  # float32's own rounding
    assert made.buttons[1].toolTip().startswith("int8: exact")
    assert not made.grab().isNull()


def test_a_figure_is_rounded_before_it_is_cut() -> None:
    assert spellings(49.97) == ("50.0", "50")
    assert spellings(-3.2) == ("\N{MINUS SIGN}3.2", "\N{MINUS SIGN}3")
    assert spellings(144.5) == spellings(math.inf) == ("exact", "∞")
    assert spellings(math.nan) == ("\N{EN DASH}",)


def test_arrows_and_enter_pick_a_width(qtbot: QtBot) -> None:
    made = strip(qtbot)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made.buttons[3].setFocus()
    QTest.keyClick(made.buttons[3], Qt.Key.Key_Right)
    assert made.buttons[4].hasFocus()
    with qtbot.waitSignal(made.picked) as picked:
        QTest.keyClick(made.buttons[4], Qt.Key.Key_Return)
    assert picked.args == ["int5"]
    made.buttons[0].setFocus()
    QTest.keyClick(made.buttons[0], Qt.Key.Key_Left)
    assert made.buttons[0].hasFocus()


def test_tab_stops_once_at_the_width_in_use(qtbot: QtBot) -> None:
    made = strip(qtbot)
    stops = [b.format for b in made.buttons if b.focusPolicy() == Qt.FocusPolicy.StrongFocus]
    assert stops == ["int4"]


def test_without_widths_the_strip_hides(qtbot: QtBot) -> None:
    made = strip(qtbot)
    made.show_bars(())
    assert made.isHidden()
    assert made.buttons == ()


def test_a_family_with_fewer_widths_leaves_no_bar_behind(qtbot: QtBot) -> None:
    made = strip(qtbot)
    before = made.buttons
    made.show_bars(BARS[:3])
    assert made.buttons == before[:3]
    assert not any(button.isVisible() for button in before[3:])
    made.show_bars(BARS)
    assert all(button.isVisible() for button in before)

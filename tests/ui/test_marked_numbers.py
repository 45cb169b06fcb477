"""The strip tells the divergence before the score, and marks numbers that chose the plan."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.app.views import Strip
from qviz.ui.main_window import MainWindow
from qviz.ui.number_strip import NumberStrip
from qviz.ui.run import application, lay_out
from qviz.ui.settings import Settings
from qviz.ui.theme import Theme

Settle = Callable[[MainWindow], None]


def strip_of(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, shown: Strip) -> NumberStrip:
    session = Session()
    monkeypatch.setattr(session, "strip", lambda: shown)
    strip = NumberStrip(session)
    qtbot.addWidget(strip)
    strip.resize(1264, strip.height())
    strip.refresh()
    strip.show()
    return strip


def test_the_divergence_is_told_while_the_old_number_is_grey(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Strip(
        "running",
        float_value=91.2,
        value=90.4,
        samples=960,
        total=960,
        stale=True,
        first_kl=0.01234,
        first_kl_samples=256,
    )
    strip = strip_of(qtbot, monkeypatch, shown)
    assert strip.seen.text() == "KL 0.0123 nats (256 samples)"
    assert strip.number.value.property("tone") == "faint"
    assert strip.progress.value() == 256


def test_a_score_of_drawn_samples_has_the_divergence_in_place_of_flips(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Strip("running", value=90.4, samples=320, total=960, kl=0.012, kl_samples=256)
    strip = strip_of(qtbot, monkeypatch, shown)
    assert strip.flips.number.value.text() == "–"
    assert strip.flips.note.text() == "KL 0.012 nats"
    assert "on 256 samples" in strip.flips.toolTip()


def test_a_number_that_chose_the_plan_says_so(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    used = window.workspace.strip.used
    assert not used.isVisible()
    session.set_bits(["fc1.weight"], 3)
    settle(window)
    assert used.isVisible()
    assert used.text() == "used to choose"
    assert "Confirm" in used.toolTip()
    lay_out(window)
    assert used.width() >= used.sizeHint().width()
    session.set_part("confirm")
    settle(window)
    assert not used.isVisible()
    session.set_bits(["fc1.weight"], 4)
    settle(window)
    assert used.text() == "looked at 2 times"


def test_memory_is_chosen_in_the_menu_and_remembered(
    qtbot: QtBot, window: MainWindow, session: Session, settings: Settings
) -> None:
    commands = window.commands
    assert commands["memory_auto"].isChecked()
    assert "numbers are the same" in commands["memory_0"].toolTip()
    commands["memory_500MB"].trigger()
    assert session.memo.budget == session.memory_budget == 500_000_000
    assert not commands["memory_auto"].isChecked()
    other = Session()
    again = MainWindow(other, Theme(application(), "light"), settings)
    qtbot.addWidget(again)
    assert other.memory_budget == 500_000_000
    assert again.commands["memory_500MB"].isChecked()
    given = Session(memory_budget=12_345)
    for_once = MainWindow(given, Theme(application(), "light"), settings)
    qtbot.addWidget(for_once)
    assert given.memory_budget == 12_345
    assert not any(for_once.commands[f"memory_{w}"].isChecked() for w in ("auto", "0", "500MB"))

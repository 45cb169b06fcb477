"""The number strip, the jobs strip and segments draw what they are given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.app.views import Choice, JobView, Strip
from qviz.ui import number_format as text
from qviz.ui.jobs_strip import JobsStrip
from qviz.ui.number_strip import NumberStrip
from qviz.ui.segmented import Segmented


def strip_of(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, value: Strip) -> NumberStrip:
    session = Session()
    monkeypatch.setattr(session, "strip", lambda: value)
    strip = NumberStrip(session)
    qtbot.addWidget(strip)
    strip.show()
    strip.refresh()
    return strip


RUNNING = Strip(
    "running",
    metric="top-1",
    float_value=91.2,
    value=90.4,
    low=90.1,
    high=90.7,
    samples=412,
    total=2000,
    delta=-0.8,
    flips=14,
    bytes_float=452000,
    bytes_quantized=61000,
)


def test_a_running_evaluation_shows_its_interval_and_progress(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    strip = strip_of(qtbot, monkeypatch, RUNNING)
    assert strip.float_number.value.text() == "91.20"
    assert strip.number.value.text() == "90.40"
    assert strip.interval.text() == "± 0.30"
    assert strip.seen.text() == "412 of 2,000 samples"
    assert strip.progress.isVisible()
    assert strip.change.number.value.text() == "\N{MINUS SIGN}0.80"
    assert strip.flips.number.value.text() == "14"
    assert strip.size_figure.note.text().startswith("7.4")
    assert not strip.badge.isVisible()


def test_every_figure_says_what_it_counts(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    told = replace(
        RUNNING, metric="agreement with float", samples=12, flips=2, kl=0.0123, bops_float=2e6
    )
    strip = strip_of(qtbot, monkeypatch, replace(told, bops_quantized=1e6))
    assert strip.flips.note.text() == "of 12  ·  KL 0.012 nats"
    assert "16.7 % of them" in strip.flips.toolTip()
    assert "nats" in strip.flips.toolTip()
    assert "several positions" in strip.number.toolTip()
    for figure in (strip.change, strip.size_figure, strip.bops, strip.caption):
        assert figure.toolTip()
    strip = strip_of(qtbot, monkeypatch, replace(told, kl=None))
    assert strip.flips.note.text() == "of 12 samples"


def test_the_change_agrees_with_the_two_numbers_beside_it(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    float_value, value = 100 * 877 / 960, 100 * 878 / 960
    rounded = replace(RUNNING, float_value=float_value, value=value, delta=value - float_value)
    strip = strip_of(qtbot, monkeypatch, rounded)
    assert strip.float_number.value.text() == "91.35"
    assert strip.number.value.text() == "91.46"
    assert strip.change.number.value.text() == "+0.11"


def test_a_failure_is_told_and_the_old_number_is_grey(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Strip("failed", float_value=91.2, value=90.4, stale=True, message="conv1: NaN weights")
    strip = strip_of(qtbot, monkeypatch, failed)
    assert strip.seen.text() == "conv1: NaN weights"
    assert strip.seen.property("tone") == "bad"
    assert strip.number.value.property("tone") == "faint"


def test_cancelled_work_is_told_beside_the_old_number(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = replace(RUNNING, state="cancelled", stale=True, message="Evaluating was cancelled")
    strip = strip_of(qtbot, monkeypatch, cancelled)
    assert strip.seen.text() == "Evaluating was cancelled"
    assert strip.seen.property("tone") == "soft"
    assert strip.progress.isVisible()


def test_without_samples_the_strip_offers_to_open_them(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    strip = strip_of(qtbot, monkeypatch, Strip("no samples", message="Open samples"))
    with qtbot.waitSignal(strip.samples_wanted):
        strip.advice.click()


def test_jobs_come_and_go_with_time_left_and_cancel(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    jobs: list[JobView] = [JobView("evaluate", "Evaluating", 14, 33, 12.0)]
    cancelled: list[str | None] = []
    monkeypatch.setattr(session, "jobs", lambda: tuple(jobs))
    monkeypatch.setattr(session, "cancel", cancelled.append)
    strip = JobsStrip(session)
    qtbot.addWidget(strip)
    strip.show()
    strip.refresh()
    line = strip.line("evaluate")
    assert line is not None
    assert line.count.text() == "14 / 33  ·  0:12 left"
    line.cancel.click()
    assert cancelled == ["evaluate"]
    jobs.clear()
    strip.refresh()
    assert strip.line("evaluate") is None
    assert strip.idle.isVisible()


def test_a_choice_that_is_not_possible_says_why(qtbot: QtBot) -> None:
    segments = Segmented("Scales")
    qtbot.addWidget(segments)
    choices = [Choice("tensor", "per tensor"), Choice("channel", "per channel", reason="one axis")]
    segments.show_choices(choices, "tensor")
    assert not segments.button("channel").isEnabled()
    assert segments.button("channel").toolTip() == "one axis"
    segments.show_choices(choices, None)
    assert segments.value() is None


def test_a_segment_that_stays_keeps_its_button(qtbot: QtBot) -> None:
    segments = Segmented("Scale is max over")
    qtbot.addWidget(segments)
    segments.show_choices([Choice("full", "127.5"), Choice("wide", "128")], "full")
    full = segments.button("full")
    segments.show_choices(
        [Choice("narrow", "7"), Choice("full", "7.5"), Choice("wide", "8")], "wide"
    )
    assert segments.button("full") is full
    assert full.text() == "7.5"
    assert [stop.x() for stop in segments.stops()] == sorted(s.x() for s in segments.stops())
    assert segments.value() == "wide"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (text.size(61234), "61.2 kB"),
        (text.size(999), "999 B"),
        (text.short_count(81_500_000), "81.5 M"),
        (text.short_count(9999), "9,999"),
        (text.share(0.00001), "< 0.01 %"),
        (text.share(0.0), "0 %"),
        (text.decibels(float("inf")), "exact"),
        (text.signed(-0.04), "0.0"),
        (text.duration(3725), "1:02:05"),
        (text.duration(0.2), "0:01"),
    ],
)
def test_numbers_are_spelled_shortly(shown: str, expected: str) -> None:
    assert shown == expected

"""The number strip, the jobs strip and segments draw what they are given."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.app.views import Choice, DocumentView, JobView, MetricChoice, Strip
from qviz.ui import number_format as text
from qviz.ui.figure import VALUE_PIXELS, Figure
from qviz.ui.jobs_strip import JobsStrip
from qviz.ui.metric_button import MetricButton
from qviz.ui.metric_question import MetricQuestion
from qviz.ui.number_strip import NumberStrip
from qviz.ui.palette import LIGHT
from qviz.ui.run import lay_out
from qviz.ui.scheme_fields import Menu, Number
from qviz.ui.segmented import Segmented
from qviz.ui.strip_words import flip_notes
from qviz.ui.toolbar import facts


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
    empty = Strip("no samples", message="Open samples", wants_samples=True)
    strip = strip_of(qtbot, monkeypatch, empty)
    assert strip.advice.text() == "Open samples"
    with qtbot.waitSignal(strip.samples_wanted):
        strip.advice.click()


def test_the_strip_says_how_labels_are_read(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    told = replace(RUNNING, state="done", samples=20, total=20, note="labels of 255 are left out")
    strip = strip_of(qtbot, monkeypatch, told)
    assert strip.seen.text() == "20 samples, labels of 255 are left out"
    assert strip.seen.toolTip() == strip.seen.text()


def test_a_file_of_weights_is_told_there_is_no_accuracy(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = Strip("no samples", message="Weights only: no accuracy")
    strip = strip_of(qtbot, monkeypatch, weights)
    assert not strip.advice.isVisible()
    assert strip.seen.text() == "Weights only: no accuracy"


LOWER = replace(
    RUNNING, metric="KL to float", unit="nats", better="lower", float_value=0.0, value=0.0123,
    low=0.0113, high=0.0133, delta=0.0123,
)  # fmt: skip


@pytest.mark.parametrize(
    ("strip", "tone", "words"),
    [
        (LOWER, "bad", "+0.01230"),
        (replace(LOWER, float_value=0.5, value=0.4, delta=-0.1), "good", "−0.1000"),
        (replace(RUNNING, value=92.0, delta=0.8), "good", "+0.80"),
        (RUNNING, "bad", "−0.80"),
    ],
)
def test_the_change_is_colored_by_the_better_direction(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, strip: Strip, tone: str, words: str
) -> None:
    shown = strip_of(qtbot, monkeypatch, strip)
    shown.set_palette(LIGHT)
    assert shown.change.number.value.property("tone") == tone
    assert shown.change.number.value.text() == words.replace("−", text.MINUS)
    assert shown.change.icon.isVisible()
    arrow = shown.change.icon.pixmap().toImage()
    height, width = arrow.height(), arrow.width()
    row_widths = [
        sum(arrow.pixelColor(x, y).alpha() > 100 for x in range(width)) for y in range(height)
    ]
    upper, lower = sum(row_widths[: height // 2]), sum(row_widths[height // 2 :])
    assert (upper > lower) == words.startswith("+")  # the head of the arrow is its wide end


def test_points_are_of_percentages_only(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    for unit, note in (("%", "points from float"), ("dB", "dB from float"), ("", "from float")):
        strip = strip_of(qtbot, monkeypatch, replace(RUNNING, unit=unit))
        assert strip.change.note.text() == note


@pytest.mark.parametrize(
    ("unit", "before", "value", "expected"),
    [
        ("", 12.3456, 13.0, ("12.35", "13.00", "+0.65")),
        ("", 0.8912, 0.8844, ("0.8912", "0.8844", "−0.0068")),
        ("", 12345.6, 12400.2, ("12,346", "12,400", "+54")),
        ("nats", 0.0, 0.0000441, ("0", "4.41e−5", "+4.41e−5")),
        ("dB", float("inf"), 37.73, ("∞", "37.7", "–")),
        ("%", 91.2, 90.4, ("91.20", "90.40", "−0.80")),
    ],
)
def test_values_have_as_many_digits_as_they_deserve(
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    unit: str,
    before: float,
    value: float,
    expected: tuple[str, str, str],
) -> None:
    delta = value - before if math.isfinite(before) else None
    given = replace(RUNNING, unit=unit, float_value=before, value=value, delta=delta)
    strip = strip_of(qtbot, monkeypatch, given)
    numbers = (strip.float_number, strip.number, strip.change.number)
    wanted = tuple(word.replace("−", text.MINUS) for word in expected)
    assert tuple(number.value.text() for number in numbers) == wanted


METRICS = (
    MetricChoice("", "Fits best: top-1 (automatic)", "What suits", True),
    MetricChoice("top-1", "Top-1", "Share. In percent, higher is better", False),
    MetricChoice("recall:", "Recall of class…", "Hits", False, "class"),
    MetricChoice("sensitivity@", "Sensitivity at threshold…", "Share", False, "threshold"),
)


@pytest.fixture
def chooser(qtbot: QtBot) -> MetricButton:
    button = MetricButton()
    qtbot.addWidget(button)
    button.show_choices(METRICS, ("0 cat", "1 dog"))
    return button


def test_the_caption_is_a_menu_of_metrics(qtbot: QtBot, chooser: MetricButton) -> None:
    assert [entry.text() for entry in chooser.entries()] == [choice.label for choice in METRICS]
    assert [entry.isChecked() for entry in chooser.entries()] == [True, False, False, False]
    assert chooser.entries()[1].toolTip() == METRICS[1].tip
    with qtbot.waitSignal(chooser.picked) as told:
        chooser.entries()[1].trigger()
    assert told.args == ["top-1"]
    chooser.show_choices((), ())
    assert chooser.entries() == ()


def test_a_class_is_asked_for_by_name(qtbot: QtBot, chooser: MetricButton) -> None:
    chooser.entries()[2].trigger()
    assert [entry.isChecked() for entry in chooser.entries()] == [True, False, False, False]
    question = chooser.findChild(MetricQuestion)
    assert isinstance(question, MetricQuestion)
    assert isinstance(question.editor, Menu)
    assert [question.editor.itemText(at) for at in range(2)] == ["0 cat", "1 dog"]
    question.editor.setCurrentIndex(1)
    with qtbot.waitSignal(chooser.picked) as told:
        question.accept()
    assert told.args == ["recall:1"]


def test_a_threshold_is_asked_for(qtbot: QtBot, chooser: MetricButton) -> None:
    chooser.entries()[3].trigger()
    question = chooser.findChild(MetricQuestion)
    assert isinstance(question, MetricQuestion)
    assert isinstance(question.editor, Number)
    assert question.editor.value() == 0.5
    question.editor.setValue(0.3)
    with qtbot.waitSignal(chooser.picked) as told:
        question.accept()
    assert told.args == ["sensitivity@0.3"]


def test_a_long_caption_gives_way(chooser: MetricButton) -> None:
    chooser.show_caption("Top-1", 232)
    assert chooser.text() == "Top-1: float and quantized"
    chooser.show_caption("Recall of class 17 Norwegian elkhound", 232)
    assert chooser.text().startswith("Recall of class 17")
    assert chooser.fontMetrics().horizontalAdvance(chooser.text()) <= 232


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


WORST = replace(
    RUNNING, float_value=100.0, value=98.96, delta=-1.04, flips=4123, samples=4000, total=40000
)


@pytest.mark.parametrize("width", [984, 1264, 2000])
def test_no_number_is_cut_whatever_the_width(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    costs = replace(WORST, kl=0.0077, bops_float=1.6e13, bops_quantized=999.4e9)
    strip = strip_of(qtbot, monkeypatch, replace(costs, bytes_quantized=123_456_789))
    strip.resize(width, strip.height())
    lay_out(strip)
    numbers = [strip.float_number, strip.number]
    numbers += [figure.number for figure in (strip.change, strip.flips, strip.size_figure)]
    for number in (*numbers, strip.bops.number):
        assert number.value.width() >= number.value.sizeHint().width()
        assert number.unit.isHidden() or number.unit.width() >= number.unit.sizeHint().width()
        around = number.parentWidget()
        assert around is not None
        assert number.geometry().right() <= around.width()
    assert strip.parts.geometry().right() <= width


def test_a_strip_with_room_has_the_largest_digits(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    strip = strip_of(qtbot, monkeypatch, WORST)
    heights = []
    for width in (900, 1264):
        strip.resize(width, strip.height())
        heights.append(strip.number.value.font().pixelSize())
    assert heights[0] < heights[1] == VALUE_PIXELS


def test_a_note_takes_the_longest_wording_that_has_room(qtbot: QtBot) -> None:
    figure = Figure("Flips")
    qtbot.addWidget(figure)
    wordings = flip_notes(replace(WORST, kl=0.0077))
    assert wordings == ("of 4,000  ·  KL 0.0077 nats", "of 4,000 · KL 0.0077", "KL 0.0077")
    figure.show_figure("12", "", "", *wordings)
    metrics = QFontMetrics(figure.note.font())
    for words in wordings:
        assert figure.note.shown(metrics.horizontalAdvance(words)) == words
    assert figure.note.shown(20).endswith("…")


def test_a_number_that_changed_is_whole_in_the_picture_taken_at_once(qtbot: QtBot) -> None:
    outer = QWidget()
    qtbot.addWidget(outer)
    figure = Figure("Change")
    column = QVBoxLayout(outer)
    column.addWidget(figure)
    figure.show_figure(text.NONE)
    outer.show()
    lay_out(outer)
    figure.icon.show()
    figure.show_figure("−0.64")
    assert figure.number.value.width() < figure.number.value.sizeHint().width()
    lay_out(outer)
    assert figure.number.value.width() >= figure.number.value.sizeHint().width()


def test_the_size_tells_what_the_file_itself_has(
    qtbot: QtBot, mlp: Path, mlp_samples: Path
) -> None:
    session = Session()
    session.open(mlp, mlp_samples)
    strip = NumberStrip(session)
    qtbot.addWidget(strip)
    strip.refresh()
    own = text.size(mlp.stat().st_size)
    assert strip.size_figure.toolTip().endswith(f"The file itself has {own}")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            DocumentView("m", layers=1, parameters=1, samples_count=1),
            "1 layer|1 parameter|1 sample",
        ),
        (DocumentView("m", layers=2, parameters=63), "2 layers|63 parameters"),
    ],
)
def test_one_of_a_kind_is_not_a_plural(document: DocumentView, expected: str) -> None:
    assert facts(document)[0].split("   ·   ") == ["m", *expected.split("|")]

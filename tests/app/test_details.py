"""What the views of the watched slots show beyond their grid: curves, ranges, widths, channels."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from qviz.app.session import Session
from qviz.errors import QvizError

WEIGHT, INPUT = "block5.pw.weight", "block5.pw.input"


class Live:
    """A Session with lanes, and the loop that stands for the window's."""

    def __init__(self) -> None:
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.session = Session(self.posted.put, limit=64)

    def settle(self) -> None:
        while self.session.jobs():
            self.posted.get(timeout=60)()


@pytest.fixture
def demo(demo_model: Path, demo_samples: Path) -> Iterator[Live]:
    live = Live()
    live.session.open(demo_model, demo_samples)
    live.settle()
    yield live
    live.session.close()


@pytest.fixture
def session(demo_model: Path, demo_samples: Path) -> Session:
    session = Session(limit=64)
    session.open(demo_model, demo_samples)
    return session


def test_watched_slots_are_measured_in_detail(demo: Live) -> None:
    session = demo.session
    assert session.distribution(WEIGHT).curve_x.size == 0
    session.set_scheme([WEIGHT], "int4")
    session.watch([WEIGHT, INPUT])
    demo.settle()
    view = session.distribution(WEIGHT)
    assert [line.method for line in view.ranges] == [
        "minmax",
        "percentile",
        "mse",
        "entropy",
        "aciq-gauss",
        "aciq-laplace",
    ]
    assert [line.method for line in view.ranges if line.current] == ["minmax"]
    assert [bar.bits for bar in view.widths] == [1, 2, 3, 4, 5, 6, 7, 8]
    own = next(bar for bar in view.widths if bar.current)
    assert own.format == "int4"
    assert own.sqnr_db == pytest.approx(view.sqnr_db, abs=1e-3)
    assert "average" in [line.method for line in session.distribution(INPUT).ranges]


def test_the_curve_passes_through_what_each_range_gives(session: Session) -> None:
    """At min-max, at the least error's clip and at one set by hand."""
    session.set_scheme([WEIGHT], "int4")
    view = session.distribution(WEIGHT)
    assert view.can_clip
    assert view.mirrored
    for line in view.ranges:
        expected = np.interp(line.high, view.curve_x, view.curve_db)
        assert line.sqnr_db == pytest.approx(expected, abs=0.6), line  # between positions
    best = next(line for line in view.ranges if line.method == "mse")
    assert best.sqnr_db >= view.curve_db.max() - 1e-9
    by_hand = session.preview_clip(WEIGHT, -best.high, best.high)
    assert by_hand.sqnr_db == pytest.approx(best.sqnr_db, abs=1e-3)


def test_a_dragged_end_moves_the_curve_of_an_asymmetric_grid(session: Session) -> None:
    session.set_scheme([WEIGHT], "uint4")
    full = session.distribution(WEIGHT)
    low, high = full.low, full.high
    assert low is not None
    assert high is not None
    tight = session.preview_clip(WEIGHT, low / 2, high)
    assert not np.array_equal(tight.curve_db, full.curve_db)
    assert tight.widths
    assert session.distribution(WEIGHT).low == low  # a preview changes nothing


def test_an_adopted_range_is_the_one_that_was_shown(session: Session) -> None:
    session.set_scheme([WEIGHT], "int4")
    line = next(x for x in session.distribution(WEIGHT).ranges if x.method == "aciq-gauss")
    session.set_field([WEIGHT], "range", line.method)
    view = session.distribution(WEIGHT)
    assert view.high == pytest.approx(line.high, rel=1e-5)
    assert view.sqnr_db == pytest.approx(line.sqnr_db, abs=1e-3)


def test_a_width_that_is_clicked_has_the_error_it_showed(session: Session) -> None:
    for spelling in ("int8:channel", "pot4:log", "kmeans4", "fp8-e4m3", "mxfp4", "lloyd3"):
        session.set_scheme([WEIGHT], spelling)
        for bar in session.distribution(WEIGHT).widths[:3]:
            session.set_field([WEIGHT], "format", bar.format)
            assert session.distribution(WEIGHT).sqnr_db == pytest.approx(bar.sqnr_db, abs=2e-3)
            session.undo()


@pytest.mark.parametrize(
    "spelling", ["int8", "int4:channel", "int4:group=32", "mxfp4", "nf4", "ternary", "dorefa-w2"]
)
def test_channels_have_the_errors_of_their_own_histograms(session: Session, spelling: str) -> None:
    session.set_scheme([WEIGHT], spelling)
    view = session.channels(WEIGHT)
    assert view.minimum.size == view.sqnr_db.size == 128
    for channel in (0, 5, 127):
        alone = session.distribution(WEIGHT, channel)
        assert alone.minimum == view.minimum[channel]
        assert alone.sqnr_db == pytest.approx(view.sqnr_db[channel], abs=1e-3)
        assert alone.clipped == pytest.approx(view.clipped[channel], abs=1e-6)


def test_channels_of_inputs_are_measured_on_the_sample_and_say_so(session: Session) -> None:
    view = session.channels(INPUT)
    assert view.minimum.size == view.sqnr_db.size == 64
    assert "on a sample of" in view.error_source
    assert view.error_notice == ""
    assert session.channels(WEIGHT).error_source == ""


def test_a_channel_far_above_the_others_is_an_outlier(session: Session) -> None:
    model = session.model
    assert model is not None
    group = model.slots[WEIGHT].group
    quiet = session.channels(WEIGHT).outliers.sum()
    stats = session.findings.statistics[group]
    stats.maximum[7] = 50.0
    loud = session.channels(WEIGHT).outliers
    assert loud[7]
    assert loud.sum() <= quiet + 1


@pytest.mark.parametrize("spelling", ["mxfp4", "nvfp4", "nf4", "int4:group=16"])
def test_one_block_is_drawn_with_its_own_levels(session: Session, spelling: str) -> None:
    session.set_scheme([WEIGHT], spelling)
    whole = session.distribution(WEIGHT)
    assert whole.levels.size == 0
    assert whole.low is None
    block = session.distribution(WEIGHT, 3, whole.blocks - 1)
    assert (block.channel, block.block) == (3, whole.blocks - 1)
    assert block.counts.sum() == block.values <= 64
    assert block.levels.size in (15, 16)
    assert block.thresholds.size == block.levels.size - 1
    assert block.low is not None
    assert block.high is not None
    assert block.minimum >= 1.34 * block.low  # MX clips at most a quarter of the largest value


def test_a_block_of_activations_comes_from_the_sample(session: Session) -> None:
    session.set_scheme([INPUT], "mxfp8-e4m3")
    view = session.distribution(INPUT, None, 11)
    assert view.blocks > 11
    assert view.values == 32
    assert view.levels.size == 253


def test_rows_follow_errors_through_the_layers(demo: Live) -> None:
    rows = demo.session.rows()
    first, last = rows[0], rows[-1]
    assert first.local_db == first.accumulated_db
    assert last.local_db is not None
    assert last.accumulated_db is not None
    assert last.local_db > last.accumulated_db
    before = last.accumulated_db
    demo.session.set_bits(["conv1.weight"], 2)
    assert demo.session.rows()[-1].accumulated_db is None  # unknown, not the old plan's
    demo.settle()
    after = demo.session.rows()[-1]
    assert after.accumulated_db is not None
    assert after.accumulated_db < before - 5
    assert after.local_db == last.local_db
    demo.session.undo()
    assert demo.session.rows()[-1].accumulated_db == before


def test_channels_of_an_unknown_slot_are_refused(mlp: Path, mlp_samples: Path) -> None:
    session = Session()
    session.open(mlp, mlp_samples)
    with pytest.raises(QvizError, match="no such slot"):
        session.channels("nothing.weight")
    assert session.channels("fc1.weight").minimum.size > 1


def test_details_that_were_cut_short_are_taken_up_again(demo: Live) -> None:
    """Another layer is looked at before the first one is done, and then the first again."""
    session = demo.session
    session.set_scheme([WEIGHT], "int4")
    demo.settle()
    session.watch([WEIGHT])
    while session.channels(WEIGHT).sqnr_db.size == 0:
        demo.posted.get(timeout=60)()
    session.watch(["conv1.weight"])
    demo.settle()
    session.watch([WEIGHT])
    demo.settle()
    view = session.distribution(WEIGHT)
    assert [line.method for line in view.ranges].count("minmax") == 1
    assert len(view.ranges) == 6
    assert len(view.widths) == 8

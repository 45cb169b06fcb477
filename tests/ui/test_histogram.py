"""One histogram, from a view made by hand: shapes, grids, clip lines, curve and words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from qviz.app.slot_views import DistributionView, RangeLine
from qviz.ui import histogram_shape as shape
from qviz.ui.clip_lines import stand_at
from qviz.ui.error_curve import curve, decibel_range, dots
from qviz.ui.grid_lines import grid, level_of
from qviz.ui.histogram_panel import HistogramPanel, figures
from qviz.ui.histogram_plot import HistogramPlot
from qviz.ui.legend import Legend, Parts
from qviz.ui.palette import DARK, LIGHT
from qviz.ui.plot_axes import ValueAxis
from qviz.ui.readout import read_out

NOTHING = np.zeros(0)


def distribution(counts: list[float], levels: list[float]) -> DistributionView:
    """Bins of width 1 from 0; every bin's mass sits where rounding to the levels puts it."""
    edges = np.arange(len(counts) + 1, dtype=np.float64)
    grid = np.asarray(levels, dtype=np.float64)
    quantized = np.zeros(len(counts))
    for number, count in enumerate(counts):
        nearest = grid[np.argmin(np.abs(grid - (number + 0.5)))]
        quantized[min(int(nearest), len(counts) - 1)] += count
    return DistributionView(
        slot="a.weight",
        title="a",
        role="weight",
        scheme="uint4",
        edges=edges,
        counts=np.asarray(counts, dtype=np.float64),
        quantized_counts=quantized,
        levels=grid,
        low=float(grid[0]),
        high=float(grid[-1]),
        minimum=0.0,
        maximum=float(len(counts)),
        values=int(sum(counts)),
        clipped=0.0,
        sqnr_db=20.0,
        mse=0.1,
        cosine=0.99,
        max_error=0.5,
        scale=1.0,
        zero_point=0,
        channels=0,
        channel=None,
    )


def ternary() -> DistributionView:
    """100 values at each of -3.5 … 3.5; only those beyond ±3 become ±3."""
    edges = np.arange(-4.0, 5.0)
    return replace(
        distribution([100.0] * 8, [0.0, 1.0]),
        edges=edges,
        quantized_counts=np.array([0.0, 100, 0, 0, 600, 0, 0, 100]),
        levels=np.array([-3.0, 0.0, 3.0]),
        thresholds=np.array([-3.0, 3.0]),
        low=-3.0,
        high=3.0,
        minimum=-4.0,
        maximum=4.0,
        values=800,
    )


@pytest.fixture
def plot(qtbot: QtBot) -> HistogramPlot:
    made = HistogramPlot("value")
    qtbot.addWidget(made)
    made.set_palette(LIGHT)
    made.resize(500, 300)
    made.show()
    return made


@given(
    st.lists(st.integers(0, 50), min_size=8, max_size=60).filter(any),
    st.integers(2, 40),
    st.integers(20, 2000),
    st.floats(0.3, 3.0),
)
def test_the_staircase_has_the_float_histograms_area(
    counts: list[int], levels: int, pixels: int, bend: float
) -> None:
    end = float(len(counts))
    places = end * np.linspace(0.0, 1.0, levels) ** bend
    view = distribution([float(c) for c in counts], places.tolist())
    group = shape.bins_per_step(view, 0.0, end, pixels)
    floats = shape.float_steps(view, group)
    stairs = shape.quantized_steps(view, group, 0.0, end, pixels)
    assert floats.heights.sum() == pytest.approx(sum(counts))
    area = float((stairs.heights * np.diff(stairs.edges)).sum())
    assert area == pytest.approx(sum(counts) * group, rel=1e-9)


def test_dense_grids_are_thinned_to_marks_and_then_to_nothing() -> None:
    view = distribution([1.0] * 100, np.linspace(0.0, 100.0, 101).tolist())
    shown = {pixels: grid(view, 0.0, 100.0, pixels) for pixels in (1000, 300, 100)}
    assert shown[1000].lines.size == 101
    assert shown[300].lines.size == 0
    assert shown[300].marks.size == 101
    assert shown[100].lines.size == shown[100].marks.size == 0
    assert grid(view, 0.0, 10.0, 300).lines.size == 11


def test_the_wide_levels_of_a_power_of_two_grid_are_lines_and_the_crowded_ones_marks() -> None:
    levels = np.concatenate(([0.0], 2.0 ** np.arange(-14, 1)))
    shown = grid(distribution([1.0, 1.0], levels.tolist()), 0.0, 1.0, 400)
    assert shown.lines.tolist() == levels[levels > 0.02].tolist()
    assert 0 < shown.marks.size < 10
    assert np.diff(shown.marks).min() * 400 > 0.5


def test_halfway_thresholds_show_only_where_a_step_is_wide() -> None:
    levels = np.arange(11.0)
    halfway = replace(distribution([1.0] * 10, levels.tolist()), thresholds=levels[:-1] + 0.5)
    assert grid(halfway, 0.0, 10.0, 100).thresholds.size == 0
    assert grid(halfway, 0.0, 10.0, 150).thresholds.size == 10
    towards_zero = replace(halfway, thresholds=levels[1:])
    assert grid(towards_zero, 0.0, 10.0, 100).thresholds.size == 10


def test_given_thresholds_are_the_cells_of_the_staircase() -> None:
    view = ternary()
    stairs = shape.quantized_steps(view, 1, -4.0, 4.0, 800)
    assert stairs.edges[1:-1].tolist() == [-3.0, 3.0]
    assert stairs.heights[1] == pytest.approx(100.0)
    assert level_of(view, 2.9) == 0.0
    assert level_of(view, 3.1) == 3.0


def test_levels_beyond_the_histogram_keep_their_own_counts() -> None:
    levels = np.array([-30.0, -10.0, 10.0, 30.0])
    view = replace(ternary(), levels=levels, thresholds=np.array([-2.0, 0.0, 2.0]))
    x, counts = shape.quantized_sticks(view, 1)
    assert x.tolist() == levels.tolist()
    assert counts.tolist() == [200.0, 200.0, 200.0, 200.0]


def test_few_values_are_sticks_at_their_places_and_at_the_levels() -> None:
    view = distribution([3.0, 0.0, 1.0, 0.0, 0.0, 2.0], [0.0, 2.5, 5.0])
    assert shape.is_few(view)
    x, counts = shape.float_sticks(view, 1)
    assert x.tolist() == [0.5, 2.5, 5.5]
    assert counts.tolist() == [3.0, 1.0, 2.0]
    at, after = shape.quantized_sticks(view, 1)
    assert at.tolist() == [0.0, 2.5, 5.0]
    assert after.tolist() == [3.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (-448.0, 448.0, (-4.0, 4.0)),  # far outside: not shown at all
        (-20.0, 4.5, (-6.4, 4.5)),  # cut at 1.6 times the extent in all
        (0.0, 5.0, (-4.0, 5.0)),
        (None, None, (-4.0, 4.0)),
    ],
)
def test_a_huge_grid_does_not_squeeze_the_histogram(
    low: float | None, high: float | None, shown: tuple[float, float]
) -> None:
    view = replace(ternary(), low=low, high=high)
    assert shape.fit_range(view, with_grid=True) == pytest.approx(shown)
    assert shape.fit_range(view, with_grid=False) == (-4.0, 4.0)


def test_zero_is_shown_where_the_grid_reaches_it() -> None:
    view = replace(ternary(), minimum=100.0, maximum=101.0, low=0.0, high=101.0)
    assert shape.fit_range(replace(view, minimum=5.0, maximum=7.0, high=7.0), with_grid=True) == (
        0,
        7,
    )
    assert shape.fit_range(view, with_grid=True)[1] == 101.0


def test_clip_lines_are_dragged_only_where_a_clip_can_be_set(plot: HistogramPlot) -> None:
    plot.show_view(replace(ternary(), can_clip=True))
    assert all(line.movable for line in plot.clips)
    plot.show_view(replace(ternary(), can_clip=True, blocks=4, block=1))
    assert not any(line.movable for line in plot.clips)
    plot.show_view(ternary())
    assert not any(line.movable for line in plot.clips)
    assert all(line.isVisible() for line in plot.clips)
    plot.show_view(replace(ternary(), low=None, high=None))
    assert not any(line.isVisible() for line in plot.clips)


@pytest.mark.parametrize(
    "change",
    [
        {"levels": NOTHING, "thresholds": NOTHING},
        {"levels": np.array([0.5]), "thresholds": NOTHING},
        {"levels": np.array([0.0, 0.0, 1.0]), "thresholds": np.array([0.0, 0.5])},
        {"levels": np.linspace(-448, 448, 65536), "thresholds": NOTHING},
        {"counts": NOTHING, "quantized_counts": None, "edges": NOTHING},
        {"low": None, "high": None, "curve_x": np.array([1.0]), "curve_db": np.array([np.inf])},
    ],
)
def test_grids_of_every_kind_are_drawn(plot: HistogramPlot, change: dict[str, object]) -> None:
    values = {name: getattr(ternary(), name) for name in DistributionView.__slots__}
    plot.show_view(DistributionView(**{**values, **change}))
    for few in (100, 800):
        plot.show_view(DistributionView(**{**values, "values": few, **change}))
        plot.set_log(True)
        plot.set_palette(DARK)
    assert not plot.grab().isNull()


def test_the_end_of_the_grid_out_of_view_is_told(plot: HistogramPlot) -> None:
    plot.show_view(replace(ternary(), low=-448.0, high=4.0))
    left, right = plot.grid.beyond
    assert left.isVisible()
    assert "448" in left.toPlainText()
    assert not right.isVisible()


def test_the_readout_names_the_level_the_error_and_the_count(plot: HistogramPlot) -> None:
    view = ternary()
    steps = shape.float_steps(view, 1)
    assert read_out(view, steps, 2.5).splitlines() == [
        "2.5 → 0",
        "error \N{MINUS SIGN}2.5",
        "100 values in this bin",
    ]
    assert "(clipped)" not in read_out(view, steps, 4.4)  # half a step past ±3 is rounding
    assert "(clipped)" in read_out(view, steps, 4.6)
    named = read_out(view, steps, 2.5, [RangeLine("entropy", "KL", -2.5, 2.5, 31.0, False, "")])
    assert named.endswith("KL: 31.0 dB")
    assert read_out(shape.without_grid(view), steps, 9.0) == "9\n0 values in this bin"
    plot.show_view(view)
    scene = plot.box.mapViewToScene(QPointF(2.5, 50.0))
    plot.canvas.sceneObj.sigMouseMoved.emit(scene)
    assert plot.readout.isVisible()
    assert plot.readout.text().startswith("2.5 → 0")
    plot.canvas.sceneObj.sigMouseMoved.emit(QPointF(1.0, 1.0))
    assert not plot.readout.isVisible()


def test_the_curve_has_two_sides_and_a_dot_at_each_end_of_the_clip() -> None:
    view = replace(
        ternary(),
        curve_x=np.array([-4.0, -2.0, 2.0, 4.0]),
        curve_db=np.array([10.0, 20.0, 20.0, np.inf]),
    )
    at, found = dots(replace(view, sqnr_db=None), (-3.0, 3.0))
    assert at.tolist() == [-3.0]  # the other side is known at 2 alone
    assert found.tolist() == [15.0]
    at, found = dots(replace(view, sqnr_db=12.0), (-3.0, 3.0))
    assert found.tolist() == [12.0]  # what was measured, as the figures above say
    x, decibels = curve(view, at, found)
    assert x[:3].tolist() == [-4.0, -3.0, -2.0]
    assert decibels[1] == 12.0
    assert np.isnan(decibels[3])
    worst, best = decibel_range(decibels)
    assert worst == 0.0
    assert 20.0 < best < 23.0
    assert decibel_range(np.array([-17.0, -3.0]))[0] == -20.0


def test_no_error_at_all_stands_at_the_top_of_the_curve(plot: HistogramPlot) -> None:
    curve_x, curve_db = np.array([1.0, 2.0, 4.0]), np.array([5.0, 20.0, 10.0])
    plot.show_view(replace(ternary(), sqnr_db=np.inf, curve_x=curve_x, curve_db=curve_db))
    _, heights = plot.curve.dots.getData()
    assert heights == pytest.approx(plot.box.viewRange()[1][1:])


def test_the_curve_stands_where_its_axis_says(plot: HistogramPlot) -> None:
    view = replace(
        ternary(), curve_x=np.array([1.0, 2.0, 4.0]), curve_db=np.array([5.0, 20.0, 10.0])
    )
    plot.show_view(view)
    assert plot.shows_curve
    axis = plot.canvas.getPlotItem().getAxis("right")
    assert axis.isVisible()
    (_, places), *_ = axis.tickValues(*plot.box.viewRange()[1], 200)
    assert axis.tickStrings(places, 1, 1)[:2] == ["0 dB", "10 dB"]
    _, heights = plot.curve.line.getData()
    assert heights[-1] == pytest.approx(places[1])
    plot.set_curve(False)
    assert not plot.shows_curve
    assert not axis.isVisible()


def test_an_encoding_that_is_not_known_yet_is_not_called_float() -> None:
    view = replace(distribution([1.0, 2.0], [0.0, 1.0]), quantized_counts=None)
    assert figures(replace(view, scheme="int4:mse")).endswith("measuring…")
    assert figures(replace(view, scheme="float")).endswith("kept in float")


def test_blocks_are_offered_only_where_there_are_some(qtbot: QtBot) -> None:
    panel = HistogramPanel("weight")
    qtbot.addWidget(panel)
    panel.show_view(ternary())
    assert panel.block.isHidden()
    panel.show_view(replace(ternary(), blocks=8, block=3))
    assert not panel.block.isHidden()
    assert (panel.block.value(), panel.block.maximum()) == (3, 7)
    assert "block scale" in figures(replace(ternary(), blocks=8, block=3))


def test_the_legend_names_all_that_is_drawn_in_as_many_lines_as_it_takes(qtbot: QtBot) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.show_parts(Parts(curve=True, threshold=True))
    whole = legend.sizeHint().width()
    assert legend.lines(whole) == [["float", "quantized", "curve", "threshold"]]
    assert legend.lines(whole - 1) == [["float", "quantized", "curve"], ["threshold"]]
    assert legend.heightForWidth(whole - 1) == 2 * legend.heightForWidth(whole)
    legend.resize(whole - 1, legend.heightForWidth(whole - 1))
    assert not legend.grab().isNull()


def test_the_wide_levels_of_a_grid_are_drawn_one_by_one() -> None:
    view = ternary()
    assert shape.is_coarse(view, -4.0, 4.0, 200)
    fine = replace(view, levels=np.linspace(-4.0, 4.0, 201), thresholds=NOTHING)
    assert not shape.is_coarse(fine, -4.0, 4.0, 200)
    assert shape.is_coarse(fine, 0.0, 0.4, 200)  # zoomed in
    powers = np.concatenate(([0.0], 2.0 ** np.arange(-14, 1)))
    assert shape.is_coarse(replace(view, levels=powers, thresholds=NOTHING), 0.0, 1.0, 200)
    assert not shape.is_coarse(shape.without_grid(view), -4.0, 4.0, 200)


def test_a_level_with_one_value_is_seen_on_a_logarithmic_axis(plot: HistogramPlot) -> None:
    view = replace(ternary(), quantized_counts=np.array([0.0, 1, 0, 0, 798, 0, 0, 1]))
    plot.set_log(True)
    plot.show_view(view)
    at, heights = plot.series.quantized.heads.getData()
    assert at.tolist() == [-3.0, 0.0, 3.0]
    assert heights == pytest.approx(np.log10([1.0, 798.0, 1.0]))
    assert plot.box.viewRange()[1][1] > heights.max()


def test_a_value_spread_over_a_wide_step_still_reaches_one() -> None:
    steps = shape.Steps(np.array([0.0, 10.0, 20.0, 30.0]), np.array([0.1, 0.0, 7.0]))
    assert shape.seen(steps, 1.0).heights.tolist() == [1.0, 0.0, 7.0]
    assert shape.seen(steps, 4.0).heights.tolist() == [0.1, 0.0, 7.0]  # a quarter of a value


def test_the_grounds_shade_what_is_counted_as_clipped(plot: HistogramPlot) -> None:
    low, high = plot.ends.grounds
    plot.show_view(ternary())
    assert low.getRegion()[1] == -4.5
    assert high.getRegion()[0] == 4.5
    assert "half a step" in low.toolTip()
    squeezed = replace(ternary(), clipped=0.0, minimum=-9.0)  # as DoReFa does
    plot.show_view(squeezed)
    assert not low.isVisible()
    plot.show_view(replace(squeezed, clipped=0.01))
    assert low.isVisible()


@pytest.mark.parametrize(
    ("low", "high"), [(-0.0042, 0.0042), (0.0, 255.0), (-0.137, 0.137), (0.31, 0.94), (-2e-7, 9e-7)]
)
@pytest.mark.parametrize("pixels", [206.0, 286.0, 700.0])
def test_a_value_axis_has_three_ticks_or_more_with_honest_labels(
    low: float, high: float, pixels: float
) -> None:
    axis = ValueAxis()
    ((spacing, values),) = axis.tickValues(low, high, pixels)
    assert len(values) >= 3
    shown = axis.tickStrings(values, 1.0, spacing)
    said = [float(words.replace("\N{MINUS SIGN}", "-")) for words in shown]
    assert said == pytest.approx(values)
    assert max(map(len, shown)) * 6.0 <= spacing / (high - low) * pixels  # no label on another


def test_clip_lines_stand_at_the_clip_that_was_set_by_hand() -> None:
    view = replace(ternary(), can_clip=True, scheme="uint8:clip=-2.9..3.2", low=-3.0, high=3.1)
    assert stand_at(view) == (-2.9, 3.2)
    assert stand_at(replace(view, mirrored=True)) == (-3.2, 3.2)
    assert stand_at(replace(view, levels=NOTHING)) == (-2.9, 3.1)  # no channel reaches so far
    assert stand_at(replace(view, scheme="uint8")) == (-3.0, 3.1)


def test_the_chip_rounds_the_clip_and_its_tooltip_has_all_of_it(qtbot: QtBot) -> None:
    panel = HistogramPanel("weight")
    qtbot.addWidget(panel)
    panel.show_view(replace(ternary(), scheme="uint8:clip=-0.106159..0.0497171"))
    assert panel.scheme.text() == "uint8:clip=-0.106..0.0497"
    assert panel.scheme.toolTip() == "uint8:clip=-0.106159..0.0497171"


def test_figures_of_a_sample_say_so() -> None:
    assert "on a sample of 32,768 values" in figures(replace(ternary(), sampled=32768))

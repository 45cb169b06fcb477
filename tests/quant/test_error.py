"""Error metrics against their definitions, and histograms against the values they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, reduce

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.error import (
    ERROR_METRICS,
    ROUNDING_NOISE,
    ErrorMetric,
    bias,
    cosine,
    max_error,
    measure_channels,
    measure_error,
    mse,
    points_for,
    sqnr_db,
    squared_error,
)
from qviz.quant.grids import Integers
from qviz.quant.measure import measure
from qviz.quant.points import Points
from qviz.quant.spelling import parse_scheme
from qviz.quant.statistics import TensorStats, merge


def grid(scale: float, qmin: int, qmax: int) -> Scaled:
    zero = torch.zeros(1, dtype=torch.int32)
    return Scaled(Integers(qmin, qmax), torch.tensor([scale]), zero, None)


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def of(metric: ErrorMetric, x: Tensor, q: Tensor, counts: Tensor | None = None) -> float:
    return float(metric(x, q, torch.ones_like(x) if counts is None else counts))


@given(st.lists(st.tuples(st.floats(-9, 9, width=32), st.integers(0, 4)), min_size=1))
def test_a_count_is_that_many_values(pairs: list[tuple[float, int]]) -> None:
    repeated = [value for value, count in pairs for _ in range(count)] or [0.0]
    counted = [*pairs, (0.0, 1)] if len(repeated) == 1 and not any(c for _, c in pairs) else pairs
    values = torch.tensor([[value for value, _ in counted]])
    counts = torch.tensor([[float(count) for _, count in counted]], dtype=torch.float64)
    encoding = grid(0.7, -4, 3)
    by_count = measure_error(Points(values, counts), encoding)
    by_value = measure_error(Points(torch.tensor([repeated])), encoding)
    for name in (*ERROR_METRICS, "clipped"):
        assert getattr(by_count, name) == pytest.approx(getattr(by_value, name), rel=1e-6), name


def test_the_mean_is_not_removed() -> None:
    x, q = row(11.0, 9.0), row(10.0, 10.0)
    assert of(sqnr_db, x, q) == pytest.approx(10 * math.log10(202 / 2))


def test_exact_and_hopeless_cases() -> None:
    zero, one = row(0.0, 0.0), row(1.0, 1.0)
    assert of(sqnr_db, one, one) == math.inf
    assert of(sqnr_db, zero, zero) == math.inf
    assert of(sqnr_db, zero, one) == -math.inf
    assert of(sqnr_db, one, zero) == 0.0
    assert of(cosine, zero, zero) == 1.0
    assert of(cosine, one, zero) == 0.0
    assert of(cosine, one, -one) == pytest.approx(-1.0)
    assert (of(mse, one, zero), of(max_error, one, zero)) == (1.0, 1.0)
    assert (of(bias, zero, one), of(bias, one, zero)) == (0.0, -1.0)


def test_bias_is_the_mean_error_over_the_rms() -> None:
    x, q = row(3.0, 5.0), row(4.0, 5.0)
    assert of(bias, x, q) == pytest.approx(0.5 / math.sqrt(17.0))
    assert of(bias, x, q, row(3.0, 1.0)) == pytest.approx(0.75 / math.sqrt(13.0))


def test_metrics_answer_for_every_row() -> None:
    x, q = torch.cat([row(1.0, 2.0), row(0.0, 0.0)]), torch.cat([row(1.0, 1.0), row(0.0, 0.0)])
    for metric in ERROR_METRICS.values():
        rows = metric(x, q, torch.ones_like(x)).tolist()
        assert rows == [of(metric, x[at : at + 1], q[at : at + 1]) for at in range(2)]


def test_what_does_not_occur_has_no_error() -> None:
    x, q, counts = row(1.0, 5.0), row(1.0, 0.0), row(2.0, 0.0)
    assert of(max_error, x, q, counts) == of(mse, x, q, counts) == 0.0
    assert of(sqnr_db, x, q, counts) == math.inf


def test_values_beyond_half_a_step_outside_are_clipped() -> None:
    x = torch.tensor([[-4.6, -4.4, 0.0, 3.4, 3.6, 9.0, 1.0, 2.0]])
    assert measure_error(Points(x), grid(1.0, -4, 3)).clipped == 3 / 8
    counts = torch.tensor([[1.0, 1, 1, 1, 1, 95, 0, 0]], dtype=torch.float64)
    assert measure_error(Points(x, counts), grid(1.0, -4, 3)).clipped == 0.97


def test_each_channel_is_clipped_by_its_own_grid() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]])
    zero = torch.zeros(2, dtype=torch.int32)
    own = Scaled(Integers(-2, 2), torch.tensor([1.0, 0.25]), zero, 0)
    assert measure_error(Points(x), own).clipped == (2 + 4) / 8
    rows = squared_error(Points(x), own)
    assert rows.tolist() == pytest.approx([1.0 + 4.0, 0.5**2 + 1.5**2 + 2.5**2 + 3.5**2])


@given(
    st.integers(0, 2**32),
    st.sampled_from(["int8", "int8:full", "int4:full", "uint8", "int16:full", "uint16", "int3:asym",
                     "int8:channel:full"]),
)  # fmt: skip
def test_min_max_clips_nothing(seed: int, spelling: str) -> None:
    x = torch.randn(2, 40, generator=torch.Generator().manual_seed(seed))
    stats = measure(x, 0, keep=True)
    encoding = find_encoding(stats, parse_scheme(spelling))
    assert isinstance(encoding, Scaled)
    assert measure_error(points_for(stats, encoding), encoding).clipped == 0.0


@cache
def activations(kind: str) -> tuple[Tensor, TensorStats]:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(200_000, generator=generator)
    uniform = torch.rand(200_000, generator=generator).clamp(1e-6, 1 - 1e-6)
    x = {
        "relu": normal.relu(),
        "normal": normal * 1e-5 + 1e-6,
        "laplace": -(uniform - 0.5).sign() * torch.log1p(-2 * (uniform - 0.5).abs()),
        "uniform": uniform * 1e5,
    }[kind]
    return x, measure(x)


@pytest.mark.parametrize("kind", ["relu", "normal", "laplace", "uniform"])
@pytest.mark.parametrize("spelling", ["uint8", "int8", "uint8:mse", "uint4:percentile", "int16"])
def test_histograms_measure_what_the_values_would(kind: str, spelling: str) -> None:
    x, stats = activations(kind)
    encoding = find_encoding(stats, parse_scheme(spelling))
    binned = measure_error(stats.points(), encoding)
    direct = measure_error(Points(x.reshape(1, -1)), encoding)
    fine = parse_scheme(spelling).bits > 8  # bins are wider than a step: one phase sample per bin
    assert binned.mse == pytest.approx(direct.mse, rel=0.06 if fine else 0.002)
    assert binned.sqnr_db == pytest.approx(direct.sqnr_db, abs=0.25 if fine else 0.01)
    angles = 1.0 - binned.cosine, 1.0 - direct.cosine
    assert angles[0] == pytest.approx(angles[1], rel=0.06 if fine else 0.002, abs=1e-12)
    # The largest value, where it is clipped, is known to a bin.
    assert binned.max_error == pytest.approx(direct.max_error, rel=0.02, abs=stats.width)
    a_bin = 4e-4 if kind == "uniform" else 1e-4  # of all values, where the range ends
    assert binned.clipped == pytest.approx(direct.clipped, abs=a_bin)


def mixed() -> list[Tensor]:
    """Batches that have little in common."""
    draw = torch.Generator().manual_seed(3)
    normal = torch.randn(6, 50_000, generator=draw)
    uniform = torch.rand(50_000, generator=draw)
    return [normal[0], 20 * uniform - 3, normal[1].relu(), normal[2] ** 3, 0.1 * normal[3:].sum(0)]


SHOWN: dict[str, Callable[[], list[Tensor]]] = {
    "normal": lambda: [activations("normal")[0]],
    "laplace": lambda: [activations("laplace")[0]],
    "relu": lambda: [activations("relu")[0]],
    "uniform": lambda: [activations("uniform")[0]],
    "outlier": lambda: [activations("normal")[0] * 1e5, torch.full((1,), 3000.0)],
    "merged": mixed,
    "pixels": lambda: [(activations("uniform")[0] / 1e5 * 255).floor() / 255],
}
GRIDS = [f"{sign}{bits}:pow2" for sign in ("int", "uint") for bits in range(8, 17)]
GRIDS += [
    "int8",
    "uint8:percentile",
    "int8:percentile=99",
    "int4:mse",
    "int12:mse",
    "int4:clip=-3..3",
]
GRIDS += [
    "int16",
    "float16",
    "bfloat16",
    "lloyd4",
    "lloyd7",
    "fp8-e4m3",
    "fp8-e5m2",
    "pot6",
    "binary",
]


@pytest.mark.parametrize("kind", SHOWN)
@pytest.mark.parametrize("spelling", GRIDS)
def test_the_error_shown_of_an_activation_is_the_true_one(kind: str, spelling: str) -> None:
    batches = SHOWN[kind]()
    stats = reduce(merge, [measure(batch.reshape(-1, 1), 1) for batch in batches])
    x = torch.cat(batches).reshape(1, -1)
    encoding = find_encoding(stats, parse_scheme(spelling))
    shown = measure_error(points_for(stats, encoding), encoding)
    true = measure_error(Points(x), encoding)
    assert shown.sqnr_db == pytest.approx(true.sqnr_db, abs=0.2)
    assert shown.bias == pytest.approx(true.bias, abs=3e-3)
    assert shown.cosine == pytest.approx(true.cosine, abs=1e-2)


@pytest.mark.parametrize("spelling", ["int16", "int13:pow2", "float16"])
def test_what_was_sampled_is_said(spelling: str) -> None:
    x, stats = activations("normal")
    encoding = find_encoding(stats, parse_scheme(spelling))
    found = measure_error(points_for(stats, encoding), encoding).sampled
    assert stats.sample is not None
    assert found == stats.sample.numel() < x.numel()
    coarse = find_encoding(stats, parse_scheme("int6"))
    assert measure_error(points_for(stats, coarse), coarse).sampled is None
    few = measure(x[:500])
    assert measure_error(points_for(few, encoding), encoding).sampled is None
    blocks = find_encoding(stats, parse_scheme("mxfp4"))
    assert measure_error(points_for(stats, blocks), blocks).sampled == found


def test_a_number_in_blocks_is_measured_on_itself() -> None:
    stats = measure(torch.tensor(3.3))
    encoding = find_encoding(stats, parse_scheme("mxfp4"))
    found = measure_error(points_for(stats, encoding), encoding)
    assert found.max_error == pytest.approx(0.3, rel=1e-5)


@pytest.mark.parametrize("spelling", ["dorefa-w2", "dorefa-w4", "dorefa-w4:minmax", "binary"])
def test_cells_without_an_end_clip_nothing(spelling: str) -> None:
    x = 2 * torch.randn(4, 500, generator=torch.Generator().manual_seed(4))
    stats = measure(x, 0, keep=True)
    encoding = find_encoding(stats, parse_scheme(spelling))
    assert measure_error(points_for(stats, encoding), encoding).clipped == 0.0
    assert float(measure_channels(Points(x), encoding).clipped.sum()) == 0.0


def test_rounding_noise_is_0289_of_a_step_and_only_uniform_grids_have_one() -> None:
    x = torch.rand(20_000, generator=torch.Generator().manual_seed(1)).reshape(4, -1) * 2 - 1
    for spelling in ("int6", "uint4:channel", "int4:group=32"):
        stats = measure(x, 0, keep=True)
        encoding = find_encoding(stats, parse_scheme(spelling))
        found = measure_error(points_for(stats, encoding), encoding).rmse_steps
        assert found == pytest.approx(ROUNDING_NOISE, rel=0.03), spelling
    for spelling in ("nf4", "fp4", "kmeans3", "float16", "ternary"):
        encoding = find_encoding(measure(x, 0, keep=True), parse_scheme(spelling))
        assert measure_error(Points(x), encoding).rmse_steps is None, spelling


@pytest.mark.parametrize("spelling", ["int4", "int4:channel", "int4:group=16", "nf4", "kmeans2"])
def test_channels_are_measured_as_if_alone(spelling: str) -> None:
    x = torch.randn(3, 50, generator=torch.Generator().manual_seed(2))
    x[1] = 0.0
    encoding = find_encoding(measure(x, 0, keep=True), parse_scheme(spelling))
    assert isinstance(encoding, Scaled)
    rows = measure_channels(Points(x), encoding)
    for channel in range(3):
        alone = measure_error(Points(x[channel : channel + 1]), encoding.row(channel))
        for name in ERROR_METRICS:
            found = float(rows.values[name][channel])
            assert found == pytest.approx(getattr(alone, name), rel=1e-12), name
        assert float(rows.clipped[channel]) == alone.clipped
        if rows.rmse_steps is None:
            assert alone.rmse_steps is None
        else:
            assert float(rows.rmse_steps[channel]) == pytest.approx(alone.rmse_steps, rel=1e-12)

"""Error metrics against their definitions, and histograms against the values they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from qviz.quant.error import (
    ERROR_METRICS,
    clipped_share,
    cosine,
    max_error,
    measure_error,
    mse,
    sqnr_db,
    squared_error,
)
from qviz.quant.grids import Encoding, fake_quantize
from qviz.quant.ranges import find_encoding
from qviz.quant.scheme import parse_scheme
from qviz.quant.statistics import Points, measure


def grid(scale: float, qmin: int, qmax: int) -> Encoding:
    return Encoding(torch.tensor([scale]), torch.zeros(1, dtype=torch.int32), qmin, qmax, None)


def weighted(x: Tensor) -> Tensor:
    return torch.ones_like(x)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["int3", "uint4:mse", "int8:full", "int4:channel"]))
def test_measures_are_those_of_numpy(seed: int, spelling: str) -> None:
    x = torch.randn(3, 50, generator=torch.Generator().manual_seed(seed))
    stats = measure(x, 0, keep=True)
    encoding = find_encoding(stats, parse_scheme(spelling))
    found = measure_error(stats.points(channel=encoding.axis is not None), encoding)
    a = x.double().numpy().ravel()
    b = fake_quantize(x, encoding).double().numpy().ravel()
    assert found.mse == pytest.approx(np.mean((a - b) ** 2), rel=1e-9)
    ratio = np.sum(a**2) / np.sum((a - b) ** 2)
    assert found.sqnr_db == pytest.approx(10 * np.log10(ratio), rel=1e-9)
    product = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    assert found.cosine == pytest.approx(product, rel=1e-9)
    assert found.max_error == pytest.approx(np.abs(a - b).max(), rel=1e-9)


@settings(deadline=None)
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
    x, q = torch.tensor([11.0, 9.0]).double(), torch.tensor([10.0, 10.0]).double()
    assert sqnr_db(x, q, weighted(x)) == pytest.approx(10 * math.log10(202 / 2))


def test_exact_and_hopeless_cases() -> None:
    zero, one = torch.zeros(2).double(), torch.ones(2).double()
    ones = weighted(one)
    assert sqnr_db(one, one, ones) == math.inf
    assert sqnr_db(zero, zero, ones) == math.inf
    assert sqnr_db(zero, one, ones) == -math.inf
    assert sqnr_db(one, zero, ones) == 0.0
    assert cosine(zero, zero, ones) == 1.0
    assert cosine(one, zero, ones) == 0.0
    assert cosine(one, -one, ones) == pytest.approx(-1.0)
    assert (mse(one, zero, ones), max_error(one, zero, ones)) == (1.0, 1.0)


def test_what_does_not_occur_has_no_error() -> None:
    x, q = torch.tensor([1.0, 5.0]).double(), torch.tensor([1.0, 0.0]).double()
    counts = torch.tensor([2.0, 0.0]).double()
    assert max_error(x, q, counts) == mse(x, q, counts) == 0.0
    assert sqnr_db(x, q, counts) == math.inf


def test_values_beyond_half_a_step_outside_are_clipped() -> None:
    x = torch.tensor([[-4.6, -4.4, 0.0, 3.4, 3.6, 9.0, 1.0, 2.0]])
    assert clipped_share(Points(x), grid(1.0, -4, 3)) == 3 / 8
    counts = torch.tensor([[1.0, 1, 1, 1, 1, 95, 0, 0]], dtype=torch.float64)
    assert clipped_share(Points(x, counts), grid(1.0, -4, 3)) == 0.97


def test_each_channel_is_clipped_by_its_own_grid() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]])
    zero = torch.zeros(2, dtype=torch.int32)
    own = Encoding(torch.tensor([1.0, 0.25]), zero, -2, 2, 0)
    assert clipped_share(Points(x), own) == (2 + 4) / 8
    rows = squared_error(Points(x), own)
    assert rows.tolist() == pytest.approx([1.0 + 4.0, 0.5**2 + 1.5**2 + 2.5**2 + 3.5**2])


@settings(deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["int8", "int8:full", "int4:full", "uint8", "int16:full", "uint16", "int3:asym",
                     "int8:channel:full"]),
)  # fmt: skip
def test_min_max_clips_nothing(seed: int, spelling: str) -> None:
    x = torch.randn(2, 40, generator=torch.Generator().manual_seed(seed))
    stats = measure(x, 0, keep=True)
    encoding = find_encoding(stats, parse_scheme(spelling))
    assert clipped_share(stats.points(channel=encoding.axis is not None), encoding) == 0.0


def activations(kind: str) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(200_000, generator=generator)
    uniform = torch.rand(200_000, generator=generator).clamp(1e-6, 1 - 1e-6)
    return {
        "relu": normal.relu(),
        "normal": normal * 1e-5 + 1e-6,
        "laplace": -(uniform - 0.5).sign() * torch.log1p(-2 * (uniform - 0.5).abs()),
        "uniform": uniform * 1e5,
    }[kind]


@pytest.mark.parametrize("kind", ["relu", "normal", "laplace", "uniform"])
@pytest.mark.parametrize("spelling", ["uint8", "int8", "uint8:mse", "uint4:percentile", "int16"])
def test_histograms_measure_what_the_values_would(kind: str, spelling: str) -> None:
    x = activations(kind)
    stats = measure(x)
    encoding = find_encoding(stats, parse_scheme(spelling))
    binned = measure_error(stats.points(), encoding)
    direct = measure_error(Points(x.reshape(1, -1)), encoding)
    fine = parse_scheme(spelling).bits > 8  # bins are wider than a step: one phase sample per bin
    assert binned.mse == pytest.approx(direct.mse, rel=0.06 if fine else 0.002)
    assert binned.sqnr_db == pytest.approx(direct.sqnr_db, abs=0.25 if fine else 0.01)
    angles = 1.0 - binned.cosine, 1.0 - direct.cosine
    assert angles[0] == pytest.approx(angles[1], rel=0.06 if fine else 0.002, abs=1e-12)
    assert binned.max_error == pytest.approx(direct.max_error, rel=0.02)
    assert binned.clipped == pytest.approx(direct.clipped, abs=1e-4)

"""Paired comparisons against the golden values of the science sheet."""

from __future__ import annotations

import math

import pytest

from qviz.engine.estimates import e_value, mcnemar, tango

TANGO = [
    (40, 20, 160, 0.03086453, 0.21806424),
    (5, 0, 41, 0.02583638, 0.25544212),
    (1, 7, 21, -0.51723228, -0.02600303),
    (60, 40, 10000, 0.00004081, 0.00403100),
    (8, 3, 500, -0.00356742, 0.02601395),
    (0, 0, 1000, -0.00382676, 0.00382676),
    (10, 0, 500, 0.01089918, 0.03642018),
]
MCNEMAR = [
    (5, 0, 0.0625, 0.03125),
    (6, 0, 0.03125, 0.015625),
    (10, 3, 0.0922851562, 0.0573730469),
    (12, 5, 0.1434631348, 0.0962524414),
    (40, 20, 0.0134892937, 0.0098534482),
    (8, 2, 0.109375, 0.0654296875),
    (100, 70, 0.0258443876, 0.0215065425),
    (0, 0, 1.0, 1.0),
]


@pytest.mark.parametrize(("b", "c", "n", "low", "high"), TANGO)
def test_tango_golden_values(b: int, c: int, n: int, low: float, high: float) -> None:
    assert tango(b, c, n) == pytest.approx((low, high), abs=1e-8)
    assert tango(c, b, n) == pytest.approx((-high, -low), abs=1e-8)


@pytest.mark.parametrize("n", [100, 500, 10000])
def test_tango_is_finite_where_nothing_differs(n: int) -> None:
    z2 = 1.959963984540054**2
    assert tango(0, 0, n) == pytest.approx((-z2 / (n + z2), z2 / (n + z2)), abs=1e-10)


def test_tango_reaches_the_end_where_every_sample_differs() -> None:
    assert tango(3, 0, 3)[1] == 1.0
    assert tango(0, 3, 3)[0] == -1.0
    assert tango(0, 0, 0) == (-1.0, 1.0)


@pytest.mark.parametrize(("b", "c", "p", "mid"), MCNEMAR)
def test_mcnemar_golden_values(b: int, c: int, p: float, mid: float) -> None:
    assert mcnemar(b, c) == pytest.approx(p, abs=1e-9)
    assert mcnemar(b, c, mid=True) == pytest.approx(mid, abs=1e-9)


def test_mcnemar_of_many_samples_is_near_the_normal_one() -> None:
    z = abs(2000 - 1900) / math.sqrt(3900)
    assert mcnemar(2000, 1900, mid=True) == pytest.approx(math.erfc(z / math.sqrt(2)), abs=1e-3)


@pytest.mark.parametrize(
    ("b", "c", "e"), [(10, 0, 93.0909), (10, 3, 2.04595), (20, 5, 24.2905), (40, 20, 4.50884)]
)
def test_e_value_golden_values(b: int, c: int, e: float) -> None:
    assert e_value(b, c) == pytest.approx(e, rel=1e-5)


def test_an_e_value_beyond_all_numbers_is_infinite() -> None:
    assert e_value(5000, 0) == math.inf

"""Curves of the clip and of the width: their ends, their figures, and tensors of zeros."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from qviz.quant.curves import (
    ClipCurve,
    clip_curve,
    curve_profile,
    range_choices,
    width_points,
    widths,
)
from qviz.quant.encode import find_encoding
from qviz.quant.error import measure_error
from qviz.quant.measure import measure
from qviz.quant.points import Points
from qviz.quant.spelling import parse_scheme
from qviz.quant.statistics import TensorStats


def normal(rows: int = 4) -> Tensor:
    return torch.randn(rows, 2000, generator=torch.Generator().manual_seed(0))


def curve(stats: TensorStats, spelling: str) -> ClipCurve:
    scheme = parse_scheme(spelling)
    return clip_curve(curve_profile(stats, scheme), stats, scheme)


def sqnr(x: Tensor, spelling: str) -> float:
    stats = measure(x, 0, keep=True)
    encoding = find_encoding(stats, parse_scheme(spelling))
    return measure_error(Points(x), encoding).sqnr_db


@pytest.mark.parametrize("spelling", ["int4", "int4:channel", "fp4"])
def test_both_ends_of_a_symmetric_grid_move(spelling: str) -> None:
    found = curve(measure(normal(), 0, keep=True), spelling)
    assert bool((found.positions.diff() > 0).all())
    assert torch.equal(found.positions, -found.positions.flip(0))
    assert torch.equal(found.sqnr_db, found.sqnr_db.flip(0))
    at = int(found.sqnr_db.argmax())
    assert abs(float(found.positions[at])) == pytest.approx(2.5, abs=0.5) or spelling == "fp4"


@pytest.mark.parametrize("spelling", ["uint4", "uint4:channel"])
def test_a_point_of_the_curve_is_the_error_of_that_clip(spelling: str) -> None:
    x = normal()
    found = curve(measure(x, 0, keep=True), spelling)
    top = float(x.max())
    for at in (0, 17, 47, 50, 70, 90):
        place = float(found.positions[at])
        low, high = (place, top) if place < 0 else (float(x.min()), place)
        clip = f"{spelling}:clip={low:.6g}..{high:.6g}"
        assert float(found.sqnr_db[at]) == pytest.approx(sqnr(x, clip), abs=0.02)


@pytest.mark.parametrize(("sign", "side"), [(1, 1), (-1, -1)])
def test_values_of_one_sign_have_one_side(sign: int, side: int) -> None:
    found = curve(measure(sign * normal().abs(), 0, keep=True), "uint4")
    assert len(found.positions) == 48
    assert bool((found.positions * side > 0).all())


@pytest.mark.parametrize("spelling", ["int8", "uint8", "int4:channel", "uint4:channel", "fp8"])
@pytest.mark.parametrize("keep", [True, False])
def test_zeros_have_no_curve_and_no_error(spelling: str, keep: bool) -> None:
    if not keep and "channel" in spelling:
        return  # activations have one range
    stats, scheme = measure(torch.zeros(3, 9), 0, keep=keep), parse_scheme(spelling)
    values = curve_profile(stats, scheme)
    found = clip_curve(values, stats, scheme)
    assert len(found.positions) == len(found.sqnr_db) == 0
    for sums in (values, None):
        assert {c.sqnr_db for c in range_choices(stats, scheme, sums)} == {math.inf}
        assert {w.sqnr_db for w in width_points(stats, scheme, sums)} == {math.inf}


def test_a_scheme_is_among_its_own_widths() -> None:
    for spelling in ("int4", "int9", "uint16:pow2", "fp8", "mxfp8", "kmeans3", "float16"):
        scheme = parse_scheme(spelling)
        assert scheme in widths(scheme)
    assert [width.bits for width in widths(parse_scheme("int5"))] == list(range(1, 9))
    assert [width.bits for width in widths(parse_scheme("int12"))] == list(range(1, 13))


@pytest.mark.parametrize("spelling", ["int8", "int16", "uint12:pow2", "int8:mse", "fp8"])
@pytest.mark.parametrize("outlier", [4.0, 2000.0])
def test_widths_of_an_activation_are_those_of_its_values(spelling: str, outlier: float) -> None:
    x = torch.randn(100_000, 1, generator=torch.Generator().manual_seed(1))
    x[5] = outlier
    stats, scheme = measure(x, 1), parse_scheme(spelling)
    values = curve_profile(stats, scheme)
    for found, trial in zip(width_points(stats, scheme, values), widths(scheme), strict=True):
        true = measure_error(Points(x.T), find_encoding(stats, trial)).sqnr_db
        assert found.sqnr_db == pytest.approx(true, abs=0.2), found.format

"""A scheme is a frozen value that forgets what its format does not have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qviz.quant.formats import ALIASES, FORMATS
from qviz.quant.ranges import RANGE_METHODS
from qviz.quant.scheme import DEFAULT_PERCENTILE, FLOAT, Scheme, plain
from qviz.quant.spelling import parse_scheme


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("int8", (-127, 127)),
        ("int8:full", (-128, 127)),
        ("int8:wide", (-128, 127)),
        ("int8:asym", (-128, 127)),
        ("uint8", (0, 255)),
        ("uint8:sym", (0, 255)),
        ("int1", (-1, 0)),
        ("uint1", (0, 1)),
        ("int2", (-1, 1)),
        ("int4:full", (-8, 7)),
        ("uint16", (0, 65535)),
        ("int16", (-32767, 32767)),
    ],
)
def test_code_bounds(text: str, codes: tuple[int, int]) -> None:
    assert parse_scheme(text).code_bounds == codes


def test_bare_formats_are_symmetric_and_restricted_where_they_are_signed() -> None:
    assert parse_scheme("int8") == Scheme("int8", "tensor", symmetric=True, code_range="narrow")
    assert parse_scheme("uint8") == Scheme("uint8", "tensor", symmetric=False, code_range="full")
    assert plain("int4", "channel") == parse_scheme("int4:channel")
    assert parse_scheme("float") == FLOAT
    assert FLOAT.is_float
    assert FLOAT.bits == 32
    for sign in (True, False):
        rows = [row for row in FORMATS.values() if row.integer and row.signed == sign]
        assert [row.bits for row in rows] == list(range(1, 17))


def test_a_scheme_forgets_what_it_does_not_use() -> None:
    percentile = parse_scheme("int8:percentile=99")
    assert replace(percentile, range="mse").percentile == DEFAULT_PERCENTILE
    assert replace(parse_scheme("int8:clip=-1..1"), range="minmax") == parse_scheme("int8")
    assert Scheme("int8", code_range="narrow", range="clip") == parse_scheme("int8")
    assert Scheme("float", "channel", code_range="narrow", range="mse") == FLOAT
    assert Scheme("fp8-e4m3", pow2=True, rounding="away", seed=3) == parse_scheme("fp8")
    assert Scheme("int8", symmetric=False, code_range="narrow") == parse_scheme("int8:asym")
    assert Scheme("uint8", symmetric=True, code_range="wide") == parse_scheme("uint8:sym")
    assert Scheme("int8", code_range="narrow", group=64) == parse_scheme("int8")
    assert Scheme("mxfp4", "tensor", group=64) == parse_scheme("mxfp4")
    assert Scheme("int8", "group", code_range="narrow") == parse_scheme("int8:group=128")
    assert Scheme("int1", symmetric=True) == parse_scheme("int1")
    assert Scheme("kmeans4", variant="log", seed=3) == parse_scheme("kmeans4")
    for once in ("entropy", "average"):  # channels have neither
        made = Scheme("int8", "channel", code_range="narrow", range=once)
        assert made == parse_scheme("int8:channel")
    assert Scheme("dorefa-w1", range="minmax") == parse_scheme("dorefa-w1")


def test_the_rows_fit_together() -> None:
    for name, row in FORMATS.items():
        assert row.name == name
        assert plain(name).granularity == row.granularities[0]
        assert plain(name).range == row.ranges[0]
        assert bool(row.group) == ("group" in row.granularities)
        assert row.roles
    computed = {"integer", "minifloat", "pot", "apot", "nf4"}
    for row in FORMATS.values():
        if row.family in computed:
            assert set(row.ranges) - {"unit", "stored"} <= set(RANGE_METHODS), row.name
    assert set(ALIASES.values()) <= set(FORMATS)
    assert not set(ALIASES) & set(FORMATS)
    assert parse_scheme("fp4") == plain("fp4-e2m1")

"""A scheme has one spelling, and every spelling one scheme."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qviz.errors import QvizError
from qviz.quant.scheme import DEFAULT_PERCENTILE, FLOAT, FORMATS, Scheme, integer, parse_scheme

SIX_DIGITS = st.floats(0.0, 9e29).map(lambda value: float(f"{value:.6g}"))
CLIPS = st.tuples(SIX_DIGITS.map(lambda value: -value), SIX_DIGITS).filter(lambda c: c[0] < c[1])


def schemes() -> st.SearchStrategy[Scheme]:
    return st.builds(
        Scheme,
        format=st.sampled_from(list(FORMATS)),
        granularity=st.sampled_from(["tensor", "channel"]),
        symmetric=st.booleans(),
        narrow=st.booleans(),
        range=st.sampled_from(["minmax", "percentile", "mse", "clip"]),
        percentile=st.floats(50.0, 100.0, exclude_min=True),
        clip=st.none() | CLIPS,
    )


@given(schemes())
def test_every_scheme_reads_back_from_its_spelling(scheme: Scheme) -> None:
    assert parse_scheme(str(scheme)) == scheme


@given(schemes(), schemes())
def test_schemes_are_equal_exactly_when_their_spellings_are(a: Scheme, b: Scheme) -> None:
    assert (a == b) == (str(a) == str(b))


@given(schemes())
def test_options_stand_in_any_order_and_case(scheme: Scheme) -> None:
    head, *options = str(scheme).split(":")
    for order in itertools.permutations(options):
        text = " : ".join([head.upper(), *(option.upper() for option in order)])
        assert parse_scheme(f" {text} ") == scheme


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("float", "float"),
        ("uint8", "uint8"),
        ("int4:channel:mse", "int4:channel:mse"),
        ("INT4 : MSE : Channel", "int4:channel:mse"),
        ("int8:sym:narrow:tensor:minmax", "int8"),
        ("uint8:asym:full", "uint8"),
        ("int8:asym:full", "int8:asym"),
        ("int8:asym:narrow", "int8:asym:narrow"),
        ("int8:narrow:asym", "int8:asym:narrow"),
        ("uint8:narrow:sym", "uint8:sym:narrow"),
        ("int8:percentile=99.99", "int8:percentile"),
        ("int8:percentile=99.9", "int8:percentile=99.9"),
        ("int8:percentile=100", "int8:percentile=100"),
        ("int8:percentile=99.99999", "int8:percentile=99.99999"),
        ("int8:clip=-1.50..0.25", "int8:clip=-1.5..0.25"),
        ("int8:clip=-0.123456789..1e3", "int8:clip=-0.123457..1000"),
        ("int8:clip=-0..1", "int8:clip=0..1"),
        ("int8:clip=-2..-0.0", "int8:clip=-2..0"),
    ],
)
def test_canonical_spelling(text: str, spelled: str) -> None:
    assert str(parse_scheme(text)) == spelled


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("int8", (-127, 127)),
        ("int8:full", (-128, 127)),
        ("int8:asym", (-128, 127)),
        ("uint8", (0, 255)),
        ("uint8:sym:narrow", (1, 255)),
        ("int2", (-1, 1)),
        ("int4:full", (-8, 7)),
        ("uint16", (0, 65535)),
        ("int16", (-32767, 32767)),
    ],
)
def test_code_range(text: str, codes: tuple[int, int]) -> None:
    assert parse_scheme(text).code_range == codes


def test_bare_formats_have_the_fields_issue_two_names() -> None:
    assert parse_scheme("int8") == Scheme("int8", "tensor", symmetric=True, narrow=True)
    assert parse_scheme("uint8") == Scheme("uint8", "tensor", symmetric=False, narrow=False)
    assert integer("int4", "channel") == parse_scheme("int4:channel")
    assert parse_scheme("float") == FLOAT
    assert FLOAT.bits == 32
    assert {row.bits for row in FORMATS.values() if row.integer} == set(range(2, 17))


def test_a_scheme_forgets_what_it_does_not_use() -> None:
    percentile = parse_scheme("int8:percentile=99")
    assert replace(percentile, range="mse").percentile == DEFAULT_PERCENTILE
    assert replace(parse_scheme("int8:clip=-1..1"), range="minmax") == parse_scheme("int8")
    assert Scheme("int8", narrow=True, range="clip") == parse_scheme("int8")
    assert Scheme("float", "channel", narrow=True, range="mse") == FLOAT


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "'' is not a number format"),
        ("int1", "'int1' is not a number format"),
        ("int17", "'int17' is not a number format"),
        ("fp8", "'fp8' is not a number format"),
        ("float:channel", "'float' takes no options"),
        ("int8:row", "'row' is not an option"),
        ("int8:", "'' is not an option"),
        ("int8:mse=3", "'mse' takes no value"),
        ("int8:mse:minmax", "chooses the range twice"),
        ("int8:mse:mse", "chooses the range twice"),
        ("int8:tensor:channel", "chooses the granularity twice"),
        ("int8:sym:asym", "chooses the symmetry twice"),
        ("int8:full:narrow", "chooses the code range twice"),
        ("int8:percentile=fifty", "'fifty' is not a number"),
        ("int8:percentile=50", "above 50 and at most at 100"),
        ("int8:percentile=100.1", "above 50 and at most at 100"),
        ("int8:percentile=nan", "above 50 and at most at 100"),
        ("int8:clip", "clip needs two numbers"),
        ("int8:clip=1", "clip needs two numbers"),
        ("int8:clip=-1..b", "clip needs two numbers"),
        ("int8:clip=1..-1", "below the upper one"),
        ("int8:clip=0..0", "below the upper one"),
        ("int8:clip=-inf..1", "finite"),
        ("int8:clip=-1..nan", "finite"),
        ("int8:clip=1..2", "must contain zero"),
        ("int8:clip=-2..-1", "must contain zero"),
    ],
)
def test_errors_name_the_spelling_the_cause_and_the_cure(text: str, cause: str) -> None:
    with pytest.raises(QvizError) as caught:
        parse_scheme(text)
    assert caught.value.subject == f"scheme '{text}'"
    assert cause in caught.value.cause
    assert "int4:channel:mse" in caught.value.cure

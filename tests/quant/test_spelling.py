"""A scheme has one spelling, and every spelling one scheme."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qviz.errors import QvizError
from qviz.quant.formats import ALIASES, FORMATS, GROUP_SIZES, ROUNDINGS
from qviz.quant.scheme import Scheme
from qviz.quant.spelling import parse_scheme, words_of

SIX_DIGITS = st.floats(0.0, 9e29).map(lambda value: float(f"{value:.6g}"))
CLIPS = st.tuples(SIX_DIGITS.map(lambda value: -value), SIX_DIGITS).filter(lambda c: c[0] < c[1])
RANGES = sorted({name for row in FORMATS.values() for name in row.ranges})
VARIANTS = sorted({name for row in FORMATS.values() for name in row.variants})


def schemes() -> st.SearchStrategy[Scheme]:
    """Every field at random: what does not go together is dropped by the scheme itself."""
    return st.builds(
        Scheme,
        format=st.sampled_from(list(FORMATS)),
        granularity=st.sampled_from(["tensor", "channel", "group"]),
        symmetric=st.booleans(),
        code_range=st.sampled_from(["narrow", "full", "wide"]),
        range=st.sampled_from(RANGES),
        percentile=st.floats(50.0, 100.0, exclude_min=True),
        clip=st.none() | CLIPS,
        group=st.sampled_from([0, *GROUP_SIZES]),
        pow2=st.booleans(),
        rounding=st.sampled_from(list(ROUNDINGS)),
        variant=st.sampled_from(VARIANTS),
        seed=st.integers(0, 2**31 - 1),
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


@given(schemes())
def test_nothing_of_a_spelling_can_be_left_out(scheme: Scheme) -> None:
    head, *options = str(scheme).split(":")
    for left_out in range(len(options)):
        rest = ":".join([head, *options[:left_out], *options[left_out + 1 :]])
        try:
            assert parse_scheme(rest) != scheme
        except QvizError:  # such as full without asym
            continue


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_spell_the_format_they_stand_for(alias: str) -> None:
    assert str(parse_scheme(alias)) == ALIASES[alias]


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
        ("int8:wide:sym", "int8:wide"),
        ("int8:percentile=99.99", "int8:percentile"),
        ("int8:percentile=99.9", "int8:percentile=99.9"),
        ("int8:percentile=100", "int8:percentile=100"),
        ("int8:percentile=99.99999", "int8:percentile=99.99999"),
        ("int8:clip=-1.50..0.25", "int8:clip=-1.5..0.25"),
        ("int8:clip=-0.123456789..1e3", "int8:clip=-0.123457..1000"),
        ("int8:clip=-0..1", "int8:clip=0..1"),
        ("int8:clip=-2..-0.0", "int8:clip=-2..0"),
        ("int4:group", "int4:group=128"),
        ("nf4:group=64", "nf4"),
        ("nf4:group=128", "nf4:group=128"),
        ("mxfp4:group=32", "mxfp4"),
        ("int8:round=even", "int8"),
        ("int8:stochastic", "int8:stochastic=0"),
        ("int8:stochastic=7:pow2", "int8:pow2:stochastic=7"),
        ("kmeans4:linear", "kmeans4"),
        ("kmeans4:random", "kmeans4:random=0"),
        ("kmeans4:random=5", "kmeans4:random=5"),
        ("pot4:log:channel", "pot4:channel:log"),
        ("ternary:twn", "ternary"),
        ("int1:asym", "int1"),
        ("int8:full", "int8:full"),
        ("int8:pow2:round=away:mse:wide:group=16", "int8:wide:group=16:mse:pow2:round=away"),
    ],
)
def test_canonical_spelling(text: str, spelled: str) -> None:
    assert str(parse_scheme(text)) == spelled


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "'' is not a number format"),
        ("int0", "'int0' is not a number format"),
        ("int17", "'int17' is not a number format"),
        ("fp9", "'fp9' is not a number format"),
        ("float:channel", "float has no 'channel granularity'"),
        ("float:mse", "float has no 'mse'"),
        ("float:sym", "float has no 'sym'"),
        ("mxfp4:channel", "mxfp4 has no 'channel granularity'"),
        ("int8:linear", "'linear' is not an option"),
        ("int8:twn", "int8 has no 'twn'"),
        ("int8:row", "'row' is not an option"),
        ("int8:", "'' is not an option"),
        ("int8:mse=3", "'mse' takes no value"),
        ("int8:sym=1", "'sym' takes no value"),
        ("int8:full=1", "'full' takes no value"),
        ("int8:pow2=1", "'pow2' takes no value"),
        ("kmeans3:linear=1", "'linear' takes no value"),
        ("int8:channel=1", "'channel' takes no value"),
        ("int8:mse:minmax", "chooses the range twice"),
        ("int8:mse:mse", "chooses the range twice"),
        ("int8:tensor:channel", "chooses the granularity twice"),
        ("int8:sym:asym", "chooses the symmetry twice"),
        ("int8:full:narrow", "chooses the code range twice"),
        ("int8:round=up:stochastic", "chooses the rounding twice"),
        ("kmeans3:linear:density", "chooses the variant twice"),
        ("int8:pow2:pow2", "chooses the scale twice"),
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
        ("int8:asym:narrow", "'narrow' does not go with 'asym'"),
        ("int8:wide:asym", "'wide' does not go with 'asym'"),
        ("uint8:sym:narrow", "'narrow' does not go with 'uint8'"),
        ("uint8:wide", "'wide' does not go with 'asym'"),
        ("int1:sym", "one bit has no middle code"),
        ("int8:channel:entropy", "'entropy' does not go with 'channel'"),
        ("int8:group:percentile", "'percentile' does not go with 'group'"),
        ("int8:group=17", "its groups have 16, 32, 64, 128, 256 values"),
        ("mxfp4:group=16", "its groups have 32 values"),
        ("nvfp4:group=32", "its groups have 16 values"),
        ("int8:group=-16", "its groups have"),
        ("int8:round=down", "rounding is round=even"),
        ("int8:round", "rounding is round=even"),
        ("int8:stochastic=-1", "'-1' is not a seed"),
        ("int8:stochastic=2147483648", "is not a seed"),
        ("kmeans4:random=x", "'x' is not a seed"),
        ("fp8:round=up", "fp8-e4m3 has no 'round'"),
        ("fp8:stochastic", "fp8-e4m3 has no 'stochastic'"),
        ("fp8:asym", "fp8-e4m3 has no 'asym'"),
        ("nf4:percentile", "nf4 has no 'percentile'"),
    ],
)
def test_errors_name_the_spelling_and_the_cause(text: str, cause: str) -> None:
    with pytest.raises(QvizError) as caught:
        parse_scheme(text)
    assert caught.value.subject == f"scheme '{text}'"
    assert cause in caught.value.cause


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("int17", "for example int4:channel:mse"),
        ("float:mse", "Write float alone"),
        ("mxfp4:mse", "Write mxfp4 alone"),
        ("int8:row", "int8 takes any of sym|asym, narrow|full|wide, tensor|channel|group[=128], "),
        ("int8:row", "minmax|average|percentile[=99.99]|mse|entropy|aciq-gauss|aciq-laplace"),
        ("int8:row", "|clip=LOW..HIGH|stored, pow2, round=even|away|up|zero, stochastic=SEED"),
        ("uint8:wide", "uint8 takes any of sym|asym, tensor|channel|group[=128], minmax|"),
        ("int1:sym", "int1 takes any of tensor|channel|group[=128], minmax|"),
        ("fp4:row", "fp4-e2m1 takes any of tensor|channel|group[=32], minmax|average|"),
        ("kmeans4:row", "kmeans4 takes any of linear|density|random"),
        ("pot4:row", "nearest|log"),
        ("int4:g64", "Did you mean group=64?"),
        ("nf4:group64", "Did you mean group=64?"),
        ("int8:p99.9", "Did you mean percentile=99.9?"),
        ("int8:chanel", "Did you mean channel?"),
        ("int8:nar", "Did you mean narrow?"),
        ("itn8", "Did you mean int8?"),
        ("ternery", "Did you mean ternary?"),
        ("int8:clip=0..0", "Write clip=LOW..HIGH with zero between the two"),
        ("int8:percentile=2", "Write a number above 50"),
        ("int8:group=17", "Write one of group=16, 32, 64, 128, 256"),
        ("mxfp4:group=16", "Write mxfp4 alone"),
        ("int8:mse=3", "Write mse alone"),
        ("int8:mse:mse", "Keep one of the two"),
        ("int8:stochastic=-1", "Use 0"),
        ("int8:round=down", "Write one of them"),
    ],
)
def test_errors_say_what_the_format_takes(text: str, cure: str) -> None:
    with pytest.raises(QvizError) as caught:
        parse_scheme(text)
    assert cure in caught.value.cure


def test_every_word_of_the_grammar_can_be_written() -> None:
    for name, row in FORMATS.items():
        for group in words_of(row):
            assert group
            for word in group:
                assert parse_scheme(f"{name}:{word}").format == name


def test_what_is_offered_is_understood() -> None:
    for name in FORMATS:
        with pytest.raises(QvizError) as caught:
            parse_scheme(f"{name}:nothing")
        offered = caught.value.cure.partition("takes any of ")[2]
        for choice in filter(None, offered.split(", ")):
            word, _, modes = choice.partition("=")
            rounding = [f"round={mode}" for mode in modes.split("|")]
            for option in rounding if word == "round" else choice.split("|"):
                text = option.replace("[=", "=").replace("]", "").replace("LOW..HIGH", "-1..1")
                parse_scheme(f"{name}:{text.replace('SEED', '5')}")

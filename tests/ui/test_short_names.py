"""Names that do not fit stay different from their neighbors."""

from __future__ import annotations

import pytest

from qviz.ui.short_names import ELLIPSIS, fitting, runs_of, short_scheme

BRANCHES = [
    f"If_0/If_0_{branch}_branch__Inline_0__/encoder/{at}/reparam_conv/Conv"
    for branch in ("else", "then")
    for at in range(4)
]
MOBILE = [
    f"/features/features.{i}/conv/conv.{j}/conv.{j}.0/Conv" for i in range(12) for j in (0, 1)
]


@pytest.mark.parametrize("names", [BRANCHES, MOBILE, ["a;b/conv", "a;b/conv_1", "a;b/conv_2"]])
@pytest.mark.parametrize("room", [60, 40, 25, 20])
def test_different_names_look_different_and_fit(names: list[str], room: int) -> None:
    runs = runs_of(names)
    shown = {fitting(runs[name], room, len) for name in names}
    assert len(shown) == len(names)
    assert max(map(len, shown)) <= room


def test_a_name_that_fits_is_shown_whole() -> None:
    runs = runs_of(BRANCHES)
    assert fitting(runs[BRANCHES[0]], len(BRANCHES[0]), len) == BRANCHES[0]


def test_what_all_names_begin_with_goes_first() -> None:
    assert fitting(runs_of(BRANCHES)[BRANCHES[5]], 54, len) == (
        "…then_branch__Inline_0__/encoder/1/reparam_conv/Conv"
    )
    assert fitting(runs_of(BRANCHES)[BRANCHES[5]], 16, len) == "…then_…1/…Conv"


def test_the_end_is_kept_where_nothing_else_has_room() -> None:
    assert fitting(runs_of(["a_long_name/of_one/layer"])["a_long_name/of_one/layer"], 6, len) == (
        "…layer"
    )
    runs = runs_of(["/u/ConvTranspose", "/o/Conv"])
    assert fitting(runs["/u/ConvTranspose"], 8, len) == "/u/Conv…"
    assert fitting(runs["/u/ConvTranspose"], 0, len) == ELLIPSIS


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (24, "int8:full:channel:stored"),
        (23, "int8:full:…:stored"),
        (17, "int8:…:stored"),
        (12, "int8:…"),
    ],
)
def test_a_scheme_keeps_its_format_and_its_range_longest(room: int, shown: str) -> None:
    assert short_scheme("int8:full:channel:stored", room, len) == shown


def test_a_scheme_of_one_word_is_left_to_be_cut() -> None:
    assert short_scheme("float", 2, len) == "float"

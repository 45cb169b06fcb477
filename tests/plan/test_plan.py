"""What a plan gives every slot: defaults, rules where the last one wins, overrides over all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qviz.errors import QvizError
from qviz.model.slots import Role, Slot
from qviz.plan.plan import (
    Plan,
    Rule,
    check_plan,
    override,
    parse_setting,
    split_pattern,
    why_not,
    without_overrides,
)
from qviz.quant.scheme import FLOAT, Scheme
from qviz.quant.spelling import parse_scheme

LAYERS = {0: "conv1", 1: "block1.dw", 2: "block1.pw", 3: "/fc/Gemm"}


def slot(layer: int, role: Role, suffix: str = "") -> Slot:
    name = f"{LAYERS[layer]}.{role}{suffix}"
    return Slot(name, layer, role, f"value of {name}", 0, None, f"group of {name}")


SLOTS = {s.name: s for layer in LAYERS for s in (slot(layer, "weight"), slot(layer, "input"))}
INT8, INT4, UINT8 = (parse_scheme(text) for text in ("int8", "int4", "uint8"))


def rule(pattern: str, spelling: str = "int4") -> Rule:
    return Rule(pattern, parse_scheme(spelling))


def given(plan: Plan) -> dict[str, Scheme]:
    return plan.schemes(SLOTS, LAYERS)


def test_defaults_go_by_role() -> None:
    found = given(Plan(weight=INT8, input=UINT8))
    assert found["conv1.weight"] == INT8
    assert found["/fc/Gemm.input"] == UINT8
    assert set(given(Plan()).values()) == {FLOAT}


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("conv1.weight", {"conv1.weight"}),
        ("/fc/Gemm.input", {"/fc/Gemm.input"}),
        ("re:.*.weight", {name for name in SLOTS if name.endswith("weight")}),
        (r"re:block1\..*.input", {"block1.dw.input", "block1.pw.input"}),
        ("re:block.weight", set()),  # the whole name must match
        ("re:(conv|/fc).*.input", {"conv1.input", "/fc/Gemm.input"}),
        ("conv.weight", set()),
        (".*.weight", set()),  # no expression without re:
    ],
)
def test_patterns(pattern: str, matched: set[str]) -> None:
    found = {n for n, s in SLOTS.items() if rule(pattern).matches(s, LAYERS[s.layer])}
    assert found == matched


def test_a_pattern_speaks_of_every_slot_of_its_role() -> None:
    second = slot(0, "weight", ".R")
    assert rule("conv1.weight").matches(second, "conv1")
    assert not rule("conv1.input").matches(second, "conv1")
    assert rule("conv1.weight.R").matches(second, "conv1")
    assert not rule("conv1.weight.R").matches(SLOTS["conv1.weight"], "conv1")


def test_a_sharing_group_has_what_is_said_most_strongly_of_any_of_its_slots() -> None:
    left, right = (replace(SLOTS[f"block1.{end}.input"], group="one") for end in ("dw", "pw"))
    shared = {left.name: left, right.name: right}
    assert set(Plan(input=UINT8).schemes(shared, LAYERS).values()) == {UINT8}
    ruled = Plan(input=UINT8, rules=(rule(right.name), rule(left.name, "int8")))
    assert set(ruled.schemes(shared, LAYERS).values()) == {INT8}
    by_hand = override(ruled, {right.name: FLOAT})
    assert set(by_hand.schemes(shared, LAYERS).values()) == {FLOAT}


def test_later_rules_win() -> None:
    every, one = rule("re:.*.weight", "int8"), rule("conv1.weight", "int4")
    assert given(Plan(rules=(every, one)))["conv1.weight"] == INT4
    assert given(Plan(rules=(one, every)))["conv1.weight"] == INT8
    assert given(Plan(rules=(every, one)))["block1.dw.weight"] == INT8
    assert given(Plan(rules=(every, one)))["conv1.input"] == FLOAT


def test_overrides_win_over_rules_and_can_be_taken_back() -> None:
    plan = Plan(weight=INT8, rules=(rule("re:.*.weight", "int4"),))
    edited = override(override(plan, {"conv1.weight": UINT8}), {"block1.dw.weight": FLOAT})
    assert given(edited)["conv1.weight"] == UINT8
    assert given(edited)["block1.dw.weight"] == FLOAT
    assert given(edited)["block1.pw.weight"] == INT4
    back = without_overrides(edited, ["conv1.weight", "unknown"])
    assert given(back)["conv1.weight"] == INT4
    assert given(back)["block1.dw.weight"] == FLOAT
    assert without_overrides(back, ["block1.dw.weight"]) == plan
    assert plan.overrides == {}


def test_the_key_names_the_content() -> None:
    a = Plan(INT8, UINT8, (rule("conv1.weight"),), {"conv1.input": INT4, "x": INT8})
    b = Plan(INT8, UINT8, (rule("conv1.weight"),), {"x": INT8, "conv1.input": INT4})
    assert a.key == b.key
    others = [Plan(), Plan(INT8), Plan(input=INT8), Plan(rules=(rule("conv1.weight"),))]
    others += [Plan(rules=(rule("conv1.input"),)), Plan(overrides={"conv1.weight": INT4})]
    assert len({plan.key for plan in [a, *others]}) == 7


def test_split_pattern() -> None:
    assert split_pattern("conv1.weight") == ("conv1", "weight", "")
    assert split_pattern("lstm.weight.R") == ("lstm", "weight", "R")
    assert split_pattern("re:a.b.input") == ("re:a.b", "input", "")
    assert split_pattern("fc.weight.weight") == ("fc.weight", "weight", "")
    with pytest.raises(QvizError, match=r"pattern 'conv1': it does not say which slots it means"):
        split_pattern("conv1")
    with pytest.raises(QvizError, match="its regular expression is malformed"):
        split_pattern("re:(.weight")


@pytest.mark.parametrize(
    ("text", "pattern", "spelling"),
    [
        ("conv1.weight=int4:mse", "conv1.weight", "int4:mse"),
        ("re:.*.input=uint8:percentile=99.9", "re:.*.input", "uint8:percentile=99.9"),
        ("a=b.weight=int8:clip=-1..1", "a=b.weight", "int8:clip=-1..1"),
        ("fc.weight.input=float", "fc.weight.input", "float"),
    ],
)
def test_settings_of_the_command_line(text: str, pattern: str, spelling: str) -> None:
    assert parse_setting(text) == rule(pattern, spelling)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv1=int4", "setting 'conv1=int4': it is not PATTERN=SCHEME"),
        ("conv1.weight", "it is not PATTERN=SCHEME"),
        ("conv1.weight=int99", "scheme 'int99': 'int99' is not a number format"),
        ("re:*.weight=int4", r"pattern 're:\*.weight': its regular expression is malformed"),
    ],
)
def test_settings_that_are_not_understood(text: str, message: str) -> None:
    with pytest.raises(QvizError, match=message):
        parse_setting(text)


def test_inputs_take_no_scale_per_channel() -> None:
    for spelling in ("uint8:channel", "int4:channel:mse"):
        assert "per tensor" in why_not(parse_scheme(spelling), SLOTS["conv1.input"])
        assert why_not(parse_scheme(spelling), SLOTS["conv1.weight"]) == ""
    assert why_not(UINT8, SLOTS["conv1.input"]) == ""


def test_a_plan_that_fits_is_accepted() -> None:
    rules = (rule("re:block.*.weight", "int4:channel"), rule("conv1.input", "uint8"))
    check_plan(Plan(INT8, UINT8, rules, {"/fc/Gemm.weight": FLOAT}), SLOTS, LAYERS)


@pytest.mark.parametrize(
    ("plan", "subject", "cure"),
    [
        (
            Plan(rules=(rule("conv2.weight"),)),
            "pattern 'conv2.weight'",
            "Did you mean conv1.weight",
        ),
        (
            Plan(rules=(rule("block1_dw.input"),)),
            "pattern 'block1_dw.input'",
            "mean block1.dw.input",
        ),
        (Plan(overrides={"conv1.wieght": INT4}), "pattern 'conv1.wieght'", "mean conv1.weight"),
        (Plan(rules=(rule("re:zzz.*.weight"),)), "pattern 're:zzz.*.weight'", "Did you mean"),
    ],
)
def test_names_that_match_nothing_are_answered_with_the_nearest(
    plan: Plan, subject: str, cure: str
) -> None:
    with pytest.raises(QvizError, match="no slot of the model matches it") as caught:
        check_plan(plan, SLOTS, LAYERS)
    assert caught.value.subject == subject
    assert cure in caught.value.cure


def test_schemes_their_slots_cannot_take_are_refused() -> None:
    channel = parse_scheme("uint8:channel")
    for plan in (
        Plan(input=channel),
        Plan(rules=(rule("re:.*.input", "uint8:channel"),)),
        Plan(overrides={"conv1.input": channel}),
    ):
        with pytest.raises(QvizError, match=r"conv1\.input: .*per tensor"):
            check_plan(plan, SLOTS, LAYERS)
    check_plan(Plan(input=channel, rules=(rule("re:.*.input", "uint8"),)), SLOTS, LAYERS)


def test_a_model_without_slots_is_answered_in_whole_sentences() -> None:
    with pytest.raises(QvizError, match=r"matches it\. Open a model .*\.$"):
        check_plan(Plan(rules=(rule("conv1.weight"),)), {}, {})

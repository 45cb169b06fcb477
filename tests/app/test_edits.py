"""Edits are Plan -> Plan; sharing groups move together and nonsense is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from qviz.app import edits
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx
from qviz.plan.plan import Plan, Rule
from qviz.plan.resolve import schemes
from qviz.quant.spelling import parse_scheme

PLAN = Plan(weight=parse_scheme("int8:channel"), input=parse_scheme("uint8"))


@pytest.fixture
def model(mlp: Path) -> Model:
    return read_onnx(mlp)


def _spelled(model: Model, plan: Plan, slot: str) -> str:
    return str(schemes(model, plan)[slot])


def test_bits_keep_the_rest_of_the_scheme(model: Model) -> None:
    plan = edits.set_scheme(model, PLAN, ["fc1.weight"], "int8:channel:mse")
    plan = edits.set_bits(model, plan, ["fc1.weight"], 3)
    assert _spelled(model, plan, "fc1.weight") == "int3:channel:mse"
    plan = edits.set_bits(model, plan, ["fc1.weight"], 0)
    assert _spelled(model, plan, "fc1.weight") == "float"
    plan = edits.set_bits(model, plan, ["fc1.weight", "fc1.input"], 5)
    assert _spelled(model, plan, "fc1.weight") == "int5:channel"
    assert _spelled(model, plan, "fc1.input") == "uint5"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("sign", "uint", "uint8:channel"),
        ("family", "float", "float"),
        ("family", "mx", "mxfp8-e4m3"),
        ("family", "minifloat", "fp8-e4m3:channel"),
        ("family", "pot", "pot6:channel"),
        ("family", "dorefa", "dorefa-w8"),
        ("format", "fp4-e2m1", "fp4-e2m1:channel"),
        ("bits", "1", "int1:channel"),
        ("bits", "6", "int6:channel"),
        ("symmetry", "asym", "int8:asym:channel"),
        ("code_range", "full", "int8:full:channel"),
        ("code_range", "wide", "int8:wide:channel"),
        ("granularity", "tensor", "int8"),
        ("granularity", "group", "int8:group=128"),
        ("group", "32", "int8:group=32"),
        ("scales", "pow2", "int8:channel:pow2"),
        ("rounding", "away", "int8:channel:round=away"),
        ("rounding", "stochastic", "int8:channel:stochastic=0"),
        ("range", "mse", "int8:channel:mse"),
        ("percentile", "99.5", "int8:channel:percentile=99.5"),
        ("clip", "-0.5..0.25", "int8:channel:clip=-0.5..0.25"),
    ],
)
def test_fields_of_the_form(model: Model, field: str, value: str, expected: str) -> None:
    plan = edits.set_field(model, PLAN, ["fc1.weight"], field, value)
    assert _spelled(model, plan, "fc1.weight") == expected


@pytest.mark.parametrize(
    ("before", "field", "value", "expected"),
    [
        ("int4:group=64:mse", "bits", "8", "int8:group=64:mse"),
        ("int8:group=64", "granularity", "group", "int8:group=64"),
        ("int8:full:channel", "symmetry", "sym", "int8:full:channel"),
        ("int8:channel:percentile=99.5", "granularity", "group", "int8:group=128"),
        ("int8:entropy:full", "granularity", "channel", "int8:full:channel"),
        ("int8:average", "granularity", "channel", "int8:channel"),
        ("dorefa-w4:minmax", "bits", "1", "dorefa-w1"),
        ("fp8-e4m3:group=64:mse", "format", "fp4-e2m1", "fp4-e2m1:group=64:mse"),
        ("kmeans4:density", "bits", "1", "kmeans1:density"),
        ("kmeans4:random=7", "seed", "11", "kmeans4:random=11"),
        ("int8:stochastic=3:channel", "seed", "2147483647", "int8:channel:stochastic=2147483647"),
        ("mxfp4", "family", "minifloat", "fp4-e2m1:channel"),
        ("kmeans4", "family", "integer", "int4:channel"),
        ("fp8-e4m3:group=32:mse", "family", "integer", "int8:group=32:mse"),
        ("int8:channel:mse", "family", "pot", "pot6:channel:mse"),
        ("float", "granularity", "tensor", "int8"),
        ("nf4", "family", "pot", "pot4:channel"),
        ("nf4:mse", "family", "integer", "int4:channel:mse"),
        ("nf4:group=32", "family", "pot", "pot4:group=32"),
    ],
)
def test_an_edit_keeps_the_other_choices(
    model: Model, before: str, field: str, value: str, expected: str
) -> None:
    plan = edits.set_scheme(model, PLAN, ["fc1.weight"], before)
    plan = edits.set_field(model, plan, ["fc1.weight"], field, value)
    assert _spelled(model, plan, "fc1.weight") == expected


@pytest.mark.parametrize("family", ["minifloat", "pot", "apot", "integer", "nvfp4", "dorefa"])
def test_inputs_leave_blocks_for_a_family_without_them(model: Model, family: str) -> None:
    plan = edits.set_scheme(model, PLAN, ["fc1.input"], "mxfp4")
    plan = edits.set_field(model, plan, ["fc1.input"], "family", family)
    assert "group" not in _spelled(model, plan, "fc1.input")


def test_clip_keeps_zero_on_the_grid(model: Model) -> None:
    plan = edits.set_clip(model, PLAN, ["fc1.input"], 0.25, 3.0)
    assert _spelled(model, plan, "fc1.input") == "uint8:clip=0..3"


def test_reset_returns_to_rules_and_defaults(model: Model) -> None:
    plan = edits.add_rule(model, PLAN, Rule("re:fc.*.weight", parse_scheme("int6")))
    plan = edits.set_bits(model, plan, ["fc1.weight"], 2)
    assert _spelled(model, plan, "fc1.weight") == "int2"
    assert _spelled(model, edits.reset(model, plan, ["fc1.weight"]), "fc1.weight") == "int6"


def test_a_later_rule_drops_the_overrides_it_speaks_of(model: Model) -> None:
    plan = edits.set_bits(model, PLAN, ["fc1.weight"], 2)
    plan = edits.add_rule(model, plan, Rule("fc1.weight", parse_scheme("int7")))
    assert _spelled(model, plan, "fc1.weight") == "int7"


def test_refusals_say_why(model: Model) -> None:
    with pytest.raises(QvizError, match="quantized per tensor"):
        edits.set_scheme(model, PLAN, ["fc1.input"], "uint8:channel")
    with pytest.raises(QvizError, match="no such slot"):
        edits.set_bits(model, PLAN, ["fc9.weight"], 4)
    with pytest.raises(QvizError, match="1 to 16 bits"):
        edits.set_bits(model, PLAN, ["fc1.weight"], 17)
    with pytest.raises(QvizError, match="no such field"):
        edits.set_field(model, PLAN, ["fc1.weight"], "colour", "red")
    with pytest.raises(QvizError, match=r"Did you mean .*fc1\.weight"):
        edits.add_rule(model, PLAN, Rule("fc.weight", parse_scheme("int4")))


@pytest.mark.parametrize("before", ["int8:stochastic=1", "kmeans4:random=1", "fp8-e4m3", "float"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bits", "x"), ("bits", "17"), ("bits", "-1"), ("bits", ""), ("family", "x"),
        ("format", "x"), ("sign", "foo"), ("symmetry", "x"), ("code_range", "x"),
        ("granularity", "x"), ("group", "7"), ("group", "x"), ("scales", "x"), ("range", "x"),
        ("percentile", "x"), ("percentile", "nan"), ("clip", "a..b"), ("clip", "nan..1"),
        ("clip", "0..0"), ("clip", "-inf..inf"), ("rounding", "x"), ("seed", "x"),
        ("seed", "inf"), ("variant", "x"),
    ],
)  # fmt: skip
def test_nonsense_in_a_field_is_refused_in_words(
    model: Model, before: str, field: str, value: str
) -> None:
    plan = edits.set_scheme(model, PLAN, ["fc1.weight"], before)
    with pytest.raises(QvizError):
        edits.set_field(model, plan, ["fc1.weight"], field, value)


@pytest.mark.parametrize("before", ["int8:stochastic=1", "kmeans4:random=1"])
def test_a_seed_that_no_plan_could_be_read_back_with_is_refused(model: Model, before: str) -> None:
    plan = edits.set_scheme(model, PLAN, ["fc1.weight"], before)
    with pytest.raises(QvizError, match="not a seed"):
        edits.set_field(model, plan, ["fc1.weight"], "seed", "99999999999")
    plan = edits.set_field(model, plan, ["fc1.weight"], "seed", "-3")
    assert _spelled(model, plan, "fc1.weight").endswith("=0")


def test_a_typed_clip_is_widened_to_contain_zero(model: Model) -> None:
    plan = edits.set_field(model, PLAN, ["fc1.input"], "clip", "0.25..3")
    assert _spelled(model, plan, "fc1.input") == "uint8:clip=0..3"


def test_slots_of_a_group_move_together(write_model: Callable[..., Path]) -> None:
    w = np.eye(4, dtype=np.float32)
    path = write_model(
        "shared.onnx",
        [
            helper.make_node("MatMul", ["x", "w"], ["a"], name="left"),
            helper.make_node("MatMul", ["x", "w"], ["b"], name="right"),
            helper.make_node("Add", ["a", "b"], ["y"], name="sum"),
        ],
        {"w": w},
        {"x": ["N", 4]},
        {"y": ["N", 4]},
    )
    model = read_onnx(path)
    plan = edits.set_bits(model, PLAN, ["left.weight"], 4)
    assert _spelled(model, plan, "right.weight") == "int4:channel"
    plan = edits.add_rule(model, plan, Rule("right.weight", parse_scheme("int3")))
    assert _spelled(model, plan, "left.weight") == "int3"
    assert _spelled(model, plan, "right.weight") == "int3"
    plan = edits.set_bits(model, PLAN, ["right.input"], 6)
    assert _spelled(model, plan, "left.input") == "uint6"
    assert _spelled(model, plan, "left.weight") == "int8:channel"

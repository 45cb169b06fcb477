"""What two plans say otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx
from qviz.plan.diff import Difference, diff
from qviz.plan.plan import Plan
from qviz.plan.rule import make_rule
from qviz.quant.spelling import parse_scheme

INT8, INT4, UINT8 = (parse_scheme(text) for text in ("int8", "int4", "uint8"))
PLAN = Plan(INT8, UINT8, (make_rule("fc1.weight", "int6"), make_rule("op:Gemm.input", "uint4")))


@pytest.fixture
def model(mlp: Path) -> Model:
    return read_onnx(mlp)


def test_equal_plans_have_no_differences(model: Model) -> None:
    assert diff(PLAN, PLAN, model) == ()
    assert diff(Plan(), Plan()) == ()


def test_slots_tell_what_decides_them_in_either_plan(model: Model) -> None:
    other = replace(
        PLAN, rules=(make_rule("at:last.weight", "int3"), *PLAN.rules[1:]), overrides={}
    )
    other = replace(other, overrides={"fc1.input": UINT8})
    assert diff(PLAN, other, model) == (
        Difference("rule", "at:last.weight", "", "int3", "", "rule 1"),
        Difference("rule", "fc1.weight", "int6", "", "rule 1", ""),
        Difference("override", "fc1.input", "", "uint8"),
        Difference("slot", "fc1.weight", "int6", "int8", "rule 1, fc1.weight", "default"),
        Difference("slot", "fc1.input", "uint4", "uint8", "rule 2, op:Gemm.input", "override"),
        Difference("slot", "fc2.weight", "int8", "int3", "default", "rule 1, at:last.weight"),
    )


def test_words_that_decide_nothing_differ_without_a_slot_that_does(model: Model) -> None:
    doubled = replace(PLAN, rules=(make_rule("fc1.weight", "int2"), *PLAN.rules))
    assert diff(PLAN, doubled, model) == (
        Difference("rule", "fc1.weight", "", "int2", "", "rule 1"),
    )
    swapped = replace(PLAN, rules=PLAN.rules[::-1])
    assert {d.kind for d in diff(PLAN, swapped, model)} == {"rule"}
    changed = replace(PLAN, rules=(make_rule("fc1.weight", "int5"), PLAN.rules[1]))
    assert diff(PLAN, changed) == (
        Difference("rule", "fc1.weight", "int6", "int5", "rule 1", "rule 1"),
    )


def test_defaults_and_remarks_are_told(model: Model) -> None:
    other = replace(
        PLAN,
        weight=INT4,
        tags={"fc1": frozenset({"b", "a"})},
        notes={"fc1": "why"},
        locks=frozenset({"fc2"}),
    )
    found = {(d.kind, d.subject): (d.a, d.b) for d in diff(other, PLAN, model)}
    assert found == {
        ("default", "weight"): ("int4", "int8"),
        ("slot", "fc2.weight"): ("int4", "int8"),
        ("lock", "fc2"): ("locked", ""),
        ("tags", "fc1"): ("a, b", ""),
        ("note", "fc1"): ("why", ""),
    }

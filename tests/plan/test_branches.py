"""Branches: plans under names, one of which is open."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qviz.errors import QvizError
from qviz.plan.branches import (
    ONE_BRANCH,
    Branches,
    branches_from_json,
    branches_to_json,
    create,
    delete,
    rename,
    switch,
)
from qviz.plan.plan import Plan
from qviz.quant.spelling import parse_scheme

A, B, C = (Plan(parse_scheme(text)) for text in ("int8", "int4", "int2"))


def names(branches: Branches) -> list[str]:
    return [branch.name for branch in branches.every]


def test_each_branch_keeps_its_plan_while_another_is_open() -> None:
    made = create(ONE_BRANCH, A, "low")
    assert (made.current, names(made)) == ("low", ["main", "low"])
    assert made.every[1].base == A.key
    back, plan = switch(made, B, "main")
    assert plan == A
    assert (back.current, names(back)) == ("main", ["main", "low"])
    assert back.plan_of("low", A) == B
    assert back.plan_of("main", C) == C
    assert switch(back, C, "low")[1] == B
    assert switch(back, C, "main") == (back, C)


def test_renaming_and_deleting() -> None:
    made = create(create(ONE_BRANCH, A, "low"), B, "lower")
    assert names(rename(made, "lower", "least")) == ["main", "low", "least"]
    assert rename(made, "lower", "least").current == "least"
    assert rename(made, "low", "low") == made
    left = delete(made, "low")
    assert names(left) == ["main", "lower"]
    assert left.plan_of("main", C) == A


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        (lambda b: create(b, A, "main"), "there is one already"),
        (lambda b: create(b, A, " "), "it has no name"),
        (lambda b: switch(b, A, "none"), "there is no such branch. Choose one of main, low"),
        (lambda b: rename(b, "low", "main"), "there is one already"),
        (lambda b: rename(b, "none", "x"), "there is no such branch"),
        (lambda b: delete(b, "low"), "it is the branch that is open"),
        (lambda b: delete(b, "none"), "there is no such branch"),
    ],
)
def test_what_is_refused(act: object, cause: str) -> None:
    assert callable(act)
    with pytest.raises(QvizError) as caught:
        act(create(ONE_BRANCH, A, "low"))
    assert cause in str(caught.value)


STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "switch", "delete", "edit"]), st.sampled_from("xyz")),
    max_size=12,
)


@given(STEPS)
def test_no_plan_is_lost_or_mixed_up(steps: list[tuple[str, str]]) -> None:
    branches, present, known = ONE_BRANCH, A, {"main": A}
    for number, (what, name) in enumerate(steps):
        if what == "edit":
            present = known[branches.current] = Plan(parse_scheme(f"int{number + 2}"))
        elif what == "create" and name not in known:
            branches = create(branches, present, name)
            known[name] = present
        elif what == "switch" and name in known:
            branches, present = switch(branches, present, name)
        elif what == "delete" and name in known and name != branches.current:
            branches = delete(branches, name)
            del known[name]
        assert {n: branches.plan_of(n, present) for n in names(branches)} == known
        said = json.loads(json.dumps(branches_to_json(branches)))
        assert branches_from_json(said, "x") == branches


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"name": "a", "base": "", "plan": {"qviz_plan": 1}}],
        [{"name": "a", "base": ""}, {"name": "b", "base": ""}],
        [{"name": "a", "base": ""}, {"name": "a", "base": "", "plan": {"qviz_plan": 1}}],
    ],
)
def test_branches_of_which_not_one_is_open_are_refused(data: list[dict[str, str]]) -> None:
    with pytest.raises(QvizError, match="its branches are not one that is open"):
        branches_from_json(data, "x")

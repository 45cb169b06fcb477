"""Locks hold whole sharing groups, whatever becomes of the plan around them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx
from qviz.plan.locks import hold_locks, lock, locked_slots, unlock, unlocked
from qviz.plan.plan import Plan
from qviz.plan.resolve import schemes
from qviz.plan.rule import make_rule
from qviz.quant.spelling import parse_scheme

INT8, INT4 = parse_scheme("int8"), parse_scheme("int4")


@pytest.fixture(scope="module")
def demo(demo_model: Path) -> Model:
    return read_onnx(demo_model)


def test_a_lock_is_of_a_slot_or_of_all_slots_of_a_layer(demo: Model) -> None:
    plan = lock(demo, Plan(), ["fc.weight"])
    assert locked_slots(demo, plan) == {"fc.weight": "fc.weight"}
    plan = lock(demo, plan, ["fc"])
    assert locked_slots(demo, plan) == {"fc.weight": "fc.weight", "fc.input": "fc"}
    assert unlocked(demo, plan, ["fc.weight", "conv1.weight"]) == ["conv1.weight"]
    assert unlocked(demo, plan, []) == []
    with pytest.raises(QvizError, match=r"fc\.input: the lock on fc holds it\. Unlock fc to"):
        unlocked(demo, plan, ["fc.input"])
    with pytest.raises(QvizError, match="no slot or layer of the model matches it"):
        lock(demo, plan, ["fd"])


def test_unlocking_what_another_lock_holds_is_refused(demo: Model) -> None:
    plan = lock(demo, Plan(), ["fc"])
    with pytest.raises(QvizError, match="the lock on fc holds it"):
        unlock(demo, plan, ["fc.weight"])
    assert unlock(demo, plan, ["fc"]) == Plan()


NAMES = ("conv1", "fc", "fc.weight", "block1.dw.input", "block2.pw")
SCHEMES = st.sampled_from(["int8", "int4", "uint6", "float"])
RULES = st.builds(
    make_rule,
    st.sampled_from(
        ["op:Conv.weight", "re:.*.input", "at:last.weight", "fc.input", "tag:t.weight"]
    ),
    SCHEMES,
)
PLANS = st.builds(
    Plan,
    SCHEMES.map(parse_scheme),
    SCHEMES.map(parse_scheme),
    st.lists(RULES, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from(["fc.weight", "conv1.input"]), SCHEMES.map(parse_scheme)),
    st.dictionaries(st.sampled_from(["fc", "conv1"]), st.just(frozenset({"t"}))),
    locks=st.frozensets(st.sampled_from(NAMES)),
)


@given(PLANS, PLANS)
def test_what_is_locked_stays_whatever_the_plan_becomes(
    demo: Model, before: Plan, after: Plan
) -> None:
    held = locked_slots(demo, before)
    made, back = hold_locks(demo, before, after)
    old, wanted, new = schemes(demo, before), schemes(demo, after), schemes(demo, made)
    for name in demo.slots:
        assert new[name] == (old[name] if name in held else wanted[name])
    assert set(back) == {name for name in held if wanted[name] != old[name]}
    assert made == after or back

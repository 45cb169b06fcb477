"""Mending: what comes out runs, stays as it is, and differs as little as possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx
from qviz.plan.plan import Plan, Rule, check_plan, why_not_for
from qviz.plan.resolve import schemes
from qviz.plan.targets.mend import mend
from qviz.plan.targets.misfits import check_plan_against
from qviz.plan.targets.read_target import bundled_target, bundled_targets
from qviz.quant.formats import FORMATS, Role
from qviz.quant.scheme import Scheme, plain
from qviz.quant.spelling import parse_scheme

TARGETS = st.sampled_from(bundled_targets())


@pytest.fixture(scope="module")
def demo(demo_model: Path) -> Model:
    return read_onnx(demo_model)


def scheme(draw: st.DrawFn, role: Role) -> Scheme:
    """Any scheme that a slot of the role can have."""
    offered = [name for name, row in FORMATS.items() if role in row.roles]
    row = FORMATS[draw(st.sampled_from(offered))]
    grains = row.granularities if role == "weight" else row.granularities[:1]
    made = plain(row.name)
    for field, values in (
        ("granularity", grains),
        ("symmetric", (True, False)),
        ("code_range", ("narrow", "full", "wide")),
        ("range", row.ranges),
        ("group", (16, 32, 64, 128, 256)),
        ("pow2", (False, True)),
    ):
        fields = {name: getattr(made, name) for name in Scheme.__dataclass_fields__}
        made = Scheme(**{**fields, field: draw(st.sampled_from(values))})
    return plain(row.name) if why_not_for(made, role) else made


@st.composite
def plans(draw: st.DrawFn, model: Model) -> Plan:
    """Defaults, a rule and a few overrides, all of which the slots can have."""
    slots = draw(st.lists(st.sampled_from(sorted(model.slots)), max_size=4, unique=True))
    layer = draw(st.sampled_from(model.layers)).name
    pattern = draw(st.sampled_from([rf"re:{layer[:3]}.*.weight", r"re:.*.weight"]))
    return Plan(
        scheme(draw, "weight"),
        scheme(draw, "input"),
        (Rule(pattern, scheme(draw, "weight")),),
        {name: scheme(draw, model.slots[name].role) for name in slots},
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), target=TARGETS)
def test_a_mended_plan_runs_and_stays(demo: Model, data: st.DataObject, target: Any) -> None:
    plan = data.draw(plans(demo))
    before = schemes(demo, plan)
    misfits = check_plan_against(target, demo, before)
    mended = mend(plan, target, demo)
    assert check_plan_against(target, demo, schemes(demo, mended)) == ()
    assert mend(mended, target, demo) == mended
    assert mend(plan, target, demo) == mended
    assert (mended == plan) is (not misfits)
    names = {layer.index: layer.name for layer in demo.layers}
    check_plan(mended, demo.slots, names)
    assert len(misfits) == len({misfit.slot for misfit in misfits})
    for misfit in misfits:
        assert misfit.scheme == before[misfit.slot] != misfit.mended
        assert misfit.reason


@pytest.mark.parametrize("target", bundled_targets(), ids=lambda target: str(target.id))
def test_a_tensor_that_unlike_layers_read(target: Any, build: Any) -> None:
    """One value goes into a Conv and a MatMul, and one weight into two layers."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "one"),
        helper.make_node("MatMul", ["a", "w"], ["b"], "two"),
        helper.make_node("Conv", ["a", "k"], ["c"], "conv"),
        helper.make_node("MatMul", ["a", "b"], ["d"], "product"),
        helper.make_node("Add", ["c", "d"], ["y"], "sum"),
    ]
    model = build(nodes, {"x": (1, 4, 8, 8)}, {"w": (8, 8), "k": (4, 4, 1, 1)}).model
    for weight in ("int8:group=32", "int4:group=32", "nvfp4", "kmeans4", "fp8", "int16", "float"):
        for value in ("uint8", "nvfp4", "fp8", "float", "int16", "uint4", "lloyd3"):
            plan = Plan(parse_scheme(weight), parse_scheme(value))
            mended = mend(plan, target, model)
            found = schemes(model, mended)
            assert check_plan_against(target, model, found) == ()
            assert mend(mended, target, model) == mended
            groups: dict[str, set[Scheme]] = {}
            for slot in model.slots.values():
                groups.setdefault(slot.group, set()).add(found[slot.name])
            assert all(len(one) == 1 for one in groups.values())


def mended(demo: Model, name: str, plan: Plan) -> Plan:
    return mend(plan, bundled_target(name), demo)


def test_the_default_is_changed_where_all_slots_ask_for_it(demo: Model) -> None:
    plan = Plan(parse_scheme("int8:channel"), parse_scheme("uint8"))
    found = mended(demo, "tensorrt", plan)
    assert found == Plan(parse_scheme("int8:channel"), parse_scheme("int8:full"))
    found = mended(demo, "litert-full-integer", plan)
    assert str(found.input) == "int8:asym"
    assert {name: str(s) for name, s in found.overrides.items()} == {"fc.weight": "int8"}


def test_one_slot_alone_becomes_an_override(demo: Model) -> None:
    eight = Plan(parse_scheme("int8:channel"), parse_scheme("int8:full"))
    assert mended(demo, "tensorrt", eight) is eight
    four = {"conv1.weight": parse_scheme("kmeans4")}
    plan = Plan(eight.weight, eight.input, (), four)
    found = mended(demo, "tensorrt", plan)
    assert found == Plan(eight.weight, eight.input, (), {"conv1.weight": parse_scheme("int4")})


def test_a_rule_is_changed_in_its_place(demo: Model) -> None:
    rule = Rule("re:block.*.weight", parse_scheme("nf4:channel"))
    plan = Plan(parse_scheme("int8:channel"), parse_scheme("int8:full"), (rule,))
    found = mended(demo, "tensorrt", plan)
    assert found.rules == (Rule("re:block.*.weight", parse_scheme("int4:channel")),)
    assert found.overrides == {}


def test_what_does_not_go_together_is_named(demo: Model) -> None:
    target = bundled_target("onnxruntime-cpu")
    plan = Plan(parse_scheme("kmeans4"), parse_scheme("uint8"))
    misfits = check_plan_against(target, demo, schemes(demo, plan))
    assert [misfit.slot for misfit in misfits] == [f"{layer.name}.weight" for layer in demo.layers]
    assert "a second time" in misfits[0].reason
    assert {str(misfit.mended) for misfit in misfits} == {"int4"}
    alone = Plan(parse_scheme("kmeans4"), parse_scheme("float"))
    assert check_plan_against(target, demo, schemes(demo, alone)) == ()
    openvino = check_plan_against(
        bundled_target("openvino"), demo, schemes(demo, Plan(input=parse_scheme("uint8")))
    )
    assert openvino[0].reason == "OpenVINO does not run Conv with float weights and uint8 inputs"
    assert str(openvino[0].mended) == "float"

"""Plan and statistics become encodings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from onnx import helper

from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.plan.plan import Plan
from qviz.plan.resolve import resolve, schemes
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme
from qviz.quant.statistics import TensorStats


@pytest.fixture
def model(build: Any) -> Model:
    """Two layers that read the same tensor, and a third behind them."""
    nodes = [
        helper.make_node("MatMul", ["x", "wa"], ["a"], "left"),
        helper.make_node("MatMul", ["x", "wb"], ["b"], "right"),
        helper.make_node("Add", ["a", "b"], ["c"], "add"),
        helper.make_node("MatMul", ["c", "wc"], ["y"], "last"),
    ]
    found: Model = build(nodes, {"x": (1, 4)}, {"wa": (4, 4), "wb": (4, 4), "wc": (4, 2)}).model
    return found


def statistics(model: Model) -> dict[str, TensorStats]:
    """Of every group: the weights' own, and for inputs numbers that tell the groups apart."""
    found = {}
    for slot in model.slots.values():
        if slot.role == "weight":
            found[slot.group] = measure(model.constants[slot.value], slot.axis, keep=True)
        else:
            top = 1.0 if slot.value == "x" else 2.0
            found[slot.group] = measure(torch.linspace(0.0, top, 100))
    return found


def test_every_slot_has_its_scheme(model: Model) -> None:
    plan = Plan(parse_scheme("int8"), overrides={"last.weight": parse_scheme("int4:channel")})
    found = {name: str(scheme) for name, scheme in schemes(model, plan).items()}
    assert found == {
        "left.weight": "int8",
        "left.input": "float",
        "right.weight": "int8",
        "right.input": "float",
        "last.weight": "int4:channel",
        "last.input": "float",
    }


def test_encodings_come_from_the_statistics_of_the_group(model: Model) -> None:
    stats = statistics(model)
    plan = Plan(parse_scheme("int4:channel:mse"), parse_scheme("uint8"))
    encodings = resolve(model, plan, stats).encodings
    assert set(encodings) == set(model.slots)
    for name, scheme in schemes(model, plan).items():
        wanted = find_encoding(stats[model.slots[name].group], scheme)
        assert encodings[name].key == wanted.key
    left, last, weight = (encodings[name] for name in ("left.input", "last.input", "last.weight"))
    assert isinstance(left, Scaled)
    assert isinstance(last, Scaled)
    assert isinstance(weight, Scaled)
    assert float(left.high) == pytest.approx(1.0)
    assert float(last.high) == pytest.approx(2.0)
    assert weight.axis == 1
    assert weight.scale.shape == (2,)


def test_slots_of_a_group_share_one_encoding(model: Model) -> None:
    encodings = resolve(model, Plan(input=parse_scheme("uint8")), statistics(model)).encodings
    assert encodings["left.input"] is encodings["right.input"]
    assert encodings["left.input"] is not encodings["last.input"]


def test_float_slots_are_absent_and_unseen_ones_refused(model: Model) -> None:
    stats = statistics(model)
    assert resolve(model, Plan(), stats).encodings == {}
    weights_only = resolve(model, Plan(weight=parse_scheme("int8")), stats).encodings
    assert set(weights_only) == {"left.weight", "right.weight", "last.weight"}
    both = Plan(parse_scheme("int8"), parse_scheme("uint8"))
    known = {group: s for group, s in stats.items() if not group.startswith("input")}
    with pytest.raises(QvizError, match=r"left\.input: its values were never measured"):
        resolve(model, both, known)


def test_encodings_that_are_known_are_not_sought_again(model: Model) -> None:
    stats = statistics(model)
    scheme = parse_scheme("int8")
    group = model.slots["left.weight"].group
    mine = find_encoding(stats[group], parse_scheme("int2"))
    known = {(group, scheme): mine}
    found = resolve(model, Plan(weight=scheme), stats, known).encodings
    assert found["left.weight"] is mine
    assert found["right.weight"] is not mine
    assert list(known) == [(group, scheme)]

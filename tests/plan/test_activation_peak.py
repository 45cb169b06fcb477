"""Activation peak, against graphs whose memory was counted by hand."""

from __future__ import annotations

from typing import Any

from onnx import helper

from qviz.plan.activation_peak import Peak, activation_peak
from qviz.plan.plan import Plan
from qviz.plan.resolve import schemes
from qviz.quant.spelling import parse_scheme


def residual(build: Any) -> Any:
    """10 -> 40 -> relu 40 -> 10, and the input is added at the end."""
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], "wide"),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("MatMul", ["b", "w2"], ["c"], "narrow"),
        helper.make_node("Add", ["x", "c"], ["y"], "sum"),
    ]
    return build(nodes, {"x": (1, 10)}, {"w1": (10, 40), "w2": (40, 10)})


def peak(built: Any, value: str) -> Peak | None:
    plan = schemes(built.model, Plan(parse_scheme("int8"), parse_scheme(value)))
    return activation_peak(built.model, built.shapes, plan)


def test_in_float_the_activation_needs_most(build: Any) -> None:
    # wide: x 10, a 40; relu: x 10, a 40, b 40; narrow: x 10, b 40, c 10; sum: x 10, c 10, y 10.
    assert peak(residual(build), "float") == Peak(4 * 90, "relu")


def test_values_that_only_layers_read_have_their_width(build: Any) -> None:
    # x is added as well and stays a float, a is read by Relu: x 40 bytes, a 160, b 40.
    assert peak(residual(build), "uint8") == Peak(40 + 160 + 40, "relu")
    assert peak(residual(build), "uint4") == Peak(40 + 160 + 20, "relu")


def test_shapes_are_needed(build: Any) -> None:
    built = residual(build)
    plan = schemes(built.model, Plan())
    assert activation_peak(built.model, {}, plan) is None
    known = {name: shape for name, shape in built.shapes.items() if name != "b"}
    assert activation_peak(built.model, known, plan) is None


def test_outputs_live_to_the_end_and_are_floats(build: Any) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], "one"),
        helper.make_node("MatMul", ["a", "w2"], ["y"], "two"),
    ]
    built = build(nodes, {"x": (1, 4)}, {"w1": (4, 8), "w2": (8, 2)}, outputs=("a", "y"))
    assert peak(built, "uint8") == Peak(4 * 8 + 4 * 2, "two")

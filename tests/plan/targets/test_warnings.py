"""Warnings: each says where nothing is gained, and silence means that something is."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import helper

from qviz.model.model import Model
from qviz.plan.plan import Plan
from qviz.plan.resolve import schemes
from qviz.plan.targets.read_target import bundled_target
from qviz.plan.targets.warnings import container_bits, warnings
from qviz.quant.spelling import parse_scheme


def told(model: Model, name: str, weight: str, value: str, **overrides: str) -> tuple[str, ...]:
    by_hand = {slot.replace("__", "."): parse_scheme(s) for slot, s in overrides.items()}
    plan = Plan(parse_scheme(weight), parse_scheme(value), (), by_hand)
    return warnings(bundled_target(name), model, schemes(model, plan))


def one(found: tuple[str, ...], words: str) -> str:
    (sentence,) = (sentence for sentence in found if words in sentence)
    return sentence


def chain(build: Any, *between: str, size: int = 32) -> Model:
    """A convolution, operators behind it, and a second convolution."""
    nodes, value = [helper.make_node("Conv", ["x", "w1"], ["v0"], "first")], "v0"
    for at, op in enumerate(between, 1):
        attributes: dict[str, Any] = {"kernel_shape": [2, 2]} if "Pool" in op else {}
        inputs = [value, value] if op == "Add" else [value]
        nodes.append(helper.make_node(op, inputs, [f"v{at}"], f"{op}{at}", **attributes))
        value = f"v{at}"
    nodes.append(helper.make_node("Conv", [value, "w2"], ["y"], "second"))
    shape = (size, size, 1, 1)
    model = build(nodes, {"x": (1, size, 8, 8)}, {"w1": shape, "w2": shape}).model
    assert isinstance(model, Model)
    return model


@pytest.mark.parametrize(
    ("between", "value", "open_ends"),
    [
        ((), "uint8", "second"),
        (("Relu",), "uint8", "second"),
        (("Relu",), "int8:full", "first and second"),  # its zero point is no lowest code
        (("Relu",), "int8:asym", "second"),
        (("MaxPool",), "int8:full", "second"),
        (("Relu", "MaxPool"), "uint8", "second"),
        (("AveragePool",), "uint8", "first and second"),
        (("Sigmoid",), "uint8", "first and second"),
        (("Add",), "uint8", "first and second"),
    ],
)
def test_onnxruntime_needs_integers_behind_a_convolution(
    between: tuple[str, ...], value: str, open_ends: str, build: Any
) -> None:
    """As the optimized graphs of onnxruntime 1.31.1 show."""
    found = told(chain(build, *between), "onnxruntime-cpu", "int8", value)
    assert f"runs {open_ends} in float, because" in one(found, "writes integers only")


def test_no_limits_warns_of_nothing(build: Any) -> None:
    assert told(chain(build), "none", "int5", "uint4") == ()


def test_eight_bits_gain_what_they_can(build: Any) -> None:
    assert told(chain(build), "openvino", "int8", "uint8") == ()
    assert told(chain(build), "openvino", "float", "float") == ()


def test_four_bits_in_float_kernels(build: Any) -> None:
    found = told(chain(build), "onnxruntime-cpu", "int4", "uint8")
    assert found[0] == (
        "ONNX Runtime CPU runs Conv with int4 weights and uint8 inputs in float, so first and "
        "second will be no faster than in float"
    )


def test_five_bits_in_eight(build: Any) -> None:
    found = told(chain(build), "tensorrt", "int5", "int8:full")
    assert "multiplies 5-bit weights as 8-bit integers" in found[0]
    assert "int5 is stored in 8-bit integers" in found[1]
    assert len(found) == 2


def test_weights_alone_on_a_convolution(build: Any) -> None:
    found = told(chain(build), "openvino", "int8:channel", "float")
    assert "decodes the weights of first and second" in found[0]
    found = told(chain(build), "onnxruntime-cpu", "int8", "float")
    assert "runs Conv with int8 weights and float inputs in float" in found[0]


def test_float_between_integers(build: Any) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], "one"),
        helper.make_node("MatMul", ["a", "w2"], ["b"], "two"),
        helper.make_node("MatMul", ["b", "w3"], ["y"], "three"),
    ]
    model = build(nodes, {"x": (4, 64)}, {f"w{n}": (64, 64) for n in (1, 2, 3)}).model
    floats = {"two__weight": "float", "two__input": "float"}
    found = told(model, "openvino", "int8", "uint8", **floats)
    assert one(found, "between integer layers").startswith("two in float between")
    assert "67 % of the weights' bytes stay in float: two.weight" in found
    first = {"one__weight": "float", "one__input": "float"}
    assert not any("between" in text for text in told(model, "openvino", "int8", "uint8", **first))


def test_scales_of_small_weights(build: Any) -> None:
    small = chain(build, size=4)
    found = told(small, "openvino", "int8:channel", "uint8")
    assert "first.weight and second.weight take as int8:channel" in one(found, "a quarter")
    tiny = build(
        [helper.make_node("Conv", ["x", "w"], ["y"], "dw", group=4)],
        {"x": (1, 4, 8, 8)},
        {"w": (4, 1, 1, 1)},
    ).model
    found = told(tiny, "openvino", "int8:channel", "uint8")
    assert found == ("dw.weight is no smaller as int8:channel than in float: it takes 20 bytes",)


def test_what_the_runtime_quantizes_beyond_the_plan(build: Any) -> None:
    found = told(chain(build, "Add", "MaxPool"), "litert-full-integer", "int8", "int8:asym")
    assert "quantizes Add (1), MaxPool (1) as well" in one(found, "its numbers will")


@pytest.mark.parametrize(
    ("scheme", "containers", "bits"),
    [
        ("int5", (4, 8, 16), 8),
        ("int4", (4, 8, 16), 4),
        ("int4", (8,), 8),
        ("int3", (4, 8, 16), 4),
        ("uint12", (4, 8, 16), 16),
        ("kmeans3", (4, 8), 4),
        ("int12", (8,), 12),  # nothing holds it, so nothing is known
        ("nf4", (8,), 4),
        ("int5", (), 5),
    ],
)
def test_containers(scheme: str, containers: tuple[int, ...], bits: int) -> None:
    assert container_bits(parse_scheme(scheme), containers) == bits

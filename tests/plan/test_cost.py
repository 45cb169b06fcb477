"""What a plan costs: packed bytes, multiply-accumulates and bit operations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onnx
import pytest
import torch
from onnx import helper

from qviz.model.model import Model
from qviz.plan.cost import Cost, cost_of, has_wide_scales, weight_bytes
from qviz.plan.macs import count_macs
from qviz.plan.plan import Plan
from qviz.plan.resolve import schemes
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme


def node(op: str, inputs: list[str], name: str = "layer", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, ["y"], name, **attributes)


def cost(model: Model, weight: str, inputs: str, macs: dict[int, int] | None = None) -> Cost:
    return cost_of(model, schemes(model, Plan(parse_scheme(weight), parse_scheme(inputs))), macs)


MACS = [
    # op, attributes, input, constants after it, MACs of one sample
    ("Conv", {"pads": [1, 1, 1, 1]}, (1, 3, 8, 8), [(16, 3, 3, 3)], 8 * 8 * 16 * 3 * 9),
    ("Conv", {"strides": [2, 2]}, (1, 3, 9, 9), [(5, 3, 3, 3), (5,)], 4 * 4 * 5 * 27),
    ("Conv", {"group": 6}, (1, 6, 5, 5), [(6, 1, 3, 3)], 3 * 3 * 6 * 9),
    ("Conv", {"group": 2}, (1, 6, 5), [(4, 3, 2)], 4 * 4 * 3 * 2),
    ("ConvTranspose", {"strides": [2, 2]}, (1, 4, 5, 5), [(4, 3, 2, 2)], 25 * 4 * 3 * 4),
    ("ConvTranspose", {"group": 2}, (1, 4, 5, 5), [(4, 3, 3, 3)], 25 * 4 * 3 * 9),
    ("Gemm", {}, (1, 20), [(20, 7), (7,)], 140),
    ("Gemm", {"transB": 1}, (1, 20), [(7, 20)], 140),
    ("Gemm", {"transA": 1}, (20, 1), [(20, 7)], 140),
    ("MatMul", {}, (1, 6, 20), [(20, 7)], 6 * 140),
    ("MatMul", {}, (1, 2, 6, 20), [(1, 2, 20, 7)], 2 * 6 * 140),
    ("Einsum", {"equation": "bij,jk->bik"}, (1, 6, 20), [(20, 7)], 6 * 140),
    ("Einsum", {"equation": "bshd,bthd->bhst"}, (1, 4, 2, 8), [(1, 6, 2, 8)], 2 * 4 * 6 * 8),
    ("LSTM", {"hidden_size": 5}, (9, 1, 3), [(1, 20, 3), (1, 20, 5)], 9 * (60 + 100)),
    ("GRU", {"hidden_size": 5}, (9, 1, 3), [(1, 15, 3), (1, 15, 5)], 9 * (45 + 75)),
    (
        "LSTM",
        {"hidden_size": 5, "direction": "bidirectional"},
        (9, 1, 3),
        [(2, 20, 3), (2, 20, 5), (2, 40)],
        9 * 2 * (60 + 100),
    ),
]


@pytest.mark.parametrize(("op", "attributes", "shape", "constants", "macs"), MACS)
def test_macs(
    op: str,
    attributes: dict[str, Any],
    shape: tuple[int, ...],
    constants: list[tuple[int, ...]],
    macs: int,
    build: Any,
) -> None:
    named = {f"c{i}": constant for i, constant in enumerate(constants)}
    built = build([node(op, ["x", *named], **attributes)], {"x": shape}, named)
    assert count_macs(built.model, built.shapes) == {0: macs}
    assert count_macs(built.model, {}) == {0: 0}


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_a_recurrent_layer_that_gives_its_last_state_only(op: str, gates: int, build: Any) -> None:
    constants = {"w": (1, gates * 5, 3), "r": (1, gates * 5, 5)}
    last = helper.make_node(op, ["x", "w", "r"], ["", "y"], "layer", hidden_size=5)
    built = build([last], {"x": (9, 1, 3)}, constants)
    assert count_macs(built.model, built.shapes) == {0: 9 * gates * (15 + 25)}
    assert count_macs(built.model, {}) == {0: 0}


def test_attention_multiplies_the_bits_of_its_two_inputs(build: Any) -> None:
    built = build([node("MatMul", ["q", "k"])], {"q": (1, 4, 8, 16), "k": (1, 4, 16, 8)}, {})
    macs = count_macs(built.model, built.shapes)
    assert macs == {0: 4 * 8 * 8 * 16}
    found = cost(built.model, "float", "uint8", macs)
    assert (found.bops_float, found.bops_quantized) == (4096 * 1024, 4096 * 64)
    assert found.bytes_float == found.bytes_quantized == 0


CONVOLUTION = node("Conv", ["x", "w", "b"], group=2)
WEIGHT = 10 * 1 * 3 * 3  # values: 90


@pytest.mark.parametrize(
    ("scheme", "packed"),
    [
        ("float", 4 * WEIGHT),
        ("int8", WEIGHT + 4),
        ("int8:channel", WEIGHT + 4 * 10),
        ("int4:channel:mse", WEIGHT // 2 + 4 * 10),
        ("int3", 34 + 4),  # 270 bits
        ("int5:full", 57 + 4),  # 450 bits
        ("uint4", WEIGHT // 2 + 4 + 1),  # a zero point of its own
        ("uint8:sym", WEIGHT + 4),  # a zero point that the format fixes
        ("int8:asym:channel", WEIGHT + 10 * (4 + 1)),
        ("uint16:channel", 2 * WEIGHT + 10 * (4 + 2)),
    ],
)
def test_weights_are_packed_with_their_scales_and_zero_points(
    scheme: str, packed: int, build: Any
) -> None:
    constants = {"w": (10, 1, 3, 3), "b": (10,)}
    model = build([CONVOLUTION], {"x": (1, 2, 8, 8)}, constants).model
    found = cost(model, scheme, "uint8")
    assert found.bytes_float == 4 * (WEIGHT + 10)
    assert found.bytes_quantized == packed + 4 * 10
    assert found.layers[0].bytes_float == 4 * (WEIGHT + 10)
    assert found.layers[0].bytes == packed + 4 * 10


SIDE = 1024


@pytest.mark.parametrize(
    ("scheme", "bits"),
    [
        ("int4:group=128", 4.125),
        ("int4:group=32", 4.5),
        ("int4:asym:group=32", 4.625),
        ("int4:asym:group=16", 5.25),
        ("uint4:sym:group=32", 4.5),
        ("int3:asym:group=16", 3 + 1 + 3 / 16),
        ("int4:group=32:pow2", 4.25),
        ("nf4", 4.25),
        ("fp8-e4m3:group=32", 8.5),
        ("mxfp4", 4.25),
        ("mxfp6", 6.25),
        ("mxfp8", 8.25),
        ("mxint8", 8.25),
        ("nvfp4", 4.5 + 32 / SIDE**2),
        ("kmeans4", 4 + 16 * 32 / SIDE**2),
        ("lloyd8", 8 + 256 * 32 / SIDE**2),
        ("int4:channel:asym", 4 + (32 + 4) / SIDE),
        ("int8:channel:pow2", 8 + 8 / SIDE),
        ("binary:channel", 1 + 32 / SIDE),
        ("binary:unit", 1.0),
        ("binary:channel:unit", 1.0),
        ("dorefa-w1", 1 + 32 / SIDE**2),
        ("dorefa-w4", 4.0),
        ("dorefa-w4:minmax", 4 + 32 / SIDE**2),
        ("fp8:unit", 8.0),
        ("float16", 16.0),
    ],
)
def test_bits_per_weight(scheme: str, bits: float) -> None:
    weight = torch.empty(SIDE, SIDE, device="meta")
    assert 8 * weight_bytes(weight, 0, parse_scheme(scheme)) / weight.numel() == bits


def test_the_scales_of_a_stack_of_matrices_are_those_of_its_channels() -> None:
    """Three matrices [40, 6]: 18 channels, each with two groups of its own."""
    x, schemes_ = torch.randn(3, 40, 6), ("int4:group=32", "int4:channel")
    for scheme, size in zip(map(parse_scheme, schemes_), (2 * 36, 4 * 18), strict=True):
        encoding = find_encoding(measure(x, (0, 2), keep=True), scheme)
        assert isinstance(encoding, Scaled)
        each = 2 if encoding.block else 4
        assert weight_bytes(x, (0, 2), scheme) == 360 + each * encoding.scale.numel() == 360 + size


def test_groups_whose_scales_are_no_float16_pay_for_float32(build: Any) -> None:
    scheme = parse_scheme("int4:group=16")
    for size, wide in ((1.0, False), (1e-6, True), (1e7, True)):
        x = size * torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
        encoding = find_encoding(measure(x, 0, keep=True), scheme)
        assert has_wide_scales(encoding) is wide
        assert weight_bytes(x, 0, scheme, wide_scales=wide) == 256 + 32 * (4 if wide else 2)
    assert not has_wide_scales(None)
    whole = find_encoding(measure(x, 0, keep=True), parse_scheme("int4:channel"))
    assert not has_wide_scales(whole)
    grouped = find_encoding(measure(torch.ones(4, 16), 0, keep=True), scheme)
    assert isinstance(grouped, Scaled)
    assert not has_wide_scales(grouped)
    from_a_file = replace(grouped, scale=grouped.scale * (1 + 2**-20))
    assert has_wide_scales(from_a_file)  # which need not hold scales that are a float16
    model = build([node("MatMul", ["x", "w"])], {"x": (1, 8)}, {"w": (8, 8)}).model
    plan = schemes(model, Plan(scheme, parse_scheme("float")))
    (slot,) = (slot.name for slot in model.slots.values() if slot.role == "weight")
    narrow, paid = cost_of(model, plan, None), cost_of(model, plan, None, {slot})
    assert paid.bytes_quantized - narrow.bytes_quantized == 2 * 8
    assert paid.layers[0].bytes - narrow.layers[0].bytes == 2 * 8


def test_costs_without_shapes_have_bytes_only(build: Any) -> None:
    model = build([CONVOLUTION], {"x": (1, 2, 8, 8)}, {"w": (10, 1, 3, 3), "b": (10,)}).model
    found = cost(model, "int8", "uint8", None)
    assert (found.bops_float, found.bops_quantized) == (None, None)
    assert (found.layers[0].macs, found.layers[0].bops) == (None, None)


def test_a_shared_weight_is_stored_once(build: Any) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "first"),
        helper.make_node("MatMul", ["h", "w"], ["y"], "second"),
    ]
    model = build(nodes, {"x": (1, 8)}, {"w": (8, 8)}).model
    found = cost(model, "int8", "float")
    assert (found.bytes_float, found.bytes_quantized) == (256, 64 + 4)
    assert [layer.bytes for layer in found.layers] == [68, 68]


def test_constants_of_no_slot_keep_their_size(build: Any) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "fc"),
        helper.make_node("Mul", ["h", "factor"], ["y"], "scale"),
    ]
    model = build(nodes, {"x": (1, 8)}, {"w": (8, 8), "factor": (8,)}).model
    found = cost(model, "int4", "float")
    assert (found.bytes_float, found.bytes_quantized) == (256 + 32, 32 + 4 + 32)


def network(build: Any) -> Any:
    """The CNN of the published golden figures: 44,592 weights, 3,196,224 MACs."""
    same: dict[str, Any] = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], "conv1", strides=[2, 2], **same),
        helper.make_node("Conv", ["a", "w2"], ["b"], "conv2", **same),
        helper.make_node("Conv", ["b", "w3"], ["c"], "depthwise", group=32, **same),
        helper.make_node("Conv", ["c", "w4"], ["d"], "pointwise"),
        helper.make_node("MaxPool", ["d"], ["e"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["e", "w5"], ["f"], "conv3", **same),
        helper.make_node("GlobalAveragePool", ["f"], ["g"], "mean"),
        helper.make_node("Flatten", ["g"], ["h"], "flatten"),
        helper.make_node("Gemm", ["h", "w6"], ["y"], "fc"),
    ]
    constants = {
        "w1": (16, 1, 3, 3),
        "w2": (32, 16, 3, 3),
        "w3": (32, 1, 3, 3),
        "w4": (64, 32, 1, 1),
        "w5": (64, 64, 3, 3),
        "w6": (64, 10),
    }
    return build(nodes, {"x": (1, 1, 28, 28)}, constants)


@pytest.mark.parametrize(
    ("weight", "inputs", "bops"),
    [("int8", "uint8", 2.046e8), ("int4", "uint8", 1.023e8), ("int4", "uint4", 5.114e7)],
)
def test_the_figures_of_a_small_network(weight: str, inputs: str, bops: float, build: Any) -> None:
    built = network(build)
    macs = count_macs(built.model, built.shapes)
    assert sum(macs.values()) == 3_196_224
    found = cost(built.model, weight, inputs, macs)
    assert found.bops_float == 3_196_224 * 1024
    assert found.bops_quantized == pytest.approx(bops, rel=1e-3)
    assert found.bops_quantized == sum(layer.bops or 0.0 for layer in found.layers)
    assert found.bytes_float == 4 * 44_592
    bits = int(weight[3:])
    assert found.bytes_quantized == 44_592 * bits // 8 + 6 * 4
    assert cost(built.model, "float", "float", macs).bops_quantized == found.bops_float


def test_bits_are_counted_layer_by_layer(build: Any) -> None:
    built = network(build)
    macs = count_macs(built.model, built.shapes)
    eight = parse_scheme("int8")
    plan = Plan(eight, parse_scheme("uint8"), overrides={"conv3.weight": parse_scheme("int4")})
    layers = {layer.name: layer.index for layer in built.model.layers}
    costs = cost_of(built.model, schemes(built.model, plan), macs).layers
    assert costs[layers["conv3"]].macs == 1_806_336
    assert costs[layers["conv3"]].bops == 1_806_336 * 32
    assert costs[layers["depthwise"]].bops == 56_448 * 64
    half = Plan(eight)  # inputs in float
    assert (
        cost_of(built.model, schemes(built.model, half), macs).layers[layers["fc"]].bops
        == 640 * 8 * 32
    )


def test_a_recurrent_layer_counts_its_wider_weight(build: Any) -> None:
    constants = {"w": (1, 20, 3), "r": (1, 20, 5)}
    lstm = node("LSTM", ["x", "w", "r"], hidden_size=5)
    built = build([lstm], {"x": (9, 1, 3)}, constants)
    macs = count_macs(built.model, built.shapes)
    first, second = (slot.name for slot in built.model.slots.values() if slot.role == "weight")
    bits = {first: parse_scheme("int4"), second: parse_scheme("int8")}
    for overrides in (bits, dict(zip(bits, reversed(bits.values()), strict=True))):
        found = cost_of(built.model, schemes(built.model, Plan(overrides=overrides)), macs)
        assert found.bops_quantized == macs[0] * 8 * 32

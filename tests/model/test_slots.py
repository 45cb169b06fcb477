"""Layers, slots and which of them must share a quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qviz.model.read_onnx import read_onnx

if TYPE_CHECKING:
    from qviz.quant.axes import Axes
    from tests.model.conftest import Write

Rng = np.random.Generator


def floats(rng: Rng, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("op", "x", "weight", "attributes", "axes"),
    [
        ("Conv", (1, 4, 8, 8), (6, 4, 3, 3), {}, (0, 1)),
        ("Conv", (1, 4, 8), (6, 4, 3), {}, (0, 1)),
        ("ConvTranspose", (1, 4, 8, 8), (4, 6, 3, 3), {}, (1, 1)),
        ("Gemm", (2, 4), (6, 4), {"transB": 1}, (0, 1)),
        ("Gemm", (2, 4), (4, 6), {}, (1, 1)),
        ("Gemm", (4, 2), (4, 6), {"transA": 1}, (1, 0)),
        ("MatMul", (2, 5, 4), (4, 6), {}, (1, 2)),
        ("MatMul", (2, 5, 4), (2, 4, 6), {}, ((0, 2), 2)),
        ("MatMul", (2, 5, 4), (1, 4, 6), {}, (2, 2)),
        ("MatMul", (2, 1, 5, 4), (2, 3, 4, 6), {}, ((0, 1, 3), 3)),
        ("MatMul", (2, 5, 4), (4,), {}, (None, 2)),
    ],
)
def test_channel_axes(
    write: Write,
    rng: Rng,
    op: str,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    attributes: dict[str, Any],
    axes: tuple[Axes, int],
) -> None:
    node = helper.make_node(op, ["x", "w"], ["y"], name="layer", **attributes)
    model = read_onnx(write([node], {"x": x}, ["y"], {"w": floats(rng, *weight)}))
    (layer,) = model.layers
    assert layer.slots == ("layer.weight", "layer.input")
    assert (layer.name, layer.op, layer.step, layer.weight_shape) == ("layer", op, 0, weight)
    assert layer.parameters == np.prod(weight)
    slots = [model.slots[name] for name in layer.slots]
    assert tuple(slot.axis for slot in slots) == axes
    assert [slot.role for slot in slots] == ["weight", "input"]
    assert [slot.value for slot in slots] == ["w", "x"]
    assert [slot.operand for slot in slots] == [1, 0]
    assert [slot.layer for slot in slots] == [0, 0]


def test_unknown_rank_gives_an_axis_from_the_end(write: Write, rng: Rng) -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"], name="mm"),
    ]
    path = write(nodes, {"x": [2, 4], "shape": ["rank"]}, ["y"], {"w": floats(rng, 4, 3)})
    assert read_onnx(path).slots["mm.input"].axis == -1


def test_a_constant_on_the_left_is_the_weight(write: Write, rng: Rng) -> None:
    node = helper.make_node("MatMul", ["w", "x"], ["y"], name="mm")
    model = read_onnx(write([node], {"x": [2, 4, 3]}, ["y"], {"w": floats(rng, 5, 4)}))
    weight, given_ = (model.slots[name] for name in model.layers[0].slots)
    assert (weight.name, weight.operand, weight.axis) == ("mm.weight", 0, 0)
    assert (given_.name, given_.operand, given_.axis) == ("mm.input", 1, 2)


def test_two_computed_operands_are_two_inputs(write: Write) -> None:
    nodes = [
        helper.make_node("MatMul", ["a", "b"], ["h"], name="mm"),
        helper.make_node("Conv", ["c", "d"], ["y"], name="conv"),
    ]
    shapes = {"a": [2, 3], "b": [3, 4], "c": [1, 2, 5, 5], "d": [3, 2, 3, 3]}
    model = read_onnx(write(nodes, shapes, ["h", "y"]))
    assert list(model.slots) == ["mm.input", "mm.input.B", "conv.input", "conv.input.W"]
    assert model.layers[0].weight_shape == ()
    assert model.layers[0].parameters == 0


@pytest.mark.parametrize(("direction", "rows"), [("forward", 1), ("bidirectional", (0, 1))])
@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers_have_two_weights(
    write: Write, rng: Rng, op: str, gates: int, direction: str, rows: Axes
) -> None:
    count = 1 if direction == "forward" else 2
    constants = {
        "w": floats(rng, count, gates * 5, 3),
        "r": floats(rng, count, gates * 5, 5),
        "b": floats(rng, count, gates * 10),
    }
    given_ = ["x", "w", "r", "b"]
    node = helper.make_node(op, given_, ["y"], name="rec", hidden_size=5, direction=direction)
    model = read_onnx(write([node], {"x": [7, 2, 3]}, ["y"], constants))
    (layer,) = model.layers
    assert layer.slots == ("rec.weight", "rec.weight.R", "rec.input")
    assert [model.slots[name].axis for name in layer.slots] == [rows, rows, 2]
    assert layer.bias == "b"
    assert layer.parameters == sum(array.size for array in constants.values())


def test_an_embedding_has_a_weight_and_a_lookup_of_activations_has_none(
    write: Write, rng: Rng
) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["ids"], to=7),
        helper.make_node("Gather", ["table", "ids"], ["e"], name="embed"),
        helper.make_node("Gather", ["e", "first"], ["y"], name="take", axis=1),
    ]
    constants: dict[str, NDArray[Any]] = {"table": floats(rng, 10, 4), "first": np.array(0)}
    model = read_onnx(write(nodes, {"x": [1, 3]}, ["y"], constants))
    assert list(model.slots) == ["embed.weight"]
    assert (model.slots["embed.weight"].axis, model.slots["embed.weight"].operand) == (0, 0)


def test_integer_products_are_no_layers(write: Write) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=7),
        helper.make_node("MatMul", ["i", "w"], ["h"]),
        helper.make_node("Cast", ["h"], ["y"], to=1),
    ]
    path = write(nodes, {"x": [1, 2]}, ["y"], {"w": np.ones((2, 3), np.int64)})
    assert read_onnx(path).layers == ()


def test_readers_of_one_tensor_share_a_group(write: Write, rng: Rng) -> None:
    """A residual block: two convolutions read x, and one weight is used twice."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="left"),
        helper.make_node("Conv", ["x", "v"], ["b"], name="right"),
        helper.make_node("Add", ["a", "b"], ["s"]),
        helper.make_node("Conv", ["s", "w"], ["y"], name="last"),
    ]
    constants = {"w": floats(rng, 4, 4, 1, 1), "v": floats(rng, 4, 4, 1, 1)}
    slots = read_onnx(write(nodes, {"x": [1, 4, 3, 3]}, ["y"], constants)).slots
    assert slots["left.input"].group == slots["right.input"].group
    assert slots["left.input"].group != slots["last.input"].group
    assert slots["left.weight"].group == slots["last.weight"].group
    assert slots["left.weight"].group != slots["right.weight"].group


def test_one_weight_along_two_axes_is_two_groups(write: Write, rng: Rng) -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["h"], name="a"),
        helper.make_node("Gemm", ["h", "w"], ["y"], name="b", transB=1),
    ]
    slots = read_onnx(write(nodes, {"x": [1, 4]}, ["y"], {"w": floats(rng, 4, 4)})).slots
    assert slots["a.weight"].group != slots["b.weight"].group


def test_exporters_names_are_kept_and_others_made(write: Write, rng: Rng) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="/features/0/MatMul"),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        helper.make_node("MatMul", ["b", "w"], ["y"], name="/features/0/MatMul"),
    ]
    model = read_onnx(write(nodes, {"x": [1, 4]}, ["y"], {"w": floats(rng, 4, 4)}))
    assert [layer.name for layer in model.layers] == ["/features/0/MatMul", "MatMul_1", "MatMul_2"]


@given(st.lists(st.sampled_from(["", "a", "b", "MatMul_1", "a.weight"]), min_size=1, max_size=6))
def test_every_slot_has_a_name_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    nodes = [
        helper.make_node("MatMul", [f"v{n}", "w"], [f"v{n + 1}"], name=name)
        for n, name in enumerate(names)
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])
        for name in ("v0", f"v{len(names)}")
    ]
    weight = numpy_helper.from_array(np.eye(2, dtype=np.float32), "w")
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
    model: Any = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10
    )
    path = tmp_path_factory.mktemp("named") / "net.onnx"
    path.write_bytes(model.SerializeToString())
    read = read_onnx(path)
    assert len(read.layers) == len(names)
    assert len(read.slots) == 2 * len(names)
    assert all(read.slots[name].name == name for layer in read.layers for name in layer.slots)


@pytest.mark.parametrize(
    ("equation", "weight", "axes"),
    [
        ("bsd,dh->bsh", (4, 6), (1, 2)),
        ("bsd,hd->bsh", (6, 4), (0, 2)),
        ("bsd, dhk -> bshk", (4, 2, 3), ((1, 2), 2)),
        ("bsd,bdh->bsh", (2, 4, 6), ((0, 2), 2)),
        ("bsd,bhd->bsh", (2, 6, 4), ((0, 1), 2)),
        ("bsd,bsd->", (1, 5, 4), (None, 0)),
        ("bsd,dh", (4, 6), (1, 2)),
    ],
)
def test_the_channels_of_an_einsum_are_the_indices_of_its_weight_in_the_output(
    write: Write, rng: Rng, equation: str, weight: tuple[int, ...], axes: tuple[Axes, int]
) -> None:
    node = helper.make_node("Einsum", ["x", "w"], ["y"], name="mix", equation=equation)
    model = read_onnx(write([node], {"x": ["n", 5, 4]}, ["y"], {"w": floats(rng, *weight)}))
    assert (model.slots["mix.weight"].axis, model.slots["mix.input"].axis) == axes


def test_an_einsum_with_an_ellipsis_is_no_layer(write: Write, rng: Rng) -> None:
    node = helper.make_node("Einsum", ["x", "w"], ["y"], name="mix", equation="...d,dh->...h")
    model = read_onnx(write([node], {"x": [1, 5, 4]}, ["y"], {"w": floats(rng, 4, 6)}))
    assert not model.layers


def test_attention_has_three_inputs(write: Write) -> None:
    node = helper.make_node("Attention", ["q", "k", "v"], ["y"], name="att")
    shapes = {name: [1, 2, 4, 8] for name in "qkv"}
    model = read_onnx(write([node], shapes, ["y"], opset=23))
    assert list(model.slots) == ["att.input", "att.input.K", "att.input.V"]
    assert [slot.axis for slot in model.slots.values()] == [3, 3, 3]

"""Chains: steps work in place on a layer's output, and nobody else's values change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from qviz.engine.chains import RELU, Clip, clip_of, find_chains, users_of
from qviz.engine.chunks import Chunk
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.engine.program import slots_by_operand
from qviz.model.model import Model, Value
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

Arrays = dict[str, NDArray[Any]]
RNG = np.random.default_rng(7)
C = 4  # channels


def floats(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


def conv(x: str, y: str, w: str = "w", b: str = "b") -> onnx.NodeProto:
    return helper.make_node("Conv", [x, w, b], [y], name=y, pads=[1, 1, 1, 1])


def node(op: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=output, **attributes)


CONSTANTS: Arrays = {
    "w": floats(C, C, 3, 3),
    "w2": floats(C, C, 3, 3),
    "b": floats(C),
    "one": floats(1),
    "row": floats(C, 1, 1),
    "whole": floats(2, C, 5, 6),
    "more": floats(3, 1, C, 5, 6),  # the sum has more axes than the layer's output
    "low": np.array(-0.5, np.float32),
    "high": np.array(0.75, np.float32),
    "two": np.array([0.1, 0.2], np.float32),
}
FED = {"x": (2, C, 5, 6), "z": (2, C, 5, 6), "small": (1, C, 1, 1), "limit": ()}

# Nodes, outputs, and the operators of every chain of more than one step.
GRAPHS: dict[str, tuple[list[onnx.NodeProto], list[str], list[str]]] = {
    "a model input": ([conv("x", "c"), node("Add", ["c", "z"], "y")], ["y"], ["Conv Add"]),
    "its own input": ([conv("x", "c"), node("Add", ["x", "c"], "y")], ["y"], ["Conv Add"]),
    "a constant": ([conv("x", "c"), node("Add", ["whole", "c"], "y")], ["y"], ["Conv Add"]),
    "a row": ([conv("x", "c"), node("Add", ["c", "row"], "y")], ["y"], ["Conv Add"]),
    "a small input": ([conv("x", "c"), node("Add", ["small", "c"], "y")], ["y"], ["Conv Add"]),
    "a wider constant": ([conv("x", "c"), node("Add", ["c", "more"], "y")], ["y"], ["Conv Add"]),
    "into a wider value": (
        [conv("small", "c", "p"), node("Add", ["z", "c"], "y")],
        ["y"],
        ["Conv Add"],
    ),
    "itself": ([conv("x", "c"), node("Add", ["c", "c"], "y")], ["y"], []),
    "two convolutions": (
        [conv("x", "c"), conv("z", "d", "w2"), node("Add", ["c", "d"], "s"), conv("s", "y")],
        ["y"],
        ["Conv Add"],
    ),
    "two chains": (
        [
            conv("x", "c"),
            node("Relu", ["c"], "r"),
            conv("z", "d", "w2"),
            node("Relu", ["d"], "q"),
            node("Add", ["r", "q"], "s"),
            node("Relu", ["s"], "y"),
        ],
        ["y"],
        ["Conv Relu Add Relu", "Conv Relu"],
    ),
    "a value that more read": (
        [
            conv("x", "c"),
            node("Relu", ["c"], "r"),
            conv("r", "d", "w2"),
            node("Add", ["d", "r"], "s"),
            node("Relu", ["s"], "t"),
            node("Mul", ["r", "t"], "y"),
        ],
        ["y"],
        ["Conv Relu", "Conv Add Relu"],
    ),
    "two users": (
        [conv("x", "c"), node("Relu", ["c"], "r"), node("Mul", ["c", "r"], "y")],
        ["y"],
        [],
    ),
    "outputs on the way": (
        [conv("x", "c"), node("Relu", ["c"], "r"), node("Clip", ["r", "", "high"], "y")],
        ["c", "r", "y"],
        [],
    ),
    "an output that another adds to": (
        [conv("x", "c"), conv("c", "d", "w2"), node("Add", ["d", "c"], "y")],
        ["c", "y"],
        ["Conv Add"],
    ),
    "an output that the next layer reads": (
        [conv("x", "c"), conv("c", "d", "w2"), node("Relu", ["d"], "y")],
        ["c", "y"],
        ["Conv Relu"],
    ),
    "several clips": (
        [
            conv("x", "c"),
            node("Clip", ["c", "low"], "k"),
            node("Clip", ["k", "", "high"], "l"),
            node("Clip", ["l", "low", "high"], "y"),
        ],
        ["y"],
        ["Conv Clip Clip Clip"],
    ),
    "a clip to one side between layers": (
        [
            conv("x", "c"),
            node("Clip", ["c", "", "high"], "k"),
            conv("k", "d", "w2"),
            node("Clip", ["d", "low"], "l"),
            conv("l", "y"),
        ],
        ["y"],
        ["Conv Clip", "Conv Clip"],
    ),
    "a computed limit": (
        [conv("x", "c"), node("Clip", ["c", "", "limit"], "y")],
        ["y"],
        [],
    ),
    "crossed limits": ([conv("x", "c"), node("Clip", ["c", "high", "low"], "y")], ["y"], []),
    "no limits": ([conv("x", "c"), node("Clip", ["c"], "y")], ["y"], []),
    "an output as a limit": (
        [
            conv("small", "c", "one_w", "one"),
            node("ReduceMax", ["c"], "m", keepdims=0),
            node("Clip", ["x", "", "m"], "y"),
        ],
        ["y"],
        [],
    ),
}
CONSTANTS["one_w"] = floats(1, C, 3, 3)
CONSTANTS["p"] = floats(C, C, 3, 3)


def opened(path: Path, nodes: list[onnx.NodeProto], outputs: list[str], version: int = 17) -> Model:
    """A model of the nodes, with those of the constants and inputs that they read."""
    inner = [a.g for n in nodes for a in n.attribute if a.type == onnx.AttributeProto.GRAPH]
    read = {name for n in (*nodes, *(n for g in inner for n in g.node)) for name in n.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
            for name, shape in FED.items()
            if name in read
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(a, name) for name, a in CONSTANTS.items() if name in read],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    onnx.save(made, path)
    return read_onnx(path)


def feeds(model: Model) -> dict[str, Tensor]:
    rng = np.random.default_rng(1)
    made = {name: rng.normal(size=shape).astype(np.float32) for name, shape in FED.items()}
    return {info.name: torch.from_numpy(np.asarray(made[info.name])) for info in model.inputs}


def encodings_of(model: Model, given: Mapping[str, Tensor], spelling: str) -> dict[str, Encoding]:
    """One scheme for every slot, with the ranges of the float model."""
    names = {slot.value for slot in model.slots.values()}
    values = Runtime(model).run(given, keep=names)
    found = {}
    for slot in model.slots.values():
        value = values[slot.value]
        assert isinstance(value, Tensor)
        scheme = parse_scheme("int8:channel" if slot.role == "weight" else spelling)
        axis = slot.axis if slot.role == "weight" else None
        found[slot.name] = find_encoding(measure(value, axis, keep=True), scheme)
    return found


def plainly(model: Model, given: Mapping[str, Tensor], encodings: Mapping[str, Encoding]) -> Any:
    """Every step on quantized numbers, one after the other, and no value changed by another."""
    values: dict[str, Value] = {**model.constants, **given, "": None}
    slots, runtime = slots_by_operand(model), Runtime(model)
    for step in model.steps:
        operands = [values[name] for name in (*step.inputs, *step.captures)]
        for position, value in enumerate(operands):
            slot = slots.get((step.index, position))
            if slot is not None and slot.name in encodings and isinstance(value, Tensor):
                operands[position] = encodings[slot.name].apply(value)
        outputs = runtime.run_step(step, operands)
        copies = [v.clone() if isinstance(v, Tensor) else v for v in outputs]
        values.update(zip(step.outputs, copies, strict=True))
    return {name: values[name] for name in model.outputs}


def chains_of(model: Model) -> list[str]:
    found = find_chains(model, users_of(model), slots_by_operand(model))
    return [" ".join(s.op for s in chain.steps) for chain in found if len(chain.steps) > 1]


def check(model: Model) -> None:
    """Three rounds on one memo: in float, quantized in numbers, and quantized in codes."""
    given = feeds(model)
    kept = {**{k: v.clone() for k, v in given.items()}}
    constants = {name: tensor.clone() for name, tensor in model.constants.items()}
    chunk = Chunk("one", np.arange(2), given, 0)
    quantized = encodings_of(model, given, "uint8")
    for integers in (False, True):
        memo = Memo(1 << 24)
        executor = Executor(model, memo, integers=integers)
        for encodings in ({}, quantized, {}, quantized):
            expected = plainly(model, kept, encodings)
            found = executor.run(chunk, encodings, executor.program(encodings))
            assert found.keys() == expected.keys()
            for name in expected:
                if integers:
                    close = torch.as_tensor(found[name]), expected[name]
                    torch.testing.assert_close(*close, rtol=1e-4, atol=1e-4)
                else:
                    assert torch.equal(torch.as_tensor(found[name]), expected[name])
    assert all(torch.equal(given[name], kept[name]) for name in kept)
    assert all(torch.equal(model.constants[name], constants[name]) for name in constants)


@pytest.mark.parametrize("name", GRAPHS)
def test_no_value_changes_that_another_reads(tmp_path: Path, name: str) -> None:
    nodes, outputs, chains = GRAPHS[name]
    model = opened(tmp_path / "chain.onnx", nodes, outputs)
    assert chains_of(model) == chains
    check(model)


def test_a_value_that_a_branch_reads_ends_a_chain(tmp_path: Path) -> None:
    def branch(op: str) -> onnx.GraphProto:
        body = [node(op, ["c"], op), node("Mul", [op, "c"], op + "_y")]
        out = helper.make_tensor_value_info(op + "_y", TensorProto.FLOAT, None)
        return helper.make_graph(body, op, [], [out])

    choose = [node("ReduceMax", ["x"], "m", keepdims=0), node("Greater", ["m", "low"], "choice")]
    choice = node("If", ["choice"], "i", then_branch=branch("Relu"), else_branch=branch("Neg"))
    # The one reader in the graph itself is the If, and with a Relu beside it there are two.
    for more in (
        [node("Identity", ["i"], "y")],
        [node("Relu", ["c"], "r"), node("Add", ["i", "r"], "y")],
    ):
        model = opened(tmp_path / "if.onnx", [conv("x", "c"), *choose, choice, *more], ["y"])
        assert chains_of(model) == []
        check(model)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"min": 0.0, "max": 6.0}, Clip(0.0, 6.0)),
        ({"max": 0.5}, Clip(-float("inf"), 0.5)),
        ({"min": 0.0}, RELU),
        ({"min": 0.5, "max": -0.5}, None),
    ],
)
def test_limits_as_attributes(
    tmp_path: Path, limits: dict[str, float], expected: Clip | None
) -> None:
    nodes = [conv("x", "c"), node("Clip", ["c"], "k", **limits), conv("k", "y")]
    model = opened(tmp_path / "clip.onnx", nodes, ["y"], version=7)
    assert clip_of(model.steps[1], model) == expected
    check(model)


def test_other_steps_and_limits_that_are_no_single_number_are_no_clips(tmp_path: Path) -> None:
    nodes = [conv("x", "c"), node("Add", ["c", "z"], "y")]
    model = opened(tmp_path / "add.onnx", nodes, ["y"])
    assert [clip_of(step, model) for step in model.steps] == [None, None]


@pytest.mark.parametrize("kind", [np.int32, np.int64])
@pytest.mark.parametrize("op", ["Relu", "Clip", "Add"])
def test_products_of_integers(tmp_path: Path, kind: type, op: str) -> None:
    """No layers, but the same operators: none of their steps may work in floating point."""
    number = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    weight = numpy_helper.from_array(np.array([[1, -2], [3, 4]], kind), "w")
    limits = [
        numpy_helper.from_array(np.array(value, kind), name)
        for name, value in (("low", -3), ("high", np.iinfo(kind).max))
    ]
    more = {"Relu": [], "Clip": ["low", "high"], "Add": ["low"]}[op]
    graph = helper.make_graph(
        [node("MatMul", ["x", "w"], "m"), node(op, ["m", *more], "y")],
        "g",
        [helper.make_tensor_value_info("x", number, ["n", 2])],
        [helper.make_tensor_value_info("y", number, ["n", 2])],
        [weight, *limits],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, tmp_path / "int.onnx")
    model = read_onnx(tmp_path / "int.onnx")
    x = torch.from_numpy(np.array([[5, -7], [-9, 2]], kind))
    executor = Executor(model, Memo(0))
    found = executor.run(Chunk("one", np.arange(2), {"x": x}, 0), {}, executor.program({}))["y"]
    product = np.array([[5, -7], [-9, 2]]) @ np.array([[1, -2], [3, 4]])
    expected: dict[str, Callable[[], NDArray[Any]]] = {
        "Relu": lambda: np.maximum(product, 0),
        "Clip": lambda: np.maximum(product, -3),
        "Add": lambda: product - 3,
    }
    assert isinstance(found, Tensor)
    assert found.tolist() == expected[op]().tolist()
    assert found.dtype == x.dtype

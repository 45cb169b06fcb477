"""Small ONNX files whose constants, once worked out, would fill the memory or never end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from tests.fuzz.case import Case, Outcome
from tests.fuzz.onnx_models import constant, floats, info, model

node = helper.make_node
HUGE = (2**33, 2**40, 2**62)


def _case(name: str, nodes: list[Any], constants: list[Any], outcome: Outcome = "either") -> Case:
    """What is computed from constants is added to x, so that it is needed."""
    add = node("Add", ["x", "c"], ["y"])
    proto = model([*nodes, add], constants)
    return Case("onnx bomb", name, {"net.onnx": proto.SerializeToString()}, outcome=outcome)


def bomb_cases() -> Iterator[Case]:
    """Every bomb."""
    one = constant("one", floats(1))
    for size in HUGE:
        sizes = constant("sizes", [size])
        yield _case(f"Expand to {size}", [node("Expand", ["one", "sizes"], ["c"])], [one, sizes])
        yield _case(f"Tile {size} times", [node("Tile", ["one", "sizes"], ["c"])], [one, sizes])
        yield _case(f"ConstantOfShape {size}", [node("ConstantOfShape", ["sizes"], ["c"])], [sizes])
        yield _case(f"Reshape to {size}", [node("Reshape", ["one", "sizes"], ["c"])], [one, sizes])
        limits = [constant(n, np.array(v)) for n, v in (("from", 0), ("to", size), ("by", 1))]
        nodes = [node("Range", ["from", "to", "by"], ["r"]), node("ReduceMax", ["r"], ["m"])]
        cast = node("Cast", ["m"], ["c"], to=TensorProto.FLOAT)
        yield _case(f"Range to {size}", [*nodes, cast], limits)
        pads = constant("pads", [0, size])
        yield _case(f"Pad by {size}", [node("Pad", ["one", "pads"], ["c"])], [one, pads])
        two = constant("two", [0, 1])
        depth = constant("depth", np.array(size))
        hot = node("OneHot", ["two", "depth", "values"], ["c"])
        yield _case(f"OneHot {size} deep", [hot], [two, depth, constant("values", floats(2))])
        picture = constant("picture", floats(1, 1, 2, 2))
        to = constant("to", [1, 1, size, size])
        resize = node("Resize", ["picture", "", "", "to"], ["c"], mode="nearest")
        yield _case(f"Resize to {size}", [resize], [picture, to])
        upsample = constant("scales", np.array([1, 1, size, size], np.float32))
        resize = node("Resize", ["picture", "", "scales"], ["c"], mode="nearest")
        yield _case(f"Resize by {size}", [resize], [picture, upsample])
        eye = node("EyeLike", ["big"], ["c"])
        yield _case(
            f"EyeLike {size}",
            [node("ConstantOfShape", ["sizes"], ["big"]), eye],
            [constant("sizes", [size, 2])],
        )
        yield _case(
            f"HannWindow {size}",
            [node("HannWindow", ["size"], ["c"])],
            [constant("size", np.array(size))],
        )
        random = node("RandomNormal", [], ["c"], shape=[size])
        yield _case(f"RandomNormal {size}", [random], [])
        bottom = node("Gather", ["one", "i"], ["c"])
        yield _case(f"Gather at {size}", [bottom], [one, constant("i", [size])])
        ends = [
            constant(n, [v])
            for n, v in (("start", -size), ("end", size), ("axis", 0), ("step", -1))
        ]
        cut = node("Slice", ["one", "start", "end", "axis", "step"], ["c"])
        yield _case(f"Slice from -{size}", [cut], [one, *ends])
    yield from _growing()
    yield from _fed()


def _growing() -> Iterator[Case]:
    """Step by step: every result is small enough beside what it is made from."""
    steps: tuple[tuple[str, dict[str, Any]], ...] = (("Concat", {"axis": 0}), ("Sum", {}))
    for op, axis in steps:
        doubling = [node(op, [f"v{i}"] * 2, [f"v{i + 1}"], **axis) for i in range(40)]
        last = node("ReduceMax", ["v40"], ["c"], keepdims=0)
        yield _case(f"{op} of itself, 40 times", [*doubling, last], [constant("v0", floats(1))])
    outer = [node("Mul", ["column", "row"], ["square"]), node("ReduceMax", ["square"], ["c"])]
    sides = [constant("column", floats(100_000, 1)), constant("row", floats(1, 100_000))]
    yield _case("an outer product of 10^10 values", outer, sides)
    outer[0] = node("MatMul", ["column", "row"], ["square"])
    yield _case("a matrix product of 10^10 values", outer, sides)
    outer[0] = node("Einsum", ["column", "row"], ["square"], equation="ab,cd->abcd")
    yield _case("an Einsum of 10^10 values", outer, sides)
    outer[0] = node("Gemm", ["column", "row"], ["square"])
    yield _case("a Gemm of 10^10 values", outer, sides)
    outer[0] = node("Equal", ["column", "row"], ["square"])
    compared = [outer[0], node("Cast", ["square"], ["n"], to=1), node("ReduceMax", ["n"], ["c"])]
    yield _case("a comparison of 10^10 values", compared, sides)
    many = node("Gather", ["column", "ids"], ["g"])
    ids = constant("ids", np.zeros((1000, 1000), np.int64))
    wide = constant("column", floats(1, 10_000))
    yield _case("a Gather of 10^10 values", [many, node("ReduceMax", ["g"], ["c"])], [wide, ids])
    small = [constant("p", floats(1, 1, 4, 4)), constant("k", floats(1, 1, 2, 2))]
    for op in ("ConvTranspose", "Conv"):
        conv = node(op, ["p", "k"], ["big"], strides=[40_000, 40_000], pads=[0] * 4)
        yield _case(
            f"{op} with strides of 40,000", [conv, node("ReduceMax", ["big"], ["c"])], small
        )
        conv = node(op, ["p", "k"], ["big"], pads=[30_000] * 4)
        yield _case(f"{op} with pads of 30,000", [conv, node("ReduceMax", ["big"], ["c"])], small)


def _fed() -> Iterator[Case]:
    """What grows only when the model is run."""
    sizes = constant("sizes", [2**20, 2**20, 4])
    for name, nodes, constants in (
        ("Expand", [node("Expand", ["x", "sizes"], ["y"])], [sizes]),
        ("Tile", [node("Tile", ["x", "sizes"], ["y"])], [constant("sizes", [2**20, 2**20])]),
        (
            "Pad",
            [node("Pad", ["x", "sizes"], ["y"])],
            [constant("sizes", [0, 0, 2**20, 2**20])],
        ),
        (
            "a sum of outer products",
            [node("Add", ["x", "column"], ["y"])],
            [constant("column", floats(100_000, 100_000 // 100_000, 1))],
        ),
    ):
        proto = model(nodes, constants)
        content = {"net.onnx": proto.SerializeToString()}
        yield Case("onnx bomb", f"{name} of an input", content, outcome="either")
    for size in (2**20, 2**34):
        proto = model([node("Relu", ["x"], ["y"])], inputs=[info("x", [size, 1024])])
        content = {"net.onnx": proto.SerializeToString()}
        yield Case("onnx bomb", f"an input of {size} rows", content, outcome="either")

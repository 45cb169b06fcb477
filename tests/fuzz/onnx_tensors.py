"""ONNX files whose tensors contradict themselves, lie elsewhere, or claim to be huge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.fuzz.case import Case, Outcome
from tests.fuzz.onnx_models import (
    constant,
    external,
    floats,
    info,
    model,
    perceptron,
    refer,
)

node = helper.make_node


def _case(name: str, proto: Any, outcome: Outcome = "error") -> Case:
    return Case("onnx tensor", name, {"net.onnx": proto.SerializeToString()}, outcome=outcome)


def tensor_cases() -> Iterator[Case]:
    """Every malformed tensor."""
    yield from _shapes()
    yield from _values()
    yield from _types()
    yield from _sparse()
    yield from _elsewhere()


def _weight(**changes: Any) -> Any:
    """The perceptron with fields of its first weight changed."""
    proto = perceptron()
    weight = proto.graph.initializer[0]
    for field, value in changes.items():
        if isinstance(value, list):
            weight.ClearField(field)
            getattr(weight, field).extend(value)
        else:
            setattr(weight, field, value)
    return proto


def _shapes() -> Iterator[Case]:
    for dims in (
        [8, 5],
        [8, 3],
        [-8, -4],
        [8, -4],
        [0, 4],
        [],
        [2**60],
        [2**60, 4],
        [2**32, 2**32],
        [2**63 - 1],
        [2**31, 2**31, 2**31],
        [1] * 5000 + [8, 4],
        [0, 2**62],
    ):
        yield _case(f"a weight of shape {dims[:4]}, {len(dims)} axes", _weight(dims=dims))
    big = 10**5
    node_constant = node("Constant", [], ["c"], value=constant("c", [1]))
    node_constant.attribute[0].t.dims[:] = [2**60]
    proto = model([node_constant, node("Add", ["x", "c"], ["y"])])
    yield _case("a Constant of 2^60 values", proto)
    proto = perceptron()
    del proto.graph.initializer[2:]
    yield _case("a weight that is not there", proto)
    proto = perceptron()
    proto.graph.initializer[0].name = ""
    yield _case("a weight without a name", proto)
    proto = perceptron()
    proto.graph.initializer.add(name="spare", dims=[big, big], data_type=1)
    yield _case("a spare constant without its values", proto)


def _values() -> Iterator[Case]:
    whole = perceptron().graph.initializer[0].raw_data
    for name, raw in (
        ("none of its bytes", b""),
        ("one byte too few", whole[:-1]),
        ("one byte too many", whole + b"\0"),
        ("half of its bytes", whole[:64]),
        ("twice its bytes", whole * 2),
    ):
        yield _case(f"a weight with {name}", _weight(raw_data=raw))
    proto = _weight(raw_data=b"", float_data=[1.0] * 31)
    yield _case("a weight with one number too few", proto)
    for dims in ([8, 4], [2**26], [2**60]):
        proto = _weight(dims=dims)
        proto.graph.initializer[0].ClearField("raw_data")
        yield _case(f"a weight of shape {dims} without values", proto)
    both = _weight(float_data=[1.0] * 32)
    yield _case("a weight with its values twice", both, "either")
    other = _weight(raw_data=b"", int64_data=[1] * 32)
    yield _case("a weight whose values are in another field", other)
    for name, value in (("NaN", np.nan), ("infinity", np.inf)):
        weight = floats(8, 4)
        weight[3, 1] = value
        yield _case(f"a weight with {name}", _weight(raw_data=weight.tobytes()))
    denormal = np.full((8, 4), 1e-45, np.float32)
    yield _case("weights that are all denormal", _weight(raw_data=denormal.tobytes()), "opens")
    largest = np.full((8, 4), 3.4e38, np.float32)
    yield _case("weights near the largest float", _weight(raw_data=largest.tobytes()), "opens")
    zeros = np.zeros((8, 4), np.float32)
    yield _case("weights that are all zero", _weight(raw_data=zeros.tobytes()), "opens")


def _types() -> Iterator[Case]:
    for kind in (0, 27, 99, -1, 2**31 - 1):
        yield _case(f"a weight of type {kind}", _weight(data_type=kind))
    for name in ("DOUBLE", "INT64", "INT8", "BOOL", "STRING", "COMPLEX64", "UINT4", "FLOAT8E5M2"):
        kind = getattr(TensorProto, name)
        yield _case(f"a weight that says it is {name}", _weight(data_type=kind))
    for name, size in (("FLOAT16", 2), ("BFLOAT16", 2), ("FLOAT8E4M3FN", 1), ("DOUBLE", 8)):
        raw = bytes(range(32 * size)) if size == 1 else np.ones(32, f"u{size}").tobytes()
        proto = _weight(data_type=getattr(TensorProto, name), raw_data=raw)
        yield _case(f"one weight of type {name} among floats", proto, "either")
    text = perceptron()
    tensor = text.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_type = TensorProto.STRING
    tensor.string_data.extend([b"\xff\xfe"] * 32)
    yield _case("a weight of text that is not UTF-8", text)
    nodes = [
        node("Constant", [], ["c"], value_strings=[b"\xff\xfe", b"\x80"]),
        node("StringNormalizer", ["c"], ["y"]),
    ]
    yield _case("text constants that are not UTF-8", model(nodes), "either")
    nodes = [node("Constant", [], ["c"], value_string=b"\xff"), node("Identity", ["c"], ["y"])]
    yield _case("a text output that is not UTF-8", model(nodes), "either")


def _sparse() -> Iterator[Case]:
    for name, indices, dims in (
        ("", [1, 5], [4, 4]),
        (" out of range", [1, 99], [4, 4]),
        (" below zero", [-3, 1], [4, 4]),
        (" of 2^60 values", [1, 5], [2**60]),
        (" of negative size", [1, 5], [-4, 4]),
    ):
        values = constant("c", floats(2))
        sparse = onnx.SparseTensorProto(values=values, indices=constant("i", indices), dims=dims)
        nodes = [node("Constant", [], ["c"]), node("MatMul", ["x", "c"], ["y"])]
        nodes[0].attribute.append(helper.make_attribute("sparse_value", sparse))
        yield _case(f"a sparse Constant{name}", model(nodes), "either")
        proto = model([node("MatMul", ["x", "c"], ["y"])])
        proto.graph.sparse_initializer.append(sparse)
        yield _case(f"a sparse weight{name}", proto, "either")


def _elsewhere() -> Iterator[Case]:
    kind = "onnx external"
    yield Case(kind, "whole", external(), outcome="opens")
    whole = external()
    secret = {"secret.bin": whole["net.data"]}
    for name, location, offset, length in (
        ("above the folder", "../secret.bin", 0, 128),
        ("at an absolute path", "/etc/passwd", 0, 128),
        ("in /dev/zero", "/dev/zero", 0, 128),
        ("in a missing file", "gone.data", 0, 128),
        ("in a folder", ".", 0, 128),
        ("nowhere", "", 0, 128),
        ("at an offset below zero", "net.data", -4, 128),
        ("after the end", "net.data", 2**40, 128),
        ("at 2^63", "net.data", 2**63, 128),
        ("with a length below zero", "net.data", 0, -1),
        ("with too short a length", "net.data", 0, 64),
        ("with too long a length", "net.data", 0, 2**50),
        ("at an offset that is no number", "net.data", "four", 128),
        ("with a length that is no number", "net.data", 0, "0x80"),
        ("in a path with a zero byte", "net\0.data", 0, 128),
        ("in a path of 5,000 letters", "n" * 5000, 0, 128),
        ("by a path with a detour", "sub/../../up/net.data", 0, 128),
    ):
        yield _referring(name, location, offset, length, whole)
    proto = onnx.load_from_string(whole["net.onnx"])
    del proto.graph.initializer[0].external_data[:]
    yield Case(kind, "without a location", {**whole, "net.onnx": proto.SerializeToString()})
    for name, links in (
        ("a link out of the folder", {"model/net.data": "../secret.bin"}),
        ("a link to itself", {"model/net.data": "net.data"}),
        ("a link to a device", {"model/net.data": "/dev/zero"}),
    ):
        files = {"model/net.onnx": whole["net.onnx"], **secret}
        yield Case(kind, name, files, model="model/net.onnx", links=links)
    short = {**whole, "net.data": whole["net.data"][:-1]}
    yield Case(kind, "data one byte short", short)
    yield Case(kind, "data empty", {**whole, "net.data": b""})
    proto = model([node("MatMul", ["x", "w"], ["y"])], [constant("w", floats(4, 4))])
    refer(proto.graph.initializer[0], "net.data", 0, 2**60)
    proto.graph.initializer[0].dims[:] = [2**29, 2**29]
    files = {"net.onnx": proto.SerializeToString(), "net.data": whole["net.data"]}
    yield Case(kind, "2^60 bytes", files)
    inner = helper.make_graph(
        [node("MatMul", ["x", "w"], ["b"])],
        "b",
        [],
        [info("b", None)],
        [constant("w", floats(4, 4))],
    )
    refer(inner.initializer[0], "/etc/hostname", 0, 64)
    branch = node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)
    proto = model([branch], [constant("yes", np.array(True))])
    yield Case(kind, "an absolute path inside a body", {"net.onnx": proto.SerializeToString()})


def _referring(
    name: str, location: str, offset: object, length: object, whole: dict[str, bytes]
) -> Case:
    proto = onnx.load_from_string(whole["net.onnx"])
    refer(proto.graph.initializer[0], location, offset, length)
    files = {
        "model/net.onnx": proto.SerializeToString(),
        "model/net.data": whole["net.data"],
        "secret.bin": whole["net.data"],
    }
    return Case("onnx external", name, files, model="model/net.onnx")

"""ONNX files that parse and whose graph is wrong: cycles, missing names, wrong bodies, depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.fuzz.case import Case, Outcome
from tests.fuzz.onnx_models import FLOAT, INT64, constant, floats, info, model, perceptron

node = helper.make_node


def _case(name: str, proto: Any, outcome: Outcome = "error") -> Case:
    return Case("onnx graph", name, {"net.onnx": proto.SerializeToString()}, outcome=outcome)


def graph_cases() -> Iterator[Case]:
    """Every malformed graph."""
    yield from _wiring()
    yield from _interfaces()
    yield from _operators()
    yield from _attributes()
    yield from _bodies()
    yield from _functions()
    yield from _sizes()


def _wiring() -> Iterator[Case]:
    w = constant("w", floats(4, 4))
    relu = node("Relu", ["x"], ["y"])
    cycle = [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]
    yield _case("a cycle of two", model(cycle))
    ring = [node("Relu", [f"v{i}"], [f"v{(i + 1) % 200}"]) for i in range(200)]
    yield _case("a cycle of 200", model([*ring, node("Relu", ["v0"], ["y"])]))
    yield _case("a node that reads itself", model([node("Add", ["x", "y"], ["y"])]))
    yield _case("a cycle that no output needs", model([*cycle[:2], relu]))
    yield _case("an unknown input", model([node("Add", ["x", "nothing"], ["y"])]))
    yield _case("an output that nothing makes", model([relu], outputs=[info("z", None)]))
    yield _case("two nodes make one value", model([relu, node("Neg", ["x"], ["y"])]))
    yield _case("a node makes an input", model([node("Neg", ["x"], ["x"]), relu]))
    yield _case("a node makes a constant", model([node("Neg", ["x"], ["w"]), relu], [w]))
    yield _case("one output twice", model([node("Split", ["x"], ["y", "y"], axis=1)]))
    yield _case("no input names", model([node("Relu", [""], ["y"])]))
    yield _case("no inputs at all", model([node("Relu", [], ["y"])]))
    yield _case("no outputs at all", model([node("Relu", ["x"], []), relu]), "either")
    yield _case("too many inputs", model([node("Relu", ["x", "x", "x"], ["y"])]), "either")
    yield _case("too many outputs", model([node("Relu", ["x"], ["y", "z"])]), "either")
    yield _case("nodes in any order", model([node("Relu", ["a"], ["y"]), relu_to("a")]), "opens")
    same = [node("Relu", ["x"], ["a"], name="n"), node("Relu", ["a"], ["y"], name="n")]
    yield _case("one name for two nodes", model(same), "opens")
    twice = model([node("MatMul", ["x", "w"], ["y"])], [w, constant("w", floats(4, 4))])
    yield _case("two constants of one name", twice, "either")
    line = node("MatMul", ["x", "w\nw"], ["y"], name="a\nb\x1b[31m")
    yield _case("names with line breaks", model([line], [constant("w\nw", floats(4, 4))]))
    broken = model([node("Foo\nBar\x1b[2J", ["x"], ["y"])])
    yield _case("an operator with a line break", broken)


def relu_to(name: str) -> onnx.NodeProto:
    """A Relu of x."""
    return node("Relu", ["x"], [name])


def _interfaces() -> Iterator[Case]:
    relu = relu_to("y")
    yield _case("an empty message", onnx.ModelProto())
    nothing = perceptron()
    nothing.ClearField("graph")
    yield _case("no graph", nothing)
    yield _case("an empty graph", model([], inputs=[], outputs=[]))
    yield _case("no operators", model([], outputs=[info("x", None)]))
    yield _case("no outputs", model([relu], outputs=[]))
    yield _case("no inputs", model([relu], inputs=[]))
    yield _case("inputs of one name", model([relu], inputs=[info("x", [4]), info("x", [5])]))
    yield _case("outputs of one name", model([relu], outputs=[info("y", None)] * 2), "either")
    nameless = model([relu], inputs=[info("x", [4]), info("", [4])])
    yield _case("an input without a name", nameless, "either")
    yield _case("an output without a name", model([relu], outputs=[info("", None)]))
    for size in (0, -1, -(2**62), 2**31, 2**60, 2**63 - 1):
        proto = model([relu], inputs=[info("x", [1, size])])
        yield _case(f"an input of size {size}", proto, "either")
    yield _case("an input of rank 2,000", model([relu], inputs=[info("x", [1] * 2000)]), "either")
    for kind in (0, 8, 22, 25, 99, 2**31 - 1):
        proto = model([relu], inputs=[info("x", [1, 4], kind)])
        yield _case(f"an input of type {kind}", proto, "either")
    untyped = model([relu], inputs=[onnx.ValueInfoProto(name="x")])
    yield _case("an input without a type", untyped, "either")
    tensor = helper.make_tensor_type_proto(FLOAT, [4])
    for name, proto_type in (
        ("optional", helper.make_optional_type_proto(tensor)),
        ("sequence", helper.make_sequence_type_proto(tensor)),
        ("map", helper.make_map_type_proto(INT64, tensor)),
        ("sparse", helper.make_sparse_tensor_type_proto(FLOAT, [4])),
    ):
        value = helper.make_value_info("x", proto_type)
        yield _case(f"an input of type {name}", model([relu], inputs=[value]), "either")
        out = helper.make_value_info("y", proto_type)
        yield _case(f"an output of type {name}", model([relu], outputs=[out]), "either")
    deep = tensor
    for _ in range(20):
        deep = helper.make_sequence_type_proto(deep)
    value = helper.make_value_info("x", deep)
    yield _case("a sequence 20 deep", model([relu], inputs=[value]), "either")
    for version in (-1, 0, 6, 999, 2**62):
        outcome: Outcome = "error" if version < 7 else "either"
        yield _case(f"opset {version}", model([relu], opsets={"": version}), outcome)
    no_opset = model([relu])
    del no_opset.opset_import[:]
    yield _case("no opset", no_opset, "either")
    for version in (-1, 0, 1, 99, 2**62):
        proto = model([relu])
        proto.ir_version = version
        yield _case(f"IR version {version}", proto, "either")


def _operators() -> Iterator[Case]:
    yield _case("an unknown operator", model([node("Frobnicate", ["x"], ["y"])]))
    yield _case("an unknown domain", model([node("Relu", ["x"], ["y"], domain="no.such")]))
    yield _case("an operator without a name", model([node("", ["x"], ["y"])]))
    newer = model([node("Gelu", ["x"], ["y"])], opsets={"": 7})
    yield _case("an operator newer than the opset", newer, "either")
    text = node("Constant", [], ["c"], value_string="text")
    yield _case("text added to numbers", model([text, node("Add", ["x", "c"], ["y"])]), "either")
    for name, weight in (
        ("int64", np.ones((4, 4), np.int64)),
        ("bool", np.ones((4, 4), bool)),
        ("float64", np.ones((4, 4))),
        ("complex", np.ones((4, 4), np.complex64)),
        ("text", np.full((4, 4), "a", dtype=object)),
        ("a scalar", np.ones((), np.float32)),
        ("rank 7", np.ones((1,) * 7, np.float32)),
        ("of no elements", np.ones((4, 0), np.float32)),
        ("of other rows", np.ones((5, 4), np.float32)),
    ):
        for op in ("MatMul", "Gemm", "Conv"):
            proto = model([node(op, ["x", "w"], ["y"])], [constant("w", weight)])
            yield _case(f"{op} with a weight {name}", proto, "either")


def _attributes() -> Iterator[Case]:
    x = [info("x", [1, 2, 8, 8])]
    w = [constant("w", floats(2, 2, 3, 3))]
    big = 2**62
    wrong: tuple[dict[str, Any], ...] = (
        {"pads": [-1] * 4},
        {"pads": [big] * 4},
        {"pads": [1]},
        {"pads": [2**31] * 4},
        {"strides": [0, 0]},
        {"strides": [-1, -1]},
        {"strides": [big, big]},
        {"dilations": [0, 0]},
        {"dilations": [big, big]},
        {"group": 0},
        {"group": -1},
        {"group": big},
        {"kernel_shape": [0, 0]},
        {"kernel_shape": [big, big]},
        {"kernel_shape": 3.5},
        {"auto_pad": "NO_SUCH"},
        {"auto_pad": b"\xff\xfe"},
        {"auto_pad": [1, 2]},
        {"strides": "two"},
        {"group": "one"},
        {"pads": [0.5] * 4},
    )
    for number, attributes in enumerate(wrong):
        for op in ("Conv", "ConvTranspose"):
            proto = model([node(op, ["x", "w"], ["y"], **attributes)], w, x)
            yield _case(f"{op} {number} {attributes}", proto, "either")
        pool: dict[str, Any] = {"kernel_shape": [2, 2], **attributes}
        proto = model([node("MaxPool", ["x"], ["y"], **pool)], (), x)
        yield _case(f"MaxPool {number} {attributes}", proto, "either")
    for axis in (-9, 9, 2**40, -(2**63)):
        for op in ("Softmax", "Flatten", "Concat", "Gather", "Split"):
            inputs = ["x", "i"] if op == "Gather" else ["x"]
            proto = model([node(op, inputs, ["y"], axis=axis)], [constant("i", [0])])
            yield _case(f"{op} along axis {axis}", proto, "either")
    broken = perceptron()
    broken.graph.node[0].attribute[0].type = onnx.AttributeProto.UNDEFINED
    yield _case("an attribute of no type", broken, "either")
    broken = perceptron()
    broken.graph.node[0].attribute[0].type = onnx.AttributeProto.TENSOR
    yield _case("an attribute that says it is a tensor", broken, "either")
    broken = perceptron()
    broken.graph.node[0].attribute[0].type = onnx.AttributeProto.GRAPH
    yield _case("an attribute that says it is a graph", broken, "either")
    broken = perceptron()
    broken.graph.node[0].attribute.append(broken.graph.node[0].attribute[0])
    yield _case("an attribute twice", broken, "either")
    broken = perceptron()
    broken.graph.node[0].attribute[0].ref_attr_name = "outside"
    yield _case("a reference outside a function", broken, "either")
    for equation in ("", "->", "ij,jk,kl->il", "i...,j->", "ij,zz", "\N{GREEK SMALL LETTER ALPHA}"):
        proto = model(
            [node("Einsum", ["x", "w"], ["y"], equation=equation)], [constant("w", floats(4, 4))]
        )
        yield _case(f"Einsum '{equation}'", proto, "either")
    proto = model([node("Einsum", ["x", "w"], ["y"])], [constant("w", floats(4, 4))])
    yield _case("Einsum without an equation", proto)


def _bodies() -> Iterator[Case]:
    def body(outputs: Sequence[str], inputs: Sequence[Any] = ()) -> onnx.GraphProto:
        nodes = [node("Relu", ["x"], [name]) for name in outputs]
        return helper.make_graph(nodes, "body", inputs, [info(name, None) for name in outputs])

    yes = constant("yes", np.array(True))
    one, two, none = body(["a"]), body(["b", "c"]), body([])
    yield _case("If without branches", model([node("If", ["yes"], ["y"])], [yes]))
    half = node("If", ["yes"], ["y"], then_branch=one)
    yield _case("If with one branch", model([half], [yes]))
    for name, then in (("two results", two), ("no results", none)):
        broken = node("If", ["yes"], ["y"], then_branch=then, else_branch=one)
        yield _case(f"If with {name}", model([broken], [yes]), "either")
    on_float = node("If", ["x"], ["y"], then_branch=one, else_branch=one)
    yield _case("If on a float", model([on_float]), "either")
    three = [info("i", [], INT64), info("go", [], TensorProto.BOOL), info("s", None)]
    loops: tuple[tuple[str, dict[str, Any]], ...] = (
        ("without a body", {}),
        ("with no inputs", {"body": one}),
        ("with too few results", {"body": body(["a"], three)}),
        ("with too many results", {"body": body(["a", "b", "c", "d"], three)}),
    )
    for name, held in loops:
        broken = node("Loop", ["times", "yes", "x"], ["y"], **held)
        yield _case(f"Loop {name}", model([broken], [yes, constant("times", np.array(2))]))
    for times in (2**62, -1):
        going = helper.make_graph(
            [node("Identity", ["go"], ["on"]), node("Identity", ["s"], ["t"])],
            "body",
            three,
            [info("on", [], TensorProto.BOOL), info("t", None)],
        )
        loop = node("Loop", ["times", "no", "x"], ["y"], body=going)
        values = [constant("no", np.array(False)), constant("times", np.array(times))]
        yield _case(f"Loop that ends at once, {times} times", model([loop], values), "either")
    for scanned in (-1, 0, 5, 2**40):
        broken = node("Scan", ["x"], ["y"], body=one, num_scan_inputs=scanned)
        yield _case(f"Scan of {scanned} inputs", model([broken]), "either")
    for depth in (10, 30, 100, 1000, 20_000):
        content = nested(depth)
        outcome: Outcome = "opens" if depth == 10 else "either"
        yield Case("onnx graph", f"bodies {depth} deep", {"net.onnx": content}, outcome=outcome)


def nested(depth: int) -> bytes:
    """A model whose If holds an If, and so on, as bytes: protobuf cannot write what is too deep."""
    inner = node("Relu", ["x"], ["y"]).SerializeToString()
    result = info("y", None).SerializeToString()
    for _ in range(depth):
        graph = _field(1, inner) + _field(2, b"b") + _field(12, result)
        branches = b"".join(
            _field(5, _field(1, name) + _field(6, graph if name[:1] == b"t" else _LEAF) + _GRAPH)
            for name in (b"then_branch", b"else_branch")
        )
        inner = _field(1, b"yes") + _field(2, b"y") + _field(4, b"If") + branches
    outer = model([node("Relu", ["x"], ["y"])], [constant("yes", np.array(True))])
    del outer.graph.node[:]
    return bytes(outer.SerializeToString() + _field(7, _field(1, inner)))


def _field(number: int, content: bytes) -> bytes:
    """One length-delimited field of a protobuf message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*pieces, value])


_GRAPH = b"\xa0\x01\x05"  # attribute field 20, type: GRAPH
_LEAF = helper.make_graph(
    [node("Relu", ["x"], ["y"])], "leaf", [], [info("y", None)]
).SerializeToString()


def _functions() -> Iterator[Case]:
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

    def made(name: str, calls: Sequence[str], domain: str = "own") -> onnx.FunctionProto:
        values = ["a", *(f"v{i}" for i in range(len(calls) - 1)), "b"]
        nodes = [
            node(op, [values[i]], [values[i + 1]], domain="" if op == "Relu" else "own")
            for i, op in enumerate(calls)
        ]
        return helper.make_function(domain, name, ["a"], ["b"], nodes, opset)

    def calling(*functions: onnx.FunctionProto) -> Any:
        call = node(functions[0].name, ["x"], ["y"], domain="own")
        return model([call], opsets={"": 17, "own": 1}, functions=functions)

    yield _case("a function that calls itself", calling(made("F", ["F"])))
    yield _case("functions that call each other", calling(made("F", ["G"]), made("G", ["F"])))
    yield _case("a function that calls one not there", calling(made("F", ["G"])))
    yield _case("a function without nodes", calling(made("F", [])), "either")
    yield _case(
        "two functions of one name", calling(made("F", ["Relu"]), made("F", ["Relu"])), "either"
    )
    doubling = [made(f"F{i}", [f"F{i + 1}"] * 2) for i in range(40)]
    yield _case("2^40 calls of functions", calling(*doubling, made("F40", ["Relu"])))
    chain = [made(f"F{i}", [f"F{i + 1}"]) for i in range(2000)]
    yield _case("a chain of 2,000 functions", calling(*chain, made("F2000", ["Relu"])), "either")
    shadow = made("Relu", ["Relu"], domain="")
    yield _case(
        "a function that redefines Relu", model([relu_to("y")], functions=[shadow]), "either"
    )
    wrong = calling(made("F", ["Relu"]))
    wrong.graph.node[0].input.extend(["x", "x"])
    yield _case("a function called with too much", wrong, "either")
    wrong = calling(made("F", ["Relu"]))
    wrong.graph.node[0].output.append("z")
    yield _case("a function that should give more", wrong, "either")
    wrong = calling(made("F", ["Relu"]))
    del wrong.functions[0].opset_import[:]
    yield _case("a function without an opset", wrong, "either")
    unused = model([relu_to("y")], opsets={"": 17, "own": 1}, functions=[made("F", ["F"])])
    yield _case("an unused function that calls itself", unused, "either")


def _sizes() -> Iterator[Case]:
    count = 4000
    relus = [node("Relu", [f"v{i}" if i else "x"], [f"v{i + 1}"]) for i in range(count)]
    yield _case("a chain of 4,000 nodes", model(relus, outputs=[info(f"v{count}", None)]), "opens")
    constants = [constant(f"c{i}", np.array([i], np.float32)) for i in range(10_000)]
    yield _case("10,000 constants that nothing reads", model([relu_to("y")], constants), "opens")
    adds = [node("Add", [f"v{i}" if i else "x", f"c{i}"], [f"v{i + 1}"]) for i in range(1000)]
    proto = model(adds, constants[:1000], outputs=[info("v1000", None)])
    yield _case("1,000 constants that are read", proto, "opens")
    wide = model([node("Sum", ["x"] * 20_000, ["y"])])
    yield _case("a node with 20,000 inputs", wide, "either")
    split = model([node("Split", ["x"], [f"y{i}" for i in range(5000)], axis=1), relu_to("y")])
    yield _case("a node with 5,000 outputs", split, "either")
    doubled = [node("Add", [f"v{i}" if i else "x"] * 2, [f"v{i + 1}"]) for i in range(200)]
    yield _case("2^200 paths", model(doubled, outputs=[info("v200", None)]), "opens")

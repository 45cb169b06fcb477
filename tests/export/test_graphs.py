"""Graphs of every shape: shared values, bodies, 16-bit models, old and new opsets, names kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from qviz.errors import QvizError
from qviz.export.qdq import write_qdq
from qviz.model.model import Model
from qviz.model.read_model import read_model
from qviz.model.read_onnx import read_onnx
from tests.export.conftest import floats
from tests.export.exported import Exported, checked, encodings_of, exported

Write = Callable[..., Path]
Feeds = dict[str, torch.Tensor]


def gemm(name: str, x: str, w: str, y: str) -> onnx.NodeProto:
    return helper.make_node("Gemm", [x, w], [y], name=name, transB=1)


def feeds(*shape: int) -> Feeds:
    return {"x": torch.from_numpy(floats(7, *shape))}


def assert_same(case: Exported, given: Feeds, within: float = 1e-6) -> None:
    assert case.differences(given).max() <= within


def test_a_weight_of_two_layers_is_stored_once(write_model: Write) -> None:
    nodes = [gemm("a", "x", "w", "h"), gemm("b", "h", "w", "y")]
    path = write_model("m.onnx", nodes, {"w": floats(0, 6, 6)}, {"x": ["N", 6]}, {"y": ["N", 6]})
    case = exported(read_onnx(path), feeds(5, 6), weight="int8:channel")
    assert len(case.initializers(TensorProto.INT8)) == 1
    assert case.ops.count("DequantizeLinear") == 1
    assert_same(case, feeds(5, 6))


def test_a_value_of_several_layers_has_one_quantizer_and_the_residual_keeps_the_float(
    write_model: Write,
) -> None:
    nodes = [
        gemm("a", "x", "w1", "h"),
        gemm("b", "x", "w2", "g"),
        helper.make_node("Add", ["h", "g"], ["s"], name="sum"),
        helper.make_node("Add", ["s", "x"], ["y"], name="skip"),
    ]
    weights = {"w1": floats(0, 6, 6), "w2": floats(1, 6, 6)}
    path = write_model("m.onnx", nodes, weights, {"x": ["N", 6]}, {"y": ["N", 6]})
    case = exported(read_onnx(path), feeds(5, 6), "int8", "uint8")
    assert case.ops.count("QuantizeLinear") == 1
    skip = next(node for node in case.proto.graph.node if node.name == "skip")
    assert list(skip.input) == ["s", "x"]
    assert_same(case, feeds(5, 6))


def test_an_output_that_a_layer_reads_quantized_stays_float(write_model: Write) -> None:
    nodes = [gemm("a", "x", "w1", "h"), gemm("b", "h", "w2", "y")]
    weights = {"w1": floats(0, 6, 6), "w2": floats(1, 6, 6)}
    outputs = {"h": ["N", 6], "y": ["N", 6]}
    path = write_model("m.onnx", nodes, weights, {"x": ["N", 6]}, outputs)
    case = exported(read_onnx(path), feeds(5, 6), inputs="uint4")
    found = case.run(feeds(5, 6))
    assert list(found) == ["h", "y"]
    assert len(np.unique(found["h"])) == 30
    assert_same(case, feeds(5, 6))


def test_inputs_outputs_and_nodes_keep_their_names(write_model: Write) -> None:
    nodes = [gemm("fc", "x", "w", "h"), helper.make_node("Relu", ["h"], ["y"], name="act")]
    path = write_model("m.onnx", nodes, {"w": floats(0, 6, 6)}, {"x": ["N", 6]}, {"y": ["N", 6]})
    graph = exported(read_onnx(path), feeds(5, 6), "int4", "uint8").proto.graph
    assert [given.name for given in graph.input] == ["x"]
    assert [output.name for output in graph.output] == ["y"]
    assert {"fc", "act"} <= {node.name for node in graph.node}


def test_new_names_give_way_to_those_that_are_taken(write_model: Write) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["fc.weight/codes"], name="r")]
    nodes.append(gemm("fc", "fc.weight/codes", "w", "y"))
    path = write_model("m.onnx", nodes, {"w": floats(0, 6, 6)}, {"x": ["N", 6]}, {"y": ["N", 6]})
    assert_same(exported(read_onnx(path), feeds(5, 6), "int8", "uint8"), feeds(5, 6))


def test_the_weights_of_a_body_are_quantized(write_model: Write) -> None:
    def branch(name: str, weight: str) -> onnx.GraphProto:
        node = helper.make_node("MatMul", ["x", weight], [f"{name}_y"], name=f"{name}_fc")
        out = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, ["N", 6])
        return helper.make_graph([node], name, [], [out])

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], name="total", keepdims=0),
        helper.make_node("Greater", ["total", "zero"], ["some"], name="some"),
        helper.make_node(
            "If",
            ["some"],
            ["y"],
            "if",
            then_branch=branch("a", "w1"),
            else_branch=branch("b", "w2"),
        ),
    ]
    weights = {"w1": floats(0, 6, 6), "w2": floats(1, 6, 6), "zero": np.zeros((), np.float32)}
    path = write_model("m.onnx", nodes, weights, {"x": ["N", 6]}, {"y": ["N", 6]})
    case = exported(read_onnx(path), feeds(5, 6), weight="int8:channel")
    assert len(case.initializers(TensorProto.INT8)) == 2
    for given in (feeds(5, 6), {"x": -feeds(5, 6)["x"]}):
        assert_same(case, given)


def test_the_weights_in_a_loop_are_quantized(write_model: Write) -> None:
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["s", "w"], ["t"], name="fc"),
            helper.make_node("Identity", ["go"], ["on"], name="id"),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("t", TensorProto.FLOAT, None),
        ],
    )
    node = helper.make_node("Loop", ["times", "", "x"], ["y"], "loop", body=body)
    integers = {"times": np.asarray(3, np.int64)}
    path = write_model(
        "m.onnx", [node], {"w": floats(0, 6, 6)}, {"x": ["N", 6]}, {"y": ["N", 6]}, integers
    )
    case = exported(read_onnx(path), feeds(5, 6), weight="int4:channel")
    assert len(case.initializers(TensorProto.INT4)) == 1
    assert_same(case, feeds(5, 6))


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("weight", ["int8:channel", "int4:group=16", "nf4", "int8"])
def test_recurrent_weights(write_model: Write, op: str, weight: str) -> None:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    node = helper.make_node(op, ["x", "w", "r"], ["y"], name="cell", hidden_size=5)
    weights = {"w": floats(0, 1, 5 * gates, 6), "r": floats(1, 1, 5 * gates, 5)}
    path = write_model("m.onnx", [node], weights, {"x": [3, "N", 6]}, {"y": [3, 1, "N", 5]})
    model = read_onnx(path)
    case = exported(model, feeds(3, 4, 6), weight, "uint8")
    for slot in ("cell.weight", "cell.weight.R"):
        wanted = case.encodings[slot].apply(model.constants[model.slots[slot].value])
        np.testing.assert_array_equal(case.weight(slot), wanted.numpy())
    assert_same(case, feeds(3, 4, 6), within=1e-5)  # onnxruntime approximates tanh


def half_precision(path: Path, kind: int, opset: int = 17) -> Path:
    to = helper.tensor_dtype_to_np_dtype(kind)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="fc", transB=1)],
        "graph",
        [helper.make_tensor_value_info("x", kind, ["N", 40])],
        [helper.make_tensor_value_info("y", kind, ["N", 10])],
        [
            numpy_helper.from_array(floats(0, 10, 40).astype(to), "w"),
            numpy_helper.from_array(floats(1, 10).astype(to), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("inputs", ["uint8", "uint6", "fp8-e4m3", "lloyd4", "float"])
@pytest.mark.parametrize("weight", ["int8:channel", "int4:group=16", "nf4", "bfloat16"])
def test_float16_models_stay_float16(tmp_path: Path, weight: str, inputs: str) -> None:
    model = read_onnx(half_precision(tmp_path / "m.onnx", TensorProto.FLOAT16))
    given = {"x": torch.from_numpy(floats(2, 8, 40)).half()}
    case = exported(model, given, weight, inputs)
    wanted = case.encodings["fc.weight"].apply(model.constants["w"])
    found = case.weight("fc.weight")
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, wanted.numpy())
    assert case.run(given)["y"].dtype == np.float16
    assert_same(case, given, within=2e-3)


@pytest.mark.parametrize("weight", ["int8:channel", "int4:group=16", "nf4", "float16"])
def test_bfloat16_models_are_written_whole(tmp_path: Path, weight: str) -> None:
    """No processor's kernel of onnxruntime multiplies them, so that only their codes can run."""
    model = read_onnx(half_precision(tmp_path / "m.onnx", TensorProto.BFLOAT16))
    given = {"x": torch.from_numpy(floats(2, 8, 40)).bfloat16()}
    case = exported(model, given, weight, "uint8")
    kinds = {info.name: info.type.tensor_type.elem_type for info in case.proto.graph.output}
    assert kinds == {"y": TensorProto.BFLOAT16}


@pytest.mark.parametrize("source", [11, 13, 17, 21, 25])
@pytest.mark.parametrize("scheme", [("int8:channel", "uint8"), ("int4:group=16", "mxfp4")])
def test_sources_of_any_opset(write_model: Write, source: int, scheme: tuple[str, str]) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Flatten", ["r"], ["f"], name="flat"),
        gemm("fc", "f", "w2", "y"),
    ]
    weights = {"w1": floats(0, 4, 3, 3, 3), "b1": floats(1, 4), "w2": floats(2, 5, 36)}
    inputs, outputs = {"x": ["N", 3, 5, 5]}, {"y": ["N", 5]}
    path = write_model("m.onnx", nodes, weights, inputs, outputs, version=source)
    case = exported(read_onnx(path), feeds(4, 3, 5, 5), *scheme)
    assert case.written.opset >= max(source, 13)
    assert np.median(case.differences(feeds(4, 3, 5, 5))) <= 1e-6  # a tie may move a sample


def test_a_model_from_torch(tmp_path: Path) -> None:
    net = torch.nn.Sequential(
        torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)
    ).eval()
    program = torch.export.export(net, (torch.from_numpy(floats(0, 3, 8)),))
    path = tmp_path / "net.pt2"
    torch.export.save(program, path)
    model = read_model(path)
    given = {model.inputs[0].name: torch.from_numpy(floats(1, 3, 8))}
    case = exported(model, given, "int4:channel", "uint8")
    assert sorted(case.written.containers.values()) == ["int4", "int4", "uint8", "uint8"]
    assert np.median(case.differences(given)) <= 1e-6


def test_a_plan_in_float_is_the_float_graph(chain: tuple[Model, Feeds]) -> None:
    model, given = chain
    case = exported(model, given)
    assert case.ops == [step.op for step in model.steps]
    assert_same(case, given)


def test_the_model_itself_is_left_alone(chain: tuple[Model, Feeds]) -> None:
    model, given = chain
    before = [node.op_type for node in model.graph.graph], set(model.graph.graph.initializers)
    exported(model, given, "int4:channel", "uint16")
    assert before == ([n.op_type for n in model.graph.graph], set(model.graph.graph.initializers))


def unconvertible(write_model: Write) -> Model:
    """A graph that nobody raises: onnxruntime's operators of a domain without converters."""
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c"], name="conv"),
        helper.make_node("Upsample", ["c", "scales"], ["u"], name="up", mode="nearest"),
        helper.make_node("Conv", ["u", "w2"], ["y"], name="conv2"),
    ]
    weights = {"w1": floats(0, 6, 3, 3, 3), "w2": floats(1, 4, 6, 1, 1)}
    weights["scales"] = np.asarray([1, 1, 2, 2], np.float32)
    inputs, outputs = {"x": ["N", 3, 5, 5]}, {"y": ["N", 4, 6, 6]}
    return read_onnx(write_model("m.onnx", nodes, weights, inputs, outputs, version=9))


@pytest.mark.parametrize("present", [9])
def test_where_nobody_raises_the_opset_and_it_is_too_old_the_error_says_so(
    write_model: Write, present: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no adapter for Upsample")

    model = unconvertible(write_model)
    monkeypatch.setattr("qviz.export.opset.version_converter.convert_version", refuse)
    with pytest.raises(QvizError, match=f"opset {present} .* no adapter for Upsample"):
        exported(model, feeds(4, 3, 5, 5), "int8:channel")


@pytest.mark.parametrize(
    "weight", ["int8:channel", "int4:channel", "uint4:group=16", "nf4", "int12"]
)
@pytest.mark.parametrize("inputs", ["uint8", "uint16", "lloyd4"])
def test_where_nobody_raises_the_opset_onnxruntimes_own_quantizers_are_taken(
    conv: tuple[Model, Feeds],
    weight: str,
    inputs: str,
    monkeypatch: pytest.MonkeyPatch,
    write_model: Write,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no adapter")

    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv")
    weights = {"w": floats(0, 8, 6, 3, 3), "b": floats(1, 8)}
    inputs_of, outputs = {"x": ["N", 6, 7, 7]}, {"y": ["N", 8, 5, 5]}
    model = read_onnx(write_model("old.onnx", [node], weights, inputs_of, outputs, version=12))
    _, given = conv
    monkeypatch.setattr("qviz.export.opset.version_converter.convert_version", refuse)
    encodings = encodings_of(model, given, weight, inputs)
    case = checked(Exported(model, encodings, write_qdq(model, encodings)))
    assert case.written.opset == 12
    assert "com.microsoft" in case.written.notes[0]
    domains = {node.domain for node in case.proto.graph.node if "Quantize" in node.op_type}
    assert domains <= {"com.microsoft"}
    wanted = encodings["conv.weight"].apply(model.constants["w"])
    np.testing.assert_array_equal(case.weight("conv.weight"), wanted.numpy())
    assert_same(case, given)
    with pytest.raises(QvizError, match="no adapter"):
        write_qdq(model, encodings, 21)  # asked for by number


def test_a_file_of_weights_has_no_graph_to_export(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"fc.weight": floats(0, 4, 4)}, path)
    with pytest.raises(QvizError, match="no graph"):
        write_qdq(read_model(path), {})


def test_converters_do_not_write_to_the_terminal(
    write_model: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_model(
        "m.onnx",
        [gemm("fc", "x", "w", "y")],
        {"w": floats(0, 6, 6)},
        {"x": ["N", 6]},
        {"y": ["N", 6]},
        version=11,
    )
    exported(read_onnx(path), feeds(5, 6), "int4:channel")
    assert capfd.readouterr() == ("", "")


def test_the_exporters_traces_are_left_out(mlp: Path) -> None:
    proto = onnx.load(mlp)
    for node in proto.graph.node:
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="File " * 200)
    onnx.save(proto, mlp)
    case = exported(read_onnx(mlp), feeds(4, 6), "int8")
    assert not any(node.metadata_props for node in case.proto.graph.node)
    assert {"fc1", "relu", "fc2"} <= {node.name for node in case.proto.graph.node}

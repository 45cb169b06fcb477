"""The rewrites keep the outputs and the model's interface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper

from qviz.model import passes
from qviz.model.model import Model
from qviz.model.node_session import open_session
from qviz.model.parity import check_against_onnxruntime
from qviz.model.read_onnx import read_onnx

if TYPE_CHECKING:
    from tests.model.conftest import Write

Rng = np.random.Generator


def floats(rng: Rng, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape).astype(np.float32)


def statistics(rng: Rng, channels: int) -> dict[str, NDArray[np.float32]]:
    return {
        "scale": floats(rng, channels),
        "shift": floats(rng, channels),
        "mean": floats(rng, channels),
        "var": np.abs(floats(rng, channels)) + np.float32(0.5),
    }


def norm(source: str, result: str, **attributes: Any) -> onnx.NodeProto:
    inputs = [source, "scale", "shift", "mean", "var"]
    return helper.make_node("BatchNormalization", inputs, [result], **attributes)


def ops(model: Model) -> list[str]:
    return [step.op for step in model.steps]


def assert_same(model: Model, **feeds: NDArray[Any]) -> None:
    """As the file in onnxruntime, both when qviz runs it and when its graph is written again."""
    parity = check_against_onnxruntime(model, feeds)
    assert parity.ok, parity.text
    assert parity.max_relative <= 1e-5
    saved = Path(model.path).with_name("saved.onnx")
    ir.save(model.graph, saved)
    file, again = open_session(model.path), open_session(str(saved))
    for expected, found in zip(file.run(None, feeds), again.run(None, feeds), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


class TestBatchNorm:
    @pytest.mark.parametrize("bias", [True, False])
    @pytest.mark.parametrize(
        ("op", "weight", "channels", "attributes"),
        [
            ("Conv", (6, 4, 3, 3), 6, {"pads": [1, 1, 1, 1]}),
            ("Conv", (8, 1, 3, 3), 8, {"group": 4}),
            ("ConvTranspose", (4, 6, 3, 3), 6, {"strides": [2, 2]}),
            ("ConvTranspose", (4, 3, 3, 3), 6, {"group": 2}),
        ],
    )
    def test_folds_into_convolutions(
        self,
        write: Write,
        rng: Rng,
        bias: bool,
        op: str,
        weight: tuple[int, ...],
        channels: int,
        attributes: dict[str, Any],
    ) -> None:
        constants = {"w": floats(rng, *weight), **statistics(rng, channels)}
        inputs = ["x", "w"]
        if bias:
            constants["b"] = floats(rng, channels)
            inputs.append("b")
        nodes = [helper.make_node(op, inputs, ["h"], **attributes), norm("h", "y", epsilon=1e-3)]
        model = read_onnx(write(nodes, {"x": [2, 4, 6, 6]}, ["y"], constants))
        assert ops(model) == [op]
        assert model.notes == ("BatchNorm folded into 1 layer",)
        assert model.layers[0].bias in model.constants
        assert_same(model, x=floats(rng, 2, 4, 6, 6))

    @pytest.mark.parametrize(
        "attributes",
        [{}, {"transB": 1}, {"alpha": 0.5, "beta": 3.0}, {"transB": 1, "alpha": 2.0}],
    )
    def test_folds_into_gemm(self, write: Write, rng: Rng, attributes: dict[str, Any]) -> None:
        shape = (6, 4) if attributes.get("transB") else (4, 6)
        constants = {"w": floats(rng, *shape), "b": floats(rng, 6), **statistics(rng, 6)}
        nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["h"], **attributes), norm("h", "y")]
        model = read_onnx(write(nodes, {"x": [3, 4]}, ["y"], constants))
        assert ops(model) == ["Gemm"]
        assert_same(model, x=floats(rng, 3, 4))

    @pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
    def test_a_gemm_without_bias_has_its_beta_minded(
        self, write: Write, rng: Rng, beta: float
    ) -> None:
        constants = {"w": floats(rng, 4, 6), **statistics(rng, 6)}
        nodes = [helper.make_node("Gemm", ["x", "w"], ["h"], beta=beta), norm("h", "y")]
        model = read_onnx(write(nodes, {"x": [3, 4]}, ["y"], constants))
        assert ops(model) == (["Gemm"] if beta else ["Gemm", "BatchNormalization"])
        assert_same(model, x=floats(rng, 3, 4))

    def test_stays_when_someone_else_reads_the_convolution(self, write: Write, rng: Rng) -> None:
        constants = {"w": floats(rng, 4, 4, 1, 1), **statistics(rng, 4)}
        conv = helper.make_node("Conv", ["x", "w"], ["h"])
        add = helper.make_node("Add", ["n", "h"], ["y"])
        model = read_onnx(write([conv, norm("h", "n"), add], {"x": [1, 4, 3, 3]}, ["y"], constants))
        assert ops(model) == ["Conv", "BatchNormalization", "Add"]
        assert_same(model, x=floats(rng, 1, 4, 3, 3))

    def test_stays_when_the_convolution_is_an_output(self, write: Write, rng: Rng) -> None:
        constants = {"w": floats(rng, 4, 4, 1, 1), **statistics(rng, 4)}
        conv = helper.make_node("Conv", ["x", "w"], ["h"])
        model = read_onnx(write([conv, norm("h", "y")], {"x": [1, 4, 3, 3]}, ["h", "y"], constants))
        assert ops(model) == ["Conv", "BatchNormalization"]
        assert_same(model, x=floats(rng, 1, 4, 3, 3))

    def test_a_shared_weight_is_not_changed_for_the_other_layer(
        self, write: Write, rng: Rng
    ) -> None:
        constants = {"w": floats(rng, 4, 4, 1, 1), **statistics(rng, 4)}
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["h"]),
            norm("h", "n"),
            helper.make_node("Conv", ["n", "w"], ["y"]),
        ]
        model = read_onnx(write(nodes, {"x": [1, 4, 3, 3]}, ["y"], constants))
        assert ops(model) == ["Conv", "Conv"]
        assert model.steps[0].inputs[1] != model.steps[1].inputs[1]
        assert_same(model, x=floats(rng, 1, 4, 3, 3))


class TestIdentities:
    def test_are_dropped(self, write: Write, rng: Rng) -> None:
        nodes = [
            helper.make_node("Identity", ["x"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Dropout", ["b"], ["c", "mask"]),
            helper.make_node("Neg", ["c"], ["d"]),
            helper.make_node("Identity", ["d"], ["y"]),
        ]
        model = read_onnx(write(nodes, {"x": [3]}, ["y"]))
        assert ops(model) == ["Relu", "Neg"]
        assert model.outputs == ("y",)
        assert_same(model, x=floats(rng, 3))

    def test_no_output_loses_its_name(self, write: Write, rng: Rng) -> None:
        nodes = [
            helper.make_node("Relu", ["x"], ["y"]),
            helper.make_node("Identity", ["y"], ["same"]),
            helper.make_node("Identity", ["x"], ["input"]),
        ]
        model = read_onnx(write(nodes, {"x": [3]}, ["y", "same", "input"]))
        assert model.outputs == ("y", "same", "input")
        assert_same(model, x=floats(rng, 3))

    def test_a_dropout_whose_mask_is_read_stays(self, write: Write, rng: Rng) -> None:
        node = helper.make_node("Dropout", ["x"], ["y", "mask"])
        model = read_onnx(write([node], {"x": [3]}, ["y", "mask"]))
        assert ops(model) == ["Dropout"]
        assert_same(model, x=floats(rng, 3))


class TestConstants:
    def test_what_depends_on_constants_only_is_folded(self, write: Write, rng: Rng) -> None:
        nodes = [
            helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0]),
            helper.make_node("Mul", ["wt", "two"], ["scaled"]),
            helper.make_node("MatMul", ["x", "scaled"], ["y"], name="fc"),
        ]
        constants = {"w": floats(rng, 3, 4), "two": np.array(2, np.float32)}
        model = read_onnx(write(nodes, {"x": [2, 4]}, ["y"], constants))
        assert ops(model) == ["MatMul"]
        assert set(model.constants) == {"scaled"}
        expected = torch.from_numpy(2 * constants["w"].T)
        assert torch.equal(model.constants["scaled"], expected)
        assert_same(model, x=floats(rng, 2, 4))

    def test_by_onnxruntime_where_torch_has_no_meaning(self, write: Write, rng: Rng) -> None:
        nodes = [
            helper.make_node("Det", ["w"], ["d"]),
            helper.make_node("Mul", ["x", "d"], ["y"]),
        ]
        model = read_onnx(write(nodes, {"x": [2]}, ["y"], {"w": floats(rng, 3, 3)}))
        assert ops(model) == ["Mul"]
        assert_same(model, x=floats(rng, 2))

    def test_large_results_are_left_to_the_run(self, write: Write) -> None:
        nodes = [
            helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
            helper.make_node("Add", ["x", "zeros"], ["y"]),
        ]
        shape = np.array([2_000_000_000_000], np.int64)
        model = read_onnx(write(nodes, {"x": [1]}, ["y"], {"shape": shape}))
        assert ops(model) == ["ConstantOfShape", "Add"]

    def test_random_numbers_are_never_constants(self, write: Write) -> None:
        nodes = [
            helper.make_node("RandomNormal", [], ["r"], shape=[3]),
            helper.make_node("Add", ["x", "r"], ["y"]),
        ]
        assert ops(read_onnx(write(nodes, {"x": [3]}, ["y"]))) == ["RandomNormal", "Add"]

    def test_an_output_that_is_constant_stays(self, write: Write, rng: Rng) -> None:
        nodes = [helper.make_node("Neg", ["w"], ["y"]), helper.make_node("Relu", ["x"], ["z"])]
        model = read_onnx(write(nodes, {"x": [3]}, ["y", "z"], {"w": floats(rng, 3)}))
        assert_same(model, x=floats(rng, 3))


def test_dead_nodes_and_constants_go(write: Write, rng: Rng) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Mul", ["x", "w"], ["dead"])]
    model = read_onnx(write(nodes, {"x": [3]}, ["y"], {"w": floats(rng, 3)}))
    assert ops(model) == ["Relu"]
    assert not model.constants


def _block() -> onnx.FunctionProto:
    """block(a, w) = max(a · w, slope · a · w), with the slope as an attribute."""
    leaky = helper.make_node("LeakyRelu", ["h"], ["out"])
    leaky.attribute.append(
        onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    )
    return helper.make_function(
        "local",
        "block",
        ["a", "w"],
        ["out"],
        [helper.make_node("MatMul", ["a", "w"], ["h"]), leaky],
        [helper.make_opsetid("", 17)],
        ["slope"],
    )


def test_functions_are_inlined(write: Write, rng: Rng) -> None:
    nodes = [
        helper.make_node("block", ["x", "w1"], ["h"], domain="local", slope=0.5),
        helper.make_node("block", ["h", "w2"], ["y"], domain="local", slope=0.1),
    ]
    constants = {"w1": floats(rng, 3, 4), "w2": floats(rng, 4, 2)}
    path = write(nodes, {"x": [2, 3]}, ["y"], constants, functions=[_block()], domains=["local"])
    model = read_onnx(path)
    assert ops(model) == ["MatMul", "LeakyRelu", "MatMul", "LeakyRelu"]
    assert len({step.name for step in model.steps}) == 4
    assert len(model.layers) == 2
    assert_same(model, x=floats(rng, 2, 3))


def test_functions_that_cannot_be_inlined_run_in_onnxruntime(write: Write, rng: Rng) -> None:
    node = helper.make_node("block", ["x", "w"], ["y"], domain="local", slope=0.5)
    path = write(
        [node],
        {"x": [2, 3]},
        ["y"],
        {"w": floats(rng, 3, 4)},
        16,
        functions=[_block()],
        domains=["local"],
    )
    model = read_onnx(path)
    assert ops(model) == ["block"]
    assert model.notes == ("1 operator runs in onnxruntime: block",)
    assert_same(model, x=floats(rng, 2, 3))


def test_passes_say_whether_they_changed_the_graph(write: Write) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["a"]), helper.make_node("Neg", ["a"], ["y"])]
    graph = ir.load(write(nodes, {"x": [3]}, ["y"]))
    assert passes.drop_identities(graph)[1]
    for each in (passes.drop_identities, passes.fold_constants, passes.drop_unused):
        assert not each(graph)[1]

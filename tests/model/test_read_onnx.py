"""What can go wrong with a file, and what a good one becomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qviz.errors import QvizError
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime

if TYPE_CHECKING:
    from tests.model.conftest import Reference, Write

Rng = np.random.Generator


def floats(rng: Rng, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape).astype(np.float32)


def linear(write: Write, weight: NDArray[Any], **more: Any) -> Path:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")
    return write([node], {"x": ["n", weight.shape[0]]}, ["y"], {"w": weight}, **more)


def with_external_data(path: Path, location: str = "net.data") -> Path:
    """Move the weights of a model into a file of its own beside it."""
    model: Any = onnx.load(path)
    onnx.save_model(model, path, save_as_external_data=True, location="net.data", size_threshold=0)
    if location != "net.data":
        model = onnx.load(path, load_external_data=False)
        model.graph.initializer[0].external_data[0].value = location
        path.write_bytes(model.SerializeToString())
    return path


class TestBadFiles:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(QvizError, match=r"gone\.onnx: there is no such file"):
            read_onnx(tmp_path / "gone.onnx")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(QvizError, match="cannot be read"):
            read_onnx(tmp_path)

    @pytest.mark.parametrize("content", [b"a plain text file\n", b"\x80\x81" * 50])
    def test_not_onnx(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "net.onnx"
        path.write_bytes(content)
        with pytest.raises(QvizError, match=r"net\.onnx: it is not an ONNX model"):
            read_onnx(path)

    def test_every_truncation_is_refused(self, write: Write, rng: Rng) -> None:
        path = linear(write, floats(rng, 4, 3))
        whole = path.read_bytes()
        for length in range(0, len(whole), 7):
            path.write_bytes(whole[:length])
            with pytest.raises(QvizError) as raised:
                read_onnx(path)
            assert raised.value.subject == "net.onnx"
            assert raised.value.cause
            assert raised.value.cure

    def test_no_operators(self, write: Write) -> None:
        with pytest.raises(QvizError, match="holds no operators"):
            read_onnx(write([], {"x": [1]}, ["x"]))

    def test_no_outputs(self, write: Write) -> None:
        with pytest.raises(QvizError, match="declares no outputs"):
            read_onnx(write([helper.make_node("Relu", ["x"], ["y"])], {"x": [1]}, []))

    def test_value_from_nowhere(self, write: Write) -> None:
        with pytest.raises(QvizError, match="reads 'nobody'"):
            read_onnx(write([helper.make_node("Relu", ["nobody"], ["y"])], {"x": [1]}, ["y"]))

    def test_cycle(self, write: Write) -> None:
        nodes = [
            helper.make_node("Add", ["x", "b"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
        ]
        with pytest.raises(QvizError, match="not a valid ONNX model"):
            read_onnx(write(nodes, {"x": [1]}, ["b"]))

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_weight_that_is_no_number(self, write: Write, rng: Rng, bad: float) -> None:
        weight = floats(rng, 4, 3)
        weight[2, 1] = bad
        with pytest.raises(QvizError, match="constant 'w' holds NaN or infinite"):
            read_onnx(linear(write, weight))

    def test_old_opset(self, write: Write, rng: Rng) -> None:
        with pytest.raises(QvizError, match="opset 6, before opset 7"):
            read_onnx(linear(write, floats(rng, 4, 3), opset=6))

    def test_fewer_bytes_than_the_shape_needs(self, write: Write, rng: Rng) -> None:
        path = linear(write, floats(rng, 4, 3))
        model: Any = onnx.load(path)
        model.graph.initializer[0].dims[0] = 5
        path.write_bytes(model.SerializeToString())
        with pytest.raises(QvizError, match="tensor 'w' does not hold as many values"):
            read_onnx(path)


class TestExternalData:
    def test_is_read_and_hashed(self, write: Write, rng: Rng) -> None:
        weight = floats(rng, 4, 3)
        path = with_external_data(linear(write, weight))
        model = read_onnx(path)
        assert torch.equal(model.constants["w"], torch.from_numpy(weight))
        assert model.source_bytes == path.stat().st_size + weight.nbytes
        data = path.parent / "net.data"
        data.write_bytes(np.zeros_like(weight).tobytes())
        assert read_onnx(path).hash != model.hash

    def test_survives_the_file(self, write: Write, rng: Rng) -> None:
        weight = floats(rng, 4, 3)
        path = with_external_data(linear(write, weight))
        model = read_onnx(path)
        (path.parent / "net.data").write_bytes(b"")
        assert torch.equal(model.constants["w"], torch.from_numpy(weight))

    def test_missing(self, write: Write, rng: Rng) -> None:
        path = with_external_data(linear(write, floats(rng, 4, 3)))
        (path.parent / "net.data").unlink()
        with pytest.raises(QvizError, match=r"weights are in the file 'net\.data', which is miss"):
            read_onnx(path)

    def test_too_short(self, write: Write, rng: Rng) -> None:
        path = with_external_data(linear(write, floats(rng, 4, 3)))
        (path.parent / "net.data").write_bytes(b"1234")
        with pytest.raises(QvizError, match=r"'net\.data' ends before tensor 'w' does"):
            read_onnx(path)

    def test_may_not_leave_the_folder(self, write: Write, rng: Rng) -> None:
        path = with_external_data(linear(write, floats(rng, 4, 3)), location="../secret")
        (path.parent.parent / "secret").write_bytes(bytes(48))
        with pytest.raises(QvizError, match="outside the model's folder"):
            read_onnx(path)

    def test_may_not_leave_the_folder_by_a_link(
        self, write: Write, rng: Rng, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        path = with_external_data(linear(write, floats(rng, 4, 3)))
        secret = tmp_path_factory.mktemp("elsewhere") / "secret"
        secret.write_bytes(bytes(48))
        (path.parent / "net.data").unlink()
        (path.parent / "net.data").symlink_to(secret)
        with pytest.raises(QvizError, match="outside the model's folder"):
            read_onnx(path)


class TestGoodFiles:
    def test_facts(self, write: Write, rng: Rng) -> None:
        path = linear(write, floats(rng, 4, 3))
        model = read_onnx(path)
        assert (model.name, model.path, model.outputs) == ("net", str(path), ("y",))
        assert model.inputs[0].shape == ("n", 4)
        assert model.inputs[0].dtype == torch.float32
        assert [step.name for step in model.steps] == ["fc"]
        assert model.steps[0].version == 17
        assert model.hash == read_onnx(path).hash
        assert len(model.hash) == 64
        assert model.source_bytes == path.stat().st_size

    def test_constant_nodes_become_constants(self, write: Write, rng: Rng) -> None:
        weight = floats(rng, 4, 3)
        tensor = numpy_helper.from_array(weight, "value")
        nodes = [
            helper.make_node("Constant", [], ["w"], value=tensor),
            helper.make_node("MatMul", ["x", "w"], ["h"], name="fc"),
            helper.make_node("Constant", [], ["two"], value_float=2.0),
            helper.make_node("Mul", ["h", "two"], ["y"]),
        ]
        model = read_onnx(write(nodes, {"x": [1, 4]}, ["y"]))
        assert set(model.constants) == {"w", "two"}
        assert model.slots["fc.weight"].value == "w"
        assert [step.op for step in model.steps] == ["MatMul", "Mul"]

    def test_initializers_that_are_inputs_too_are_constants(self, write: Write, rng: Rng) -> None:
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        path = write([node], {"x": [1, 4], "w": [4, 3]}, ["y"], {"w": floats(rng, 4, 3)})
        assert [info.name for info in read_onnx(path).inputs] == ["x"]

    def test_names_are_unique(self, write: Write) -> None:
        names = ["a", "", "a", "", "Relu_1"]
        nodes = [
            helper.make_node("Relu", [f"v{n}"], [f"v{n + 1}"], name=name)
            for n, name in enumerate(names)
        ]
        model = read_onnx(write(nodes, {"v0": [1]}, ["v5"]))
        assert [step.name for step in model.steps] == [
            "a",
            "Relu_1_2",
            "Relu_2",
            "Relu_3",
            "Relu_1",
        ]
        assert [node.name for node in model.graph.graph] == [step.name for step in model.steps]

    def test_nodes_out_of_order_are_sorted(self, write: Write) -> None:
        nodes = [helper.make_node("Neg", ["h"], ["y"]), helper.make_node("Relu", ["x"], ["h"])]
        model = read_onnx(write(nodes, {"x": [1]}, ["y"]))
        assert [step.op for step in model.steps] == ["Relu", "Neg"]

    def test_operators_of_onnxruntime_are_noted(self, write: Write) -> None:
        node = helper.make_node("Det", ["x"], ["y"])
        model = read_onnx(write([node], {"x": [2, 2]}, ["y"]))
        assert model.notes == ("1 operator runs in onnxruntime: Det",)

    def test_four_bit_constants_and_text(self, write: Write) -> None:
        codes = helper.make_tensor("codes", TensorProto.INT4, [2, 2], [-8, 7, 1, -1])
        words = numpy_helper.from_array(np.array(["one", "two"], dtype=object), "words")
        nodes = [
            helper.make_node("Constant", [], ["codes"], value=codes),
            helper.make_node("DequantizeLinear", ["codes", "scale"], ["w"]),
            helper.make_node("MatMul", ["x", "w"], ["y"], name="fc"),
            helper.make_node("Constant", [], ["words"], value=words),
            helper.make_node("Identity", ["words"], ["text"]),
        ]
        scale = np.array(0.5, np.float32)
        model = read_onnx(write(nodes, {"x": [1, 2]}, ["y", "text"], {"scale": scale}, opset=21))
        assert model.constants["w"].tolist() == [[-4.0, 3.5], [0.5, -0.5]]
        assert model.slots["fc.weight"].value == "w"
        result = Runtime(model).run({"x": torch.ones(1, 2)})
        assert isinstance(result["text"], np.ndarray)
        assert result["text"].tolist() == ["one", "two"]


def test_keys_depend_on_content_only(write: Write, rng: Rng) -> None:
    def key(change: Callable[[onnx.NodeProto], None]) -> str:
        node = helper.make_node("Conv", ["x", "w"], ["y"], name="c", pads=[1, 1])
        change(node)
        weight = floats(rng, 2, 2, 3)
        path = write([node], {"x": [1, 2, 8]}, [node.output[0]], {"w": weight})
        return read_onnx(path).steps[0].key

    def rename(node: onnx.NodeProto) -> None:
        node.name = "other"
        node.output[0] = "z"

    def repad(node: onnx.NodeProto) -> None:
        node.attribute[0].ints[0] = 0

    def keep(_: onnx.NodeProto) -> None:
        pass

    same = key(keep)
    assert same == key(rename)
    assert same != key(repad)


def test_opened_models_run_as_before(write: Write, reference: Reference, rng: Rng) -> None:
    path = linear(write, floats(rng, 4, 3))
    x = floats(rng, 5, 4)
    ours = Runtime(read_onnx(path)).run({"x": torch.from_numpy(x)})["y"]
    assert isinstance(ours, torch.Tensor)
    np.testing.assert_allclose(ours.numpy(), reference(path, {"x": x})["y"], rtol=1e-5)

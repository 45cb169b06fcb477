"""Chunks: samples cut into batches, padded where the model fixes its batch size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from qviz.data.parts import Indices
from qviz.data.samples import Samples
from qviz.data.synthetic import synthetic_samples
from qviz.engine.calibrate import calibrate
from qviz.engine.chunks import Feeds, feeder
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.engine.trace import trace_float, tried_specs
from qviz.errors import QvizError
from qviz.model.model import Model
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime

Size = int | str
X = np.arange(12, dtype=np.float32).reshape(12, 1).repeat(4, 1)


def opened(
    path: Path, nodes: list[onnx.NodeProto], inputs: dict[str, list[Size]], **constants: list[int]
) -> Model:
    """A model of float inputs, with constants of ones, that gives y."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [onnx.ValueInfoProto(name="y")],
        [
            onnx.numpy_helper.from_array(np.ones(shape, np.float32), name)
            for name, shape in constants.items()
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path / "m.onnx")
    return read_onnx(path / "m.onnx")


def product(path: Path, batch: Size) -> Model:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "fc")
    return opened(path, [node], {"x": [batch, 4]}, w=[4, 2])


def samples(**arrays: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Samples:
    return Samples("x.npz", "", "hash", arrays, None)


def test_a_fixed_batch_is_filled_with_all_of_its_samples_in_turn(tmp_path: Path) -> None:
    feed = feeder(product(tmp_path, 8), samples(x=X), None)
    assert [rows.tolist() for rows in feed.cut(np.arange(11))] == [[*range(8)], [8, 9, 10]]
    chunk = feed.chunk(np.array([8, 9, 10]))
    assert chunk.feeds["x"][:, 0].tolist() == [8, 9, 10, 8, 9, 10, 8, 9]
    assert (chunk.padded, chunk.trimmed(chunk.feeds["x"])[:, 0].tolist()) == (5, [8, 9, 10])
    full = feed.chunk(np.arange(8))
    assert (full.padded, full.feeds["x"][:, 0].tolist()) == (0, [*range(8)])


def test_few_samples_in_a_fixed_batch_count_alike_in_calibration(tmp_path: Path) -> None:
    model = product(tmp_path, 64)
    feed = feeder(model, samples(x=X[:4]), None)
    *_, last = calibrate(model, Runtime(model), feed, np.arange(4))
    found = last.statistics[model.slots["fc.input"].group]
    assert found.mean.tolist() == pytest.approx([1.5] * 4)


@pytest.mark.parametrize(("batch", "layers"), [(1, 2), (1, 1), ("n", 1), ("n", 2)])
def test_recurrent_models_of_one_sample_run_without_samples(
    tmp_path: Path, batch: Size, layers: int
) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node(
            "GRU",
            ["t", "w", "r", "", "", "h0"],
            ["y"],
            "gru",
            hidden_size=8,
            direction="forward" if layers == 1 else "bidirectional",
        ),
    ]
    inputs: dict[str, list[Size]] = {"x": [batch, 16, 4], "h0": [layers, 1, 8]}
    model = opened(tmp_path, nodes, inputs, w=[layers, 24, 4], r=[layers, 24, 8])
    made_up = synthetic_samples(tried_specs(model, trace_float(model, None)))
    assert (list(made_up.arrays), list(made_up.constants)) == (["x"], ["h0"])
    for given in (made_up, samples(x=np.ones((3, 16, 4), np.float32))):
        feed = feeder(model, given, None)
        assert feed.fixed_batch == 1
        rows = np.arange(given.count)
        *_, last = calibrate(model, Runtime(model), feed, rows)
        assert last.samples == given.count
        assert [layer.op for layer in model.layers] == ["GRU"]


def test_a_state_with_an_open_batch_is_repeated_for_every_sample(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "fc"),
        helper.make_node("Add", ["h", "state"], ["y"]),
    ]
    model = opened(tmp_path, nodes, {"x": ["n", 4], "state": [2, "n", 4]}, w=[4, 4])
    feed = feeder(model, samples(x=X), None)
    assert feed.fixed_batch is None
    assert feed.fitted.notes == ("Input 'state' is not in the samples: zeros are fed",)
    assert feed.chunk(np.arange(5)).feeds["state"].shape == (2, 5, 4)


def test_a_model_runs_on_an_empty_cache(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "fc"),
        helper.make_node("Concat", ["past", "h"], ["all"], axis=1),
        helper.make_node("MatMul", ["all", "v"], ["y"], "last"),
    ]
    inputs: dict[str, list[Size]] = {"x": ["n", 3, 4], "past": ["n", "length", 4]}
    model = opened(tmp_path, nodes, inputs, w=[4, 4], v=[4, 2])
    given = samples(x=np.ones((6, 3, 4), np.float32))
    feed = feeder(model, given, None)
    assert feed.chunk(np.arange(5)).feeds["past"].shape == (5, 0, 4)
    *_, last = calibrate(model, Runtime(model), feed, np.arange(6))
    found = last.statistics[model.slots["last.input"].group]
    assert (found.count, found.zeros) == (6 * 3 * 4, 0)  # no entry of zeros beside the real ones
    assert trace_float(model, given).macs == {0: 3 * 16, 1: 3 * 8}


def test_macs_are_of_one_sample_whatever_input_comes_first(tmp_path: Path) -> None:
    state: list[Size] = [2, "n", 4]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "fc"),
        helper.make_node("Add", ["h", "state"], ["y"]),
    ]
    model = opened(tmp_path, nodes, {"state": state, "x": ["n", 4]}, w=[4, 4])
    for given in (None, samples(x=X)):
        assert trace_float(model, given).macs == {0: 16}
    assert trace_float(product(tmp_path, 8), samples(x=X)).macs == {0: 8}
    assert trace_float(product(tmp_path, 8), None).macs == {0: 8}


def test_samples_are_read_when_a_feed_is_first_asked_for(tmp_path: Path) -> None:
    """A memo that has the answer needs no samples; what reading them raises comes then."""
    feed, read = feeder(product(tmp_path, "N"), samples(x=X), None), list[str]()
    load = feed._feed

    def watched(name: str, rows: Indices) -> torch.Tensor:
        read.append(name)
        return load(name, rows)

    object.__setattr__(feed, "_feed", watched)
    chunk = feed.chunk(np.arange(2))
    assert (list(chunk.feeds), len(chunk.feeds), "x" in chunk.feeds) == (["x"], 1, True)
    assert not read
    assert chunk.feeds["x"] is chunk.feeds["x"]
    assert read == ["x"]
    with pytest.raises(KeyError):
        chunk.feeds["z"]


def test_a_feed_first_read_without_gradients_may_have_them_later(tmp_path: Path) -> None:
    chunk = feeder(product(tmp_path, "N"), samples(x=X), None).chunk(np.arange(2))
    with torch.inference_mode():
        x = chunk.feeds["x"]
    weight = torch.ones(4, 2, requires_grad=True)
    (x @ weight).sum().backward()
    assert weight.grad is not None


def test_an_answer_from_the_memo_reads_no_samples(tmp_path: Path) -> None:
    model = product(tmp_path, "N")
    feed, executor = feeder(model, samples(x=X), None), Executor(model, Memo())
    program = executor.program({})
    with torch.inference_mode():
        known = executor.run(feed.chunk(np.arange(2)), {}, program)
        unread = feed.chunk(np.arange(2))
        object.__setattr__(unread, "feeds", Feeds(("x",), unreadable))
        again = executor.run(unread, {}, program)
        assert again["y"] is known["y"]
        other = feed.chunk(np.arange(3))
        object.__setattr__(other, "feeds", Feeds(("x",), unreadable))
        with pytest.raises(QvizError, match=r"x\.npz: it was deleted"):
            executor.run(other, {}, program)


def unreadable(name: str) -> torch.Tensor:
    raise QvizError(f"{name}.npz", "it was deleted", "Bring it back")

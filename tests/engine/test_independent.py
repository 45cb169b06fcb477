"""The demo's numbers against a computation that shares no code with qviz: numpy + onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

import qviz


def _folded(path: Path) -> onnx.ModelProto:
    """The model with every BatchNormalization folded into the convolution before it."""
    model = onnx.load(path)
    graph = model.graph
    arrays = {i.name: numpy_helper.to_array(i).astype(np.float64) for i in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    kept = []
    for node in graph.node:
        if node.op_type != "BatchNormalization":
            kept.append(node)
            continue
        conv = makers[node.input[0]]
        gamma, beta, mean, var = (arrays[name] for name in node.input[1:5])
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        factor = gamma / np.sqrt(var + epsilon)
        arrays[conv.input[1]] = arrays[conv.input[1]] * factor[:, None, None, None]
        bias = arrays[conv.input[2]] if len(conv.input) > 2 else 0.0
        name = conv.name + "_folded_bias"
        arrays[name] = (bias - mean) * factor + beta
        del conv.input[2:]
        conv.input.append(name)
        conv.output[0] = node.output[0]
    del graph.node[:]
    graph.node.extend(kept)
    _store(model, arrays)
    return model


def _store(model: onnx.ModelProto, arrays: dict[str, NDArray[Any]]) -> None:
    types = {i.name: numpy_helper.to_array(i).dtype for i in model.graph.initializer}
    del model.graph.initializer[:]
    for name, array in arrays.items():
        tensor = numpy_helper.from_array(array.astype(types.get(name, np.float32)), name)
        model.graph.initializer.append(tensor)


def _quantized(w: NDArray[Any], bits: int, per_channel: bool) -> NDArray[Any]:
    top = 2 ** (bits - 1) - 1
    axes = tuple(range(1, w.ndim)) if per_channel else None
    scale = np.abs(w).max(axis=axes, keepdims=True) / top
    scale = scale.astype(np.float32)
    return np.asarray(np.clip(np.rint(w.astype(np.float32) / scale), -top, top) * scale)


def _predictions(path: Path, images: NDArray[Any], bits: int, per_channel: bool) -> NDArray[Any]:
    model = _folded(path)
    arrays = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            arrays[node.input[1]] = _quantized(arrays[node.input[1]], bits, per_channel)
    _store(model, arrays)
    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    session = InferenceSession(model.SerializeToString(), options)
    name = session.get_inputs()[0].name
    batches = [images[start : start + 100] for start in range(0, len(images), 100)]
    logits = [np.asarray(session.run(None, {name: batch})[0]) for batch in batches]
    return np.asarray(np.concatenate(logits).argmax(1))


@pytest.mark.parametrize(
    ("spelling", "bits", "per_channel"),
    [("int8:tensor", 8, False), ("int8:channel", 8, True), ("int4:channel", 4, True)],
)
def test_demo_top1_sample_by_sample(
    demo_model: Path, demo_samples: Path, spelling: str, bits: int, per_channel: bool
) -> None:
    session = qviz.open(demo_model, demo_samples)
    session.set_defaults(spelling, "float")
    evaluation = session.evaluate()
    with np.load(demo_samples) as archive:
        images, labels = archive["image"].astype(np.float32), archive["labels"]
    expected = _predictions(demo_model, images, bits, per_channel)
    assert evaluation.predictions is not None
    np.testing.assert_array_equal(evaluation.predictions, expected[evaluation.rows])
    assert evaluation.value == pytest.approx(100 * np.mean(expected == labels))
    assert evaluation.exact
    assert sorted(evaluation.rows.tolist()) == list(range(len(labels)))


def test_the_demo_tells_its_story(demo_model: Path, demo_samples: Path) -> None:
    session = qviz.open(demo_model, demo_samples)
    session.set_defaults("int8:tensor", "float")
    per_tensor = session.evaluate()
    session.set_defaults("int8:channel", "float")
    per_channel = session.evaluate()
    assert per_tensor.float_value >= 90.0
    assert per_tensor.value < per_tensor.float_value - 2.0
    assert abs(per_channel.value - per_channel.float_value) < 0.5

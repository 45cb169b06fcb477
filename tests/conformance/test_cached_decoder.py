"""A decoder with a cache: samples of tokens fill its mask, and its past starts empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save

from qviz.data.read_samples import read_samples
from qviz.engine.chunks import feeder, input_specs
from qviz.model.node_session import open_session
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime

HEADS, SIZE, WORDS, TOKENS = 2, 4, 30, 6
WIDE = HEADS * SIZE
Sizes = int | str


def decoder(folder: Path, batch: Sizes, past: Sizes, mask: Sizes) -> Path:
    """One layer of attention over what is remembered and the tokens, written by hand."""
    rng = np.random.default_rng(0)
    held: dict[str, NDArray[Any]] = {
        "table": rng.normal(0, 1, (WORDS, WIDE)).astype(np.float32),
        "head": rng.normal(0, 1, (WIDE, WORDS)).astype(np.float32),
        "split": np.array([0, 0, HEADS, SIZE]),
        "joined": np.array([0, 0, WIDE]),
        "axes": np.array([1, 2]),
        "one": np.array(1, np.float32),
        "far": np.array(-1e9, np.float32),
    }
    held |= {f"w{n}": rng.normal(0, 1, (WIDE, WIDE)).astype(np.float32) for n in "qkv"}
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["x"])]
    for n in "qkv":
        nodes += [
            helper.make_node("MatMul", ["x", f"w{n}"], [f"{n}1"]),
            helper.make_node("Reshape", [f"{n}1", "split"], [f"{n}2"]),
            helper.make_node("Transpose", [f"{n}2"], [f"{n}3"], perm=[0, 2, 1, 3]),
        ]
    nodes += [
        helper.make_node("Concat", ["past_key_values.0.key", "k3"], ["present.0.key"], axis=2),
        helper.make_node("Concat", ["past_key_values.0.value", "v3"], ["present.0.value"], axis=2),
        helper.make_node("Transpose", ["present.0.key"], ["kt"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q3", "kt"], ["scores"]),
        helper.make_node("Cast", ["attention_mask"], ["m1"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "m1"], ["m2"]),
        helper.make_node("Mul", ["m2", "far"], ["m3"]),
        helper.make_node("Unsqueeze", ["m3", "axes"], ["m4"]),
        helper.make_node("Add", ["scores", "m4"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["p"], axis=-1),
        helper.make_node("MatMul", ["p", "present.0.value"], ["c1"]),
        helper.make_node("Transpose", ["c1"], ["c2"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["c2", "joined"], ["c3"]),
        helper.make_node("MatMul", ["c3", "head"], ["logits"]),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, [batch, "tokens"])
    seen = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, [batch, mask])
    caches = [
        helper.make_tensor_value_info(
            f"past_key_values.0.{which}", TensorProto.FLOAT, [batch, HEADS, past, SIZE]
        )
        for which in ("key", "value")
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in ("logits", "present.0.key", "present.0.value")
    ]
    constants = [numpy_helper.from_array(array, name) for name, array in held.items()]
    graph = helper.make_graph(nodes, "decoder", [ids, seen, *caches], outputs, constants)
    path = folder / "decoder.onnx"
    opset = helper.make_opsetid("", 17)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return path


@pytest.mark.parametrize(
    ("batch", "past", "mask"),
    [
        ("batch", "past", "total"),
        ("batch", 5, "total"),
        ("batch", 5, 5 + TOKENS),
        (1, "past", "total"),
        (1, 0, "total"),
        (1, 5, 5 + TOKENS),
        (2, "past", "total"),
        (2, 5, "total"),
    ],
)
def test_an_empty_past_changes_nothing(
    batch: Sizes, past: Sizes, mask: Sizes, tmp_path: Path
) -> None:
    ids = np.random.default_rng(1).integers(0, WORDS, (4, TOKENS))
    np.save(tmp_path / "ids.npy", ids)
    nothing = np.zeros((4, HEADS, 0, SIZE), np.float32)
    alone = open_session(str(decoder(tmp_path, "batch", "past", "total"))).run(
        ["logits"],
        {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "past_key_values.0.key": nothing,
            "past_key_values.0.value": nothing,
        },
    )[0]
    model = read_onnx(decoder(tmp_path, batch, past, mask))
    feed = feeder(model, read_samples(tmp_path / "ids.npy", input_specs(model)), None)
    assert feed.fixed_batch == (batch if isinstance(batch, int) else None)
    runtime, found = Runtime(model), []
    for rows in feed.cut(np.arange(4)):
        logits = runtime.run(feed.chunk(rows).feeds)["logits"]
        assert isinstance(logits, torch.Tensor)
        found.append(logits.numpy())
    np.testing.assert_allclose(np.concatenate(found), alone, rtol=0, atol=2e-5)

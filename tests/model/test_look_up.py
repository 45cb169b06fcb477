"""Ids of tokens, and their positions, beyond the rows of an embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from qviz.errors import QvizError
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime


def embedding(path: Path) -> Path:
    """Six tokens, of which each has four values."""
    table = numpy_helper.from_array(np.ones((6, 4), np.float32), "table")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["y"], name="words")],
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "t"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "t", 4])],
        [table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_an_id_beyond_the_table_is_told_with_the_length_and_the_cure(tmp_path: Path) -> None:
    runtime = Runtime(read_onnx(embedding(tmp_path / "net.onnx")))
    fits = runtime.run({"ids": torch.tensor([[0, 5, -6]])})
    assert any(isinstance(value, torch.Tensor) and value.shape[-1] == 4 for value in fits.values())
    with pytest.raises(QvizError) as caught:
        runtime.run({"ids": torch.tensor([[0, 6, 1]])})
    assert caught.value.subject == "words (Gather)"
    assert caught.value.cause == "it looks up row 6 of a table of 6, for 3 tokens"
    assert "--reading length=6" in caught.value.cure
    assert "this model's tokenizer" in caught.value.cure

"""What a file's own types weigh, beside what the float model and the plan do."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import qviz
from qviz.app.session import Session
from qviz.app.summary import summary

SHAPE = (4, 64)


def _gguf(path: Path, kind: str) -> Path:
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    quantum = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("a.weight", gguf.quantize(values, quantum), raw_dtype=quantum)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _in_the_file(session: Session) -> str:
    facts = {fact.label: fact.value for fact in session.form(["a.weight"]).facts}
    return facts["In the file"]


@pytest.mark.parametrize(("kind", "bits"), [("Q4_0", "4.5"), ("Q8_0", "8.5"), ("BF16", "16")])
def test_the_inspector_says_how_many_bits_the_file_takes(
    tmp_path: Path, kind: str, bits: str
) -> None:
    assert _in_the_file(qviz.open(_gguf(tmp_path / "a.gguf", kind))) == f"{kind}, {bits} bits"


def test_a_tensor_of_a_type_of_torch_takes_what_the_type_does(tmp_path: Path) -> None:
    save_file({"a.weight": torch.ones(SHAPE).half()}, tmp_path / "a.safetensors")
    assert _in_the_file(qviz.open(tmp_path / "a.safetensors")) == "F16, 16 bits"


def test_the_summary_has_the_size_of_the_file_and_of_the_float_model(tmp_path: Path) -> None:
    path = _gguf(tmp_path / "a.gguf", "Q4_0")
    found = summary(qviz.open(path), None)
    assert found["model"]["file_bytes"] == path.stat().st_size
    assert found["bytes"]["float"] == 4 * 256
    assert found["model"]["file_bytes"] < found["bytes"]["float"]

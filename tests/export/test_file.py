"""The file: small, checked, with its metadata, and written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from qviz.errors import QvizError
from qviz.export import onnx_file
from qviz.export.onnx_file import save_onnx
from qviz.model.read_onnx import read_onnx
from tests.export.conftest import Write, floats
from tests.export.exported import exported
from tests.export.test_graphs import feeds, gemm


@pytest.mark.parametrize(
    ("weight", "most"),
    [
        *(("int16", 0.53), ("int8:channel", 0.27), ("int4:channel", 0.15)),
        *(("int4:group=32", 0.17), ("nf4:channel", 0.15), ("kmeans4", 0.15)),
        *(("fp8-e4m3", 0.27), ("float16", 0.53)),
    ],
)
def test_the_file_shrinks_with_the_weights(
    write_model: Write, tmp_path: Path, weight: str, most: float
) -> None:
    path = write_model(
        "m.onnx",
        [gemm("fc", "x", "w", "y")],
        {"w": floats(0, 256, 512)},
        {"x": ["N", 512]},
        {"y": ["N", 256]},
    )
    case = exported(read_onnx(path), feeds(4, 512), weight, "uint8")
    size = save_onnx(case.written.graph, tmp_path / "out.onnx", {})
    assert size == (tmp_path / "out.onnx").stat().st_size
    assert size <= most * path.stat().st_size


def test_it_carries_its_metadata(mlp: Path, tmp_path: Path) -> None:
    case = exported(read_onnx(mlp), feeds(4, 6), "int8")
    save_onnx(case.written.graph, tmp_path / "out.onnx", {"qviz.seed": "3"})
    props = onnx.load(tmp_path / "out.onnx").metadata_props
    assert {entry.key: entry.value for entry in props}["qviz.seed"] == "3"


def test_large_weights_go_beside_the_file(
    mlp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "MOST_BYTES", 16)
    case = exported(read_onnx(mlp), feeds(4, 6), "int8")
    out = tmp_path / "out.onnx"
    size = save_onnx(case.written.graph, out, {})
    assert size == out.stat().st_size + (tmp_path / "out.onnx.data").stat().st_size
    onnx.checker.check_model(out, full_check=True)


def test_what_is_wrong_leaves_the_old_file(
    mlp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise onnx.checker.ValidationError("a field is missing")

    out = tmp_path / "out.onnx"
    out.write_bytes(b"before")
    case = exported(read_onnx(mlp), feeds(4, 6), "int8")
    monkeypatch.setattr(onnx.checker, "check_model", refuse)
    with pytest.raises(QvizError, match=r"onnx\.checker refuses .* a field is missing"):
        save_onnx(case.written.graph, out, {})
    assert out.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlp.onnx", "out.onnx"]


def test_a_folder_that_is_not_there(mlp: Path, tmp_path: Path) -> None:
    case = exported(read_onnx(mlp), feeds(4, 6), "int8")
    with pytest.raises(QvizError, match="cannot be written"):
        save_onnx(case.written.graph, tmp_path / "no" / "out.onnx", {})


def test_a_wrong_shape_that_the_source_declares_is_left_out(
    write_model: Write, tmp_path: Path
) -> None:
    """Inference of opset 12 does not see it, that of 21 does."""
    nodes = [
        gemm("fc", "x", "w", "h"),
        helper.make_node("Shape", ["h"], ["s"], name="shape"),
        helper.make_node("Gather", ["s", "zero"], ["n"], name="batch"),
        helper.make_node("Concat", ["n", "rest"], ["to"], name="to", axis=0),
        helper.make_node("Reshape", ["h", "to"], ["y"], name="reshape"),
    ]
    integers = {"zero": np.asarray([0], np.int64), "rest": np.asarray([2, 3], np.int64)}
    path = write_model(
        "m.onnx", nodes, {"w": floats(0, 6, 6)}, {"x": ["N", 6]}, {"y": ["N", 6]}, integers, 12
    )
    model = read_onnx(path)
    case = exported(model, feeds(4, 6), "int8")
    out = tmp_path / "out.onnx"
    save_onnx(case.written.graph, out, {})
    onnx.checker.check_model(out, full_check=True)

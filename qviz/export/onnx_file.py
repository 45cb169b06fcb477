"""The exported file: its metadata, checked as a whole, and written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnx_ir as ir
from onnx import helper

from qviz.errors import QvizError, first_line

MOST_BYTES = 1 << 30  # of weights inside the file; protobuf ends at 2 GiB


def save_onnx(graph: ir.Model, path: Path, metadata: Mapping[str, str]) -> int:
    """Check the graph with onnx.checker and write it; large weights go to a file beside it.

    Returns how many bytes were written.

    Raises:
        QvizError: the checker finds it wrong, or the file cannot be written.
    """
    graph.metadata_props.update(metadata)
    opsets = [helper.make_opsetid(*entry) for entry in graph.opset_imports.items()]
    graph.ir_version = max(graph.ir_version, helper.find_min_ir_version_for(opsets))
    data = f"{path.name}.data" if weight_bytes(graph) > MOST_BYTES else None
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".qviz-export-") as folder:
            beside = Path(folder) / path.name
            ir.save(graph, beside, external_data=data)
            try:
                _check(beside)
            except QvizError as error:
                if not isinstance(error.__cause__, onnx.shape_inference.InferenceError):
                    raise
                _correct_output_shapes(graph, beside)
                ir.save(graph, beside, external_data=data)
                _check(beside)
            written = [file for file in Path(folder).iterdir() if file != beside]
            size = sum(file.stat().st_size for file in (beside, *written))
            for file in (*written, beside):
                file.replace(path.with_name(file.name))
            return size
    except OSError as error:
        cause = f"it cannot be written ({error.strerror or error})"
        raise QvizError(str(path), cause, "Choose a folder you may write to") from error


def _correct_output_shapes(graph: ir.Model, path: Path) -> None:
    """Old files declare shapes of outputs that only newer opsets' inference finds wrong."""
    proto = onnx.load(path, load_external_data=False)
    for declared in proto.graph.output:
        declared.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(proto).graph.output
    for output, found in zip(graph.graph.outputs, inferred, strict=True):
        kind = found.type.tensor_type
        if kind.HasField("shape"):
            output.shape = ir.Shape([None] * len(kind.shape.dim))


def _check(path: Path) -> None:
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:
        raise QvizError(
            path.name,
            f"onnx.checker refuses the exported graph: {first_line(error)}",
            "Export the float model with another opset and open that",
        ) from error


def weight_bytes(graph: ir.Model) -> int:
    """Bytes of the graph's initializers as they are stored."""
    held = (value.const_value for value in graph.graph.initializers.values())
    return sum(tensor.nbytes for tensor in held if tensor is not None)

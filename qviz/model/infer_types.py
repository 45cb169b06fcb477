"""Types and shapes of computed values, as far as ONNX's inference finds them."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from qviz.model.onnx_file import quiet_parser

# Inference reads the values of small constants (shapes, axes); of others only type and shape.
_VALUES_READ = 1024


def infer_types(graph: ir.Model) -> None:
    """Note type and shape on values that lack them; where inference fails they go on lacking."""
    copy = graph.clone()
    for name, value in list(copy.graph.initializers.items()):
        if value.const_value is not None and value.const_value.size > _VALUES_READ:
            value.type = value.type or ir.TensorType(value.const_value.dtype)
            value.shape = value.shape or ir.Shape(value.const_value.shape.numpy())
            copy.graph.initializers.pop(name)
            value.const_value = None
            copy.graph.inputs.append(value)
    try:
        with quiet_parser():
            inferred = ir.from_proto(onnx.shape_inference.infer_shapes(ir.to_proto(copy)))
    except Exception:  # inference is a convenience: every value is typed again when it is computed
        return
    found = {value.name: value for node in inferred.graph for value in node.outputs}
    for node in graph.graph:
        for value in node.outputs:
            known = found.get(value.name)
            if known is not None:
                value.type = value.type or known.type
                value.shape = value.shape or known.shape

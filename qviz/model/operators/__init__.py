"""The torch meaning of ONNX operators: one short function each, in one file per family."""

from qviz.model.operators import (
    activation,
    comparison,
    convolution,
    elementwise,
    indexing,
    linear,
    normalization,
    padding,
    pooling,
    quantization,
    reduction,
    resize,
    shape,
    types,
)
from qviz.model.operators.registry import (
    Operator,
    UnsupportedError,
    find_operator,
    operator,
    operator_names,
)

__all__ = [
    "Operator",
    "UnsupportedError",
    "activation",
    "comparison",
    "convolution",
    "elementwise",
    "find_operator",
    "indexing",
    "linear",
    "normalization",
    "operator",
    "operator_names",
    "padding",
    "pooling",
    "quantization",
    "reduction",
    "resize",
    "shape",
    "types",
]

"""The pass that writes integer operators as float operators between quantizers.

Weights become float constants that remember their quantizer; computed operands go through
DequantizeLinear, results through QuantizeLinear. What has no such form stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from qviz.model import passes
from qviz.model.quantized.code_moves import CODE_MOVES
from qviz.model.quantized.fused_layers import FUSED_LAYERS
from qviz.model.quantized.integer_products import INTEGER_PRODUCTS
from qviz.model.quantized.packed_weights import PACKED_WEIGHTS
from qviz.model.quantized.qlinear import QLINEAR
from qviz.model.quantized.writer import Rewrite, StaysError, Writer

# By domain and operator.
_REWRITES: Mapping[tuple[str, str], Rewrite] = {
    **QLINEAR,
    **INTEGER_PRODUCTS,
    **PACKED_WEIGHTS,
    **FUSED_LAYERS,
    **CODE_MOVES,
}


def expand_quantized(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Rewrite the main graph's integer operators: QLinear…, …Integer, and n-bit weights.

    Results are those of the integer kernels to float rounding, which may move a code by one; only
    the state of an LSTM, which its kernel quantizes at every step, is float.
    """
    writer = Writer(graph)
    changed = tried = False
    for node in list(graph.graph):
        rewrite = _REWRITES.get((node.domain, node.op_type))
        if rewrite is None:
            continue
        tried = True
        writer.start(node)
        try:
            result = rewrite(writer, node)
        except StaysError:
            continue
        writer.put(result)
        changed = True
    if tried:
        passes.drop_unused(graph)
    return graph, changed

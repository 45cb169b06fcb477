"""Products of codes whose sums are scaled afterwards: ConvInteger, MatMulInteger and the like."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir
import torch

from qviz.model.quantized.node_parts import ORT, constant_codes, inputs_of, number, single
from qviz.model.quantized.writer import Rewrite, StaysError, Writer, attributes_of


def _integers(op: str, axis: int) -> Rewrite:
    """ConvInteger and MatMulInteger: sums of products of integers, which floats hold to 2^24.

    Where Cast and Mul give them their scales at once, as dynamic quantization does, the operands
    take these scales.
    """

    def rewrite(w: Writer, node: ir.Node) -> ir.Value:
        x, weight, xz, wz = inputs_of(node, 4)
        scaled = _scaled(node, op)
        if scaled is not None:
            w.target, xs, ws = scaled
        else:
            xs = ws = w.constant(torch.tensor(1.0), f"{node.outputs[0].name}::one")
        inputs = [w.operand(x, xs, xz), w.operand(weight, ws, wz, axis=axis)]
        y = w.op(op, inputs, attributes_of(node), name=node.name)
        return y if scaled else w.op("Cast", [y], {"to": ir.DataType.INT32.value})

    return rewrite


def _scaled(node: ir.Node, op: str) -> tuple[ir.Node, ir.Value, ir.Value] | None:
    """The Mul that gives an integer result its scale, the input's scale and the weight's."""
    cast = _only_reader(node)
    product = _only_reader(cast) if cast is not None and cast.op_type == "Cast" else None
    if cast is None or product is None or product.op_type != "Mul":
        return None
    both = next((v for v in product.inputs if v is not None and v is not cast.outputs[0]), None)
    scales = both.producer() if both is not None else None
    if scales is None or scales.op_type != "Mul" or number(cast, "to", 0) != ir.DataType.FLOAT:
        return None
    codes = constant_codes(node.inputs[1])
    columns = (1, codes[0].shape[-1]) if codes is not None and op == "MatMul" else (1,)
    given = [value for value in scales.inputs if value is not None]
    computed = [v for v in given if constant_codes(v) is None and single(v)]
    weight = [v for v in given if (found := constant_codes(v)) and found[0].numel() in columns]
    if not computed or not weight or codes is None:
        return None
    return product, computed[0], weight[0]


def _only_reader(node: ir.Node) -> ir.Node | None:
    """The one node that reads the result, where there is just one."""
    output = node.outputs[0]
    uses = list(output.uses())
    return uses[0].node if len(uses) == 1 and not output.is_graph_output() else None


def _integers_to_float(w: Writer, node: ir.Node) -> ir.Value:
    """MatMulIntegerToFloat."""
    a, b, a_scale, b_scale, a_zero, b_zero, bias = inputs_of(node, 7)
    inputs = [w.operand(a, a_scale, a_zero), w.operand(b, b_scale, b_zero, axis=-1)]
    return w.biased(w.op("MatMul", inputs, name=node.name), bias)


def _dynamic(w: Writer, node: ir.Node) -> ir.Value:
    """DynamicQuantizeMatMul: its input is quantized as DynamicQuantizeLinear does, on the spot."""
    a, b, b_scale, b_zero, bias = inputs_of(node, 5)
    if w.opset < 11:
        raise StaysError
    weight = w.operand(b, b_scale, b_zero, axis=-1)
    quantize = ir.node("DynamicQuantizeLinear", [a], num_outputs=3)
    x = w.dequantize(*w.outputs(quantize, f"{node.outputs[0].name}::input"))
    return w.biased(w.op("MatMul", [x, weight], name=node.name), bias)


INTEGER_PRODUCTS: Mapping[tuple[str, str], Rewrite] = {
    ("", "ConvInteger"): _integers("Conv", 0),
    ("", "MatMulInteger"): _integers("MatMul", -1),
    (ORT, "MatMulIntegerToFloat"): _integers_to_float,
    (ORT, "DynamicQuantizeMatMul"): _dynamic,
}

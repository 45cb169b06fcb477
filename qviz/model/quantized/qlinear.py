"""Operators whose operands and result are codes: QLinearConv, QGemm, QLinearAdd and the like."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from qviz.model.quantized.node_parts import ORT, inputs_of, number
from qviz.model.quantized.writer import Rewrite, StaysError, Writer, attributes_of, values_of


def _conv(w: Writer, node: ir.Node) -> ir.Value:
    """QLinearConv; its bias has the scale of the products."""
    x, xs, xz, weight, ws, wz, ys, yz, bias = inputs_of(node, 9)
    inputs = [w.operand(x, xs, xz), w.operand(weight, ws, wz, axis=0)]
    if bias is not None:
        inputs.append(w.bias(bias, values_of(xs) * values_of(ws)))
    y = w.op("Conv", inputs, attributes_of(node), name=node.name)
    return w.quantize(y, ys, yz)


def _matmul(w: Writer, node: ir.Node) -> ir.Value:
    """QLinearMatMul; scales of the weight's columns lie along its last axis."""
    a, a_scale, a_zero, b, b_scale, b_zero, ys, yz = inputs_of(node, 8)
    inputs = [w.operand(a, a_scale, a_zero, axis=-2), w.operand(b, b_scale, b_zero, axis=-1)]
    return w.quantize(w.op("MatMul", inputs, name=node.name), ys, yz)


def _gemm(w: Writer, node: ir.Node) -> ir.Value:
    """QGemm; C has the scale alpha · a_scale · b_scale, and without y_scale the result is float."""
    a, a_scale, a_zero, b, b_scale, b_zero, c, ys, yz = inputs_of(node, 9)
    columns = 0 if number(node, "transB", 0) else 1
    inputs = [w.operand(a, a_scale, a_zero), w.operand(b, b_scale, b_zero, axis=columns)]
    if c is not None:
        alpha = number(node, "alpha", 1.0)
        inputs.append(w.bias(c, alpha * values_of(a_scale) * values_of(b_scale)))
    y = w.op("Gemm", inputs, attributes_of(node), name=node.name)
    return y if ys is None else w.quantize(y, ys, yz)


def _one_input(op: str) -> Rewrite:
    """X, its scale and zero point, the result's scale and zero point."""

    def rewrite(w: Writer, node: ir.Node) -> ir.Value:
        x, xs, xz, ys, yz = inputs_of(node, 5)
        y = w.op(op, [w.operand(x, xs, xz)], attributes_of(node), name=node.name)
        return w.quantize(y, ys, yz)

    return rewrite


def _two_inputs(op: str) -> Rewrite:
    """A and B with their scales and zero points, then those of the result."""

    def rewrite(w: Writer, node: ir.Node) -> ir.Value:
        a, a_scale, a_zero, b, b_scale, b_zero, ys, yz = inputs_of(node, 8)
        inputs = [w.operand(a, a_scale, a_zero), w.operand(b, b_scale, b_zero)]
        return w.quantize(w.op(op, inputs, attributes_of(node), name=node.name), ys, yz)

    return rewrite


def _softmax(w: Writer, node: ir.Node) -> ir.Value:
    """QLinearSoftmax says in an attribute which opset's Softmax it means."""
    if (number(node, "opset", 0) < 13) != (w.opset < 13):
        raise StaysError
    x, xs, xz, ys, yz = inputs_of(node, 5)
    attributes = {k: v for k, v in attributes_of(node).items() if k != "opset"}
    y = w.op("Softmax", [w.operand(x, xs, xz)], attributes, name=node.name)
    return w.quantize(y, ys, yz)


def _concat(w: Writer, node: ir.Node) -> ir.Value:
    """QLinearConcat: the result's scale and zero point, then three inputs for each tensor."""
    ys, yz, *parts = node.inputs
    triples = [parts[at : at + 3] for at in range(0, len(parts), 3)]
    inputs = [w.operand(x, scale, zero) for x, scale, zero in triples]
    return w.quantize(w.op("Concat", inputs, attributes_of(node), name=node.name), ys, yz)


def _where(w: Writer, node: ir.Node) -> ir.Value:
    """QLinearWhere."""
    condition, x, xs, xz, y, ys, yz, zs, zz = inputs_of(node, 9)
    inputs = [condition, w.operand(x, xs, xz), w.operand(y, ys, yz)]
    return w.quantize(w.op("Where", inputs, name=node.name), zs, zz)


QLINEAR: Mapping[tuple[str, str], Rewrite] = {
    ("", "QLinearConv"): _conv,
    (ORT, "QLinearConv"): _conv,
    ("", "QLinearMatMul"): _matmul,
    (ORT, "QGemm"): _gemm,
    (ORT, "QLinearAdd"): _two_inputs("Add"),
    (ORT, "QLinearMul"): _two_inputs("Mul"),
    (ORT, "QLinearSigmoid"): _one_input("Sigmoid"),
    (ORT, "QLinearLeakyRelu"): _one_input("LeakyRelu"),
    (ORT, "QLinearGlobalAveragePool"): _one_input("GlobalAveragePool"),
    (ORT, "QLinearAveragePool"): _one_input("AveragePool"),
    (ORT, "QLinearSoftmax"): _softmax,
    (ORT, "QLinearConcat"): _concat,
    (ORT, "QLinearWhere"): _where,
}

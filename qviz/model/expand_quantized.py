"""The pass that writes integer operators as float operators between quantizers.

Weights become float constants that remember their quantizer; computed operands go through
DequantizeLinear, results through QuantizeLinear. What has no such form stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor

from qviz.model import passes
from qviz.model.take_quantizers import (
    Quantizer,
    add_constant,
    constant_codes,
    lay_out,
    remember,
)
from qviz.quant.codebooks import NF4

_ORT = "com.microsoft"
# Operators that only move or pick values do to codes what they do to the values themselves.
_PICKS = {"DepthToSpace", "Flatten", "MaxPool", "Reshape", "Slice", "SpaceToDepth"}
_PICKS |= {"Squeeze", "Transpose", "Unsqueeze"}
_CODE_SUFFIX = re.compile(r"_(quantized|Q[248]|Bnb4)$")  # onnxruntime's names for codes


def expand_quantized(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Rewrite the main graph's integer operators: QLinear…, …Integer, and n-bit weights.

    Results are those of the integer kernels to float rounding, which may move a code by one.
    """
    writer = _Writer(graph)
    changed = tried = False
    for node in list(graph.graph):
        rewrite = _REWRITES.get((node.domain, node.op_type))
        if rewrite is None:
            continue
        tried = True
        writer.start(node)
        try:
            result = rewrite(writer, node)
        except _StaysError:
            continue
        writer.put(result)
        changed = True
    if tried:
        passes.drop_unused(graph)
    return graph, changed


class _StaysError(Exception):
    """The node has no float form that keeps its numbers."""


class _Writer:
    """Collects the nodes that replace one node and puts them in its place."""

    def __init__(self, graph: ir.Model) -> None:
        self._graph = graph
        self._names = {value.name for node in graph.graph for value in node.outputs}
        self._names |= set(graph.graph.initializers) | {v.name for v in graph.graph.inputs}
        self._weights: dict[tuple[object, ...], ir.Value] = {}
        self._nodes: list[ir.Node] = []

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators in this graph."""
        return self._graph.opset_imports.get("", 1)

    def start(self, node: ir.Node) -> None:
        """Begin with the node whose output is to be replaced."""
        self.target = node
        self._nodes = []

    def put(self, result: ir.Value) -> None:
        """Insert what was written; the result takes the place of the target's output."""
        output = self.target.outputs[0]
        self._graph.graph.insert_before(self.target, self._nodes)
        name = output.name
        result.type, result.shape = result.type or output.type, result.shape or output.shape
        output.replace_all_uses_with(result, replace_graph_outputs=True)
        output.name, result.name = f"{name}::expanded", name
        self._graph.graph.remove(self.target, safe=True)

    def op(
        self,
        op: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Any] | None = None,
        name: str | None = None,
        wish: str = "",
    ) -> ir.Value:
        """One more node; gives its output. The float layer takes the integer node's name."""
        return self.outputs(ir.node(op, inputs, dict(attributes or {}), name=name), wish)[0]

    def outputs(self, node: ir.Node, wish: str = "") -> Sequence[ir.Value]:
        """One more node; gives all its outputs."""
        for output in node.outputs:
            output.name = self._free(wish or _float_name(self.target.outputs[0]))
        self._nodes.append(node)
        return node.outputs

    def constant(self, tensor: Tensor, wish: str) -> ir.Value:
        """One more initializer."""
        return add_constant(self._graph, self._free(wish), tensor)

    def weight(self, codes: ir.Value, floats: Tensor, quantizer: Quantizer | None) -> ir.Value:
        """A float constant in place of constant codes."""
        made = self.constant(floats.contiguous(), _float_name(codes))
        remember(made, quantizer)
        return made

    def operand(
        self, x: ir.Value | None, scale: ir.Value | None, zero: ir.Value | None, axis: int = 0
    ) -> ir.Value:
        """The floats of codes, whose scales lie along `axis` where there are several."""
        if x is None or scale is None:
            raise _StaysError
        codes, factor, offset = (constant_codes(value) for value in (x, scale, zero))
        if codes is None or factor is None or (zero is not None and offset is None):
            return self.dequantize(x, scale, zero)
        key = (x, scale, zero, axis)
        if key not in self._weights:
            flat, zeros = torch.broadcast_tensors(
                factor[0].reshape(-1), torch.zeros(1) if offset is None else offset[0].reshape(-1)
            )
            floats = _along(codes[0], flat, zeros, axis)
            held = lay_out(codes[1], floats.shape, flat, zeros, axis)
            self._weights[key] = self.weight(x, floats, held)
        return self._weights[key]

    def dequantize(self, x: ir.Value, scale: ir.Value, zero: ir.Value | None) -> ir.Value:
        """DequantizeLinear with one scale."""
        if self.opset < 10 or not _single(scale) or not _single(zero):
            raise _StaysError
        given = [x, scale] if zero is None else [x, scale, zero]
        return self.op("DequantizeLinear", given, wish=f"{x.name}::dequantized")

    def quantize(self, x: ir.Value, scale: ir.Value | None, zero: ir.Value | None) -> ir.Value:
        """QuantizeLinear with one scale; an absent zero point is that of the target's input."""
        if scale is None or not _single(scale) or not _single(zero):
            raise _StaysError
        if zero is None:
            dtype = self.target.outputs[0].dtype
            if dtype not in (ir.DataType.INT8, ir.DataType.UINT8):
                raise _StaysError
            code = torch.int8 if dtype == ir.DataType.INT8 else torch.uint8
            zero = self.constant(torch.zeros((), dtype=code), f"{x.name}::zero_point")
        return self.op("QuantizeLinear", [x, scale, zero])

    def _free(self, wish: str) -> str:
        """The wished name, or the next one that no value has."""
        name, number = wish, 1
        while name in self._names:
            number += 1
            name = f"{wish}_{number}"
        self._names.add(name)
        return name


_Rewrite = Callable[[_Writer, ir.Node], ir.Value]


def _conv(w: _Writer, node: ir.Node) -> ir.Value:
    """QLinearConv; its bias has the scale of the products."""
    x, xs, xz, weight, ws, wz, ys, yz, bias = _given(node, 9)
    inputs = [w.operand(x, xs, xz), w.operand(weight, ws, wz, axis=0)]
    if bias is not None:
        inputs.append(_bias(w, bias, _floats(xs) * _floats(ws)))
    y = w.op("Conv", inputs, _attributes(node), name=node.name)
    return w.quantize(y, ys, yz)


def _matmul(w: _Writer, node: ir.Node) -> ir.Value:
    """QLinearMatMul; scales of the weight's columns lie along its last axis."""
    a, a_scale, a_zero, b, b_scale, b_zero, ys, yz = _given(node, 8)
    inputs = [w.operand(a, a_scale, a_zero, axis=-2), w.operand(b, b_scale, b_zero, axis=-1)]
    return w.quantize(w.op("MatMul", inputs, name=node.name), ys, yz)


def _gemm(w: _Writer, node: ir.Node) -> ir.Value:
    """QGemm; C has the scale alpha · a_scale · b_scale, and without y_scale the result is float."""
    a, a_scale, a_zero, b, b_scale, b_zero, c, ys, yz = _given(node, 9)
    columns = 0 if _number(node, "transB", 0) else 1
    inputs = [w.operand(a, a_scale, a_zero), w.operand(b, b_scale, b_zero, axis=columns)]
    if c is not None:
        alpha = _number(node, "alpha", 1.0)
        inputs.append(_bias(w, c, alpha * _floats(a_scale) * _floats(b_scale)))
    y = w.op("Gemm", inputs, _attributes(node), name=node.name)
    return y if ys is None else w.quantize(y, ys, yz)


def _one_input(op: str) -> _Rewrite:
    """X, its scale and zero point, the result's scale and zero point."""

    def rewrite(w: _Writer, node: ir.Node) -> ir.Value:
        x, xs, xz, ys, yz = _given(node, 5)
        y = w.op(op, [w.operand(x, xs, xz)], _attributes(node), name=node.name)
        return w.quantize(y, ys, yz)

    return rewrite


def _two_inputs(op: str) -> _Rewrite:
    """A and B with their scales and zero points, then those of the result."""

    def rewrite(w: _Writer, node: ir.Node) -> ir.Value:
        a, a_scale, a_zero, b, b_scale, b_zero, ys, yz = _given(node, 8)
        inputs = [w.operand(a, a_scale, a_zero), w.operand(b, b_scale, b_zero)]
        return w.quantize(w.op(op, inputs, _attributes(node), name=node.name), ys, yz)

    return rewrite


def _softmax(w: _Writer, node: ir.Node) -> ir.Value:
    """QLinearSoftmax says in an attribute which opset's Softmax it means."""
    if (_number(node, "opset", 0) < 13) != (w.opset < 13):
        raise _StaysError
    x, xs, xz, ys, yz = _given(node, 5)
    attributes = {k: v for k, v in _attributes(node).items() if k != "opset"}
    y = w.op("Softmax", [w.operand(x, xs, xz)], attributes, name=node.name)
    return w.quantize(y, ys, yz)


def _concat(w: _Writer, node: ir.Node) -> ir.Value:
    """QLinearConcat: the result's scale and zero point, then three inputs for each tensor."""
    ys, yz, *parts = node.inputs
    triples = [parts[at : at + 3] for at in range(0, len(parts), 3)]
    inputs = [w.operand(x, scale, zero) for x, scale, zero in triples]
    return w.quantize(w.op("Concat", inputs, _attributes(node), name=node.name), ys, yz)


def _where(w: _Writer, node: ir.Node) -> ir.Value:
    """QLinearWhere."""
    condition, x, xs, xz, y, ys, yz, zs, zz = _given(node, 9)
    inputs = [condition, w.operand(x, xs, xz), w.operand(y, ys, yz)]
    return w.quantize(w.op("Where", inputs, name=node.name), zs, zz)


def _integers(op: str, axis: int) -> _Rewrite:
    """ConvInteger and MatMulInteger: sums of products of integers, which floats hold to 2^24.

    Where Cast and Mul give them their scales at once, as dynamic quantization does, the operands
    take these scales.
    """

    def rewrite(w: _Writer, node: ir.Node) -> ir.Value:
        x, weight, xz, wz = _given(node, 4)
        scaled = _scaled(node, op)
        if scaled is not None:
            w.target, xs, ws = scaled
        else:
            xs = ws = w.constant(torch.tensor(1.0), f"{node.outputs[0].name}::one")
        inputs = [w.operand(x, xs, xz), w.operand(weight, ws, wz, axis=axis)]
        y = w.op(op, inputs, _attributes(node), name=node.name)
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
    if scales is None or scales.op_type != "Mul" or _number(cast, "to", 0) != ir.DataType.FLOAT:
        return None
    codes = constant_codes(node.inputs[1])
    columns = (1, codes[0].shape[-1]) if codes is not None and op == "MatMul" else (1,)
    given = [value for value in scales.inputs if value is not None]
    computed = [v for v in given if constant_codes(v) is None and _single(v)]
    weight = [v for v in given if (found := constant_codes(v)) and found[0].numel() in columns]
    if not computed or not weight or codes is None:
        return None
    return product, computed[0], weight[0]


def _integers_to_float(w: _Writer, node: ir.Node) -> ir.Value:
    """MatMulIntegerToFloat."""
    a, b, a_scale, b_scale, a_zero, b_zero, bias = _given(node, 7)
    inputs = [w.operand(a, a_scale, a_zero), w.operand(b, b_scale, b_zero, axis=-1)]
    return _biased(w, w.op("MatMul", inputs, name=node.name), bias)


def _dynamic(w: _Writer, node: ir.Node) -> ir.Value:
    """DynamicQuantizeMatMul: its input is quantized as DynamicQuantizeLinear does, on the spot."""
    a, b, b_scale, b_zero, bias = _given(node, 5)
    if w.opset < 11:
        raise _StaysError
    weight = w.operand(b, b_scale, b_zero, axis=-1)
    quantize = ir.node("DynamicQuantizeLinear", [a], num_outputs=3)
    x = w.dequantize(*w.outputs(quantize, f"{node.outputs[0].name}::input"))
    return _biased(w, w.op("MatMul", [x, weight], name=node.name), bias)


def _n_bits(w: _Writer, node: ir.Node) -> ir.Value:
    """MatMulNBits: blocks along K of a weight stored as [N, blocks, bytes], low bits first."""
    a, b, scales, zeros, groups, bias = _given(node, 6)
    packed = constant_codes(b)
    if b is None or packed is None or _number(node, "weight_prepacked", 0):
        raise _StaysError
    rows, columns = int(_number(node, "N", 0)), int(_number(node, "K", 0))
    bits, block = int(_number(node, "bits", 4)), int(_number(node, "block_size", 0))
    codes = _unpacked(packed[0].reshape(rows, -1), bits)[:, :columns]
    scale = _floats(scales, keep=True).reshape(rows, -1)
    zero = _zero_points(zeros, scale, bits)
    group = torch.arange(columns) // block
    plain = True
    if groups is not None:
        given = _floats(groups).long()
        plain, group = torch.equal(given, group), given
    floats = (codes - zero[:, group]) * scale.float()[:, group]
    held = lay_out(f"uint{bits}", floats.T.shape, scale.T, zero.T, 0, block) if plain else None
    weight = w.weight(b, floats.to(scale.dtype).T, held)
    return _biased(w, w.op("MatMul", [a, weight], name=node.name), bias)


def _zero_points(zeros: ir.Value | None, scale: Tensor, bits: int) -> Tensor:
    """Zero points [N, blocks]: packed like the codes, plain floats, or the middle code."""
    if zeros is None:
        return torch.full(scale.shape, float(2 ** (bits - 1)))
    given = _floats(zeros, keep=True)
    if given.dtype.is_floating_point:
        return given.float().reshape(scale.shape)
    return _unpacked(given.reshape(scale.shape[0], -1), bits)[:, : scale.shape[1]]


def _unpacked(packed: Tensor, bits: int) -> Tensor:
    """Codes as floats from bytes along the last axis, low bits first."""
    if bits not in (2, 4, 8) or packed.dtype != torch.uint8:
        raise _StaysError
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8)
    codes: Tensor = (packed.unsqueeze(-1) >> shifts) & (2**bits - 1)
    return codes.flatten(-2).float()


def _gather_blocks(w: _Writer, node: ir.Node) -> ir.Value:
    """GatherBlockQuantized: a table with blocks of codes along one axis."""
    data, indices, scales, zeros = _given(node, 4)
    given, zero = constant_codes(data), constant_codes(zeros)
    if data is None or given is None or (zeros is not None and zero is None):
        raise _StaysError
    codes, code = given
    scale = _floats(scales, keep=True)
    offset = torch.zeros(()) if zero is None else zero[0].float()
    if code == "uint8":
        bits = int(_number(node, "bits", 4))
        codes, code = _unpacked(codes, bits), f"uint{bits}"
        unpacked = offset if zero is None else _unpacked(zero[0], bits)[..., : scale.shape[-1]]
        offset = unpacked if zero is not None else torch.tensor(2.0 ** (bits - 1))
    offset = offset.expand(scale.shape)
    axis = int(_number(node, "quantize_axis", 1)) % codes.dim()
    block = int(_number(node, "block_size", 128)) or codes.shape[axis]
    factor, shift = (_blockwise(x.float(), axis, block, codes.shape) for x in (scale, offset))
    floats = ((codes.float() - shift) * factor).to(scale.dtype)
    table = w.weight(data, floats, lay_out(code, codes.shape, scale, offset, axis, block))
    return w.op("Gather", [table, indices], {"axis": int(_number(node, "gather_axis", 0))})


def _blockwise(parameter: Tensor, axis: int, block: int, shape: Sequence[int]) -> Tensor:
    """One entry for each of a block's values."""
    return parameter.repeat_interleave(block, dim=axis).narrow(axis, 0, shape[axis])


def _bnb(w: _Writer, node: ir.Node) -> ir.Value:
    """MatMulBnb4 with NormalFloat: [N, K] in flat blocks, the first code in the high half."""
    a, b, largest = _given(node, 3)
    packed = constant_codes(b)
    rows, columns = int(_number(node, "N", 0)), int(_number(node, "K", 0))
    block = int(_number(node, "block_size", 0))
    if b is None or packed is None or _number(node, "quant_type", 0) != 1 or columns % block:
        raise _StaysError
    if not _number(node, "transB", 1):
        raise _StaysError
    halves = torch.stack([packed[0] >> 4, packed[0] & 15], dim=-1).flatten()
    scale = _floats(largest, keep=True).reshape(rows, -1)
    units = torch.tensor(NF4)[halves[: rows * columns].long()].reshape(rows, -1, block)
    floats = (units * scale.float().unsqueeze(-1)).reshape(rows, columns).to(scale.dtype)
    held = lay_out("nf4", floats.T.shape, scale.T, None, 0, block)
    return w.op("MatMul", [a, w.weight(b, floats.T, held)], name=node.name)


def _pick(w: _Writer, node: ir.Node) -> ir.Value:
    """What moves or picks codes that were just made does so before they are made."""
    x = node.inputs[0]
    quantize = x.producer() if x is not None else None
    if quantize is None or (quantize.domain, quantize.op_type) != ("", "QuantizeLinear"):
        raise _StaysError
    source, scale, zero = _given(quantize, 3)
    others = [value for value in node.outputs[1:] if value.uses() or value.is_graph_output()]
    if others or not _single(scale) or float(_floats(scale)[0]) <= 0:
        raise _StaysError
    picked = w.op(node.op_type, [source, *node.inputs[1:]], node.attributes, name=node.name)
    given = [picked, scale] if zero is None else [picked, scale, zero]
    return w.op("QuantizeLinear", given, quantize.attributes)


def _gathered(w: _Writer, node: ir.Node) -> ir.Value:
    """DequantizeLinear of rows of a table of codes: rows of a table of floats."""
    x, scale, zero = _given(node, 3)
    gather = x.producer() if x is not None else None
    if gather is None or (gather.domain, gather.op_type) != ("", "Gather"):
        raise _StaysError
    table = gather.inputs[0]
    if constant_codes(table) is None or constant_codes(scale) is None or not _single(scale):
        raise _StaysError
    floats = w.operand(table, scale, zero)
    return w.op("Gather", [floats, gather.inputs[1]], gather.attributes, name=gather.name)


def _standard(w: _Writer, node: ir.Node) -> ir.Value:
    """QuantizeLinear or DequantizeLinear of onnxruntime's domain, whose 8-bit codes are ONNX's."""
    x, scale, zero = _given(node, 3)
    code = constant_codes(zero)
    plain = code is not None and code[1] in ("int8", "uint8") and _single(scale)
    if not plain or w.opset < 13 or set(node.attributes) - {"axis"}:
        raise _StaysError
    return w.op(node.op_type, [x, scale, zero], name=node.name)


def _bias(w: _Writer, bias: ir.Value, scale: Tensor) -> ir.Value:
    """A float bias from int32 sums, whose last axis holds the channels."""
    codes = constant_codes(bias)
    if codes is None:
        raise _StaysError
    return w.constant(codes[0].float() * scale.float(), _float_name(bias))


def _biased(w: _Writer, y: ir.Value, bias: ir.Value | None) -> ir.Value:
    return y if bias is None else w.op("Add", [y, bias])


def _along(codes: Tensor, scale: Tensor, zero: Tensor, axis: int) -> Tensor:
    """(codes - zero) · scale in the type of the scale."""
    shape = [1] * codes.dim()
    if scale.numel() > 1:
        shape[axis] = -1
    centred = codes.float() - zero.float().reshape(shape)
    return (centred * scale.float().reshape(shape)).to(scale.dtype)


def _floats(value: ir.Value | None, *, keep: bool = False) -> Tensor:
    """A constant's values as one row, or as they are with `keep`; the node stays without them."""
    found = constant_codes(value)
    if found is None:
        raise _StaysError
    return found[0] if keep else found[0].reshape(-1)


def _single(value: ir.Value | None) -> bool:
    """Whether a parameter is known to be one number, or absent."""
    found = constant_codes(value)
    if value is None or found is not None:
        return found is None or found[0].numel() == 1
    producer = value.producer()
    if producer is not None and producer.op_type == "DynamicQuantizeLinear":
        return True
    return value.shape is not None and all(size == 1 for size in value.shape)


def _given(node: ir.Node, count: int) -> list[ir.Value | None]:
    """The node's inputs, filled up with None."""
    return [*node.inputs, *[None] * (count - len(node.inputs))]


def _attributes(node: ir.Node) -> dict[str, ir.Attr]:
    """The attributes; a node whose channels lie last stays as it is."""
    if _number(node, "channels_last", 0):
        raise _StaysError
    return {name: attr for name, attr in node.attributes.items() if name != "channels_last"}


def _number(node: ir.Node, name: str, default: float) -> float:
    attr = node.attributes.get(name)
    return default if attr is None else float(attr.value)


def _only_reader(node: ir.Node) -> ir.Node | None:
    """The one node that reads the result, where there is just one."""
    output = node.outputs[0]
    uses = list(output.uses())
    return uses[0].node if len(uses) == 1 and not output.is_graph_output() else None


def _float_name(codes: ir.Value) -> str:
    """The name that onnxruntime's quantizer found before it put its suffix."""
    name = (codes.name or "").removesuffix("::constant")  # which lifting constants adds
    stripped = _CODE_SUFFIX.sub("", name)
    return stripped if stripped != name else f"{name}::float"


_REWRITES: dict[tuple[str, str], _Rewrite] = {
    ("", "QLinearConv"): _conv,
    (_ORT, "QLinearConv"): _conv,
    ("", "QLinearMatMul"): _matmul,
    (_ORT, "QGemm"): _gemm,
    (_ORT, "QLinearAdd"): _two_inputs("Add"),
    (_ORT, "QLinearMul"): _two_inputs("Mul"),
    (_ORT, "QLinearSigmoid"): _one_input("Sigmoid"),
    (_ORT, "QLinearLeakyRelu"): _one_input("LeakyRelu"),
    (_ORT, "QLinearGlobalAveragePool"): _one_input("GlobalAveragePool"),
    (_ORT, "QLinearAveragePool"): _one_input("AveragePool"),
    (_ORT, "QLinearSoftmax"): _softmax,
    (_ORT, "QLinearConcat"): _concat,
    (_ORT, "QLinearWhere"): _where,
    ("", "ConvInteger"): _integers("Conv", 0),
    ("", "MatMulInteger"): _integers("MatMul", -1),
    (_ORT, "MatMulIntegerToFloat"): _integers_to_float,
    (_ORT, "DynamicQuantizeMatMul"): _dynamic,
    (_ORT, "MatMulNBits"): _n_bits,
    (_ORT, "MatMulBnb4"): _bnb,
    (_ORT, "GatherBlockQuantized"): _gather_blocks,
    (_ORT, "QuantizeLinear"): _standard,
    (_ORT, "DequantizeLinear"): _standard,
    ("", "DequantizeLinear"): _gathered,
    **{("", op): _pick for op in _PICKS},
}

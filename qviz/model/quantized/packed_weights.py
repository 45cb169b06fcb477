"""Weights of a few bits, several to a byte, with a scale for each block of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir
import torch
from torch import Tensor

from qviz.model.quantized.layout import lay_out
from qviz.model.quantized.node_parts import ORT, constant_codes, inputs_of, number
from qviz.model.quantized.writer import Rewrite, StaysError, Writer, values_of
from qviz.quant.codebooks import NF4


def _n_bits(w: Writer, node: ir.Node) -> ir.Value:
    """MatMulNBits: blocks along K of a weight stored as [N, blocks, bytes], low bits first."""
    a, b, scales, zeros, groups, bias = inputs_of(node, 6)
    packed = constant_codes(b)
    if b is None or packed is None or number(node, "weight_prepacked", 0):
        raise StaysError
    rows, columns = int(number(node, "N", 0)), int(number(node, "K", 0))
    bits, block = int(number(node, "bits", 4)), int(number(node, "block_size", 0))
    codes = _unpacked(packed[0].reshape(rows, -1), bits)[:, :columns]
    scale = values_of(scales, keep=True).reshape(rows, -1)
    zero = _zero_points(zeros, scale, bits)
    group = torch.arange(columns) // block
    plain = True
    if groups is not None:
        given = values_of(groups).long()
        plain, group = torch.equal(given, group), given
    floats = (codes - zero[:, group]) * scale.float()[:, group]
    held = lay_out(f"uint{bits}", floats.T.shape, scale.T, zero.T, 0, block) if plain else None
    weight = w.weight(b, floats.to(scale.dtype).T, held)
    return w.biased(w.op("MatMul", [a, weight], name=node.name), bias)


def _zero_points(zeros: ir.Value | None, scale: Tensor, bits: int) -> Tensor:
    """Zero points [N, blocks]: packed like the codes, plain floats, or the middle code."""
    if zeros is None:
        return torch.full(scale.shape, float(2 ** (bits - 1)))
    given = values_of(zeros, keep=True)
    if given.dtype.is_floating_point:
        return given.float().reshape(scale.shape)
    return _unpacked(given.reshape(scale.shape[0], -1), bits)[:, : scale.shape[1]]


def _bnb(w: Writer, node: ir.Node) -> ir.Value:
    """MatMulBnb4 with NormalFloat: [N, K] in flat blocks, the first code in the high half."""
    a, b, largest = inputs_of(node, 3)
    packed = constant_codes(b)
    rows, columns = int(number(node, "N", 0)), int(number(node, "K", 0))
    block = int(number(node, "block_size", 0))
    if b is None or packed is None or number(node, "quant_type", 0) != 1 or columns % block:
        raise StaysError
    if not number(node, "transB", 1):
        raise StaysError
    halves = torch.stack([packed[0] >> 4, packed[0] & 15], dim=-1).flatten()
    scale = values_of(largest, keep=True).reshape(rows, -1)
    units = torch.tensor(NF4)[halves[: rows * columns].long()].reshape(rows, -1, block)
    floats = (units * scale.float().unsqueeze(-1)).reshape(rows, columns).to(scale.dtype)
    held = lay_out("nf4", floats.T.shape, scale.T, None, 0, block)
    return w.op("MatMul", [a, w.weight(b, floats.T, held)], name=node.name)


def _gather_blocks(w: Writer, node: ir.Node) -> ir.Value:
    """GatherBlockQuantized: a table with blocks of codes along one axis."""
    data, indices, scales, zeros = inputs_of(node, 4)
    given, zero = constant_codes(data), constant_codes(zeros)
    if data is None or given is None or (zeros is not None and zero is None):
        raise StaysError
    codes, code = given
    scale = values_of(scales, keep=True)
    offset = torch.zeros(()) if zero is None else zero[0].float()
    if code == "uint8":
        bits = int(number(node, "bits", 4))
        codes, code = _unpacked(codes, bits), f"uint{bits}"
        unpacked = offset if zero is None else _unpacked(zero[0], bits)[..., : scale.shape[-1]]
        offset = unpacked if zero is not None else torch.tensor(2.0 ** (bits - 1))
    offset = offset.expand(scale.shape)
    axis = int(number(node, "quantize_axis", 1)) % codes.dim()
    block = int(number(node, "block_size", 128)) or codes.shape[axis]
    factor, shift = (_blockwise(x.float(), axis, block, codes.shape) for x in (scale, offset))
    floats = ((codes.float() - shift) * factor).to(scale.dtype)
    table = w.weight(data, floats, lay_out(code, codes.shape, scale, offset, axis, block))
    return w.op("Gather", [table, indices], {"axis": int(number(node, "gather_axis", 0))})


def _blockwise(parameter: Tensor, axis: int, block: int, shape: Sequence[int]) -> Tensor:
    """One entry for each of a block's values."""
    return parameter.repeat_interleave(block, dim=axis).narrow(axis, 0, shape[axis])


def _unpacked(packed: Tensor, bits: int) -> Tensor:
    """Codes as floats from bytes along the last axis, low bits first."""
    if bits not in (2, 4, 8) or packed.dtype != torch.uint8:
        raise StaysError
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8)
    codes: Tensor = (packed.unsqueeze(-1) >> shifts) & (2**bits - 1)
    return codes.flatten(-2).float()


PACKED_WEIGHTS: Mapping[tuple[str, str], Rewrite] = {
    (ORT, "MatMulNBits"): _n_bits,
    (ORT, "MatMulBnb4"): _bnb,
    (ORT, "GatherBlockQuantized"): _gather_blocks,
}

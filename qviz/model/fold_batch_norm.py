"""The pass that folds BatchNormalization into the Conv, ConvTranspose or Gemm before it."""

from __future__ import annotations

import onnx_ir as ir
import torch

from qviz.model.quantized.quantizer import carries_quantizer
from qviz.model.tensors import from_onnx, to_onnx

_FOLDS_INTO = ("Conv", "ConvTranspose", "Gemm")


def fold_batch_norm(graph: ir.Model) -> tuple[ir.Model, bool]:
    """Y = s · (conv(x) - mean) + shift, with s = scale / sqrt(var + epsilon), as one conv.

    Only where the conv's result has no other reader and is not an output of the model.
    """
    changed = False
    for node in list(graph.graph):
        if node.op_type == "BatchNormalization" and not node.domain:
            changed |= _fold(graph, node)
    return graph, changed


def _fold(graph: ir.Model, norm: ir.Node) -> bool:
    layer = norm.inputs[0].producer() if norm.inputs and norm.inputs[0] is not None else None
    if layer is None or layer.domain or layer.op_type not in _FOLDS_INTO or layer.graph is None:
        return False
    result = layer.outputs[0]
    if len(result.uses()) != 1 or result.is_graph_output() or not _is_inference(norm):
        return False
    if carries_quantizer(layer.inputs[1]):  # its scales are of the weight as it is
        return False
    statistics = [_tensor(value) for value in norm.inputs[1:5]]
    weight = _tensor(layer.inputs[1])
    given = layer.inputs[2] if len(layer.inputs) > 2 else None
    bias = _tensor(given)
    if weight is None or (given is not None and bias is None):
        return False
    known = [value for value in statistics if value is not None]
    if len(known) != 4:
        return False
    folded = _folded(layer, weight, bias, known, _number(norm, "epsilon", 1e-5))
    if folded is None:
        return False
    _set_input(graph, layer, 1, folded[0].to(weight.dtype), f"{layer.outputs[0].name}::weight")
    _set_input(graph, layer, 2, folded[1].to(weight.dtype), f"{layer.outputs[0].name}::bias")
    _take_over(graph, norm, result)
    return True


def _folded(
    layer: ir.Node,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    statistics: list[torch.Tensor],
    epsilon: float,
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """New weight and bias in float64; None when the bias is not one number per channel."""
    scale, shift, mean, var = (value.double() for value in statistics)
    factor = scale / torch.sqrt(var + epsilon)
    channels = factor.numel()
    old = torch.zeros(channels, dtype=torch.float64) if bias is None else bias.double()
    if old.numel() not in (1, channels) or (old.dim() > 1 and old.shape[-1] != old.numel()):
        return None
    beta = _number(layer, "beta", 1.0) if layer.op_type == "Gemm" else 1.0
    if beta == 0:
        return None
    new = ((old.reshape(-1) * beta - mean) * factor + shift) / beta
    return weight.double() * _along_outputs(layer, weight, factor), new


def _along_outputs(layer: ir.Node, weight: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """The factor of each output channel, shaped to multiply the weight."""
    if layer.op_type == "Gemm":
        return factor[:, None] if _number(layer, "transB", 0) else factor[None, :]
    ones = (1,) * (weight.dim() - 2)
    if layer.op_type == "Conv":
        return factor.reshape(-1, 1, *ones)
    # ConvTranspose (C, M/group, ...): input channels of group g make output channels of group g.
    groups = int(_number(layer, "group", 1))
    rows = factor.reshape(groups, -1).repeat_interleave(weight.shape[0] // groups, dim=0)
    return rows.reshape(*rows.shape, *ones)


def _take_over(graph: ir.Model, norm: ir.Node, result: ir.Value) -> None:
    """Remove the normalization; the layer's result takes its name and its readers."""
    output = norm.outputs[0]
    name = output.name
    output.replace_all_uses_with(result, replace_graph_outputs=True)
    output.name = f"{name}::folded"
    result.name = name
    graph.graph.remove(norm, safe=True)


def _set_input(graph: ir.Model, node: ir.Node, place: int, tensor: torch.Tensor, name: str) -> None:
    """Give the node a constant of its own, under the old one's name where nobody else reads it."""
    old = node.inputs[place] if place < len(node.inputs) else None
    if old is not None and old.name and len(old.uses()) == 1 and not old.is_graph_output():
        name = old.name
        old.const_value = to_onnx(tensor, name)
        old.dtype = old.const_value.dtype
        old.shape = ir.Shape(tensor.shape)
        return
    constant = ir.Value(name=name, const_value=to_onnx(tensor, name), shape=ir.Shape(tensor.shape))
    constant.dtype = to_onnx(tensor, name).dtype
    graph.graph.register_initializer(constant)
    if place >= len(node.inputs):
        node.resize_inputs(place + 1)
    node.replace_input_with(place, constant)


def _is_inference(norm: ir.Node) -> bool:
    extra = [value for value in norm.outputs[1:] if value.uses() or value.is_graph_output()]
    return not extra and not _number(norm, "training_mode", 0) and bool(_number(norm, "spatial", 1))


def _tensor(value: ir.Value | None) -> torch.Tensor | None:
    """The floats of an initializer, or None."""
    if value is None or not value.is_initializer() or value.const_value is None:
        return None
    tensor = from_onnx(value.const_value)
    return tensor if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() else None


def _number(node: ir.Node, name: str, default: float) -> float:
    attr = node.attributes.get(name)
    return default if attr is None else float(attr.value)

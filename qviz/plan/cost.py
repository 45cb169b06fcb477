"""Cost of a plan: bytes of its parameters, multiply-accumulates and bit operations."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from qviz.model.model import Model
from qviz.model.slots import Layer, Role
from qviz.quant.axes import Axes, channel_count
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.scheme import Scheme

FLOAT_BITS = 32


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One layer under a plan; `macs` and `bops` are per sample, None while shapes are unknown."""

    bytes_float: int
    bytes: int
    macs: int | None
    bops: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """The whole model under a plan. BOPs = MACs x weight bits x input bits (HAWQ, AIMET)."""

    bytes_float: int
    bytes_quantized: int
    bops_float: float | None
    bops_quantized: float | None
    layers: tuple[LayerCost, ...]


def parameter_count(model: Model) -> int:
    """Elements of all constants."""
    return sum(model.declared(name).numel() for name in model.constants)


def cost_of(
    model: Model,
    by_slot: Mapping[str, Scheme],
    macs: Mapping[int, int] | None,
    wide: Collection[str] = (),
) -> Cost:
    """What a scheme for every slot costs; `macs` from `count_macs`, None without shapes.

    `wide` names the slots whose groups have float32 scales: see `has_wide_scales`.
    """
    packed = {
        slot.name: weight_bytes(
            model.declared(slot.value),
            slot.axis,
            by_slot[slot.name],
            wide_scales=slot.name in wide,
        )
        for slot in model.slots.values()
        if slot.role == "weight"
    }
    layers = tuple(_layer_cost(model, layer, by_slot, packed, macs) for layer in model.layers)
    bytes_float = sum(_tensor_bytes(model, name) for name in model.constants)
    saved = 0
    counted: set[str] = set()
    for slot in model.slots.values():
        if slot.role == "weight" and slot.value not in counted:
            counted.add(slot.value)
            saved += _tensor_bytes(model, slot.value) - packed[slot.name]
    total_macs = None if macs is None else sum(macs.values())
    bops = [layer.bops for layer in layers if layer.bops is not None]
    return Cost(
        bytes_float=bytes_float,
        bytes_quantized=bytes_float - saved,
        bops_float=None if total_macs is None else float(total_macs * FLOAT_BITS * FLOAT_BITS),
        bops_quantized=None if macs is None else float(sum(bops)),
        layers=layers,
    )


def _layer_cost(
    model: Model,
    layer: Layer,
    by_slot: Mapping[str, Scheme],
    packed: Mapping[str, int],
    macs: Mapping[int, int] | None,
) -> LayerCost:
    weights = [model.slots[name] for name in layer.slots if model.slots[name].role == "weight"]
    bias = 0 if layer.bias is None else _tensor_bytes(model, layer.bias)
    floats = sum(_tensor_bytes(model, slot.value) for slot in weights) + bias
    stored = sum(packed[slot.name] for slot in weights) + bias
    if macs is None:
        return LayerCost(floats, stored, None, None)
    count = macs[layer.index]
    return LayerCost(floats, stored, count, _bops(model, layer, count, by_slot))


def _bops(model: Model, layer: Layer, macs: int, by_slot: Mapping[str, Scheme]) -> float:
    """MACs x the bits of the two operands that are multiplied."""
    bits: dict[Role, list[int]] = {"weight": [], "input": []}
    for name in layer.slots:
        bits[model.slots[name].role].append(by_slot[name].bits)
    if bits["weight"] and bits["input"]:
        return float(macs * max(bits["weight"]) * bits["input"][0])
    first, *others = bits["input"] or [0]  # attention multiplies queries by keys, then by values
    return float(macs * first * max(others)) if others else 0.0


def _tensor_bytes(model: Model, name: str) -> int:
    tensor = model.declared(name)
    return int(tensor.numel() * tensor.element_size()) if tensor.is_floating_point() else 0


def weight_bytes(tensor: Tensor, axis: Axes, scheme: Scheme, *, wide_scales: bool = False) -> int:
    """Packed codes plus what decodes them: scales, free zero points, a fitted codebook.

    `wide_scales` says that groups have scales in float32, which only their values tell.
    """
    if scheme.is_float:
        return int(tensor.numel() * tensor.element_size())
    packed = math.ceil(tensor.numel() * scheme.bits / 8)
    rows = channel_count(tensor.shape, axis)
    match scheme.family:
        case "cast":
            return packed
        case "kmeans" | "lloyd":
            return packed + (4 << scheme.bits)
    scales = 1
    if scheme.granularity == "channel":
        scales = rows
    elif scheme.granularity == "group":
        scales = rows * math.ceil(tensor.numel() / max(rows, 1) / scheme.group)
    tensor_scale = 4 if scheme.family == "nvfp4" else 0
    # Zero points are packed like the codes (ONNX int4, GPTQ, AWQ).
    zero_points = 0 if scheme.symmetric else math.ceil(scales * scheme.bits / 8)
    return packed + _scale_bytes(scheme, wide_scales) * scales + tensor_scale + zero_points


def _scale_bytes(scheme: Scheme, wide: bool) -> int:
    """Of one scale; scales that are one by definition are not stored."""
    if scheme.range == "unit":
        return 0
    if scheme.pow2 or scheme.family in ("mx", "nvfp4"):
        return 1  # an exponent, E8M0 or E4M3
    return 2 if scheme.granularity == "group" and not wide else 4  # float16 or float32


def has_wide_scales(encoding: Encoding | None) -> bool:
    """Whether groups need float32 scales: one of theirs is no float16."""
    if not isinstance(encoding, Scaled) or encoding.block is None:
        return False
    return not torch.equal(encoding.scale.half().float(), encoding.scale)

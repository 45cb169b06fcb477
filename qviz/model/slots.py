"""Layers, their slots, and which slots must share one quantizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch

from qviz.model.model import Step
from qviz.model.tensors import is_float

Role = Literal["weight", "input"]


@dataclass(frozen=True)
class Slot:
    """One tensor use that can carry a quantizer: operand number `operand` of a layer's step."""

    name: str  # "conv1.weight", "conv1.input"; a second one of its role adds its operand's name
    layer: int
    role: Role
    value: str  # the tensor's name
    operand: int
    axis: int | None  # channel axis; negative where the rank is unknown; None without channels
    group: str  # slots of one group share one quantizer


@dataclass(frozen=True)
class Layer:
    """A step that a plan can quantize."""

    index: int
    name: str
    op: str
    step: int | None  # None in a file of weights, which has no graph
    slots: tuple[str, ...]
    bias: str | None  # name of the constant bias
    weight_shape: tuple[int, ...]  # of the first weight; () without a constant weight
    parameters: int  # elements of its constant operands, biases included


@dataclass(frozen=True)
class _Operand:
    """How one input position of an operator is quantized."""

    position: int
    suffix: str
    weight_axis: int | None  # channel axis when the operand is constant
    input_axis: int | None  # channel axis when it is computed


@dataclass(frozen=True)
class _LayerKind:
    data: _Operand
    weights: tuple[_Operand, ...]
    bias: int | None


def find_layers(
    steps: Iterable[Step],
    constants: Mapping[str, torch.Tensor],
    ranks: Mapping[str, int],
    dtypes: Mapping[str, torch.dtype],
) -> tuple[tuple[Layer, ...], dict[str, Slot]]:
    """The layers and slots of a graph; ranks and dtypes hold what is known of computed values."""
    layers: list[Layer] = []
    slots: dict[str, Slot] = {}
    for step in steps:
        kind = _kind(step)
        if kind is None:
            continue
        found = tuple(_slots_of(step, kind, len(layers), constants, ranks, dtypes))
        if step.op == "Gather" and not any(slot.role == "weight" for slot in found):
            continue
        if not found:
            continue
        slots.update({slot.name: slot for slot in found})
        layers.append(_layer(step, kind, len(layers), found, constants))
    return tuple(layers), slots


def _kind(step: Step) -> _LayerKind | None:
    if step.domain != "":
        return None
    match step.op:
        case "Conv":
            return _LayerKind(_Operand(0, "X", None, 1), (_Operand(1, "W", 0, 0),), 2)
        case "ConvTranspose":
            return _LayerKind(_Operand(0, "X", None, 1), (_Operand(1, "W", 1, 1),), 2)
        case "Gemm":
            return _gemm(step)
        case "MatMul":
            return _LayerKind(_Operand(0, "A", -2, -1), (_Operand(1, "B", -1, -1),), None)
        case "LSTM" | "GRU" | "RNN":
            recurrent = (_Operand(1, "W", 1, 1), _Operand(2, "R", 1, 1))
            return _LayerKind(_Operand(0, "X", None, -1), recurrent, 3)
        case "Gather":
            return _LayerKind(_Operand(0, "data", 0, None), (), None)
    return None


def _gemm(step: Step) -> _LayerKind:
    rows_first = not step.attributes.get("transA", 0)
    columns = 0 if step.attributes.get("transB", 0) else 1
    data = _Operand(0, "A", 0 if rows_first else 1, 1 if rows_first else 0)
    return _LayerKind(data, (_Operand(1, "B", columns, columns),), 2)


def _slots_of(
    step: Step,
    kind: _LayerKind,
    layer: int,
    constants: Mapping[str, torch.Tensor],
    ranks: Mapping[str, int],
    dtypes: Mapping[str, torch.dtype],
) -> Iterator[Slot]:
    """The slots of one step, weights first; none when it does not multiply floats."""
    used: set[Role] = set()
    operands = [*kind.weights, kind.data]
    found = [
        slot
        for operand in operands
        if (slot := _slot(step, operand, layer, constants, ranks, dtypes)) is not None
    ]
    if len(found) < len(operands):
        return
    if step.op == "Gather" and found[0].role != "weight":
        return
    for slot in sorted(found, key=lambda slot: (slot.role != "weight", slot.operand)):
        if slot.role in used:
            suffix = next(o.suffix for o in operands if o.position == slot.operand)
            yield replace(slot, name=f"{slot.name}.{suffix}")
        else:
            used.add(slot.role)
            yield slot


def _slot(
    step: Step,
    operand: _Operand,
    layer: int,
    constants: Mapping[str, torch.Tensor],
    ranks: Mapping[str, int],
    dtypes: Mapping[str, torch.dtype],
) -> Slot | None:
    """The slot of one operand; None when it is absent or known not to hold floats."""
    value = step.inputs[operand.position] if operand.position < len(step.inputs) else ""
    if not value:
        return None
    constant = constants.get(value)
    if constant is None:
        dtype = dtypes.get(value)
        if dtype is not None and not dtype.is_floating_point:
            return None
        axis = _axis(operand.input_axis, ranks.get(value))
        return Slot(
            f"{step.name}.input", layer, "input", value, operand.position, axis, f"input:{value}"
        )
    if not is_float(constant) or (step.op == "Gather" and constant.dim() != 2):
        return None
    axis = _axis(operand.weight_axis, constant.dim())
    if step.op in ("Conv", "ConvTranspose") and operand.position == 0:
        axis = 1
    if step.op == "MatMul" and constant.dim() < 2:
        axis = None
    group = f"weight:{value}:{axis}"
    return Slot(f"{step.name}.weight", layer, "weight", value, operand.position, axis, group)


def _axis(axis: int | None, rank: int | None) -> int | None:
    if axis is None or rank is None or axis >= 0:
        return axis
    return axis + rank if axis + rank >= 0 else None


def _layer(
    step: Step,
    kind: _LayerKind,
    index: int,
    slots: tuple[Slot, ...],
    constants: Mapping[str, torch.Tensor],
) -> Layer:
    weights = [constants[slot.value] for slot in slots if slot.role == "weight"]
    bias = step.inputs[kind.bias] if kind.bias is not None and kind.bias < len(step.inputs) else ""
    has_bias = bias in constants
    return Layer(
        index=index,
        name=step.name,
        op=step.op,
        step=step.index,
        slots=tuple(slot.name for slot in slots),
        bias=bias if has_bias else None,
        weight_shape=tuple(weights[0].shape) if weights else (),
        parameters=sum(w.numel() for w in weights) + (constants[bias].numel() if has_bias else 0),
    )

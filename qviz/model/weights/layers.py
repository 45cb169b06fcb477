"""The layers that names and shapes of tensors suggest, where no graph says what they do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from qviz.model.slots import Layer, Slot
from qviz.model.weights.stored import Place, StoredTensor

_WEIGHT = re.compile(r"(?P<layer>.+?)(\.weight|[./](?P<kernel>kernel)(:0)?)")
# Keras and Flax keep the output channels of their kernels last, and depthwise ones before that.
_CHANNELS_LAST = re.compile(r"(.*[./_])?kernel(:0)?")
_DEPTHWISE = re.compile(r"(.*[./_])?depthwise_kernel(:0)?")
_RECURRENT = re.compile(r"(?P<prefix>.*)weight_(?P<which>ih|hh)_(?P<suffix>l\d+(_reverse)?)")
_EMBEDDING = re.compile(r"(?<![a-z])(emb|wte|wpe)|embed|embd")
_GATES = {4: "LSTM", 3: "GRU", 1: "RNN"}


def find_weight_layers(
    tensors: Iterable[StoredTensor],
) -> tuple[tuple[Layer, ...], dict[str, Slot], dict[str, str]]:
    """(layers, slots, tensor name -> the name of the first tensor in the same place).

    Every tensor of floats with two or more dimensions is a layer with one weight slot; tied
    tensors are one value and so one group.
    """
    found = list(tensors)
    by_name = {stored.name: stored for stored in found}
    values = _values(found)
    layers: list[Layer] = []
    slots: dict[str, Slot] = {}
    for stored in found:
        if not is_weight(stored):
            continue
        index, shape = len(layers), stored.tensor.shape
        name = _layer_name(stored.name)
        if f"{name}.weight" in slots:
            name = stored.name
        value, axis = values[stored.name], _channel_axis(stored.name, len(shape))
        slot = Slot(f"{name}.weight", index, "weight", value, 1, axis, f"weight:{value}:{axis}")
        bias = _bias(stored.name, by_name)
        size = stored.tensor.elements + (by_name[bias].tensor.elements if bias else 0)
        slots[slot.name] = slot
        op = _operator(stored.name, shape, by_name)
        layers.append(Layer(index, name, op, None, (slot.name,), bias, shape, size))
    return tuple(layers), slots, values


def is_weight(stored: StoredTensor) -> bool:
    """Whether a plan can quantize the tensor."""
    tensor = stored.tensor
    return tensor.dtype.is_floating_point and len(tensor.shape) >= 2 and tensor.elements > 0


def _values(tensors: Iterable[StoredTensor]) -> dict[str, str]:
    first: dict[tuple[Place, tuple[int, ...], str], str] = {}
    return {
        t.name: first.setdefault((t.place, t.tensor.shape, t.stored_type), t.name)
        if t.tensor.elements
        else t.name
        for t in tensors
    }


def _layer_name(name: str) -> str:
    found = _WEIGHT.fullmatch(name)
    return found["layer"] if found else name


def _channel_axis(name: str, rank: int) -> int:
    if _DEPTHWISE.fullmatch(name):
        return rank - 2
    return rank - 1 if _CHANNELS_LAST.fullmatch(name) else 0


def _operator(name: str, shape: tuple[int, ...], tensors: Mapping[str, StoredTensor]) -> str:
    """What multiplies the tensor, as far as its name and rank tell."""
    recurrent = _RECURRENT.fullmatch(name)
    if recurrent:
        hidden = tensors.get(f"{recurrent['prefix']}weight_hh_{recurrent['suffix']}")
        return "LSTM" if hidden is None else _GATES.get(_ratio(hidden.tensor.shape), "LSTM")
    last = re.split(r"[./]", _layer_name(name))[-1].lower()
    if len(shape) <= 3 and _EMBEDDING.search(last):
        return "Embedding"
    return "Linear" if len(shape) == 2 else "Conv"


def _ratio(shape: tuple[int, ...]) -> int:
    """Gates of a recurrent weight [gates · hidden, hidden]; 0 of any other shape."""
    if len(shape) != 2 or not shape[1] or shape[0] % shape[1]:
        return 0
    return shape[0] // shape[1]


def _bias(name: str, tensors: Mapping[str, StoredTensor]) -> str | None:
    """The bias of the same layer: conv.bias of conv.weight, bias_ih_l0 of weight_ih_l0."""
    for word in ("weight", "kernel"):
        head, found, tail = name.rpartition(word)
        bias = tensors.get(f"{head}bias{tail}") if found else None
        if bias and len(bias.tensor.shape) == 1 and bias.tensor.dtype.is_floating_point:
            return bias.name
    return None

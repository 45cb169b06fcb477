"""The quantizers of a quantized file, slot by slot and all at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from onnx import helper

from qviz.model.model import Model
from qviz.model.quantized.quantizer import Quantizer
from qviz.model.read_onnx import read_onnx
from qviz.plan.stored import stored_quantizer, stored_quantizers

if TYPE_CHECKING:
    from tests.plan.conftest import Build


@pytest.fixture
def model(mlp: Path) -> Model:
    """fc1.weight has scales of its own, fc2.weight some along an axis that is none of its own."""
    model = read_onnx(mlp)
    first, second = (model.slots[name] for name in ("fc1.weight", "fc2.weight"))

    def scales(axis: int | None, channels: int) -> Quantizer:
        zeros = torch.zeros(channels, dtype=torch.int32)
        return Quantizer("int8", torch.full((channels,), 0.01), zeros, axis)

    assert (first.axis, second.axis) == (0, 0)
    return replace(model, quantizers={first.group: scales(0, 8), second.group: scales(1, 8)})


def test_a_slot_has_the_quantizer_of_its_group_where_a_scheme_describes_it(model: Model) -> None:
    stored = stored_quantizer(model, model.slots["fc1.weight"])
    assert stored is not None
    assert str(stored.scheme) == "int8:full:channel:stored"
    assert stored_quantizer(model, model.slots["fc2.weight"]) is None
    assert stored_quantizer(model, model.slots["fc1.input"]) is None


def test_all_of_them_are_those_of_the_slots(model: Model) -> None:
    every = stored_quantizers(model)
    for slot in model.slots.values():
        one, other = stored_quantizer(model, slot), every.get(slot.group)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.scheme == other.scheme
            assert one.encoding.scale is other.encoding.scale


@pytest.mark.parametrize(
    ("axis", "each"),
    [(0, [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]), (1, [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0])],
)
def test_scales_along_one_axis_of_several_are_those_of_every_channel(
    build: Build, axis: int, each: list[float]
) -> None:
    """Of a direction or of a gate's row, for rows of both directions."""
    names = ["x", "w", "r"]
    node = helper.make_node("RNN", names, ["y"], "rnn", hidden_size=4, direction="bidirectional")
    given = {"w": (2, 4, 3), "r": (2, 4, 4)}
    model = build([node], {"x": (5, 1, 3)}, given).model
    slot = model.slots["rnn.weight"]
    assert slot.axis == (0, 1)
    scale = torch.arange(1.0, given["w"][axis] + 1.0)
    zeros = torch.zeros(len(scale), dtype=torch.int32)
    held = {slot.group: Quantizer("int8", scale, zeros, axis)}
    stored = stored_quantizer(replace(model, quantizers=held), slot)
    assert stored is not None
    assert str(stored.scheme) == "int8:full:channel:stored"
    assert (stored.encoding.axis, stored.encoding.scale.tolist()) == ((0, 1), each)
    x, step = torch.randn(2, 4, 3), scale.reshape([-1 if at == axis else 1 for at in range(3)])
    assert torch.equal(stored.encoding.apply(x), (x / step).round() * step)

"""Presets: common plans for a whole model, each with a line on what it sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qviz.model.model import Model
from qviz.model.slots import Layer
from qviz.plan.plan import Plan, Rule
from qviz.plan.rule import pattern_of_layer
from qviz.quant.scheme import FLOAT
from qviz.quant.spelling import parse_scheme


@dataclass(frozen=True, slots=True)
class Preset:
    """Schemes of all weights and inputs; with `float_ends` the first and last layer stay float."""

    weight: str
    input: str
    tip: str
    float_ends: bool = False


PRESETS: dict[str, Preset] = {
    "W8A8 per-tensor": Preset(
        "int8", "uint8", "8-bit integers: one scale per weight tensor and per input"
    ),
    "W8A8 per-channel": Preset(
        "int8:channel", "uint8", "8-bit integers: one scale per output channel and per input"
    ),
    "W4A8 per-channel": Preset(
        "int4:channel",
        "uint8",
        "4-bit weights with a scale per output channel, 8-bit inputs",
    ),
    "W4A16 group 128": Preset(
        "int4:group=128",
        "float16",
        "4-bit weights with a scale per 128 values, inputs in float16",
    ),
    "FP8": Preset(
        "fp8-e4m3:channel",
        "fp8-e4m3",
        "FP8: E4M3 weights per channel and inputs per tensor",
    ),
    "MXFP4": Preset("mxfp4", "mxfp4", "OCP MX: E2M1 in blocks of 32 that share a power of two"),
    "NVFP4": Preset("nvfp4", "nvfp4", "E2M1 in blocks of 16 with an E4M3 scale each"),
    "Ternary weights": Preset(
        "ternary:channel",
        "float",
        "Weights -a, 0 and +a per channel (TWN), for networks trained so. First and last layer "
        "and all inputs stay in float",
        float_ends=True,
    ),
    "Binary weights": Preset(
        "binary:channel",
        "float",
        "Weights -a and +a per channel (XNOR-Net), for networks trained so. First and last layer "
        "and all inputs stay in float",
        float_ends=True,
    ),
    "DoReFa W1A2": Preset(
        "dorefa-w1",
        "dorefa-a2",
        "1-bit weights, inputs clipped to [0, 1] at 2 bits: for networks trained so. First and "
        "last layer stay in float",
        float_ends=True,
    ),
    "Float": Preset("float", "float", "Nothing is quantized"),
}


def preset_plan(model: Model, name: str) -> Plan:
    """The preset's two defaults, and rules for the layers that it leaves in float."""
    preset = PRESETS[name]
    plan = Plan(weight=parse_scheme(preset.weight), input=parse_scheme(preset.input))
    if not preset.float_ends:
        return plan
    rules = (rule for layer in _ends(model) for rule in _in_float(model, layer))
    return Plan(plan.weight, plan.input, tuple(rules))


def leaves_all_in_float(model: Model, name: str) -> bool:
    """Whether the model has no layer with weights between the two that a preset leaves alone."""
    return PRESETS[name].float_ends and len(_with_weights(model)) < 3


def _with_weights(model: Model) -> list[Layer]:
    return [
        layer
        for layer in model.layers
        if any(model.slots[name].role == "weight" for name in layer.slots)
    ]


def _ends(model: Model) -> list[Layer]:
    """The first and the last layer with weights."""
    layers = _with_weights(model)
    return [layers[0], *layers[1:][-1:]] if layers else []


def _in_float(model: Model, layer: Layer) -> Iterator[Rule]:
    for role in dict.fromkeys(model.slots[name].role for name in layer.slots):
        yield Rule(pattern_of_layer(layer.name, role), FLOAT)

"""Energy: an arithmetic model of what a plan's multiplications and weights take, in picojoules.

It is no measurement: it leaves out control, activations and everything that is not a
multiply-accumulate.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from qviz.data.bundled import resource_path
from qviz.model.model import Model
from qviz.model.slots import Layer
from qviz.quant.scheme import FLOAT, Scheme

# Grids whose codes are whole numbers, so that two of them multiply as integers.
_INTEGERS = ("integer", "ternary", "binary")
_FLOATS = ("float", "cast", "minifloat", "mx", "nvfp4")  # multiplied at their own width
ACCUMULATOR = 32


@dataclass(frozen=True, slots=True)
class EnergyTable:
    """Energies of single operations in pJ, by width in bits, and of reading 32 bits."""

    title: str
    source: str
    integer_add: Mapping[int, float]
    integer_multiply: Mapping[int, float]
    float_add: Mapping[int, float]
    float_multiply: Mapping[int, float]
    sram: float
    dram: float


@dataclass(frozen=True, slots=True)
class Energy:
    """In pJ: arithmetic of one sample, by layer and in all; and of reading all weights once."""

    layers: tuple[float, ...]
    compute: float
    weights_from_sram: float
    weights_from_dram: float


@lru_cache(maxsize=1)
def bundled_energy_table() -> EnergyTable:
    """Horowitz' table, which ships with qviz."""
    return read_energy_table(resource_path("energy-45nm.toml"))


def read_energy_table(path: Path) -> EnergyTable:
    """Read a table; raises OSError, ValueError or KeyError where it is none."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))

    def by_width(name: str) -> dict[int, float]:
        return {int(bits): float(energy) for bits, energy in data[name].items()}

    return EnergyTable(
        title=str(data["title"]),
        source=str(data["source"]),
        integer_add=by_width("integer_add"),
        integer_multiply=by_width("integer_multiply"),
        float_add=by_width("float_add"),
        float_multiply=by_width("float_multiply"),
        sram=float(data["read_32_bits"]["sram_8_kb"]),
        dram=float(data["read_32_bits"]["dram"]),
    )


def energy_of(
    table: EnergyTable,
    model: Model,
    by_slot: Mapping[str, Scheme],
    macs: Mapping[int, int],
    weight_bytes: int,
) -> Energy:
    """What a scheme for every slot takes; `macs` per sample by layer, `weight_bytes` as packed."""
    layers = tuple(
        macs.get(layer.index, 0) * mac_energy(table, *_operands(model, layer, by_slot))
        for layer in model.layers
    )
    words = 8 * weight_bytes / 32
    return Energy(layers, sum(layers), words * table.sram, words * table.dram)


def mac_energy(table: EnergyTable, one: Scheme, other: Scheme) -> float:
    """Energy of one multiply-accumulate in pJ; the sum is 32 bits wide.

    Two integers multiply as such. Otherwise both are floats as wide as the wider float among
    them; codebooks are looked up and count as 32-bit floats, and decoding costs nothing.
    """
    if one.family in _INTEGERS and other.family in _INTEGERS:
        product = _multiply(table.integer_multiply, one.bits * other.bits)
        return product + table.integer_add[ACCUMULATOR]
    bits = max(_float_bits(one), _float_bits(other))
    return _multiply(table.float_multiply, bits * bits) + table.float_add[ACCUMULATOR]


def _multiply(energies: Mapping[int, float], product: int) -> float:
    """A multiplier grows with the product of its operands' widths, like an array of adders.

    Between two widths of the table it is interpolated in that product; below and above them it is
    in proportion to it. (8 to 32 bits: 0.2 to 3.1 pJ, 16 times the product, 15.5 times the energy.)
    """
    known = sorted((bits * bits, energy) for bits, energy in energies.items())
    (low, least), (high, most) = known[0], known[-1]
    if product <= low:
        return least * product / low
    if product >= high:
        return most * product / high
    return least + (most - least) * (product - low) / (high - low)


def _float_bits(scheme: Scheme) -> int:
    if scheme.family in _FLOATS:
        return scheme.bits
    return 0 if scheme.family in _INTEGERS else 32  # an integer takes the other's width


def _operands(model: Model, layer: Layer, by_slot: Mapping[str, Scheme]) -> tuple[Scheme, Scheme]:
    """What a layer multiplies: its widest weight and its input, or its first input and the rest."""
    slots = [model.slots[name] for name in layer.slots]
    weights = [by_slot[slot.name] for slot in slots if slot.role == "weight"]
    inputs = [by_slot[slot.name] for slot in slots if slot.role == "input"]
    widest = weights or inputs[1:] or [FLOAT]
    return max(widest, key=lambda scheme: scheme.bits), (inputs or [FLOAT])[0]

"""Energy: the table's own figures, and the rule for widths that it does not have."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import helper

from qviz.plan.cost import cost_of
from qviz.plan.energy import bundled_energy_table, energy_of, mac_energy
from qviz.plan.macs import count_macs
from qviz.plan.plan import Plan
from qviz.plan.resolve import schemes
from qviz.quant.spelling import parse_scheme

TABLE = bundled_energy_table()


def test_the_table_names_its_source() -> None:
    assert "Horowitz" in TABLE.source
    assert (TABLE.sram, TABLE.dram) == (5.0, 640.0)


@pytest.mark.parametrize(
    ("weight", "value", "energy"),
    [
        ("float", "float", 3.7 + 0.9),
        ("int8", "uint8", 0.2 + 0.1),
        ("int4", "uint8", 0.1 + 0.1),  # half the product
        ("int4", "uint4", 0.05 + 0.1),
        ("binary", "uint8", 0.2 / 8 + 0.1),
        ("ternary", "int4", 0.2 / 8 + 0.1),
        ("int16", "uint16", 0.2 + 2.9 * (256 - 64) / (1024 - 64) + 0.1),
        ("float16", "float16", 1.1 + 0.9),
        ("fp8", "fp8", 1.1 / 4 + 0.9),
        ("nvfp4", "nvfp4", 1.1 / 16 + 0.9),
        ("int4", "float", 3.7 + 0.9),  # decoded
        ("int4", "float16", 1.1 + 0.9),
        ("kmeans4", "uint8", 3.7 + 0.9),  # looked up
        ("nf4", "float16", 3.7 + 0.9),
    ],
)
def test_energy_of_a_multiply_accumulate(weight: str, value: str, energy: float) -> None:
    found = mac_energy(TABLE, parse_scheme(weight), parse_scheme(value))
    assert found == pytest.approx(energy, rel=1e-12)
    assert found == mac_energy(TABLE, parse_scheme(value), parse_scheme(weight))


def test_float_takes_fifteen_times_as_much_as_eight_bits() -> None:
    ratio = mac_energy(TABLE, parse_scheme("float"), parse_scheme("float")) / 0.3
    assert ratio == pytest.approx(15.33, abs=0.01)


def test_energy_of_a_model(build: Any) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "one"),
        helper.make_node("MatMul", ["h", "h"], ["y"], "square"),
    ]
    built = build(nodes, {"x": (8, 16)}, {"w": (16, 8)})
    plan = schemes(built.model, Plan(parse_scheme("int8"), parse_scheme("uint8")))
    macs = count_macs(built.model, built.shapes)
    size = cost_of(built.model, plan, macs).bytes_quantized
    found = energy_of(TABLE, built.model, plan, macs, size)
    assert found.layers == pytest.approx((8 * 16 * 8 * 0.3, 8 * 8 * 8 * 0.3))
    assert found.compute == pytest.approx(sum(found.layers))
    assert size == 128 + 4
    assert found.weights_from_dram == pytest.approx(132 / 4 * 640)
    assert found.weights_from_sram == pytest.approx(132 / 4 * 5)
    assert energy_of(TABLE, built.model, plan, {}, 0).compute == 0.0

"""Coded size: entropies that are known, and words of Huffman's code that cannot be shorter."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from qviz.plan.coded_size import (
    CodedSize,
    coded_size,
    coded_sizes,
    entropy,
    huffman_lengths,
    total_coded,
)
from qviz.plan.cost import weight_bytes
from qviz.plan.effective_bits import effective_bits, mean_effective_bits
from qviz.plan.plan import Plan
from qviz.plan.resolve import schemes
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Scaled
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=64).filter(
    lambda counts: sum(count > 0 for count in counts) > 1
)


@pytest.mark.parametrize(
    ("counts", "bits"),
    [([1], 0.0), ([], 0.0), ([5, 5], 1.0), ([1] * 8, 3.0), ([2, 1, 1], 1.5), ([1, 3], 0.811278)],
)
def test_entropies(counts: list[int], bits: float) -> None:
    assert entropy(counts) == pytest.approx(bits, abs=1e-6)


@given(COUNTS)
def test_huffman_is_a_full_prefix_code_near_the_entropy(counts: list[int]) -> None:
    lengths = huffman_lengths(counts)
    assert [length > 0 for length in lengths] == [count > 0 for count in counts]
    assert sum(2.0**-length for length in lengths if length) == 1.0  # Kraft, with nothing to spare
    mean = sum(c * n for c, n in zip(counts, lengths, strict=True)) / sum(counts)
    assert entropy(counts) - 1e-9 <= mean < entropy(counts) + 1


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5))
def test_no_prefix_code_is_shorter(counts: list[int]) -> None:
    """Against every choice of lengths that Kraft's inequality allows."""
    best = min(
        sum(c * n for c, n in zip(counts, lengths, strict=True))
        for lengths in product(range(1, len(counts)), repeat=len(counts))
        if sum(2.0**-n for n in lengths) <= 1.0
    )
    found = huffman_lengths(counts)
    assert sum(c * n for c, n in zip(counts, found, strict=True)) == best


def test_known_lengths() -> None:
    assert huffman_lengths([5, 9, 12, 13, 16, 45]) == [4, 4, 3, 3, 3, 1]
    assert huffman_lengths([0, 7, 0]) == [0, 1, 0]
    assert huffman_lengths([]) == []


def test_bytes_of_codes_their_table_and_what_stands_beside() -> None:
    # 64 codes of 2 bits are 16 bytes and 8 of scales; 32, 16, 8 and 8 of them: 1.75 bits each.
    found = coded_size([32, 16, 8, 8], 24, 2)
    assert found == CodedSize(packed=24, entropy=8 + 14.0, huffman=8 + 14 + 4)


def network(build: Any) -> Any:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "first"),
        helper.make_node("MatMul", ["h", "w"], ["g"], "second"),
        helper.make_node("MatMul", ["g", "v"], ["y"], "third"),
    ]
    return build(nodes, {"x": (1, 64)}, {"w": (64, 64), "v": (64, 8)}).model


def test_sizes_of_a_model(build: Any) -> None:
    model = network(build)
    overrides = {"third.weight": parse_scheme("float")}
    plan = schemes(model, Plan(parse_scheme("int8:channel"), overrides=overrides))
    slot = model.slots["first.weight"]
    weight = model.constants["w"]
    encoding = find_encoding(measure(weight, slot.axis, keep=True), plan["first.weight"])
    encodings = {"first.weight": encoding, "second.weight": encoding}
    found = coded_sizes(model, plan, encodings)
    assert found["third.weight"] == CodedSize(2048, 2048.0, 2048)
    first = found["first.weight"]
    assert first == found["second.weight"]
    assert first.packed == 64 * 64 + 64 * 4
    assert isinstance(encoding, Scaled)
    codes = encoding.codes(weight).reshape(-1)
    shares = torch.bincount(codes + 128).double() / codes.numel()
    bits = float(-(shares * shares.clamp(min=1e-300).log2()).sum())
    assert first.entropy == pytest.approx(256 + 4096 * bits / 8, rel=1e-9)
    assert first.entropy < first.huffman < first.packed + 256
    total = total_coded(model, found)
    assert (total.packed, total.huffman) == (first.packed + 2048, first.huffman + 2048)


def test_effective_bits(build: Any) -> None:
    model = network(build)
    plan = schemes(model, Plan(parse_scheme("int4:group=32"), parse_scheme("uint8")))
    assert effective_bits(model, plan) == dict.fromkeys(
        ("first.weight", "second.weight", "third.weight"), 4.5
    )
    assert mean_effective_bits(model, plan) == 4.5
    wide = effective_bits(model, plan, {"third.weight"})
    assert (wide["first.weight"], wide["third.weight"]) == (4.5, 5.0)
    mixed = {**plan, "third.weight": parse_scheme("float")}
    taken = weight_bytes(model.declared("w"), 1, plan["first.weight"]) + 2048
    assert mean_effective_bits(model, mixed) == pytest.approx(8 * taken / (4096 + 512))
    assert math.isclose(effective_bits(model, mixed)["third.weight"], 32.0)

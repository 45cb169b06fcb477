"""Coded size: what the codes of the weights take when frequent ones get shorter words."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from qviz.model.model import Model
from qviz.plan.cost import weight_bytes
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.scheme import Scheme


@dataclass(frozen=True, slots=True)
class CodedSize:
    """Bytes of one weight, or of all: codes and what decodes them.

    `entropy` is a lower bound for every code that writes one number after another; `huffman` is
    what the best code with whole bits reaches, its table included.
    """

    packed: int
    entropy: float
    huffman: int


def coded_sizes(
    model: Model,
    by_slot: Mapping[str, Scheme],
    encodings: Mapping[str, Encoding],
    wide: Sequence[str] = (),
) -> dict[str, CodedSize]:
    """Of every weight slot; a weight in float keeps its size. Reads and quantizes the weights."""
    found = {}
    for slot in model.slots.values():
        if slot.role != "weight":
            continue
        scheme, encoding = by_slot[slot.name], encodings.get(slot.name)
        weight = model.declared(slot.value)
        packed = weight_bytes(weight, slot.axis, scheme, wide_scales=slot.name in wide)
        if isinstance(encoding, Scaled):
            counts = code_counts(model.constants[slot.value], encoding)
            found[slot.name] = coded_size(counts, packed, scheme.bits)
        else:
            found[slot.name] = CodedSize(packed, float(packed), packed)
    return found


def total_coded(model: Model, sizes: Mapping[str, CodedSize]) -> CodedSize:
    """Of all weights together; one that several layers share counts once."""
    once = {model.slots[name].value: size for name, size in reversed([*sizes.items()])}
    return CodedSize(
        packed=sum(size.packed for size in once.values()),
        entropy=sum(size.entropy for size in once.values()),
        huffman=sum(size.huffman for size in once.values()),
    )


def coded_size(counts: Sequence[int], packed: int, bits: int) -> CodedSize:
    """From how often each code occurs; `packed` bytes hold `bits` a code and what decodes them.

    Scales, zero points and codebooks stay as they are. Huffman's table is canonical: one byte, the
    length of its word, for each of the 2^bits codes.
    """
    beside = packed - math.ceil(sum(counts) * bits / 8)
    lengths = huffman_lengths(counts)
    words = sum(count * length for count, length in zip(counts, lengths, strict=True))
    return CodedSize(
        packed=packed,
        entropy=beside + sum(counts) * entropy(counts) / 8,
        huffman=beside + math.ceil(words / 8) + 2**bits,
    )


def code_counts(weight: Tensor, encoding: Scaled) -> list[int]:
    """How often each code that occurs does, in the order of the codes."""
    codes = encoding.codes(weight.detach()).reshape(-1)
    return [int(count) for count in torch.unique(codes, return_counts=True)[1].tolist()]


def entropy(counts: Sequence[int]) -> float:
    """Bits per code: -Σ p·log2 p (Shannon, 1948); 0 for no codes."""
    total = sum(counts)
    return sum(-count / total * math.log2(count / total) for count in counts if count)


def huffman_lengths(counts: Sequence[int]) -> list[int]:
    """Bits of each code's word in an optimal prefix code (Huffman, 1952); 0 where it never occurs.

    A single code that occurs has a word of one bit: a decoder must see how many there are.
    """
    lengths = [0] * len(counts)
    heap = [(count, at, [at]) for at, count in enumerate(counts) if count]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
        return lengths
    heapq.heapify(heap)
    while len(heap) > 1:
        one, other = heapq.heappop(heap), heapq.heappop(heap)
        joined = one[2] + other[2]
        for at in joined:
            lengths[at] += 1
        heapq.heappush(heap, (one[0] + other[0], min(one[1], other[1]), joined))
    return lengths

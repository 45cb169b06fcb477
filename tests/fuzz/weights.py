"""Damaged files of weights: safetensors, GGUF, .npz."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.fuzz.case import Case, Outcome
from tests.fuzz.mutations import damaged
from tests.fuzz.onnx_models import floats
from tests.fuzz.samples import npz


def safetensors(header: Any = None, data: bytes | None = None) -> bytes:
    """A file of two tensors, or one with any header and data."""
    whole = {
        "a.weight": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]},
        "b.weight": {"dtype": "F16", "shape": [4, 2], "data_offsets": [64, 80]},
    }
    text = json.dumps(whole if header is None else header).encode()
    content = floats(16).tobytes() + np.ones(8, np.float16).tobytes() if data is None else data
    return struct.pack("<Q", len(text)) + text + content


def gguf(dims: tuple[int, ...] = (4, 4), kind: int = 0, count: int = 1, offset: int = 0) -> bytes:
    """A file with one tensor, w.weight, of 32-bit floats."""
    name = b"general.architecture"
    pair = struct.pack("<Q", len(name)) + name + struct.pack("<IQ", 8, 5) + b"llama"
    tensor = struct.pack("<Q", 8) + b"w.weight" + struct.pack("<I", len(dims))
    tensor += b"".join(struct.pack("<Q", size) for size in dims)
    tensor += struct.pack("<IQ", kind, offset)
    head = b"GGUF" + struct.pack("<IQQ", 3, count, 1) + pair + tensor
    return head + b"\0" * (-len(head) % 32) + floats(16).tobytes()


def weight_cases() -> Iterator[Case]:
    """Every damaged file of weights."""
    yield _case("safetensors", "whole", safetensors(), "opens")
    yield _case("gguf", "whole", gguf(), "opens")
    yield _case("npz", "whole", npz(w=floats(4, 4)), "opens")
    yield from damaged_weights("0", 14)
    yield from _safetensors()
    yield from _gguf()


def damaged_weights(seed: str, count: int) -> Iterator[Case]:
    """Bits flipped, pieces cut."""
    for kind, content in (
        ("safetensors", safetensors()),
        ("gguf", gguf()),
        ("npz", npz(w=floats(4, 4))),
    ):
        for name, broken in damaged(content, f"{seed} {kind}", count):
            yield _case(kind, name, broken, "either")


def _case(kind: str, name: str, content: bytes, outcome: Outcome = "error") -> Case:
    file = f"net.{kind}"
    return Case(kind, name, {file: content}, file, outcome=outcome)


def _safetensors() -> Iterator[Case]:
    def tensor(**changes: Any) -> dict[str, Any]:
        return {"w": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64], **changes}}

    values = floats(16).tobytes()
    for name, header in (
        ("a negative size", tensor(shape=[-4, -4])),
        ("a huge size", tensor(shape=[2**60])),
        ("sizes that overflow", tensor(shape=[2**32, 2**32])),
        ("a size that is text", tensor(shape=["4", 4])),
        ("an unknown type", tensor(dtype="F31")),
        ("offsets backwards", tensor(data_offsets=[64, 0])),
        ("offsets beyond the end", tensor(data_offsets=[0, 2**50])),
        ("offsets below zero", tensor(data_offsets=[-64, 0])),
        ("one offset", tensor(data_offsets=[0])),
        ("no shape", {"w": {"dtype": "F32", "data_offsets": [0, 64]}}),
        ("a list", []),
        ("nothing", {}),
        ("a tensor that is a number", {"w": 1}),
        ("5,000 axes", tensor(shape=[1] * 5000)),
        ("overlapping tensors", {**tensor(), "v": tensor()["w"]}),
    ):
        yield _case("safetensors", name, safetensors(header, values))
    yield _case("safetensors", "a header of 2^60 bytes", struct.pack("<Q", 2**60) + b"{}")
    yield _case("safetensors", "brackets", struct.pack("<Q", 200_000) + b"[" * 200_000)
    twice = b'{"w":{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]},' * 2
    head = twice[:-1] + b"}"
    yield _case("safetensors", "a name twice", struct.pack("<Q", len(head)) + head + values)
    yield _case("safetensors", "NaN", safetensors(tensor(), b"\xff" * 64), "either")


def _gguf() -> Iterator[Case]:
    for dims in ((2**60,), (2**32, 2**32), (2**63, 2), (4, 5), (1,) * 40):
        yield _case("gguf", f"sizes {dims[:3]}", gguf(dims))
    for kind in (1, 12, 39, 99, 2**32 - 1):
        outcome: Outcome = "either" if kind == 1 else "error"
        yield _case("gguf", f"values of type {kind}", gguf(kind=kind), outcome)
    yield _case("gguf", "2^60 tensors", gguf(count=2**60))
    yield _case("gguf", "values at 2^60", gguf(offset=2**60))
    yield _case("gguf", "values at an odd place", gguf(offset=3))
    yield _case("gguf", "2^62 pairs", b"GGUF" + struct.pack("<IQQ", 3, 1, 2**62))
    yield _case("gguf", "version 99", b"GGUF" + struct.pack("<I", 99) + gguf()[8:])
    deep = struct.pack("<Q", 1) + b"k" + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 20_000
    yield _case("gguf", "lists 20,000 deep", b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + deep)

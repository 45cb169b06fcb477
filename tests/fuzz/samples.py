"""Damaged samples: .npz and .npy of the wrong kinds, archives that claim to be huge, tables."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fuzz.case import Case, Outcome
from tests.fuzz.mutations import damaged
from tests.fuzz.onnx_models import floats, perceptron

ROWS = 12


def npz(**arrays: Any) -> bytes:
    """An .npz; of fitting samples when nothing is given."""
    file = io.BytesIO()
    np.savez(file, **(arrays or {"x": floats(ROWS, 4), "labels": np.arange(ROWS) % 3}))
    return file.getvalue()


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """An .npy with any header."""
    content = text.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(content)) + content + data


def _zip(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _case(name: str, content: bytes, outcome: Outcome = "error", file: str = "x.npz") -> Case:
    files = {"net.onnx": perceptron().SerializeToString(), file: content}
    return Case("samples", name, files, samples=file, outcome=outcome)


def sample_cases() -> Iterator[Case]:
    """Every damaged file of samples."""
    yield _case("whole", npz(), "opens")
    yield from damaged_samples("0", 20)
    yield from _headers()
    yield from _archives()
    yield from _inputs()
    yield from _labels()
    yield from _others()


def damaged_samples(seed: str, count: int) -> Iterator[Case]:
    """Bits flipped, pieces cut."""
    for name, content in damaged(npz(), f"{seed} npz", count):
        yield _case(name, content, "either")
    packed = _zip({"x.npy": _npy(floats(ROWS, 4)), "labels.npy": _npy(np.arange(ROWS) % 3)})
    for name, content in damaged(packed, f"{seed} packed", count):
        yield _case(f"packed {name}", content, "either")
    for name, content in damaged(_npy(floats(ROWS, 4)), f"{seed} npy", count):
        yield _case(f"inside {name}", _zip({"x.npy": content}), "either")
        yield _case(f"npy {name}", content, "either", "x.npy")


def _headers() -> Iterator[Case]:
    data = floats(ROWS, 4).tobytes()
    for name, text in (
        ("negative sizes", "{'descr': '<f4', 'fortran_order': False, 'shape': (-12, -4), }"),
        (
            "a huge size",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976,), }",
        ),
        (
            "sizes that overflow",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
        ),
        ("100 GB", "{'descr': '<f4', 'fortran_order': False, 'shape': (25000000000,), }"),
        ("a size that is text", "{'descr': '<f4', 'fortran_order': False, 'shape': ('a',), }"),
        ("no shape", "{'descr': '<f4', 'fortran_order': False}"),
        ("objects", "{'descr': '|O', 'fortran_order': False, 'shape': (12,), }"),
        ("an unknown type", "{'descr': '<q9', 'fortran_order': False, 'shape': (12, 4), }"),
        ("code", "__import__('os').system('touch canary')"),
        ("brackets", "(" * 20_000),
        ("nothing", ""),
    ):
        yield _case(f"header: {name}", _zip({"x.npy": _header(text, data)}))
        yield _case(f"npy header: {name}", _header(text, data), file="x.npy")
    good = "{'descr': '<f4', 'fortran_order': False, 'shape': (12, 4), }"
    yield _case("header: of version 9", _zip({"x.npy": _header(good, data, b"\x09\x00")}))
    yield _case("values cut", _zip({"x.npy": _header(good, data[:-1])}))


def _archives() -> Iterator[Case]:
    whole = {"x.npy": _npy(floats(ROWS, 4))}
    zeros = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 4), }"
    for rows in (10**7, 10**9):
        yield _case(f"a bomb of {rows * 16:,} bytes", _bomb(zeros % rows, rows * 16))
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("x.npy", whole["x.npy"])
        archive.writestr("x.npy", _npy(floats(ROWS, 5)))
    yield _case("one member twice", file.getvalue(), "either")
    yield _case("no members", _zip({}))
    yield _case("a member that is no array", _zip({**whole, "y": b"text"}), "either")
    yield _case("a pickle", _zip({"x.npy": pickle.dumps([1, 2])}))
    yield _case("a member above the folder", _zip({"../../x.npy": whole["x.npy"]}), "either")
    yield _case("a member of another name", _zip({"\N{SNOWMAN}.npy": whole["x.npy"]}), "opens")
    many = {f"a{i}.npy": _npy(floats(1)) for i in range(2000)}
    yield _case("2,000 other members", _zip({**many, **whole}), "either")
    encrypted = bytearray(_zip(whole))
    encrypted[6] |= 1
    encrypted[encrypted.rfind(b"PK\x01\x02") + 8] |= 1
    yield _case("encrypted", bytes(encrypted))
    yield _case("text", b"these are no samples")
    yield _case("empty", b"")


def _bomb(header: str, size: int) -> bytes:
    """A member of zeros, a thousandth of the size, whose table says how much it will be."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = _header(header.ljust(118))
    stop = min(size, 10**7)
    packed = squeeze.compress(content + bytes(stop)) + squeeze.flush()
    name, total = b"x.npy", len(content) + size
    sizes = struct.pack("<II", len(packed), min(total, 0xFFFFFFF0))
    crc = struct.pack("<I", zlib.crc32(content + bytes(stop)))
    local = (
        b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0"
        + crc
        + sizes
        + struct.pack("<HH", len(name), 0)
        + name
    )
    table = (
        b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0"
        + crc
        + sizes
        + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0)
        + name
    )
    end = struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(table), len(local) + len(packed), 0
    )
    return local + packed + table + end


def _inputs() -> Iterator[Case]:
    x = floats(ROWS, 4)
    nan, infinite = x.copy(), x.copy()
    nan[3, 1], infinite[5, 2] = np.nan, np.inf
    for name, array in (
        ("NaN", nan),
        ("infinity", infinite),
        ("another width", floats(ROWS, 5)),
        ("another rank", floats(ROWS, 4, 1)),
        ("no rows", floats(0, 4)),
        ("no columns", floats(ROWS, 0)),
        ("a scalar", np.float32(1)),
        ("text", np.full((ROWS, 4), "a")),
        ("bytes", np.full((ROWS, 4), b"a")),
        ("dates", np.zeros((ROWS, 4), "datetime64[s]")),
        ("complex numbers", x.astype(np.complex64)),
        ("records", np.zeros(ROWS, [("a", "f4"), ("b", "i4")])),
        ("objects", np.full((ROWS, 4), None)),
        ("numbers too large", np.full((ROWS, 4), 1e300)),
        ("void", np.zeros((ROWS, 4), "V4")),
    ):
        yield _case(f"input of {name}", npz(x=array, labels=np.arange(ROWS) % 3))
    for name, array in (
        ("in Fortran order", np.asfortranarray(x)),
        ("in the other byte order", x.astype(">f4")),
        ("of float64", x.astype(np.float64)),
        ("of whole numbers", np.ones((ROWS, 4), np.int8)),
        ("of truth values", np.ones((ROWS, 4), bool)),
    ):
        yield _case(f"input {name}", npz(x=array), "opens")
    yield _case("two inputs", npz(x=x, z=floats(ROWS, 4)), "either")
    yield _case("two unknown inputs", npz(a=x, b=floats(ROWS, 4)))
    yield _case("only labels", npz(labels=np.arange(ROWS)))


def _labels() -> Iterator[Case]:
    x = floats(ROWS, 4)
    refused: list[tuple[str, Any]] = [
        ("too few", np.arange(ROWS - 1)),
        ("none", np.zeros(0, np.int64)),
        ("a scalar", np.int64(1)),
        ("objects", np.full(ROWS, None)),
        ("NaN", np.full(ROWS, np.nan)),
        ("infinity", np.full(ROWS, np.inf)),
        ("complex numbers", np.ones(ROWS, np.complex64)),
        ("dates", np.zeros(ROWS, "datetime64[s]")),
        ("records", np.zeros(ROWS, [("a", "f4")])),
        ("out of range", np.full(ROWS, 3)),
        ("huge", np.full(ROWS, 2**63 - 1)),
        ("beyond int64", np.full(ROWS, 2**64 - 1, np.uint64)),
    ]
    for name, labels in refused:
        yield _case(f"labels: {name}", npz(x=x, labels=labels))
    read: list[tuple[str, Any]] = [
        ("text", np.full(ROWS, "cat")),  # names of classes
        ("too many names", np.array([f"class {row}" for row in range(ROWS)])),
        ("all below zero", np.full(ROWS, -1)),
        ("float classes", np.zeros(ROWS)),
        ("one-hot", np.eye(3)[np.arange(ROWS) % 3]),
        ("a row each", np.ones((ROWS, 3, 2), np.int64)),
        ("rank 7", np.ones((ROWS, *[1] * 6), np.int64)),
    ]
    for name, labels in read:
        yield _case(f"labels: {name}", npz(x=x, labels=labels), "either")


def _others() -> Iterator[Case]:
    table = b"a,b,c,d,label\n" + b"1,2,3,4,0\n" * ROWS
    for name, content in (
        ("cut", table[:-6]),
        ("not UTF-8", b"\xff\xfe\x80" * 40),
        ("empty", b""),
        ("only a header", b"a,b,c,d,label\n"),
        ("rows of other lengths", b"a,b\n1,2,3\n4\n"),
        ("zero bytes", b"a,b\n\0,\0\n"),
        ("one huge cell", b"a,b\n" + b"9" * 200_000 + b",1\n"),
        ("10,000 columns", b",".join([b"a"] * 10_000) + b"\n" + b",".join([b"1"] * 10_000)),
        ("an open quote", b'a,b\n"1,2\n3,4\n'),
        ("text", table.replace(b"4", b"four")),
    ):
        yield _case(f"csv: {name}", content, "either", "x.csv")
    for suffix in (".png", ".wav", ".parquet", ".txt", ".npy", ".xyz"):
        outcome: Outcome = "error" if suffix != ".txt" else "either"
        yield _case(f"text named {suffix}", b"no such thing", outcome, f"x{suffix}")
        yield _case(f"nothing in {suffix}", b"", outcome, f"x{suffix}")

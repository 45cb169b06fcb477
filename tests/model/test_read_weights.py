"""Files of weights open without being read, hold the libraries' values, and fail with a cure."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf.constants import GGMLQuantizationType
from safetensors.torch import load_file, save_file

from qviz.errors import QvizError
from qviz.model.finite import not_finite
from qviz.model.model import Model
from qviz.model.read_weights import read_weights
from qviz.model.weights import content_hash, gguf_header, safetensors_file, state_tree, zip_members
from qviz.quant.measure import measure

FLOATS = ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
FLOATS += ["float8_e4m3fnuz", "float8_e5m2fnuz"]
INTEGERS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def same(model: Model, expected: dict[str, torch.Tensor]) -> None:
    """The same names, and every tensor the same bit for bit, as declared and without its file."""
    assert list(model.constants) == list(expected)
    for name, tensor in expected.items():
        found, declared = model.constants[name], model.declared(name)
        assert found.dtype == declared.dtype == tensor.dtype
        assert found.shape == declared.shape == tensor.shape
        assert bytes_of(found) == bytes_of(tensor)


def bytes_of(tensor: torch.Tensor) -> bytes:
    flat = tensor.contiguous().reshape(-1)
    return bytes(flat.view(torch.uint8).numpy()) if flat.numel() else b""


def refused(path: Path, cause: str) -> QvizError:
    with pytest.raises(QvizError) as caught:
        read_weights(path)
    assert caught.value.subject == path.name
    assert cause in caught.value.cause
    assert caught.value.cure
    return caught.value


# Safetensors


def header(path: Path, entries: object, data: int = 0) -> Path:
    """A safetensors file of any header, before `data` zeros."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))
    return path


def entry(shape: list[Any], begin: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_safetensors_hold_the_values_of_the_library(tmp_path: Path) -> None:
    path = tmp_path / "all.safetensors"
    tensors = {name: normal(4, 6).to(getattr(torch, name)) for name in FLOATS}
    tensors |= {str(kind): torch.ones(2, 3, dtype=kind) for kind in INTEGERS}
    tensors |= {"scalar": torch.tensor(2.5), "none": torch.empty(0, 4), "bias": normal(4)}
    save_file(tensors, path)
    model = read_weights(path)
    same(model, {name: load_file(path)[name] for name in model.constants})
    assert set(model.constants) == set(tensors)
    assert {layer.name for layer in model.layers} == set(FLOATS)
    assert model.stored_types["bfloat16"] == "BF16"
    assert model.stored_types["float8_e4m3fn"] == "F8_E4M3"
    assert not model.runs
    assert (model.name, model.source_bytes) == ("all", path.stat().st_size)
    assert any("6 tensors without floating point" in note for note in model.notes)


def test_unknown_types_are_left_out_and_named(tmp_path: Path) -> None:
    entries = {"a": entry([2, 2], 0, 16), "b": entry([7], 16, 20, "F6_E9"), "c": entry([1], 20, 24)}
    model = read_weights(header(tmp_path / "a.safetensors", entries, 24))
    assert list(model.constants) == ["a", "c"]
    assert model.notes == ("Left out 1 tensor of unknown type F6_E9: b",)


@pytest.mark.parametrize(
    ("entries", "data", "cause"),
    [
        ({"a": entry([2, 2], 0, 16)}, 15, "ends before its tensor 'a'"),
        ({"a": entry([2, 2], 0, 12)}, 16, "as many bytes as its shape"),
        ({"a": entry([2, 2], 16, 0)}, 16, "ends before it begins"),
        ({"a": entry([2, 2], -16, 0)}, 16, "ends before it begins"),
        ({"a": entry([2, 2], 0, 16), "b": entry([2], 8, 16)}, 16, "overlaps"),
        ({"a": entry([1 << 40, 1 << 40], 0, 16)}, 16, "impossible shape"),
        ({"a": entry([0, 1 << 70], 0, 0)}, 16, "impossible shape"),
        ({"a": entry([-2, -2], 0, 16)}, 16, "impossible shape"),
        ({"a": entry([2.0, 2], 0, 16)}, 16, "impossible shape"),
        ({"a": entry([1] * 33, 0, 4)}, 16, "impossible shape"),
        ({"a": entry([2, 2], 0, 1 << 70)}, 16, "ends before its tensor"),
        ({"a": {"dtype": "F32"}}, 16, "does not describe"),
        ({"a": [1, 2]}, 16, "does not describe"),
        (b'{"a":1,"a":2}', 0, "a name is there twice"),
        (b'{"a":' + b"[" * 100_000, 0, "not valid JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", 0, "not valid JSON"),
        (b'{"\\ud800":{}}', 0, "not valid JSON"),
        (b'{"a":"\xff"}', 0, "not valid JSON"),
        (b"{}", 0, "holds no weights"),
        (b"[]", 0, "not a safetensors file"),
    ],
)
def test_damaged_safetensors_are_refused(
    tmp_path: Path, entries: object, data: int, cause: str
) -> None:
    refused(header(tmp_path / "bad.safetensors", entries, data), cause)


def test_a_header_may_not_be_longer_than_the_file_or_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    refused(path, "not a safetensors file")
    monkeypatch.setattr(safetensors_file, "LARGEST_HEADER", 10)
    refused(header(path, {"a": entry([2, 2], 0, 16)}, 16), "too long")


def shards(folder: Path) -> Path:
    """Two shards and their index."""
    save_file(
        {"a.weight": normal(4, 4), "b.bias": normal(3)}, folder / "m-00001-of-00002.safetensors"
    )
    save_file({"b.weight": normal(3, 4, seed=1)}, folder / "m-00002-of-00002.safetensors")
    places = {
        "a.weight": "m-00001-of-00002.safetensors",
        "b.weight": "m-00002-of-00002.safetensors",
        "b.bias": "m-00001-of-00002.safetensors",
    }
    index = folder / "m.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index


def test_an_index_opens_all_shards_and_a_shard_itself(tmp_path: Path) -> None:
    index = shards(tmp_path)
    model = read_weights(index)
    expected = {"a.weight": normal(4, 4), "b.weight": normal(3, 4, seed=1), "b.bias": normal(3)}
    same(model, expected)
    assert (model.name, model.notes) == ("m", ())
    assert [layer.bias for layer in model.layers] == [None, "b.bias"]
    assert model.source_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    part = read_weights(tmp_path / "m-00002-of-00002.safetensors")
    assert list(part.constants) == ["b.weight"]
    assert part.notes == ("This is part 2 of 2; open m.safetensors.index.json for all of them",)
    index.unlink()
    alone = read_weights(tmp_path / "m-00002-of-00002.safetensors")
    assert alone.notes == ("This is part 2 of 2",)


def test_a_hub_keeps_the_files_of_a_folder_as_links_to_another(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    shards(blobs)
    for file in list(blobs.iterdir()):
        moved = file.rename(blobs / f"hash-of-{file.name}")
        (snapshot / file.name).symlink_to(Path("..") / "blobs" / moved.name)
    assert len(read_weights(snapshot / "m.safetensors.index.json").layers) == 2


@pytest.mark.parametrize(
    ("shard", "cause"),
    [
        ("../secret.safetensors", "outside its folder"),
        ("/etc/hostname", "outside its folder"),
        ("link.safetensors", "outside its folder"),
        ("\0", "is missing"),
        ("x" * 5000, "is missing"),
    ],
)
def test_an_index_reads_nothing_outside_its_folder(tmp_path: Path, shard: str, cause: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    save_file({"a": normal(2, 2)}, tmp_path / "secret.safetensors")
    (folder / "link.safetensors").symlink_to(tmp_path / "secret.safetensors")
    index = folder / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shard}}))
    assert len(str(refused(index, cause))) < 500


@pytest.mark.parametrize(
    ("index", "cause"),
    [
        ({"weight_map": {"a": "none.safetensors"}}, "is missing"),
        ({"weight_map": {"z": "m-00001-of-00002.safetensors"}}, "does not hold it"),
        ({"weight_map": {"a": 3}}, "does not name files"),
        ({"weight_map": []}, "no weight_map"),
        ({}, "no weight_map"),
        ([], "not valid JSON"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, index: object, cause: str) -> None:
    path = shards(tmp_path)
    path.write_text(json.dumps(index))
    refused(path, cause)


# GGUF


def write_gguf(path: Path, tensors: dict[str, tuple[torch.Tensor, str]]) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("tokenizer.ggml.tokens", ["one", "two", "three"])
    writer.add_array("scores", [1.0, 2.0])
    writer.add_string("note", "x" * 100_000)
    for name, (tensor, kind) in tensors.items():
        quantum = GGMLQuantizationType[kind]
        data = tensor.numpy()
        if kind not in ("F32", "F16", "F64", "I32"):
            data = gguf.quantize(data, quantum)
        writer.add_tensor(name, data, raw_dtype=quantum)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_gguf_holds_the_values_of_the_library(tmp_path: Path) -> None:
    kinds = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "TQ1_0", "BF16"]
    given = {f"{kind}.weight": (normal(40, 512), kind) for kind in kinds}
    given |= {"f16": (normal(2, 3, 8).half(), "F16"), "norm": (normal(512), "F32")}
    given |= {"f64": (normal(2, 8).double(), "F64"), "ids": (torch.arange(4).int(), "I32")}
    path = write_gguf(tmp_path / "a.gguf", given)
    model = read_weights(path)
    assert list(model.constants) == list(given)
    for tensor in gguf.GGUFReader(path).tensors:
        found = model.constants[tensor.name]
        assert model.declared(tensor.name).shape == found.shape == given[tensor.name][0].shape
        kind = tensor.tensor_type
        assert model.stored_types[tensor.name] == kind.name
        assert model.stored_bytes(tensor.name) == tensor.n_bytes
        plain = kind.name in ("F64", "I32")
        expected = np.array(tensor.data) if plain else gguf.dequantize(tensor.data, kind)
        whole = found.float() if kind.name in ("F16", "BF16") else found
        np.testing.assert_array_equal(whole.numpy(), expected.reshape(found.shape))
    assert model.declared("Q4_0.weight").dtype == torch.float32
    assert model.constants["BF16.weight"].dtype == torch.bfloat16
    assert any("not quantized: ids" in note for note in model.notes)


@pytest.mark.parametrize("kind", ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS", "MXFP4"])
def test_types_that_only_llama_cpp_writes_are_dequantized(tmp_path: Path, kind: str) -> None:
    values, size = gguf.GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    blocks = np.random.default_rng(0).integers(0, 60, (3, 2 * size), dtype=np.uint8)
    path = raw_gguf(tmp_path / "k.gguf", "w", (2 * values, 3), GGMLQuantizationType[kind], blocks)
    model = read_weights(path)
    expected = gguf.dequantize(blocks, GGMLQuantizationType[kind])
    np.testing.assert_array_equal(model.constants["w"].numpy(), expected)
    assert model.stored_types == {"w": kind}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf_tensor(name: str, sizes: tuple[int, ...], kind: int, offset: int = 0) -> bytes:
    dims = struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
    return text(name) + dims + struct.pack("<IQ", kind, offset)


def gguf_bytes(body: bytes, tensors: int = 0, pairs: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs) + body


def raw_gguf(
    path: Path, name: str, sizes: tuple[int, ...], kind: int, blocks: np.ndarray[Any, Any]
) -> Path:
    data = gguf_bytes(gguf_tensor(name, sizes, kind), 1)
    path.write_bytes(data + bytes(-len(data) % 32) + blocks.tobytes())
    return path


def test_types_that_gguf_cannot_dequantize_are_left_out(tmp_path: Path) -> None:
    names = [("a", 0), ("b", GGMLQuantizationType.Q8_K), ("c", 999), ("d", 999)]
    data = gguf_bytes(b"".join(gguf_tensor(name, (256, 2), kind) for name, kind in names), 4)
    path = tmp_path / "a-00002-of-00003.gguf"
    path.write_bytes(data + bytes(4096))
    model = read_weights(path)
    assert list(model.constants) == ["a"]
    assert model.notes == (
        "This is part 2 of 3; the others hold the rest",
        "Left out 1 tensor of type Q8_K, which gguf cannot dequantize: b",
        "Left out 2 tensors of unknown type 999: c, d",
    )


HUGE = (1 << 64) - 1
PAIR = text("k") + struct.pack("<I", 9)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"GGUF", "does not end within the file"),
        (b"gguf" * 10, "not a GGUF file"),
        (gguf_bytes(b"", version=1), "version 1"),
        (gguf_bytes(b"", version=3 << 24), "big-endian"),
        (gguf_bytes(b"", tensors=HUGE), "claims 18,446,744,073,709,551,615 entries"),
        (gguf_bytes(b"", pairs=HUGE), "claims 18,446,744,073,709,551,615 entries"),
        (gguf_bytes(b"", tensors=1 << 18), "does not end within"),
        (gguf_bytes(b"", pairs=1 << 18), "does not end within"),
        (gguf_bytes(PAIR + struct.pack("<IQ", 9, HUGE), pairs=1), "arrays within an array"),
        (gguf_bytes(struct.pack("<Q", HUGE), pairs=1), "name of"),
        (gguf_bytes(struct.pack("<Q", 100), pairs=1), "does not end within"),
        (gguf_bytes(text("k") + struct.pack("<I", 77), pairs=1), "value of type 77"),
        (gguf_bytes(text("k") + struct.pack("<IQ", 8, HUGE), pairs=1), "does not end within"),
        (gguf_bytes(PAIR + struct.pack("<IQ", 4, HUGE), pairs=1), "does not end within"),
        (gguf_bytes(PAIR + struct.pack("<IQ", 8, HUGE), pairs=1), "does not end within"),
        (gguf_bytes(PAIR + struct.pack("<IQ", 9, 1) * 50, pairs=1), "arrays within arrays"),
        (gguf_bytes(struct.pack("<Q", 1) + b"\xff" + bytes(50), tensors=1), "no text"),
        (gguf_bytes(text("t") + struct.pack("<I", 1 << 31), tensors=1), "dimensions"),
        (gguf_bytes(gguf_tensor("t", (1 << 60, 1 << 60), 0), 1), "impossible shape"),
        (gguf_bytes(gguf_tensor("t", (64, 64), 0), 1), "ends before its tensor 't'"),
        (gguf_bytes(gguf_tensor("t", (4, 4), 0, HUGE), 1), "ends before its tensor 't'"),
        (gguf_bytes(gguf_tensor("t", (33, 4), 2), 1), "no multiple of 32"),
        (gguf_bytes(gguf_tensor("t", (1, 1), 0) * 2, 2) + bytes(64), "there twice"),
        (
            gguf_bytes(text("general.alignment") + struct.pack("<II", 4, 24), pairs=1),
            "no power of two",
        ),
    ],
)
def test_hostile_gguf_headers_are_refused(tmp_path: Path, data: bytes, cause: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    refused(path, cause)


def test_a_gguf_header_costs_no_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_header, "LONGEST", 1000)
    path = tmp_path / "long.gguf"
    path.write_bytes(gguf_bytes(PAIR + struct.pack("<IQ", 8, 10_000) + bytes(80_000), pairs=1))
    refused(path, "does not end within")


# .npz


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_holds_the_arrays(tmp_path: Path, save: Callable[..., None]) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "conv1/kernel:0": rng.normal(size=(3, 3, 4, 8)).astype(np.float32),
        "conv1/bias:0": rng.normal(size=8).astype(np.float32),
        "dw/depthwise_kernel:0": rng.normal(size=(3, 3, 4, 2)).astype(np.float32),
        "dense.weight": np.asfortranarray(rng.normal(size=(5, 6))),
        "big": rng.normal(size=(5, 6)).astype(">f2"),
        "steps": np.arange(6).reshape(2, 3),
        "scalar": np.float32(3),
        "none": np.zeros((0, 3), np.float32),
    }
    path = tmp_path / "w.npz"
    save(path, **arrays, objects=np.array([{}], object), texts=np.array(["a"]))
    model = read_weights(path)
    native = {
        k: torch.tensor(np.asarray(a).astype(a.dtype.newbyteorder("="))) for k, a in arrays.items()
    }
    same(model, native)
    assert any("1 tensor of Python objects" in n and n.endswith(": objects") for n in model.notes)
    assert any("of unknown type <U1: texts" in note for note in model.notes)
    names = ["conv1", "dw/depthwise_kernel:0", "dense", "big"]
    assert [layer.name for layer in model.layers] == names
    assert [model.slots[f"{name}.weight"].axis for name in names] == [3, 2, 0, 0]
    assert model.layers[0].bias == "conv1/bias:0"
    assert model.layers[0].parameters == 3 * 3 * 4 * 8 + 8


def npy(shape: str, data: bytes) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def zipped(path: Path, members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("shape", "data", "cause"),
    [
        ("(2, 2)", bytes(15), "as many bytes"),
        ("(2, -2)", bytes(16), "impossible shape"),
        (f"({2**40}, {2**40})", bytes(16), "impossible shape"),
        ("(" * 5000, b"", "not an .npy array"),
        ("__import__('os')", b"", "not an .npy array"),
    ],
)
def test_damaged_arrays_are_refused(tmp_path: Path, shape: str, data: bytes, cause: str) -> None:
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        refused(zipped(tmp_path / "a.npz", {"a.npy": npy(shape, data)}, packing), cause)


def test_zip_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.npz"
    members = {"a.npy": npy("(1000, 1000)", bytes(4_000_000))}
    zipped(path, members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    model = read_weights(path)  # zeros, not a bomb
    monkeypatch.setattr("qviz.model.weights.memory._free", lambda: 7_999_999)
    with pytest.raises(QvizError, match="more than is free"):
        model.constants["a"]
    data = bytearray(path.read_bytes())
    directory = data.rfind(b"PK\x01\x02")
    struct.pack_into("<I", data, directory + 24, 0xFFFFFFF0)
    path.write_bytes(data)
    refused(path, "claims more bytes")


def test_unpacking_never_gives_less_or_wrong_values(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=normal(100, 100).numpy())
    data = bytearray(path.read_bytes())
    data[30_000] ^= 255
    path.write_bytes(data)
    model = read_weights(path)
    with pytest.raises(QvizError, match="cannot be unpacked"):
        model.constants["a"]


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_refused(tmp_path: Path, packing: int) -> None:
    members = {"a.npy": npy("(2, 2)", bytes(16))}
    refused(zipped(tmp_path / "a.npz", members, packing), "packed in an unusual way")


def test_a_long_table_of_contents_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_members, "LARGEST_DIRECTORY", 40)
    refused(zipped(tmp_path / "a.npz", {"a.npy": b""}), "table of contents")


# State dicts


@pytest.mark.parametrize("old", [False, True])
def test_state_dicts_hold_the_tensors(tmp_path: Path, old: bool) -> None:
    base = normal(6, 8)
    tensors = {
        "conv.weight": torch.nn.Parameter(normal(4, 3, 3, 3)),
        "conv.bias": normal(4),
        "turned.weight": base.t(),
        "part.weight": base[2:4],
        "half": normal(3, 3).bfloat16(),
        "steps": torch.tensor(7),
        "none": torch.empty(0, 3),
    }
    path = tmp_path / "a.pt"
    torch.save(tensors, path, _use_new_zipfile_serialization=not old)
    model = read_weights(path)
    same(model, {name: tensor.detach() for name, tensor in tensors.items()})
    assert [layer.op for layer in model.layers] == ["Conv", "Linear", "Linear", "Linear"]
    assert model.layers[0].bias == "conv.bias"
    assert model.stored_types["half"] == "BF16"
    assert read_weights(path).hash == model.hash


@pytest.mark.parametrize("old", [False, True])
def test_tied_tensors_are_one_value(tmp_path: Path, old: bool) -> None:
    shared = normal(10, 4)
    tensors = {"wte.weight": shared, "head.weight": shared, "view.weight": shared[:5]}
    path = tmp_path / "tied.bin"
    torch.save(tensors, path, _use_new_zipfile_serialization=not old)
    model = read_weights(path)
    assert list(model.constants) == ["wte.weight", "view.weight"]
    assert [layer.op for layer in model.layers] == ["Embedding", "Linear", "Linear"]
    groups = [slot.group for slot in model.slots.values()]
    assert groups[0] == groups[1] != groups[2]
    assert [slot.value for slot in model.slots.values()] == [
        "wte.weight",
        "wte.weight",
        "view.weight",
    ]


def test_wrappers_are_opened_and_other_keys_joined(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    adam = {"state": {0: {"exp_avg": normal(2, 2)}}, "param_groups": [{"lr": 0.1}]}
    inner = {"fc.weight": normal(2, 2)}
    for key in ("state_dict", "model", "model_state_dict"):
        torch.save({key: inner, "optimizer": adam, "epoch": 3}, path)
        model = read_weights(path)
        assert list(model.constants) == ["fc.weight"]
        assert model.notes == ("Not read: optimizer",)
    torch.save({"encoder": inner, "parts": [normal(2, 2)], "optim": adam}, path)
    model = read_weights(path)
    assert list(model.constants) == ["encoder.fc.weight", "parts.0"]
    torch.save(normal(2, 2), path)
    assert list(read_weights(path).constants) == ["tensor"]


class _Evil:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.marker,)


def test_pickled_objects_are_never_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.pt", tmp_path / "ran"
    evil = _Evil(str(marker))
    for old in (False, True):
        torch.save({"a": evil}, path, _use_new_zipfile_serialization=not old)
        refused(path, "pickled Python objects, which qviz never runs")
    path.write_bytes(pickle.dumps({"a": evil}))
    assert "state_dict" in refused(path, "pickled Python objects").cure
    torch.save(torch.nn.Linear(2, 2), path)
    refused(path, "pickled Python objects")
    assert not marker.exists()


def test_torchscript_is_named(tmp_path: Path) -> None:
    members = {"net/constants.pkl": b"", "net/code/__torch__.py": b"", "net/data.pkl": b""}
    refused(zipped(tmp_path / "a.pt", members), "TorchScript")


def test_tensors_that_no_file_can_hold_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    tensors = {
        "w": normal(2, 2),
        "huge": torch.zeros(1).expand(1 << 20, 1 << 20),
        "sparse": torch.eye(3).to_sparse(),
        "wide": torch.zeros(2, 2, dtype=torch.complex128),
    }
    torch.save(tensors, path)
    model = read_weights(path)
    assert list(model.constants) == ["w"]
    assert len(model.notes) == 3
    assert "stored once and repeated: huge" in " ".join(model.notes)


def rewritten(path: Path, change: Callable[[str, bytes], bytes], packing: int = 0) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped(path, {name: change(name, data) for name, data in members.items()}, packing)


def test_damaged_state_dicts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pt"

    def saved() -> Path:
        torch.save({"w": normal(8, 8)}, path)
        return path

    refused(
        rewritten(saved(), lambda n, d: d[:100] if n.endswith("data/0") else d), "as many bytes"
    )
    refused(rewritten(saved(), lambda n, d: b"big" if "byteorder" in n else d), "big-endian")
    refused(rewritten(saved(), lambda _, d: d, zipfile.ZIP_DEFLATED), "are packed")
    refused(rewritten(saved(), lambda n, d: d[:20] if "data.pkl" in n else d), "")
    refused(zipped(path, {"a/b.txt": b""}), "not one of PyTorch")
    monkeypatch.setattr("qviz.model.weights.state_dict.LARGEST_PICKLE", 10)
    refused(saved(), "too long")


def test_a_tensor_may_not_be_larger_than_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"w": normal(8, 9)}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert data.count(b"K\x08K\x09") == 1
    path.write_bytes(data.replace(b"K\x08K\x09", b"K\xffK\x09"))
    refused(path, "")


def test_dictionaries_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pt"
    monkeypatch.setattr(state_tree, "MOST_ENTRIES", 5000)
    laughs: dict[str, Any] = {"w": normal(2, 2)}
    for _ in range(12):
        laughs = {str(i): laughs for i in range(10)}
    torch.save(laughs, path)
    refused(path, "too many entries")
    deep: dict[str, Any] = {"w": normal(2, 2)}
    for _ in range(40):
        deep = {"a": deep}
    torch.save(deep, path)
    refused(path, "too deep")
    torch.save({"a.b": normal(2, 2), "a": {"b": normal(2, 2)}}, path)
    refused(path, "there twice")


# All formats


def files(folder: Path) -> list[Path]:
    """A file of every format, with two layers each."""
    tensors = {"a.weight": normal(64, 64), "b.weight": normal(64, 64, seed=1)}
    save_file(tensors, folder / "w.safetensors")
    write_gguf(folder / "w.gguf", {name: (tensor, "Q8_0") for name, tensor in tensors.items()})
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in tensors.items()}
    np.savez(folder / "w.npz", **arrays)
    torch.save(tensors, folder / "w.pt")
    return [folder / f"w{suffix}" for suffix in (".safetensors", ".gguf", ".npz", ".pt")]


def old_file(folder: Path) -> Path:
    """The same in the format that PyTorch wrote before 1.6."""
    path = folder / "w.pth"
    tensors = {"a.weight": normal(8, 16), "b.weight": normal(8, 16, seed=1)}
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    return path


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_found_when_they_are_measured(
    tmp_path: Path, bad: float
) -> None:
    spoilt = normal(32, 32)
    spoilt[3, 5] = bad
    tensors = {"a.weight": normal(32, 32), "b.weight": spoilt}
    save_file(tensors, tmp_path / "w.safetensors")
    write_gguf(tmp_path / "w.gguf", {name: (tensor, "F32") for name, tensor in tensors.items()})
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in tensors.items()}
    np.savez(tmp_path / "w.npz", **arrays)
    torch.save(tensors, tmp_path / "w.pt")
    for path in sorted(tmp_path.iterdir()):
        model = read_weights(path)
        found = {
            name: measure(model.constants[name], 0, keep=partial(model.constants.__getitem__, name))
            for name in model.constants
        }
        assert {name: stats.finite for name, stats in found.items()} == {
            "a.weight": True,
            "b.weight": False,
        }
        error = not_finite(path, [name for name, stats in found.items() if not stats.finite])
        assert str(error) == (
            f"{path.name}: its constant 'b.weight' holds NaN or infinite values, which no grid "
            "can hold. Train or export the model again; a diverged training run leaves such "
            "weights."
        )


def test_many_weights_that_are_not_finite_are_one_message() -> None:
    error = not_finite(Path("w.gguf"), list("abcde"))
    assert error.cause.startswith("its constants 'a', 'b', 'c' and 2 more hold NaN")


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    for path in [*files(tmp_path), old_file(tmp_path)]:
        data = path.read_bytes()
        for length in {*range(1, 300, 13), *range(300, len(data), len(data) // 23), len(data) - 1}:
            path.write_bytes(data[:length])
            refused(path, "")


def test_changed_bytes_give_a_model_or_a_refusal(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    opened, subjects = 0, set()
    for path in [*files(tmp_path), old_file(tmp_path)]:
        data = path.read_bytes()
        for _ in range(150):
            broken = bytearray(data)
            start = int(rng.integers(0, 600)) * (1 if rng.random() < 0.6 else -1)
            broken[start] = int(rng.integers(0, 256))
            path.write_bytes(broken)
            try:
                model = read_weights(path)
                for name in model.constants:
                    assert model.constants[name].shape == model.declared(name).shape
                opened += 1
            except QvizError as error:
                subjects.add(error.subject)
    assert opened > 50
    assert subjects == {f"w{end}" for end in (".safetensors", ".gguf", ".npz", ".pt", ".pth")}


@pytest.mark.parametrize("suffix", [".safetensors", ".gguf", ".npz", ".pt", ".pth", ".bin"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    assert "Check the path" in refused(path, "no such file").cure
    path.write_text("just some text, long enough to look like more than a header\n" * 5)
    refused(path, "")
    path.write_bytes(b"")
    refused(path, "it is empty")
    path.unlink()
    path.mkdir()
    refused(path, "it is a folder")
    path.rmdir()
    os.mkfifo(path)
    refused(path, "not a regular file")


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files(tmp_path)[0]

    def denied(*_args: object, **_options: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    refused(path, "it cannot be read: Permission denied")


def test_other_endings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.weights"
    path.write_bytes(b"x")
    assert ".safetensors" in refused(path, "no file of weights").cure


def test_a_file_that_changes_is_not_read_any_more(tmp_path: Path) -> None:
    for path in files(tmp_path):
        model = read_weights(path)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(QvizError, match="changed since it was opened"):
            model.constants["b.weight"]
        path.unlink()
        with pytest.raises(QvizError, match="no such file"):
            model.constants["b.weight"]


def test_statistics_read_again_what_they_measured(tmp_path: Path) -> None:
    for path in files(tmp_path):
        model = read_weights(path)
        for slot in model.slots.values():
            read = partial(model.constants.__getitem__, slot.value)
            stats = measure(read(), slot.axis, keep=read)
            assert stats.exact is not None
            assert stats.count == 64 * 64
            assert torch.equal(stats.exact, read())
            assert stats.minimum.tolist() == read().amin(1).tolist()


def test_the_hash_sees_layout_size_and_sampled_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {"a": normal(8, 8), "b": normal(64, 64)}

    def hash_of(**changed: torch.Tensor) -> str:
        save_file({**tensors, **changed}, path)
        return read_weights(path).hash

    first, last = tensors["a"].clone(), tensors["b"].clone()
    first[0, 0] += 1
    last[-1, -1] += 1
    assert hash_of() == hash_of()
    every = [hash_of(), hash_of(a=first), hash_of(b=last), hash_of(c=first)]
    every += [hash_of(b=tensors["b"].reshape(32, 128)), hash_of(b=tensors["b"].view(torch.int32))]
    assert len(set(every)) == len(every)
    monkeypatch.setattr(content_hash, "BLOCKS", 2)
    monkeypatch.setattr(content_hash, "BLOCK", 64)
    monkeypatch.setattr(content_hash, "PIECE", 16)
    middle = tensors["b"].clone()
    middle[32, 0] += 1
    assert hash_of(b=middle) == hash_of()  # not sampled, as the docstring says
    assert len({hash_of(), hash_of(a=first), hash_of(b=last)}) == 3


@pytest.mark.parametrize(
    ("name", "shape", "layer", "op"),
    [
        ("h.0.attn.weight", (4, 4), "h.0.attn", "Linear"),
        ("features.0.weight", (4, 3, 3, 3), "features.0", "Conv"),
        ("video.weight", (4, 3, 3, 3, 3), "video", "Conv"),
        ("conv1d.weight", (4, 3, 3), "conv1d", "Conv"),
        ("wte.weight", (4, 3), "wte", "Embedding"),
        ("model.embed_tokens.weight", (4, 3), "model.embed_tokens", "Embedding"),
        ("token_embd.weight", (4, 3), "token_embd", "Embedding"),
        ("pos_embed", (1, 4, 3), "pos_embed", "Embedding"),
        ("patch_embed.proj.weight", (4, 3, 2, 2), "patch_embed.proj", "Conv"),
        ("time_embedding.linear_1.weight", (4, 3), "time_embedding.linear_1", "Linear"),
        ("remember.weight", (4, 3), "remember", "Linear"),
        ("in_proj_weight", (4, 3), "in_proj_weight", "Linear"),
        ("dense/kernel:0", (3, 4), "dense", "Linear"),
        ("weight", (3, 4), "weight", "Linear"),
        ("rnn.weight_hh_l0", (16, 4), "rnn.weight_hh_l0", "LSTM"),
        ("rnn.weight_hh_l0_reverse", (12, 4), "rnn.weight_hh_l0_reverse", "GRU"),
        ("rnn.weight_ih_l0", (16, 4), "rnn.weight_ih_l0", "LSTM"),
    ],
)
def test_names_and_ranks_tell_the_layer(
    tmp_path: Path, name: str, shape: tuple[int, ...], layer: str, op: str
) -> None:
    path = tmp_path / "a.safetensors"
    save_file({name: normal(*shape)}, path)
    (found,) = read_weights(path).layers
    assert (found.name, found.op, found.weight_shape) == (layer, op, shape)
    assert found.slots == (f"{layer}.weight",)
    assert found.step is None


def test_recurrent_layers_find_their_bias_and_their_gates(tmp_path: Path) -> None:
    path = tmp_path / "gru.pt"
    torch.save(torch.nn.GRU(5, 4).state_dict(), path)
    ih, hh = read_weights(path).layers
    assert (ih.op, ih.bias, hh.op, hh.bias) == ("GRU", "bias_ih_l0", "GRU", "bias_hh_l0")
    assert ih.parameters == 12 * 5 + 12


def test_layers_of_one_name_keep_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": normal(2, 2), "a.weight": normal(2, 3)}, path)
    model = read_weights(path)
    assert [layer.name for layer in model.layers] == ["a", "a.weight"]
    assert list(model.slots) == ["a.weight", "a.weight.weight"]
    assert [slot.group for slot in model.slots.values()] == ["weight:a:0", "weight:a.weight:0"]


def test_a_tensor_is_unpacked_a_piece_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_members, "PIECE", 7)
    monkeypatch.setattr("qviz.model.weights.gguf_file.SLICE", 64)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=normal(5, 5).numpy())
    same(read_weights(path), {"a": normal(5, 5)})
    path = write_gguf(tmp_path / "a.gguf", {"a": (normal(5, 96), "Q8_0")})
    expected = gguf.dequantize(gguf.GGUFReader(path).tensors[0].data, GGMLQuantizationType.Q8_0)
    np.testing.assert_array_equal(read_weights(path).constants["a"].numpy(), expected)

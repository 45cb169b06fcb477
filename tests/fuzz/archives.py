"""Damaged archives of PyTorch: programs, TorchScript, checkpoints, pickles that run code."""

from __future__ import annotations

import io
import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, cast

import torch

from tests.fuzz.case import Case
from tests.fuzz.mutations import damaged
from tests.fuzz.samples import npz

CANARY = "canary"  # the file that a pickle makes in the working folder, should it ever run
Members = dict[str, bytes]


def _network() -> torch.nn.Module:
    torch.manual_seed(0)
    layers = (torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    return torch.nn.Sequential(*layers).eval()


@lru_cache(maxsize=1)
def program() -> bytes:
    """A .pt2 file."""
    file = io.BytesIO()
    exported = torch.export.export(_network(), (torch.zeros(2, 4),))
    torch.export.save(exported, file)
    return file.getvalue()


@lru_cache(maxsize=1)
def script() -> bytes:
    """A TorchScript file."""
    file, jit = io.BytesIO(), cast("Any", torch.jit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jit.save(jit.trace(_network(), torch.zeros(2, 4)), file)
    return file.getvalue()


def checkpoint(zipped: bool = True) -> bytes:
    """A state dictionary, as PyTorch saves it since 1.6 or before."""
    file = io.BytesIO()
    torch.save(_network().state_dict(), file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


class _Runs:
    """Unpickled, it writes the canary."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (CANARY, "w")


def _members(content: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(members: Members, compressed: bool = False) -> bytes:
    file = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return file.getvalue()


def archive_cases() -> Iterator[Case]:
    """Every damaged archive."""
    yield Case("pt2", "whole", {"net.pt2": program()}, "net.pt2", outcome="opens")
    yield Case("checkpoint", "whole", {"net.pt": checkpoint()}, "net.pt", outcome="opens")
    yield Case("checkpoint", "old", {"net.pt": checkpoint(False)}, "net.pt", outcome="opens")
    yield _script("whole", script(), "opens")
    yield from damaged_archives("0", 12)
    yield from _programs()
    yield from _checkpoints()
    yield from _scripts()


def damaged_archives(seed: str, count: int) -> Iterator[Case]:
    """Bits flipped, pieces cut: `count` of each kind."""
    for name, content in damaged(program(), f"{seed} pt2", count):
        yield Case("pt2", name, {"net.pt2": content}, "net.pt2", outcome="either")
    for name, content in damaged(checkpoint(), f"{seed} pt", count):
        yield Case("checkpoint", name, {"net.pt": content}, "net.pt", outcome="either")
    for name, content in damaged(checkpoint(False), f"{seed} old pt", count):
        yield Case("checkpoint", f"old {name}", {"net.pt": content}, "net.pt", outcome="either")
    for name, content in damaged(script(), f"{seed} script", count):
        yield _script(name, content, "either")
    wholes: tuple[tuple[str, bytes, Callable[[str, bytes], Case]], ...] = (
        ("pt2", program(), lambda name, content: _program(name, content, "either")),
        ("script", script(), lambda name, content: _script(name, content, "either")),
        ("checkpoint", checkpoint(), _checkpoint),
    )
    for kind, whole, make in wholes:
        members = _members(whole)
        for part in sorted(name for name in members if name.endswith((".json", ".py", ".pkl"))):
            some = damaged(members[part], f"{seed} {kind} {part}", max(count // 4, 1))
            for name, content in some:
                label = f"inside {part.partition('/')[2]} {name}"
                yield make(label, _zipped({**members, part: content}))


def _checkpoint(name: str, content: bytes) -> Case:
    return Case("checkpoint", name, {"net.pt": content}, "net.pt", outcome="either")


def _script(name: str, content: bytes, outcome: Any = "error") -> Case:
    files = {"net.pt": content, "x.npz": npz()}
    return Case("torchscript", name, files, "net.pt", "x.npz", outcome=outcome)


def _programs() -> Iterator[Case]:
    members = _members(program())
    root = next(iter(members)).partition("/")[0]
    graph = next(name for name in members if name.endswith("models/model.json"))
    config = next(name for name in members if name.endswith("model_weights_config.json"))
    for name in members:
        if name.endswith((".json", "archive_format", "weight_0")):
            left = {n: c for n, c in members.items() if n != name}
            yield _program(f"without {name.partition('/')[2]}", _zipped(left))
    yield _program("compressed", _zipped(members, compressed=True))
    yield _program("with a pickle", _zipped({**members, f"{root}/data.pkl": pickle.dumps(_Runs())}))
    odd = f"{root}/data/constants/custom_obj_0"
    yield _program("with an object", _zipped({**members, odd: pickle.dumps(_Runs())}))
    pickled = members[config].replace(b'"use_pickle": false', b'"use_pickle": true')
    weights = {n: pickle.dumps(_Runs()) for n in members if "data/weights/weight_" in n}
    yield _program("weights that are pickles", _zipped({**members, **weights, config: pickled}))
    for text, value in (
        ("[]", []),
        ("null", None),
        ("a number", 7),
        ("an empty object", {}),
        ("text", "text"),
    ):
        content = json.dumps(value).encode()
        yield _program(f"graph that is {text}", _zipped({**members, graph: content}))
        yield _program(f"weights table that is {text}", _zipped({**members, config: content}))
    yield _program("graph 100,000 deep", _zipped({**members, graph: b"[" * 100_000}))
    for old, new in (
        (b'"as_int": 8', b'"as_int": -8'),
        (b'"as_int": 8', b'"as_int": 4611686018427387904'),
        (b'"as_int": 4', b'"as_int": 1e99'),
        (b'"dtype": 7', b'"dtype": 99'),
        (b'"storage_offset": {"as_int": 0}', b'"storage_offset": {"as_int": 9}'),
    ):
        changed = members[config].replace(old, new)
        yield _program(
            f"{old.decode()} made {new.decode()}", _zipped({**members, config: changed}), "either"
        )
    for old, new in (
        (b"torch.ops.aten.linear.default", b"torch.ops.aten.no_such.default"),
        (b"torch.ops.aten.linear.default", b"os.system"),
        (b"torch.ops.aten.relu.default", b"torch.ops.aten.linear.default"),
        (b'"as_tensor": {"name": "relu"}', b'"as_tensor": {"name": "linear_1"}'),
    ):
        changed = members[graph].replace(old, new)
        yield _program(f"{old.decode()} made {new.decode()}", _zipped({**members, graph: changed}))


def _program(name: str, content: bytes, outcome: Any = "error") -> Case:
    return Case("pt2", name, {"net.pt2": content}, "net.pt2", outcome=outcome)


def _checkpoints() -> Iterator[Case]:
    members = _members(checkpoint())
    pickled = next(name for name in members if name.endswith("data.pkl"))
    for name, content in (
        ("a pickle that runs code", pickle.dumps(_Runs())),
        ("an old pickle that runs code", pickle.dumps({"w": _Runs()}, protocol=0)),
        ("a zip whose pickle runs code", _zipped({**members, pickled: pickle.dumps(_Runs(), 2)})),
        ("an object", pickle.dumps(object())),
        ("a list of numbers", pickle.dumps([1, 2])),
        ("a whole module", _saved(_network())),
        ("no tensors", _saved({})),
        ("a number", _saved(7)),
        ("only vectors", _saved({"b": torch.zeros(3)})),
        ("NaN", _saved({"w": torch.full((4, 4), torch.nan)})),
        ("a sparse tensor", _saved({"w": torch.eye(4).to_sparse()})),
        ("not a number of bytes", b"PK\x03\x04" + b"\0" * 200),
        ("a pickle bomb", b"\x80\x02" + b"(" * 100_000 + b"."),
        ("a pickle of 2^60 bytes", b"\x80\x04\x8e" + struct.pack("<Q", 2**60)),
        ("a memo at 2^32", b"\x80\x02K\x01r\xff\xff\xff\xff."),
        ("without storages", _zipped({pickled: members[pickled]})),
        (
            "with short storages",
            _zipped({n: c[:8] if "/data/" in n else c for n, c in members.items()}),
        ),
    ):
        for suffix in (".pt", ".bin"):
            file = f"net{suffix}"
            yield Case(
                "checkpoint",
                f"{name}, {suffix}",
                {file: content},
                file,
                outcome="either" if name == "NaN" else "error",
            )


def _saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def _scripts() -> Iterator[Case]:
    members = _members(script())
    code = sorted(name for name in members if name.endswith(".py"))
    for name in members:
        if name.endswith((".py", "constants.pkl", "data.pkl", "version", "/data/0")):
            left = {n: c for n, c in members.items() if n != name}
            yield _script(f"without {name.rpartition('/')[2]} {len(name)}", _zipped(left), "either")
    pickled = next(name for name in members if name.endswith("/data.pkl"))
    yield _script("data that runs code", _zipped({**members, pickled: pickle.dumps(_Runs(), 2)}))
    for text in (
        "",
        "def forward(self",
        "class A:\n  pass\n",
        "\0" * 64,
        "(" * 50_000,
        "x = " + "-" * 50_000 + "1",
    ):
        yield _script(f"code {text[:12]!r}", _zipped({**members, code[0]: text.encode()}))
    for call in ("torch.save(x, 'f')", "ops.aten.from_file('/etc/passwd')", "torch.load('f')"):
        body = members[code[0]].replace(b"return ", f"{call}\n    return ".encode(), 1)
        yield _script(f"code with {call}", _zipped({**members, code[0]: body}))
    files = {"net.pt": script(), "x.npz": b"no samples"}
    yield Case("torchscript", "with bad samples", files, "net.pt", "x.npz")
    yield Case("torchscript", "without samples", {"net.pt": script()}, "net.pt")

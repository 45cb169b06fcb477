"""The zip archives that PyTorch writes, read without running anything that is in them."""

from __future__ import annotations

import json
import mmap
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch._export.serde.schema import Layout
from torch._export.serde.serialize import deserialize_scalar_type

from qviz.errors import QvizError

# Text shrinks by about ten at most; what promises more is made to fill the memory.
_GROWTH = 20
_ALLOWANCE = 16 << 20
_LOCAL_HEADER = 30  # bytes
_END_64 = 98  # bytes of the records at the end of a large zip
SAVE_AGAIN = "Save it again with torch.export.save of PyTorch 2.8 or newer"


@dataclass(frozen=True, eq=False)
class Archive:
    """A .pt2 archive: where each record lies in the mapped file, by its name below the root."""

    path: Path
    data: mmap.mmap
    records: Mapping[str, tuple[int, int]]  # offset and size in bytes

    def read(self, name: str) -> bytes:
        """The bytes of one record; raises QvizError when there is none of this name."""
        if name not in self.records:
            raise QvizError(self.path.name, f"its part '{name}' is missing", SAVE_AGAIN)
        offset, size = self.records[name]
        return self.data[offset : offset + size]

    def parse(self, name: str) -> Any:
        """One record as JSON; raises QvizError when it is none."""
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise damaged(self.path, f"its part '{name}' is not valid JSON") from error


def open_zip(path: Path) -> zipfile.ZipFile:
    """A zip whose table of contents can be trusted; raises QvizError when it is damaged.

    Two readers must agree on the contents, and no part may promise more than the file can hold.
    """
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise QvizError(path.name, "there is no such file", "Check the path") from error
    except OSError as error:
        cause = error.strerror or str(error)
        raise QvizError(path.name, f"it cannot be read: {cause}", "Check the file") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise QvizError(
            path.name,
            "it is not an archive that PyTorch writes, or only part of one",
            "Check that the download or copy is complete, or save the model again",
        ) from error
    entries = archive.infolist()
    names = {entry.filename.lower() for entry in entries}
    if len(names) != len(entries) or archive.comment or not _at_its_place(path, archive.start_dir):
        archive.close()
        raise damaged(path, "its table of contents is not one that PyTorch writes")
    size = path.stat().st_size
    stored = sum(entry.compress_size for entry in entries)
    if stored > size or sum(e.file_size for e in entries) > _GROWTH * size + _ALLOWANCE:
        archive.close()
        raise damaged(path, "its parts claim to be larger than the file can hold")
    return archive


def _at_its_place(path: Path, start: int) -> bool:
    """Whether the table of contents lies where the end of the file says.

    Python finds it by its length instead, so that a second table could be hidden from it.
    """
    with path.open("rb") as stream:
        stream.seek(-min(_END_64, path.stat().st_size), 2)
        tail = stream.read()
    if tail[-42:-38] == b"PK\x06\x07":  # larger than 4 GB, or written as if it were
        record = int.from_bytes(tail[-34:-26], "little")
        offset = int.from_bytes(tail[-50:-42], "little")
        return offset == start and record == path.stat().st_size - _END_64
    return int.from_bytes(tail[-6:-2], "little") == start


def open_archive(path: Path) -> Archive:
    """Map a .pt2 file that holds only what torch.export.save writes of plain models.

    Raises QvizError for anything else: the pickles of other formats could run code.
    """
    with open_zip(path) as archive:
        entries = archive.infolist()
        kind = _other_kind(entry.filename for entry in entries)
        if kind is not None:
            raise QvizError(path.name, *kind)
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise QvizError(
                path.name,
                "its parts are compressed, which torch.export.save never does",
                SAVE_AGAIN,
            )
        with path.open("rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
        records = {
            entry.filename.partition("/")[2]: (_offset(path, data, entry), entry.file_size)
            for entry in entries
        }
    found = Archive(path, data, records)
    _check_contents(found)
    return found


def read_tensors(archive: Archive, config: str, folder: str) -> dict[str, torch.Tensor]:
    """The tensors that a payload table lists, as views of the mapped file, on the CPU.

    Raises QvizError when one is pickled, lies outside its record or would not fit in memory.
    """
    path = archive.path
    tensors: dict[str, torch.Tensor] = {}
    layouts: set[tuple[Any, ...]] = set()
    budget = 4 * len(archive.data) + _ALLOWANCE
    for name, payload in _payloads(archive, config):
        record = payload.get("path_name")
        if payload.get("use_pickle") or not str(record).startswith(("weight_", "tensor_")):
            raise _pickled(path, name)
        where = f"{folder}{record}"
        if where not in archive.records:
            raise QvizError(path.name, f"the values of its tensor '{name}' are missing", SAVE_AGAIN)
        try:
            meta = _Layout.parse(payload["tensor_meta"])
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, f"its tensor '{name}' has no valid shape and type") from error
        if (where, meta) not in layouts:
            layouts.add((where, meta))
            budget -= meta.numel * meta.dtype.itemsize
        if budget < 0:
            raise damaged(path, f"its tensor '{name}' is larger than the file can hold")
        tensor = _view(archive, name, where, meta)
        is_parameter = bool(payload.get("is_param"))
        tensors[name] = torch.nn.Parameter(tensor, requires_grad=False) if is_parameter else tensor
    return tensors


@dataclass(frozen=True)
class _Layout:
    """Where the elements of a tensor lie in its record, in elements."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @staticmethod
    def parse(meta: Mapping[str, Any]) -> _Layout:
        """Read the table's entry; raises ValueError, KeyError or TypeError when it is not one."""
        shape = tuple(_count(size) for size in meta["sizes"])
        strides = tuple(_count(size) for size in meta["strides"])
        if len(shape) != len(strides) or meta["layout"] != Layout.Strided.value:
            raise ValueError("not a dense tensor")
        dtype = deserialize_scalar_type(meta["dtype"])
        return _Layout(dtype, shape, strides, _count(meta["storage_offset"]))

    @property
    def numel(self) -> int:
        product = 1
        for size in self.shape:
            product *= size
        return product

    @property
    def end(self) -> int:
        """One past the last element."""
        if not self.numel:
            return 0
        steps = zip(self.shape, self.strides, strict=True)
        return self.offset + sum((size - 1) * stride for size, stride in steps) + 1


def _count(number: Mapping[str, int]) -> int:
    value = number["as_int"]
    if type(value) is not int or value < 0:
        raise ValueError("not a count")
    return value


def _view(archive: Archive, name: str, where: str, layout: _Layout) -> torch.Tensor:
    offset, size = archive.records[where]
    count = size // layout.dtype.itemsize
    if layout.end > count:
        raise damaged(archive.path, f"its tensor '{name}' does not hold as many values as it says")
    if not layout.numel:
        return torch.empty(layout.shape, dtype=layout.dtype)
    flat = torch.frombuffer(archive.data, dtype=layout.dtype, count=count, offset=offset)
    if offset % layout.dtype.itemsize:
        flat = flat.clone()  # PyTorch aligns records; another tool may not have
    return flat.as_strided(layout.shape, layout.strides, layout.offset)


def _payloads(archive: Archive, config: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    table = archive.parse(config)
    entries = table.get("config") if isinstance(table, dict) else None
    if not isinstance(entries, dict):
        raise damaged(archive.path, f"its part '{config}' lists no tensors")
    for name, payload in entries.items():
        if not isinstance(payload, dict):
            raise damaged(archive.path, f"its part '{config}' does not describe '{name}'")
        yield name, payload


def _offset(path: Path, data: mmap.mmap, entry: zipfile.ZipInfo) -> int:
    """Where the bytes of a stored entry begin: after its local header, whose length varies."""
    start = entry.header_offset
    header = data[start : start + _LOCAL_HEADER]
    if len(header) < _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
        raise damaged(path, "its table of contents does not fit its contents")
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    offset = start + _LOCAL_HEADER + lengths
    if offset + entry.file_size > len(data):
        raise damaged(path, "it ends before its contents do")
    return offset


def _other_kind(names: Iterator[str]) -> tuple[str, str] | None:
    """Cause and cure when the archive is another of PyTorch's formats."""
    listed = list(names)
    below = {name.partition("/")[2] for name in listed}
    if "serialized_exported_program.json" in listed:
        cause = "it is written in the format of PyTorch before 2.8, whose pickles could run code"
        return cause, f"{SAVE_AGAIN} (torch.export.load of an older PyTorch reads it)"
    if "constants.pkl" in below:
        return "it is a TorchScript model", "Name it .pt and open it with samples"
    if "data.pkl" in below:
        return (
            "it holds weights or a pickled module, which could run code, and no graph",
            "Export the module with torch.export.save, or open the Python file that builds it",
        )
    if "archive_format" not in below:
        return "it is not a model that torch.export.save wrote", SAVE_AGAIN
    return None


def _check_contents(archive: Archive) -> None:
    """Refuse machine code and everything that torch would unpickle; sample inputs stay unread."""
    path = archive.path
    if archive.read("archive_format") != b"pt2" or archive.read("archive_version") != b"0":
        raise QvizError(path.name, "it is written in a format newer than this PyTorch", SAVE_AGAIN)
    if "byteorder" in archive.records and archive.read("byteorder").decode() != sys.byteorder:
        raise QvizError(path.name, "it was saved on a machine of other byte order", SAVE_AGAIN)
    for name in archive.records:
        if name.startswith("data/aotinductor/"):
            raise QvizError(
                path.name,
                "it holds compiled machine code of AOTInductor, which would be run",
                "Save the exported program itself with torch.export.save",
            )
        legacy = name.startswith(("data/weights/", "data/constants/")) and name.endswith(".pt")
        if legacy or name.startswith(("data/constants/custom_obj_", "data/constants/opaque_obj_")):
            raise _pickled(path, name)


def _pickled(path: Path, name: str) -> QvizError:
    return QvizError(
        path.name,
        f"its part '{name}' is a pickled object, which could run code",
        "Export the module with plain tensors as weights, or open the Python file that builds it",
    )


def damaged(path: Path, cause: str) -> QvizError:
    """The error for an archive that is not as torch.export.save writes it."""
    return QvizError(path.name, cause, f"{SAVE_AGAIN}; the file is damaged or was altered")

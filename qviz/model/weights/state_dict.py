"""PyTorch's state dicts: .pt, .pth and .bin, of which no pickled object is ever run."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from qviz.errors import QvizError
from qviz.model.file_tensors import FileTensor
from qviz.model.weights.memory import check_memory
from qviz.model.weights.opened_file import OpenedFile, open_file
from qviz.model.weights.state_tree import named_tensors
from qviz.model.weights.stored import (
    TYPES,
    Place,
    StoredTensor,
    WeightFile,
    damaged,
    plain_tensor,
    type_name,
)
from qviz.model.weights.zip_members import Member, find_members

LARGEST_PICKLE = 1 << 26  # bytes; it holds names and shapes only
_OLD_FORMAT = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch.serialization's magic number


def read_state_dict(path: Path) -> WeightFile:
    """Read what a checkpoint declares, with `weights_only`; raises QvizError when it is refused.

    The tensors are loaded without data (the meta device) and their bytes found by their records.
    """
    file = open_file(path)
    with file.stream() as stream:
        beginning = stream.read(len(_OLD_FORMAT))
    if beginning == _OLD_FORMAT:
        return _in_memory(file)
    if beginning[:1] == b"\x80":
        raise _pickled(file)
    if not beginning.startswith(b"PK\x03\x04"):
        raise QvizError(
            path.name, "it is not a PyTorch file", "Save it with torch.save(model.state_dict(), …)"
        )
    records = _records(file)
    try:
        tree = torch.load(path, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _pickled(file) from error
    except Exception:  # types of tensors that there are none of on the meta device
        return _in_memory(file)
    found, notes = named_tensors(file, tree)
    usual, left_out = _sorted(found)
    if not all(hasattr(t.untyped_storage(), "_checkpoint_offset") for t in usual.values()):
        return _in_memory(file)  # an older torch does not say where it lies
    tensors = [_stored(file, name, tensor, records) for name, tensor in usual.items()]
    return WeightFile(tuple(tensors), (file,), left_out, notes)


def _records(file: OpenedFile) -> dict[int, int]:
    """Offset -> size of the archive's members, all of them unpacked."""
    members = find_members(file)
    inner = {name.partition("/")[2]: member for name, member in members.items()}
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        raise QvizError(
            file.path.name, "it is a TorchScript program", "Convert it with torch.export"
        )
    if "data.pkl" not in inner:
        raise QvizError(
            file.path.name,
            "it is a zip archive, but not one of PyTorch",
            "Save it with torch.save(model.state_dict(), …)",
        )
    if inner["data.pkl"].size > LARGEST_PICKLE:
        raise damaged(file, "its pickle of names and shapes is too long")
    if any(member.packed for member in members.values()):
        raise damaged(file, "its members are packed, which PyTorch's are not")
    if "byteorder" in inner and _bytes(file, inner["byteorder"]) == b"big":
        raise damaged(file, "it is written for big-endian machines")
    return {member.offset: member.size for member in members.values()}


def _bytes(file: OpenedFile, member: Member) -> bytes:
    return bytes(file.read(member.offset, min(member.size, 16)).numpy())


def _pickled(file: OpenedFile) -> QvizError:
    return QvizError(
        file.path.name,
        "it holds pickled Python objects, which qviz never runs",
        "Save model.state_dict() with torch.save, or the model with torch.export",
    )


def _sorted(
    found: Mapping[str, torch.Tensor],
) -> tuple[dict[str, torch.Tensor], tuple[tuple[str, str], ...]]:
    """The tensors that can be read, and (name, reason) of the others."""
    reasons = {name: _unusual(tensor) for name, tensor in found.items()}
    usual = {name: tensor for name, tensor in found.items() if reasons[name] is None}
    return usual, tuple((name, reason) for name, reason in reasons.items() if reason)


def _unusual(tensor: torch.Tensor) -> str | None:
    """Why a tensor cannot be read as plain values; None for those that can."""
    if tensor.layout != torch.strided or tensor.is_quantized:
        return "of sparse or quantized layout"
    if tensor.dtype not in TYPES.values():
        return f"of type {type_name(tensor.dtype)}"
    if tensor.numel() and _extent(tensor) < tensor.numel():
        return "with values that are stored once and repeated"
    return None


def _extent(tensor: torch.Tensor) -> int:
    """Values from the tensor's first to its last in memory."""
    if not tensor.numel():
        return 0
    return 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))


def _stored(
    file: OpenedFile, name: str, tensor: torch.Tensor, records: Mapping[int, int]
) -> StoredTensor:
    """Where the tensor lies: its record, which must be long enough, and its place in that."""
    storage: Any = tensor.untyped_storage()
    record, size = storage._checkpoint_offset, tensor.dtype.itemsize
    begin, extent = tensor.storage_offset() * size, _extent(tensor)
    if begin + extent * size > records.get(record, 0):
        raise damaged(file, f"its tensor '{name[:80]}' does not have as many bytes as its shape")
    shape, strides = tuple(tensor.shape), tensor.stride()
    if tensor.is_contiguous():
        return plain_tensor(file, name, shape, tensor.dtype, record + begin)
    flat = plain_tensor(file, name, (extent,), tensor.dtype, record + begin)

    def read() -> torch.Tensor:
        return flat.tensor.read().as_strided(shape, strides)

    place = Place(str(file.path), record + begin, strides)
    return StoredTensor(name, FileTensor(shape, tensor.dtype, read), flat.stored_type, place)


def _in_memory(file: OpenedFile) -> WeightFile:
    """Load all of it, as the format of before PyTorch 1.6 and quantized tensors demand."""
    check_memory(file, file.size, "loading all of it, as its format demands,")
    try:
        tree = torch.load(file.path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _pickled(file) from error
    except Exception as error:  # damaged files fail in many places of torch
        raise damaged(file, "PyTorch cannot read it, whole or in part") from error
    found, notes = named_tensors(file, tree)
    usual, left_out = _sorted(found)
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage() for t in usual.values()}
    if sum(storage.nbytes() for storage in storages.values()) > file.size:
        raise damaged(file, "its tensors have more bytes than it has")
    order = {place: number for number, place in enumerate(storages)}
    tensors: list[StoredTensor] = []
    for name, tensor in usual.items():
        number = order[tensor.untyped_storage().data_ptr()]
        strides = None if tensor.is_contiguous() else tensor.stride()
        place = Place(f"{file.path}, storage {number}", int(tensor.storage_offset()), strides)
        held = FileTensor(tuple(tensor.shape), tensor.dtype, tensor.detach)
        tensors.append(StoredTensor(name, held, type_name(tensor.dtype), place))
    return WeightFile(tuple(tensors), (file,), left_out, notes)

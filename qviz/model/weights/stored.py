"""What every reader of weights returns: the tensors of a file, still in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from qviz.errors import QvizError
from qviz.model.file_tensors import FileTensor
from qviz.model.weights.opened_file import OpenedFile

MOST_DIMENSIONS = 32
MOST_BYTES = 1 << 62  # of one tensor; sizes beyond it overflow

# The names that safetensors files use.
TYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
}
if hasattr(torch, "float8_e8m0fnu"):  # torch 2.7
    TYPES["F8_E8M0"] = torch.float8_e8m0fnu
_NAMES = {dtype: name for name, dtype in TYPES.items()}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor's bytes lie; tensors in the same place are tied."""

    file: str
    offset: int
    strides: tuple[int, ...] | None = None  # None: contiguous


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One named tensor of a file."""

    name: str
    tensor: FileTensor
    stored_type: str  # "BF16", "Q4_K"
    place: Place


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file of weights, or several that belong together."""

    tensors: tuple[StoredTensor, ...]
    files: tuple[OpenedFile, ...]
    left_out: tuple[tuple[str, str], ...] = ()  # (name of a tensor, why)
    notes: tuple[str, ...] = ()


def type_name(dtype: torch.dtype) -> str:
    """The name that safetensors files use: F32 for torch.float32."""
    return _NAMES.get(dtype, str(dtype).removeprefix("torch."))


def plain_tensor(
    file: OpenedFile, name: str, shape: tuple[int, ...], dtype: torch.dtype, offset: int
) -> StoredTensor:
    """A tensor whose values lie in the file one after another, in torch's own format."""
    read = partial(_read_plain, file, shape, dtype, offset)
    tensor = FileTensor(shape, dtype, read)
    return StoredTensor(name, tensor, type_name(dtype), Place(str(file.path), offset))


def checked_shape(file: OpenedFile, name: str, sizes: Sequence[object]) -> tuple[int, ...]:
    """The sizes as a shape; raises QvizError when no tensor can have it."""
    shape = tuple(size for size in sizes if type(size) is int and 0 <= size <= MOST_BYTES)
    if (
        len(shape) != len(sizes)
        or len(shape) > MOST_DIMENSIONS
        or math.prod(max(size, 1) for size in shape) * 16 > MOST_BYTES
    ):
        raise damaged(file, f"its tensor '{name[:80]}' has an impossible shape")
    return shape


def damaged(file: OpenedFile, cause: str) -> QvizError:
    """The file contradicts itself."""
    cure = "Copy or download it again, or save it again with the library that wrote it"
    return QvizError(file.path.name, cause, cure)


def listed(names: Sequence[str]) -> str:
    """The first few names of many."""
    shown = ", ".join(name[:80] for name in names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _read_plain(
    file: OpenedFile, shape: tuple[int, ...], dtype: torch.dtype, offset: int
) -> torch.Tensor:
    count = math.prod(shape) * dtype.itemsize
    return file.read(offset, count).view(dtype).reshape(shape)

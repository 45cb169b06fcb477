"""Weights in an .npz: arrays in a zip archive, as Keras and JAX users save them."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy

from qviz.model.file_tensors import FileTensor
from qviz.model.tensors import from_numpy
from qviz.model.weights.memory import check_memory
from qviz.model.weights.opened_file import OpenedFile, open_file
from qviz.model.weights.stored import (
    TYPES,
    Place,
    StoredTensor,
    WeightFile,
    checked_shape,
    damaged,
    type_name,
)
from qviz.model.weights.zip_members import Member, find_members, unpack

LONGEST_HEADER = 1 << 14  # bytes; numpy reads 10,000 of them
_KINDS = {  # numpy's kind and size: the name of the type
    **{f"f{size}": f"F{8 * size}" for size in (2, 4, 8)},
    **{f"i{size}": f"I{8 * size}" for size in (1, 2, 4, 8)},
    **{f"u{size}": f"U{8 * size}" for size in (1, 2, 4, 8)},
    "b1": "BOOL",
    "c8": "C64",
}


@dataclass(frozen=True, slots=True)
class _Array:
    """What an array's own header declares."""

    shape: tuple[int, ...]
    column_major: bool
    dtype: np.dtype[Any]
    start: int  # of its values within the member


def read_npz_weights(path: Path) -> WeightFile:
    """Read the headers of all arrays; raises QvizError when the file is damaged or no .npz."""
    file = open_file(path)
    tensors: list[StoredTensor] = []
    left_out: list[tuple[str, str]] = []
    for member in find_members(file).values():
        if not member.name.endswith(".npy"):
            continue
        name = member.name.removesuffix(".npy")
        array = _array(file, member)
        kind = _KINDS.get(f"{array.dtype.kind}{array.dtype.itemsize}")
        if array.dtype.hasobject:
            left_out.append((name, "of Python objects, which qviz never unpickles"))
        elif kind is None:
            left_out.append((name, f"of unknown type {array.dtype.str}"))
        else:
            tensors.append(_tensor(file, member, name, array, TYPES[kind]))
    return WeightFile(tuple(tensors), (file,), tuple(left_out))


def _array(file: OpenedFile, member: Member) -> _Array:
    """Parse an array's header, which numpy limits to 10,000 characters."""
    count = min(member.size, LONGEST_HEADER)
    data = unpack(file, member, count) if member.packed else file.read(member.offset, count)
    content = io.BytesIO(data.numpy().tobytes())
    try:
        version = npy.read_magic(content)
        read_header = npy.read_array_header_2_0
        if version == (1, 0):
            read_header = npy.read_array_header_1_0
        shape, column_major, dtype = read_header(content)
    except Exception as error:  # numpy fails in many ways on damaged text
        raise damaged(file, f"its array '{member.name[:80]}' is not an .npy array") from error
    return _Array(shape, column_major, dtype, content.tell())


def _tensor(
    file: OpenedFile, member: Member, name: str, array: _Array, dtype: torch.dtype
) -> StoredTensor:
    shape = checked_shape(file, name, array.shape)
    if member.size != array.start + math.prod(shape) * dtype.itemsize:
        raise damaged(file, f"its array '{name[:80]}' does not have as many bytes as its shape")
    tensor = FileTensor(shape, dtype, partial(_read, file, member, array))
    place = Place(str(file.path), member.offset)
    return StoredTensor(name, tensor, type_name(dtype), place)


def _read(file: OpenedFile, member: Member, array: _Array) -> torch.Tensor:
    if member.packed:  # the bytes may be a thousand times those in the file
        check_memory(file, 2 * member.size, f"its array '{member.name[:80]}'")
        data = unpack(file, member, member.size)[array.start :].clone()
    else:
        data = file.read(member.offset + array.start, member.size - array.start)
    values = data.numpy().view(array.dtype)
    if array.column_major:
        values = values.reshape(array.shape[::-1]).T
    tensor = from_numpy(values.reshape(array.shape))
    if not isinstance(tensor, torch.Tensor):
        raise damaged(file, f"its array '{member.name[:80]}' holds no numbers")
    return tensor

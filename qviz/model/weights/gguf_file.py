"""GGUF: the files of llama.cpp, whose tensors are quantized in blocks of a row."""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from qviz.errors import QvizError
from qviz.model.file_tensors import FileTensor
from qviz.model.weights.gguf_header import TensorEntry, read_header
from qviz.model.weights.opened_file import OpenedFile, open_file
from qviz.model.weights.stored import (
    TYPES,
    Place,
    StoredTensor,
    WeightFile,
    checked_shape,
    damaged,
    plain_tensor,
)

SLICE = 1 << 20  # values dequantized at a time
_PART = re.compile(r".+-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf")


def read_gguf(path: Path) -> WeightFile:
    """Read the header of one file; raises QvizError when it is damaged or no such file."""
    file = open_file(path)
    tensors: dict[str, StoredTensor] = {}
    left_out: list[tuple[str, str]] = []
    readable: dict[int, bool] = {}
    for entry in read_header(file):
        if entry.name in tensors:
            raise damaged(file, f"its tensor '{entry.name[:80]}' is there twice")
        kind = _kind(entry.kind)
        if kind is None:
            left_out.append((entry.name, f"of unknown type {entry.kind}"))
        elif kind.name not in TYPES and not readable.setdefault(kind, _can_dequantize(kind)):
            left_out.append((entry.name, f"of type {kind.name}, which gguf cannot dequantize"))
        else:
            tensors[entry.name] = _tensor(file, entry, kind)
    return WeightFile(tuple(tensors.values()), (file,), tuple(left_out), _part_note(path))


def _kind(number: int) -> GGMLQuantizationType | None:
    try:
        kind = GGMLQuantizationType(number)
    except ValueError:
        return None
    return kind if kind in GGML_QUANT_SIZES else None


def _can_dequantize(kind: GGMLQuantizationType) -> bool:
    """Whether the library has the code, found by trying it on one block of zeros."""
    block = np.zeros((1, GGML_QUANT_SIZES[kind][1]), np.uint8)
    try:
        _dequantized(block, kind)
    except Exception:  # whatever its missing or unfinished code raises
        return False
    return True


def _tensor(file: OpenedFile, entry: TensorEntry, kind: GGMLQuantizationType) -> StoredTensor:
    shape = checked_shape(file, entry.name, entry.sizes[::-1])
    values, size = GGML_QUANT_SIZES[kind]
    columns = shape[-1] if shape else 1
    if columns % values:
        raise damaged(
            file, f"its tensor '{entry.name[:80]}' has rows of {columns}, no multiple of {values}"
        )
    count = math.prod(shape) // values * size
    if entry.offset + count > file.size:
        raise QvizError(
            file.path.name,
            f"it ends before its tensor '{entry.name[:80]}' does",
            "Copy or download it again; the file is not complete",
        )
    if kind.name in TYPES:
        return plain_tensor(file, entry.name, shape, TYPES[kind.name], entry.offset)
    read = partial(_read_blocks, file, shape, kind, entry.offset)
    tensor = FileTensor(shape, torch.float32, read, packed=count)
    return StoredTensor(entry.name, tensor, kind.name, Place(str(file.path), entry.offset))


def _read_blocks(
    file: OpenedFile, shape: tuple[int, ...], kind: GGMLQuantizationType, offset: int
) -> torch.Tensor:
    """Read and dequantize, a few rows at a time since the library keeps every piece twice."""
    values, size = GGML_QUANT_SIZES[kind]
    blocks = math.prod(shape) // values
    result = torch.empty(blocks * values)
    step = SLICE // values
    for first in range(0, blocks, step):
        count = min(step, blocks - first)
        packed = file.read(offset + first * size, count * size).numpy().reshape(1, -1)
        part = _dequantized(packed, kind).reshape(-1)
        result[first * values : (first + count) * values] = torch.from_numpy(part)
    return result.reshape(shape)


def _dequantized(blocks: np.ndarray, kind: GGMLQuantizationType) -> np.ndarray:
    with np.errstate(all="ignore"):  # scales that are not finite give values that are not
        return gguf.dequantize(blocks, kind)


def _part_note(path: Path) -> tuple[str, ...]:
    part = _PART.fullmatch(path.name)
    if part is None:
        return ()
    return (f"This is part {int(part['part'])} of {int(part['parts'])}; the others hold the rest",)

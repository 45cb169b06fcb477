"""The header of a GGUF file, read so that no number in it costs more time than the file is long.

The gguf library's own reader believes the counts that it finds and maps the whole file. Format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BufferedReader

from gguf.constants import GGUF_DEFAULT_ALIGNMENT, GGUFValueType

from qviz.errors import QvizError
from qviz.model.weights.opened_file import OpenedFile
from qviz.model.weights.stored import damaged

LONGEST = 1 << 25  # bytes; large vocabularies take ten million
MOST_DIMENSIONS = 4  # GGML_MAX_DIMS
LONGEST_NAME = 1 << 16
NESTING = 4  # arrays of arrays
MOST_ENTRIES = 1 << 18  # values or tensors; files have hundreds
VERSIONS = (2, 3)

_SIZES = {
    GGUFValueType.UINT8: 1,
    GGUFValueType.INT8: 1,
    GGUFValueType.BOOL: 1,
    GGUFValueType.UINT16: 2,
    GGUFValueType.INT16: 2,
    GGUFValueType.UINT32: 4,
    GGUFValueType.INT32: 4,
    GGUFValueType.FLOAT32: 4,
    GGUFValueType.UINT64: 8,
    GGUFValueType.INT64: 8,
    GGUFValueType.FLOAT64: 8,
}


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """What the header says of one tensor; `sizes` begin with the fastest dimension."""

    name: str
    sizes: tuple[int, ...]
    kind: int  # a GGMLQuantizationType
    offset: int  # in the file


def read_header(file: OpenedFile) -> list[TensorEntry]:
    """The tensors that the header declares; raises QvizError when it is damaged."""
    with file.stream() as stream:
        header = _Header(file, stream)
        if header.take(4) != b"GGUF":
            raise QvizError(
                file.path.name, "it is not a GGUF file", "Check that the download is complete"
            )
        _check_version(file, header.number("<I"))
        tensors, pairs = header.number("<Q"), header.number("<Q")
        if max(tensors, pairs) > MOST_ENTRIES:
            raise damaged(file, f"its header claims {max(tensors, pairs):,} entries")
        alignment = GGUF_DEFAULT_ALIGNMENT
        for _ in range(pairs):
            key, kind = header.text(), header.value_type()
            if key == "general.alignment" and kind == GGUFValueType.UINT32:
                alignment = header.number("<I")
            else:
                header.skip_value(kind)
        if alignment == 0 or alignment & (alignment - 1):
            raise damaged(file, f"its alignment of {alignment} is no power of two")
        found = [header.tensor() for _ in range(tensors)]
        start = -(-stream.tell() // alignment) * alignment
    return [TensorEntry(t.name, t.sizes, t.kind, start + t.offset) for t in found]


def _check_version(file: OpenedFile, version: int) -> None:
    if version & 0xFFFF == 0:
        raise QvizError(
            file.path.name,
            "it is written for big-endian machines",
            "Convert it with gguf_convert_endian, of the gguf package",
        )
    if version not in VERSIONS:
        raise QvizError(
            file.path.name,
            f"it is GGUF version {version}, and qviz reads 2 and 3",
            "Convert the model again with a current llama.cpp",
        )


class _Header:
    """Reads forward; whatever would lie beyond the file, or beyond LONGEST, ends it."""

    def __init__(self, file: OpenedFile, stream: BufferedReader) -> None:
        self._file, self._stream = file, stream
        self._left = min(file.size, LONGEST)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self._spend(count)
        return self._stream.read(count)

    def number(self, form: str) -> int:
        """The next number, of struct's format `form`."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def text(self) -> str:
        """The next string, of a name's length."""
        length = self.number("<Q")
        if length > LONGEST_NAME:
            raise damaged(self._file, f"its header holds a name of {length:,} bytes")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise damaged(self._file, "its header holds a name that is no text") from error

    def value_type(self) -> GGUFValueType:
        """The type of the value that follows."""
        number = self.number("<I")
        try:
            return GGUFValueType(number)
        except ValueError as error:
            raise damaged(self._file, f"its header holds a value of type {number}") from error

    def skip_value(self, kind: GGUFValueType, depth: int = 0) -> None:
        """Pass over a value."""
        if kind in _SIZES:
            self._skip(_SIZES[kind])
        elif kind == GGUFValueType.STRING:
            self._skip(self.number("<Q"))
        elif depth == NESTING:
            raise damaged(self._file, "its header holds arrays within arrays without end")
        else:
            kind, count = self.value_type(), self.number("<Q")
            if kind in _SIZES:
                self._skip(_SIZES[kind] * count)
            elif kind == GGUFValueType.STRING:
                self._skip_strings(count)
            elif count > MOST_ENTRIES:
                raise damaged(self._file, f"its header claims {count:,} arrays within an array")
            else:
                for _ in range(count):
                    self.skip_value(kind, depth + 1)

    def tensor(self) -> TensorEntry:
        """The next tensor's entry, its offset counted from the first tensor."""
        name, dimensions = self.text(), self.number("<I")
        if dimensions > MOST_DIMENSIONS:
            raise damaged(self._file, f"its tensor '{name[:80]}' has {dimensions} dimensions")
        sizes = tuple(self.number("<Q") for _ in range(dimensions))
        return TensorEntry(name, sizes, self.number("<I"), self.number("<Q"))

    def _skip_strings(self, count: int) -> None:
        """Pass over an array's strings; a vocabulary has half a million, too many for calls."""
        read, seek, left = self._stream.read, self._stream.seek, self._left
        for _ in range(count):
            length = int.from_bytes(read(8), "little")
            left -= 8 + length
            if left < 0:
                break
            seek(length, 1)
        self._spend(self._left - left)

    def _skip(self, count: int) -> None:
        self._spend(count)
        self._stream.seek(count, 1)

    def _spend(self, count: int) -> None:
        if count > self._left:
            raise damaged(self._file, "its header does not end within the file")
        self._left -= count

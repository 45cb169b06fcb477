"""Where the members of a zip archive lie, checked before anything is unpacked."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader

import torch

from qviz.model.weights.opened_file import OpenedFile
from qviz.model.weights.stored import damaged

LARGEST_DIRECTORY = 1 << 25  # bytes: some 300,000 members
DEFLATE_RATIO = 1032  # the most that deflate can pack, https://zlib.net/zlib_tech.html
PIECE = 1 << 20  # bytes unpacked at a time
_LOCAL = struct.Struct("<4s22xHH")  # magic, lengths of name and extra field
_END = struct.Struct("<4s8xII")  # magic, size and offset of the directory
_LOCATOR = struct.Struct("<4s4xQ")
_END64 = struct.Struct("<4s36xQ")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an archive."""

    name: str
    offset: int  # of its bytes in the file
    size: int  # unpacked
    length: int  # in the file
    checksum: int  # CRC-32 of the unpacked bytes
    packed: bool


def find_members(file: OpenedFile) -> dict[str, Member]:
    """The members by name; raises QvizError when the archive is damaged or could be a bomb."""
    try:
        with file.stream() as stream:
            if _directory_size(stream, file.size) > LARGEST_DIRECTORY:
                raise damaged(file, "its table of contents is too long")
            with zipfile.ZipFile(stream) as archive:
                entries = archive.infolist()
            found = {e.filename: _member(file, stream, e) for e in entries if not e.is_dir()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise damaged(file, f"it is not a whole zip archive ({str(error)[:100]})") from error
    if len(found) < sum(not entry.is_dir() for entry in entries):
        raise damaged(file, "two of its members have one name")
    return found


def _member(file: OpenedFile, stream: BufferedReader, entry: zipfile.ZipInfo) -> Member:
    name = entry.filename[:80]
    stream.seek(entry.header_offset)
    magic, name_length, extra_length = _LOCAL.unpack(stream.read(_LOCAL.size))
    offset = entry.header_offset + _LOCAL.size + name_length + extra_length
    if magic != b"PK\x03\x04" or offset + entry.compress_size > file.size:
        raise damaged(file, f"its member '{name}' is not where it should be")
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise damaged(file, f"its member '{name}' is encrypted or packed in an unusual way")
    packed = entry.compress_type == zipfile.ZIP_DEFLATED
    if entry.file_size > entry.compress_size * (DEFLATE_RATIO if packed else 1):
        raise damaged(file, f"its member '{name}' claims more bytes than it can hold")
    return Member(entry.filename, offset, entry.file_size, entry.compress_size, entry.CRC, packed)


def unpack(file: OpenedFile, member: Member, count: int) -> torch.Tensor:
    """The first `count` bytes of a packed member, uint8; raises QvizError when it is damaged."""
    data = torch.empty(count, dtype=torch.uint8)
    left, checksum = data.numpy().data, 0
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in _pieces(file, member):
            while left and (got := inflate.decompress(piece, min(len(left), PIECE))):
                left[: len(got)] = got
                left, checksum = left[len(got) :], zlib.crc32(got, checksum)
                piece = inflate.unconsumed_tail
            if not left:
                break
    except zlib.error as error:
        raise damaged(file, f"its member '{member.name[:80]}' cannot be unpacked") from error
    if left or (count == member.size and checksum != member.checksum):
        raise damaged(file, f"its member '{member.name[:80]}' cannot be unpacked")
    return data


def _pieces(file: OpenedFile, member: Member) -> Iterator[bytes]:
    with file.stream() as stream:
        stream.seek(member.offset)
        for done in range(0, member.length, PIECE):
            yield stream.read(min(PIECE, member.length - done))


def _directory_size(stream: BufferedReader, size: int) -> int:
    """Bytes of the directory at the end; 0 where there is none, which zipfile then says."""
    tail_length = min(size, (1 << 16) + 22)
    stream.seek(size - tail_length)
    tail = stream.read(tail_length)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or found + 22 > len(tail):
        return 0
    _, length, _ = _END.unpack_from(tail, found)
    if found < 20 or tail[found - 20 : found - 16] != b"PK\x06\x07":
        return int(length)
    _, record = _LOCATOR.unpack_from(tail, found - 20)
    if record + _END64.size > size:
        return int(length)
    stream.seek(record)
    return int(_END64.unpack(stream.read(_END64.size))[1])

"""WAV files: their header, and runs of samples read from disk."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from qviz.errors import QvizError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE  # RFC 2361; WAVEFORMATEXTENSIBLE
_STREAMED = 0xFFFFFFFF  # the size that recorders write before they know it
_WIDTHS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
Wave = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WavFile:
    """Where the samples of a WAV file are, and how they are written."""

    path: Path
    name: str
    rate: int  # samples per second
    channels: int
    bits: int
    floating: bool
    start: int  # bytes before the first sample
    length: int  # samples of each channel

    def read(self, start: int, length: int) -> Wave:
        """Mono samples in −1…1 [length], the mean of the channels; zeros beyond the end.

        Raises:
            QvizError: the file has changed, or has NaN or infinite samples.
        """
        frame = self.channels * self.bits // 8
        count = max(min(length, self.length - start), 0)
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.start + start * frame)
                data = stream.read(count * frame)
        except OSError as error:
            raise QvizError(self.name, f"it cannot be read ({error})", "Open it again") from error
        if len(data) != count * frame:
            raise QvizError(self.name, "it has changed since it was opened", "Open it again")
        mono = self._decoded(data).reshape(count, self.channels).mean(1)
        if not np.isfinite(mono).all():
            raise QvizError(self.name, "it has NaN or infinite samples", "Remove or repair it")
        found = np.zeros(length, np.float32)
        found[:count] = mono
        return found

    def _decoded(self, data: bytes) -> NDArray[np.floating[Any]]:
        if self.floating:
            return np.frombuffer(data, f"<f{self.bits // 8}")
        if self.bits == 8:  # the only width without a sign
            return (np.frombuffer(data, np.uint8) - 128.0) / 128.0
        if self.bits == 24:
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            return padded.view("<i4")[:, 0] / 2.0**31
        return np.frombuffer(data, f"<i{self.bits // 8}") / 2.0 ** (self.bits - 1)


def open_wav(path: Path, name: str) -> WavFile:
    """Read the header of a WAV file known to the user as `name`.

    Raises:
        QvizError: no WAV file, a truncated one, or samples that are compressed.
    """
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            riff = stream.read(12)
            if len(riff) < 12 or riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
                raise QvizError(name, "it is no WAV file", "Save it as WAV, PCM or float")
            return _chunks(stream, size, path, name)
    except OSError as error:
        raise QvizError(
            name, f"it cannot be read ({error.strerror})", "Check the file and its rights"
        ) from error


def _chunks(stream: BinaryIO, size: int, path: Path, name: str) -> WavFile:
    form: bytes | None = None
    while len(header := stream.read(8)) == 8:
        kind, length = struct.unpack("<4sI", header)
        start = stream.tell()
        if kind == b"data" and form is not None:
            length = size - start if length == _STREAMED else length
            if start + length > size:
                break
            return _described(form, start, length, path, name)
        if kind == b"fmt ":
            form = stream.read(min(length, 64))
        stream.seek(start + length + length % 2)  # chunks begin at even places
    raise QvizError(name, "it is truncated", "Copy or save it again")


def _described(form: bytes, start: int, length: int, path: Path, name: str) -> WavFile:
    if len(form) < 16:
        raise QvizError(name, "its header is damaged", "Copy or save it again")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = struct.unpack("<H", form[24:26])[0]
    if bits not in _WIDTHS.get(tag, ()) or not channels or not rate:
        raise QvizError(
            name,
            f"its samples are compressed or unusual (format {tag}, {bits} bits)",
            "Save it as PCM of 8 to 32 bits, or float",
        )
    count = length // (channels * bits // 8)
    if not count:
        raise QvizError(name, "it holds no samples", "Record it again, or remove it")
    return WavFile(path, name, rate, channels, bits, tag == _FLOAT, start, count)

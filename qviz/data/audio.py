"""Audio: frames of one or many WAV files, read when a row is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qviz.data.class_folders import Listing, list_files
from qviz.data.content import files_hash
from qviz.data.labels import check_labels
from qviz.data.reading import Reading
from qviz.data.samples import Array, Indices, InputSpec, Samples
from qviz.data.stored_file import StoredFile
from qviz.data.subset import draw, note
from qviz.data.unreadable import each_readable
from qviz.data.wav_file import WavFile, open_wav
from qviz.errors import QvizError

SUFFIXES = (".wav", ".wave")
RATES = ("sr", "sample_rate", "sampling_rate")
ANY_INPUT = InputSpec("audio", "float32", None)


@dataclass(frozen=True, slots=True)
class Frame:
    """A run of samples of a file."""

    file: WavFile
    start: int


class AudioColumn:
    """Frames of audio [n, …, length], mono in −1…1.

    Indexing raises QvizError, which names the file, for one that has changed.
    """

    def __init__(
        self, frames: tuple[Frame, ...], sample: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        """Frames whose samples are given in this shape, which has one axis longer than 1."""
        self._frames = frames
        self._sample = sample
        self._dtype = dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of frames, then the shape of one."""
        return (len(self._frames), *self._sample)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the model's input takes."""
        return self._dtype

    def __getitem__(self, rows: Indices, /) -> Array:
        """Frames, in the order asked for."""
        found = np.empty((len(rows), *self._sample), self._dtype)
        length = int(np.prod(self._sample))
        for place, row in enumerate(rows):
            frame = self._frames[int(row)]
            found[place] = frame.file.read(frame.start, length).reshape(self._sample)
        return found


def read_audio(path: Path, inputs: tuple[InputSpec, ...], reading: Reading) -> Samples:
    """Read a WAV file, or a folder of them whose sub-folders are classes, in frames.

    A frame is as long as the input's last fixed size, else as `reading` says. What is left at the
    end of a file is dropped; a file shorter than a frame is filled up with zeros. The sampling
    rate is not changed; it feeds an integer input named as one of `RATES`.

    Raises:
        QvizError: no WAV files, damaged ones, several sampling rates, no fitting input.
    """
    spec = _audio_input(inputs)
    sample = _sample_shape(spec, reading)
    listing = (
        list_files(path, SUFFIXES, "WAV files")
        if path.is_dir()
        else Listing((StoredFile(path.name, path),), None)
    )
    opened, readable, unread = each_readable(_open, listing.files, "WAV files")
    every = None if listing.labels is None else listing.labels[readable]
    wavs = [wav for wav, _ in opened]
    rate = _common_rate(wavs)
    length = int(np.prod(sample))
    frames, owners = _cut(wavs, length, reading.hop or length)
    rows = draw([f"{frame.file.name} {frame.start}" for frame in frames], reading)
    kept = tuple(frames[row] for row in rows)
    digests = tuple(
        hashlib.blake2b(opened[owners[row]][1] + str(frames[row].start).encode(), digest_size=16)
        .digest()
        for row in rows
    )  # fmt: skip
    labels = None if every is None else every[owners][rows]
    short = sum(wav.length < length for wav in wavs)
    return Samples(
        name=path.name,
        path=str(path),
        hash=files_hash(
            {"input": spec.name, "type": spec.dtype, "shape": [len(rows), *sample]},
            digests,
            labels,
        ),
        arrays={spec.name: AudioColumn(kept, sample, np.dtype(spec.dtype))},
        labels=None if labels is None else check_labels(path.name, labels, len(rows)),
        constants=_rates(inputs, rate),
        digests=digests,
        class_names=listing.class_names,
        notes=(
            *listing.notes,
            *unread,
            f"{rate:,} Hz as recorded, not resampled",
            *((f"{short} shorter than a frame, filled up with zeros",) if short else ()),
            *note(len(rows), len(frames), reading),
        ),
        drawn_from=len(frames) if len(rows) < len(frames) else None,
    )


def _open(file: StoredFile) -> tuple[WavFile, bytes]:
    if not isinstance(file.content, Path):
        raise TypeError("audio is read from files")
    wav = open_wav(file.content, file.name)
    with file.content.open("rb") as stream:
        return wav, hashlib.file_digest(stream, "blake2b").digest()


def _cut(wavs: Sequence[WavFile], length: int, hop: int) -> tuple[list[Frame], Indices]:
    """Frames of all files, and the file of each."""
    frames, owners = [], []
    for index, wav in enumerate(wavs):
        for start in range(0, max(wav.length - length, 0) + 1, hop):
            frames.append(Frame(wav, start))
            owners.append(index)
    return frames, np.array(owners, np.int64)


def _common_rate(wavs: Sequence[WavFile]) -> int:
    first = wavs[0]
    for wav in wavs:
        if wav.rate != first.rate:
            raise QvizError(
                wav.name,
                f"it has {wav.rate:,} Hz, but {first.name} {first.rate:,} Hz",
                "Resample all files to the rate that the model was trained on",
            )
    return first.rate


def _audio_input(inputs: tuple[InputSpec, ...]) -> InputSpec:
    """The first float input whose samples go along its first axis."""
    if not inputs:
        return ANY_INPUT
    for spec in inputs:
        if spec.dtype.startswith("float") and (
            spec.shape is None or (len(spec.shape) in (2, 3) and spec.shape[0] in (None, 1))
        ):
            return spec
    names = ", ".join(f"'{spec.name}'" for spec in inputs)
    raise QvizError(
        "audio", f"none of the inputs {names} takes frames of audio", "Give arrays in an .npz file"
    )


def _sample_shape(spec: InputSpec, reading: Reading) -> tuple[int, ...]:
    sizes = [None] if spec.shape is None else list(spec.shape[1:])
    lengths = [size for size in sizes if size is not None and size > 1]
    if len(lengths) > 1:
        wanted = "×".join(map(str, sizes))
        raise QvizError(
            f"model input '{spec.name}'",
            f"it takes {wanted}, which are no frames of audio",
            "Give arrays in an .npz file",
        )
    if lengths:
        return tuple(size or 1 for size in sizes)
    last = max((i for i, size in enumerate(sizes) if size is None), default=len(sizes) - 1)
    return tuple(reading.frame_length if i == last else 1 for i in range(len(sizes)))


def _rates(inputs: tuple[InputSpec, ...], rate: int) -> dict[str, Array]:
    return {
        spec.name: np.full(() if not spec.shape else (1,), rate, spec.dtype)
        for spec in inputs
        if spec.name.lower() in RATES
        and np.dtype(spec.dtype).kind in "iu"
        and len(spec.shape or ()) < 2
    }

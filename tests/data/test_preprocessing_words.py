"""Preprocessing as it is typed, for image files and for arrays of pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qviz.data.images import ImageColumn
from qviz.data.preprocessing import Preprocessing
from qviz.data.preprocessing_words import check_words, settled
from qviz.data.presets import CLIP, IMAGENET, RAW, UNIT, propose
from qviz.data.read_samples import read_samples
from qviz.data.reading import Reading, from_json, to_json
from qviz.data.samples import InputSpec
from qviz.errors import QvizError

SPEC = InputSpec("x", "float32", (None, 3, 8, 8))
LARGE = InputSpec("x", "float32", (None, 3, 224, 224))
PIXELS = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3), dtype=np.uint8)


def words(*pairs: str) -> Reading:
    split = (pair.partition("=") for pair in pairs)
    return Reading(words=tuple((name, value) for name, _, value in split))


@pytest.mark.parametrize(
    ("text", "preset"),
    [("0…1", UNIT), ("0..1", UNIT), ("raw", RAW), ("clip", CLIP), ("torchvision", IMAGENET)],
)
def test_presets_by_a_part_of_their_names(text: str, preset: object) -> None:
    wanted = {id(p): p for p in (UNIT, RAW, CLIP, IMAGENET)}[id(preset)].sized_for(LARGE)
    assert settled(words(f"preset={text}"), LARGE) == wanted


def test_fields_change_what_is_proposed() -> None:
    assert settled(Reading(), SPEC) == propose(SPEC)
    given = words("size=6x8", "mean=0.5, 0.4, 1/5", "std=2", "scale=1/255", "channels=BGR")
    found = settled(given, SPEC)
    assert found == Preprocessing(
        (6, 8), "bilinear", None, "BGR", "NCHW", 1 / 255, (0.5, 0.4, 0.2), (2.0,)
    )
    assert settled(words("resize=9", "crop=8", "interpolation=bicubic"), SPEC) == Preprocessing(
        9, "bicubic", 8, scale=1 / 255
    )
    assert settled(words("resize=none", "crop=none"), SPEC).resize is None


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("preset=imagenet", "names no preset, or several"),
        ("preset=best", "names no preset, or several"),
        ("size=big", "Write as in size=224x224"),
        ("mean=", "Write as in mean=0.485"),
        ("scale=1/0", "Write as in scale=1/255"),
        ("colour=1", "there is no such field"),
    ],
)
def test_words_that_are_refused(pair: str, says: str) -> None:
    with pytest.raises(QvizError, match=says):
        check_words(dict(words(pair).words))


def test_words_are_kept_in_projects() -> None:
    reading = words("preset=raw", "size=32x32")
    assert from_json(to_json(reading), "project") == reading
    assert "words" not in to_json(Reading())
    with pytest.raises(QvizError, match="words cannot be"):
        from_json({"words": {"size": 3}}, "project")


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_arrays_of_pixels_are_preprocessed_like_files(tmp_path: Path, layout: str) -> None:
    (tmp_path / "set").mkdir()
    for row, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(tmp_path / f"set/{row}.png")
    array = PIXELS if layout == "NHWC" else PIXELS.transpose(0, 3, 1, 2)
    np.savez(tmp_path / "set.npz", x=array, labels=np.arange(4))
    for reading in (words("preset=0..1"), words("size=6x6", "mean=0.5"), words("channels=BGR")):
        spec = SPEC if reading.words[0][0] != "size" else InputSpec("x", "float32", (None, 3, 6, 6))
        files = read_samples(tmp_path / "set", (spec,), reading)
        arrays = read_samples(tmp_path / "set.npz", (spec,), reading)
        column = arrays.arrays["x"]
        assert isinstance(column, ImageColumn)
        every = np.arange(4)
        np.testing.assert_array_equal(column[every], files.arrays["x"][every])
        assert arrays.labels is not None
        assert arrays.labels.tolist() == [0, 1, 2, 3]
        assert column.preview(2).picture.shape[2] == 3
    drawn = read_samples(tmp_path / "set.npz", (SPEC,), replace(words("preset=raw"), subset=2))
    assert isinstance(drawn.arrays["x"], ImageColumn)
    assert (drawn.count, drawn.drawn_from) == (2, 4)
    assert arrays.hash != read_samples(tmp_path / "set.npz", (SPEC,), words("preset=raw")).hash


def test_arrays_of_the_inputs_size_are_not_cropped(tmp_path: Path) -> None:
    pixels = np.zeros((2, 224, 224, 3), np.uint8)
    np.savez(tmp_path / "set.npz", x=pixels)
    column = read_samples(tmp_path / "set.npz", (LARGE,), words("preset=torchvision")).arrays["x"]
    assert isinstance(column, ImageColumn)
    assert column.preprocessing.crop is None
    assert column.preprocessing.mean == IMAGENET.preprocessing.mean


@pytest.mark.parametrize("over", [1, 255])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_that_are_bytes_are_preprocessed_as_those(
    tmp_path: Path, over: int, dtype: type
) -> None:
    np.savez(tmp_path / "bytes.npz", x=PIXELS)
    floats = (PIXELS.astype(dtype) / dtype(over)).transpose(0, 3, 1, 2)
    np.savez(tmp_path / "floats.npz", x=floats)
    wanted, found = (
        read_samples(tmp_path / f"{name}.npz", (SPEC,), words("preset=torchvision"))
        for name in ("bytes", "floats")
    )
    every = np.arange(4)
    np.testing.assert_array_equal(found.arrays["x"][every], wanted.arrays["x"][every])
    assert found.digests == wanted.digests


def test_preprocessing_of_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, x=np.zeros((2, 192), np.float32))
    with pytest.raises(QvizError, match="it holds no array of pictures"):
        read_samples(path, (InputSpec("x", "float32", (None, 192)),), words("preset=raw"))
    for normalised in (PIXELS / 127.5 - 1, PIXELS / 300, PIXELS + 2.0, PIXELS + 0.5):
        np.savez(path, x=normalised.astype(np.float32))
        with pytest.raises(QvizError, match=r"pixels from .* are neither bytes"):
            read_samples(path, (SPEC,), words("preset=raw"))

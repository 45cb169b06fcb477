"""Preprocessing: the numbers that torchvision, TensorFlow and Caffe would give."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from qviz.data.pictures import decode
from qviz.data.preprocessing import Preprocessing, from_json, shape, to_json, value_table, values
from qviz.data.presets import CAFFE, CLIP, IMAGENET, PRESETS, RAW, TENSORFLOW, UNIT, propose
from qviz.data.samples import InputSpec
from qviz.errors import QvizError

FLOAT = np.dtype("float32")


def spec(*sizes: int | None, dtype: str = "float32") -> InputSpec:
    return InputSpec("x", dtype, sizes)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def triangle(have: int, want: int) -> NDArray[np.float64]:
    """Weights of an antialiased bilinear filter [want, have], which widens as it shrinks."""
    scale = have / want
    centers = (np.arange(want) + 0.5) * scale
    places = np.arange(have) + 0.5
    distance = np.abs(places[None] - centers[:, None]) / max(scale, 1.0)
    weights = np.maximum(1.0 - distance, 0.0)
    normalised: NDArray[np.float64] = weights / weights.sum(1, keepdims=True)
    return normalised


@pytest.mark.parametrize("size", [(40, 31), (90, 120)])
def test_bilinear_resizing_is_antialiased_as_in_torchvision(size: tuple[int, int]) -> None:
    pixels = noise(64, 80)
    found = decode(png(pixels), Preprocessing(size), "x")
    wanted = np.einsum("hH,wW,HWc->hwc", triangle(64, size[0]), triangle(80, size[1]), pixels)
    assert np.abs(found - wanted).max() <= 1.01


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [
        (375, 500, (256, 341)),
        (500, 375, (341, 256)),
        (256, 256, (256, 256)),
        (10, 1000, (256, 25600)),
    ],
)
def test_the_shorter_side_is_resized_as_in_torchvision(
    height: int, width: int, wanted: tuple[int, int]
) -> None:
    assert Preprocessing(256).resized(height, width) == wanted


@pytest.mark.parametrize(("side", "top", "left"), [(5, 2, 3), (6, 2, 2), (3, 3, 4), (1, 4, 5)])
def test_the_center_is_cropped_as_in_torchvision(side: int, top: int, left: int) -> None:
    # torchvision: int(round((have - want) / 2.0)), which rounds halves to even: 9 to 5 starts at 2.
    pixels = noise(9, 11)
    found = decode(png(pixels), Preprocessing(crop=side), "x")
    np.testing.assert_array_equal(found, pixels[top : top + side, left : left + side])


def test_a_picture_smaller_than_the_crop_gets_a_black_rim() -> None:
    pixels = noise(4, 3)
    found = decode(png(pixels), Preprocessing(crop=6), "x")
    assert found.shape == (6, 6, 3)
    np.testing.assert_array_equal(found[1:5, 1:4], pixels)
    assert found.sum() == pixels.sum()


def test_the_numbers_are_those_of_torchvision() -> None:
    pixels = noise(4, 5)
    found = values(pixels[None], replace(IMAGENET.preprocessing, resize=None, crop=None), FLOAT)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    wanted = ((pixels / 255.0 - mean) / std).transpose(2, 0, 1)[None]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-7)


def test_the_numbers_are_those_of_keras() -> None:
    pixels = noise(4, 5)
    tensorflow = values(pixels[None], replace(TENSORFLOW.preprocessing, layout="NHWC"), FLOAT)
    np.testing.assert_allclose(tensorflow[0], pixels / 127.5 - 1.0, atol=1e-7)
    blue_first = decode(png(pixels), Preprocessing(channels="BGR"), "x")
    caffe = values(blue_first[None], replace(CAFFE.preprocessing, layout="NHWC"), FLOAT)
    wanted = pixels[..., ::-1] - np.array([103.939, 116.779, 123.68])
    np.testing.assert_allclose(caffe[0], wanted, atol=1e-5)


def test_gray_is_the_luma_of_rec_601() -> None:
    pixels = noise(6, 6)
    found = decode(png(pixels), Preprocessing(channels="gray"), "x")
    assert np.abs(found[..., 0] - pixels @ np.array([0.299, 0.587, 0.114])).max() <= 1.0
    flat = values(found[None], Preprocessing(channels="gray", layout="NHW"), FLOAT)
    assert flat.shape == (1, 6, 6)


def test_whole_numbers_are_kept_and_others_refused_for_integer_inputs() -> None:
    pixels = noise(2, 2)
    np.testing.assert_array_equal(
        values(pixels[None], Preprocessing(layout="NHWC"), np.dtype("uint8"))[0], pixels
    )
    signed = values(pixels[None], Preprocessing(mean=(128.0,), layout="NHWC"), np.dtype("int8"))
    np.testing.assert_array_equal(signed[0], pixels.astype(int) - 128)
    for wrong in (IMAGENET.preprocessing, UNIT.preprocessing, Preprocessing(mean=(1.0,))):
        with pytest.raises(QvizError, match="which uint8 cannot hold"):
            value_table(wrong, np.dtype("uint8"))
    with pytest.raises(QvizError, match="float16 cannot hold"):
        value_table(Preprocessing(scale=1e4), np.dtype("float16"))


@pytest.mark.parametrize(
    ("wanted", "base", "changes"),
    [
        (spec(None, 3, 224, 224), IMAGENET, {}),
        (spec(1, 3, 299, 299), IMAGENET, {"resize": 342, "crop": 299}),
        (spec(None, 3, None, None), IMAGENET, {}),
        (spec(None, 3, 480, 640), IMAGENET, {"resize": (480, 640), "crop": None}),
        (spec(None, 224, 224, 3), TENSORFLOW, {"layout": "NHWC"}),
        (spec(None, 3, 32, 32), UNIT, {"resize": (32, 32)}),
        (spec(None, 1, 28, 28), UNIT, {"resize": (28, 28), "channels": "gray"}),
        (spec(None, 28, 28, 1), UNIT, {"resize": (28, 28), "channels": "gray", "layout": "NHWC"}),
        (spec(None, 28, 28), UNIT, {"resize": (28, 28), "channels": "gray", "layout": "NHW"}),
        (spec(1, 3, 160, 160, dtype="uint8"), RAW, {"resize": (160, 160)}),
        (spec(1, 96, 96, 3, dtype="int8"), RAW,
         {"resize": (96, 96), "layout": "NHWC", "mean": (128.0,)}),
        (InputSpec("x", "float32", None), IMAGENET, {}),
    ],
)  # fmt: skip
def test_what_is_proposed(wanted: InputSpec, base: Any, changes: dict[str, Any]) -> None:
    proposed = propose(wanted)
    assert proposed == replace(base.preprocessing, **changes)
    given = shape(proposed, wanted)
    if wanted.shape is not None and None not in wanted.shape[1:]:
        assert given == wanted.shape[1:]


def test_every_preset_fits_colour_and_gray_inputs_and_says_what_it_is_for() -> None:
    assert len({preset.name for preset in PRESETS}) == len(PRESETS) == 6
    for preset in PRESETS:
        assert preset.description
        for wanted in (spec(None, 3, 64, 64), spec(None, 64, 64, 1), spec(None, 3, 60, 80)):
            assert shape(preset.sized_for(wanted), wanted) == (wanted.shape or ())[1:]
    assert CLIP.preprocessing.interpolation == "bicubic"


@pytest.mark.parametrize("sizes", [(None, 10), (None, 4, 64, 64), (None, 64, 64, 5), ()])
def test_inputs_that_take_no_pictures(sizes: tuple[int | None, ...]) -> None:
    with pytest.raises(QvizError, match="no picture of 1 or 3 channels"):
        propose(spec(*sizes))


def test_a_shape_that_the_input_does_not_take() -> None:
    with pytest.raises(QvizError, match="takes 3×64×64, not 3×224×224"):
        shape(IMAGENET.preprocessing, spec(None, 3, 64, 64))
    assert shape(Preprocessing(256), spec(None, 3, 64, 64)) == (3, None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"resize": 0}, {"crop": (3, -1)}, {"resize": 10**6}, {"std": (0.0,)}, {"scale": 0.0},
        {"mean": (1.0, 2.0)}, {"scale": float("nan")}, {"interpolation": "magic"},
        {"channels": "gray", "mean": (1.0, 2.0, 3.0)}, {"layout": "NHW"}, {"resize": (1, 2, 3)},
        {"resize": True},
    ],
)  # fmt: skip
def test_impossible_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(QvizError):
        Preprocessing(**wrong)


def test_json_round_trip() -> None:
    for preset in PRESETS:
        data = json.loads(json.dumps(to_json(preset.preprocessing)))
        assert from_json(data, "s.json") == preset.preprocessing
    assert hash(from_json({"crop": [3, 4]}, "s.json")) == hash(Preprocessing(crop=(3, 4)))


@pytest.mark.parametrize(
    "data", [None, [], {"size": 3}, {"mean": "x"}, {"std": ["x"]}, {"crop": 0}]
)
def test_json_that_is_no_preprocessing(data: object) -> None:
    with pytest.raises(QvizError) as caught:
        from_json(data, "s.json")
    assert caught.value.subject == "s.json"

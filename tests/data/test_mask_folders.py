"""Images beside masks: the class of every pixel, through the same resize and crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qviz.data.preprocessing import Preprocessing
from qviz.data.read_samples import read_samples
from qviz.data.reading import Reading
from qviz.data.samples import InputSpec, Samples
from qviz.errors import QvizError

RGB = (InputSpec("x", "float32", (None, 3, None, None)),)
AS_IS = Preprocessing()


def folder(root: Path, images: str = "images", masks: str = "masks", ending: str = "") -> Path:
    rng = np.random.default_rng(0)
    for name in (images, masks):
        (root / "set" / name).mkdir(parents=True)
    for name in "ab":
        pixels = rng.integers(0, 255, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"set/{images}/{name}.png")
        classes = rng.integers(0, 5, (4, 6), dtype=np.uint8)
        Image.fromarray(classes).save(root / f"set/{masks}/{name}{ending}.png")
    return root / "set"


def read(path: Path, preprocessing: Preprocessing = AS_IS) -> Samples:
    return read_samples(path, RGB, Reading(preprocessing=preprocessing))


def refused(path: Path) -> QvizError:
    with pytest.raises(QvizError) as caught:
        read(path)
    return caught.value


@pytest.mark.parametrize("names", [("images", "masks"), ("JPEGImages", "SegmentationClass")])
@pytest.mark.parametrize("ending", ["", "_mask"])
def test_masks_are_labels_of_pixels(tmp_path: Path, names: tuple[str, str], ending: str) -> None:
    path = folder(tmp_path, *names, ending)
    samples = read(path)
    assert samples.labels is not None
    assert samples.labels.dtype == np.int64
    for row, name in enumerate("ab"):
        wanted = np.asarray(Image.open(path / names[1] / f"{name}{ending}.png"))
        np.testing.assert_array_equal(samples.labels[row], wanted)
    assert samples.notes == (f"Labels of pixels from {names[1]}: classes 0, 1, 2, 3, 4",)
    assert samples.arrays["x"].shape == (2, 3, 4, 6)


def test_masks_are_resized_to_the_nearest_and_cropped_with_their_images(tmp_path: Path) -> None:
    path = folder(tmp_path)
    halved = read(path, Preprocessing(resize=(8, 12), crop=(4, 4)))
    assert halved.labels is not None
    mask = np.asarray(Image.open(path / "masks/a.png")).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(halved.labels[0], mask[2:6, 4:8])
    rim = read(path, Preprocessing(crop=(6, 6)))
    assert rim.labels is not None
    assert (rim.labels[:, [0, -1]] == -1).all()  # what the crop adds has no class
    np.testing.assert_array_equal(rim.labels[0, 1:5], np.asarray(Image.open(path / "masks/a.png")))


def test_palette_masks_are_their_indices(tmp_path: Path) -> None:
    path = folder(tmp_path)
    classes = np.arange(24, dtype=np.uint8).reshape(4, 6) % 3
    image = Image.fromarray(classes)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(path / "masks/a.png")
    samples = read(path)
    assert samples.labels is not None
    np.testing.assert_array_equal(samples.labels[0], classes)


def test_labels_are_in_the_hash(tmp_path: Path) -> None:
    path = folder(tmp_path)
    first = read(path).hash
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(path / "masks/a.png")
    assert read(path).hash != first


def test_masks_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = folder(tmp_path)
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(path / "masks/a.png")
    assert refused(path).subject == "masks/a.png"
    assert "it has 5×6 pixels, its image 4×6" in refused(path).cause
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path / "masks/a.png")
    assert "mask in colour (RGB)" in refused(path).cause
    (path / "masks/a.png").unlink()
    assert refused(path).subject == "images/a.png"
    assert "no mask of that name in masks" in refused(path).cause


def test_class_folders_of_such_names_stay_classes(tmp_path: Path) -> None:
    path = folder(tmp_path, ending="x")
    samples = read(path)
    assert samples.class_names == ("images", "masks")

"""Presets for arrays of pictures in Samples Options, and words of the command line in its form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PIL import Image

from qviz.app.sample_form import PREVIEW_NOTE, SampleDraft
from qviz.app.session import Session
from qviz.app.views import FormField, SampleForm
from qviz.data.reading import Reading

WriteModel = Callable[..., Path]
TORCHVISION = "ImageNet (torchvision)"
PIXELS = np.random.default_rng(3).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def model(write_model: WriteModel) -> Path:
    """Takes N×3×16×16 in float32."""
    weight = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", strides=[4, 4]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    return write_model("m.onnx", nodes, {"w": weight}, {"x": ["N", 3, 16, 16]}, {"y": ["N", 2]})


def opened(model: Path, tmp_path: Path, pixels: np.ndarray, *words: tuple[str, str]) -> Session:
    path = tmp_path / "pictures.npz"
    np.savez(path, x=pixels, labels=np.arange(len(pixels)) % 2)
    session = Session()
    session.open(model, path, reading=Reading(words=words) if words else None)
    return session


def field(form: SampleForm, name: str) -> FormField:
    return next(field for field in form.fields if field.name == name)


def names(session: Session, draft: SampleDraft) -> list[str]:
    return [field.name for field in session.sample_form(draft).fields]


def fed(session: Session) -> np.ndarray:
    samples = session.current().samples
    assert samples is not None
    (column,) = samples.arrays.values()
    return column[np.arange(samples.count)]


@pytest.mark.parametrize("floats", [False, True])
def test_a_preset_of_the_form_is_that_of_the_command_line(
    model: Path, tmp_path: Path, floats: bool
) -> None:
    pixels = PIXELS / np.float32(255) if floats else PIXELS
    session = opened(model, tmp_path, pixels)
    draft = session.sample_draft()
    assert names(session, draft) == ["preset", "subset"]
    preset = field(session.sample_form(draft), "preset")
    assert (preset.value, preset.choices[0].label) == ("proposed", "As they are")
    tips = {choice.label: choice.tip for choice in preset.choices}
    assert tips[TORCHVISION].startswith("0…1, less the mean of ImageNet")
    assert tips["0…1"] == "Pixel / 255: detectors as YOLO, small networks"
    draft = session.set_reading(draft, "preset", TORCHVISION)
    form = session.sample_form(draft)
    assert form.changed
    assert PREVIEW_NOTE not in form.notes
    assert field(form, "preset").value == TORCHVISION
    assert (field(form, "resize").value, field(form, "crop").value) == ("none", "none")
    preview = session.sample_preview(draft, 4)
    assert preview.name == "x[4]"
    assert preview.picture is not None
    np.testing.assert_array_equal(preview.picture, PIXELS[4])
    session.reopen_samples(draft)
    typed = opened(model, tmp_path, pixels, ("preset", "torchvision"))
    np.testing.assert_array_equal(fed(session), fed(typed))
    mean = (PIXELS[4, :, :, 0] / 255 - 0.485).mean() / 0.229
    assert preview.inputs[0].ranges[0].mean == pytest.approx(mean, abs=1e-6)
    again = session.sample_form(session.sample_draft())
    assert (field(again, "preset").value, again.changed) == (TORCHVISION, False)


def test_a_dark_picture_is_read_like_the_others(model: Path, tmp_path: Path) -> None:
    pixels = PIXELS.astype(np.float32)
    pixels[2] = 0
    pixels[2, 3, 4] = 1
    session = opened(model, tmp_path, pixels)
    draft = session.set_reading(session.sample_draft(), "preset", "raw 0…255")
    assert session.sample_preview(draft, 2).inputs[0].ranges[0].high == 1.0
    session.reopen_samples(draft)
    assert fed(session)[2].max() == 1.0


def test_arrays_may_be_given_as_they_are_again(model: Path, tmp_path: Path) -> None:
    session = opened(model, tmp_path, PIXELS, ("preset", "0..1"))
    draft = session.set_reading(session.sample_draft(), "preset", "proposed")
    assert names(session, draft) == ["preset", "subset"]
    form = session.sample_form(draft)
    assert form.changed
    assert form.notes[-1] == PREVIEW_NOTE
    assert session.sample_preview(draft, 0).inputs[0].ranges[0].high <= 1.0  # as they are open
    session.reopen_samples(draft)
    np.testing.assert_array_equal(fed(session), PIXELS.transpose(0, 3, 1, 2))


def test_pictures_of_another_size_are_resized_by_a_preset(model: Path, tmp_path: Path) -> None:
    larger = np.repeat(np.repeat(PIXELS, 2, axis=1), 2, axis=2)
    session = opened(model, tmp_path, larger, ("preset", "raw"))
    form = session.sample_form(session.sample_draft())
    assert field(form, "preset").value == "raw 0…255"
    assert field(form, "resize").value == "exact"
    assert fed(session).shape == (6, 3, 16, 16)


def test_pictures_that_are_preprocessed_say_why_no_preset_is_for_them(
    model: Path, tmp_path: Path
) -> None:
    normalised = (PIXELS / np.float32(127.5) - 1).astype(np.float32)
    session = opened(model, tmp_path, normalised)
    first, *presets = field(session.sample_form(session.sample_draft()), "preset").choices
    assert "preprocessed already" in first.tip
    assert not first.reason
    assert all("Pixels from −1 to 1 are neither bytes" in choice.reason for choice in presets)


def test_series_are_no_pictures(write_model: WriteModel, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=0),
        helper.make_node("Gemm", ["m", "w"], ["y"], name="fc"),
    ]
    shape = {"x": ["N", 12, 9]}
    weight = {"w": np.ones((9, 2), np.float32)}
    series = write_model("series.onnx", nodes, weight, shape, {"y": ["N", 2]})
    numbers = np.random.default_rng(0).normal(size=(4, 12, 9)).astype(np.float32)
    session = opened(series, tmp_path, numbers)
    assert names(session, session.sample_draft()) == ["subset"]


@pytest.mark.parametrize("kind", ["files", "array"])
def test_the_form_shows_what_the_command_line_chose(model: Path, tmp_path: Path, kind: str) -> None:
    words = (("preset", "0..1"), ("mean", "0.25"))
    if kind == "array":
        session = opened(model, tmp_path, PIXELS, *words)
    else:
        for row, pixels in enumerate(PIXELS):
            path = tmp_path / "set" / "ab"[row % 2] / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        session = Session()
        session.open(model, tmp_path / "set", reading=Reading(words=words))
    draft = session.sample_draft()
    form = session.sample_form(draft)
    assert not form.changed
    assert field(form, "preset").value == "own"
    assert field(form, "mean").value == "0.25"
    before = fed(session)
    draft = session.set_reading(draft, "mean", "0")
    form = session.sample_form(draft)
    assert (field(form, "preset").value, form.changed) == ("0…1", True)
    session.reopen_samples(draft)
    np.testing.assert_allclose(fed(session), before + 0.25, atol=1e-6)


def test_a_word_alone_changes_what_was_proposed(model: Path, tmp_path: Path) -> None:
    session = opened(model, tmp_path, PIXELS, ("channels", "BGR"))
    form = session.sample_form(session.sample_draft())
    assert field(form, "channels").value == "BGR"
    assert field(form, "scale").value == "1/255"
    assert session.samples_notice() == ""

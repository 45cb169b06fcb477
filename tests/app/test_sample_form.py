"""How samples are read, as a form: drafts, fields, previews, and opening them again."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from qviz.app.image_fields import numbers_text, scale_text
from qviz.app.sample_form import PREVIEW_NOTE, SampleDraft
from qviz.app.session import Session
from qviz.app.views import FormField, SampleForm
from qviz.errors import QvizError

WriteModel = Callable[..., Path]


def write_pictures(folder: Path, count: int = 6) -> Path:
    """Pictures of 40×60 in two classes: red above, blue below."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :, 0], pixels[20:, :, 2] = 255, 255
    for at in range(count):
        path = folder / ("cat", "dog")[at % 2] / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels[0, 0] = at
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture
def image_model(write_model: WriteModel) -> Path:
    """Takes N×3×160×160 in float32."""
    weight = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", strides=[8, 8]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    return write_model(
        "images.onnx", nodes, {"w": weight}, {"x": ["N", 3, 160, 160]}, {"y": ["N", 2]}
    )


@pytest.fixture
def images(image_model: Path, tmp_path: Path) -> Session:
    session = Session()
    session.open(image_model, write_pictures(tmp_path / "pictures"))
    return session


def field(form: SampleForm, name: str) -> FormField:
    return next(field for field in form.fields if field.name == name)


def values(session: Session, draft: SampleDraft) -> dict[str, str | None]:
    return {field.name: field.value for field in session.sample_form(draft).fields}


def changed(session: Session, draft: SampleDraft, **fields: str) -> SampleDraft:
    for name, value in fields.items():
        draft = session.set_reading(draft, name, value)
    return draft


def test_images_have_the_fields_of_preprocessing(images: Session) -> None:
    form = images.sample_form(images.sample_draft())
    assert (form.kind, form.title, form.changed) == ("images", "pictures", False)
    assert form.summary == "6 images in 2 classes"
    assert values(images, images.sample_draft()) == {
        "preset": "proposed",
        "resize": "short",
        "resize_side": "183",
        "crop": "center",
        "crop_height": "160",
        "crop_width": "160",
        "interpolation": "bilinear",
        "channels": "RGB",
        "layout": "NCHW",
        "scale": "1/255",
        "mean": "0.485, 0.456, 0.406",
        "std": "0.229, 0.224, 0.225",
        "subset": "all",
    }
    preset = field(form, "preset")
    assert preset.choices[0].label == "Proposed: ImageNet (torchvision)"
    assert all(choice.tip for choice in preset.choices)


def test_what_the_model_cannot_take_says_why(images: Session) -> None:
    form = images.sample_form(images.sample_draft())
    reasons = {
        choice.value: choice.reason
        for name in ("channels", "layout")
        for choice in field(form, name).choices
    }
    assert reasons["gray"] == "The model takes 3 channels"
    assert reasons["NHWC"] == "The model takes NCHW"
    assert not reasons["BGR"]
    assert not reasons["NCHW"]


def test_a_preset_fills_the_fields_and_own_values_are_called_so(images: Session) -> None:
    draft = changed(images, images.sample_draft(), preset="0…1")
    assert values(images, draft)["resize"] == "exact"
    assert values(images, draft)["mean"] == "0"
    assert "crop_height" not in values(images, draft)
    assert images.sample_form(draft).changed
    draft = changed(images, draft, mean="1, 2, 3", scale="1/127.5")
    assert values(images, draft)["preset"] == "own"
    assert values(images, draft)["mean"] == "1, 2, 3"
    draft = changed(images, draft, preset="proposed")
    assert not images.sample_form(draft).changed


def test_sizes_follow_the_way_of_resizing(images: Session) -> None:
    draft = changed(images, images.sample_draft(), resize="exact")
    assert (values(images, draft)["resize_height"], values(images, draft)["resize_width"]) == (
        "160",
        "160",
    )
    draft = changed(images, draft, resize_width="170", crop="none")
    assert draft.reading.preprocessing is not None
    assert draft.reading.preprocessing.resize == (160, 170)
    assert draft.reading.preprocessing.crop is None
    draft = changed(images, draft, crop="center", crop_width="150")
    assert draft.reading.preprocessing is not None
    assert draft.reading.preprocessing.crop == (160, 150)
    draft = changed(images, draft, resize="none")
    assert "resize_side" not in values(images, draft)


def test_means_stay_with_their_colors(images: Session) -> None:
    draft = changed(images, images.sample_draft(), channels="BGR")
    assert values(images, draft)["mean"] == "0.406, 0.456, 0.485"
    draft = changed(images, draft, channels="RGB")
    assert values(images, draft)["mean"] == "0.485, 0.456, 0.406"


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("mean", "1, 2", "2 values for 3 channels"),
        ("std", "0", "zero"),
        ("scale", "x", "no number"),
        ("resize_side", "0", "cannot be 0"),
        ("subset_count", "0", "is 0"),
        ("seed", "1.5", "whole number"),
        ("frame", "1", "no such field"),
    ],
)
def test_impossible_values_are_refused(images: Session, name: str, value: str, cause: str) -> None:
    with pytest.raises(QvizError, match=cause):
        images.set_reading(images.sample_draft(), name, value)


def test_the_preview_is_what_the_model_is_given(images: Session) -> None:
    preview = images.sample_preview(images.sample_draft(), 4)
    assert (preview.row, preview.count) == (4, 6)
    assert preview.name == "dog/3.png"
    assert preview.label == "1 dog"
    assert preview.picture is not None
    assert preview.picture.shape == (160, 160, 3)
    view = preview.inputs[0]
    assert (view.name, view.dtype, view.shape) == ("x", "float32", "3×160×160")
    assert [part.name for part in view.ranges] == ["Red", "Green", "Blue"]
    red = view.ranges[0]
    assert red.high == pytest.approx((1 - 0.485) / 0.229)
    assert red.low == pytest.approx(-0.485 / 0.229)
    samples = images.current().samples
    assert samples is not None
    given = samples.arrays["x"][np.array([4])][0]
    assert view.ranges[2].mean == pytest.approx(float(given[2].mean(dtype=np.float64)))


def test_the_preview_follows_the_draft(images: Session) -> None:
    start = images.sample_draft()
    blue_first = images.sample_preview(changed(images, start, channels="BGR"), 0)
    assert [part.name for part in blue_first.inputs[0].ranges] == ["Blue", "Green", "Red"]
    assert blue_first.picture is not None
    assert tuple(blue_first.picture[5, 80]) == (0, 0, 255)
    assert "blue in place of red" in blue_first.caption
    wide = images.sample_preview(changed(images, start, crop_width="150"), 0)
    assert "takes 3×160×160, not 3×160×150" in wide.problem
    assert wide.picture is not None
    assert wide.picture.shape == (160, 150, 3)


def test_a_changed_image_is_told_in_the_preview(images: Session) -> None:
    samples = images.current().samples
    assert samples is not None
    Path(samples.path, "cat", "0.png").write_bytes(b"no picture")
    preview = images.sample_preview(images.sample_draft(), 0)
    assert "changed since it was opened" in preview.problem
    assert preview.picture is None


def test_samples_are_opened_again_as_the_draft_says(images: Session) -> None:
    draft = changed(
        images, images.sample_draft(), preset="CLIP", subset="some", subset_count="4", seed="7"
    )
    images.reopen_samples(draft)
    samples = images.current().samples
    assert samples is not None
    assert samples.count == 4
    assert images.current().reading == draft.reading
    form = images.sample_form(images.sample_draft())
    assert not form.changed
    assert field(form, "preset").value == "CLIP"
    assert field(form, "seed").value == "7"
    assert form.notes[-1] == "4 of 6 samples, drawn with seed 7"
    assert field(form, "subset_count").suffix == " of 6"


def test_a_subset_begins_with_half_of_few_samples(images: Session) -> None:
    draft = changed(images, images.sample_draft(), subset="some")
    form = images.sample_form(draft)
    assert field(form, "subset_count").value == "3"
    assert field(form, "subset_count").suffix == " of 6"
    assert changed(images, draft, subset="all").reading.subset is None


def test_samples_that_cannot_be_opened_leave_the_old_ones(images: Session) -> None:
    before = images.current().samples
    draft = changed(images, images.sample_draft(), crop="none")
    assert "takes 3×160×160, not 3×183×274" in images.sample_preview(draft, 0).problem
    with pytest.raises(QvizError, match="samples of shape 3×160×160"):
        images.reopen_samples(draft)
    assert images.current().samples is before


def test_proposed_preprocessing_of_float_images_is_told(images: Session) -> None:
    assert images.samples_notice() == (
        "Images are read as ImageNet (torchvision): shorter side 183, crop 160, RGB. "
        "Change it in Samples Options"
    )
    images.reopen_samples(changed(images, images.sample_draft(), preset="0…1"))
    assert images.samples_notice() == ""


def test_nothing_is_asked_of_synthetic_inputs(image_model: Path) -> None:
    session = Session()
    session.open(image_model)
    assert session.samples_notice() == ""
    with pytest.raises(QvizError, match="none open"):
        session.sample_draft()


def test_tables_ask_for_their_label_column(mlp: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["a,b,c,d,e,f,kind,target"]
    for _ in range(20):
        cells = [f"{value:.3f}" for value in rng.normal(size=6)]
        rows.append(",".join([*cells, str(rng.integers(4)), str(rng.integers(4))]))
    path = tmp_path / "table.csv"
    path.write_text("\n".join(rows))
    session = Session()
    with pytest.raises(QvizError, match="7 columns of values"):
        session.open(mlp, path)
    path.write_text("\n".join(",".join(row.split(",")[:6] + row.split(",")[7:]) for row in rows))
    session.open(mlp, path)
    form = session.sample_form(session.sample_draft())
    assert form.kind == "table"
    assert [field.name for field in form.fields] == ["label", "subset"]
    label = field(form, "label")
    assert label.choices[0].label == "automatic (target)"
    assert [choice.value for choice in label.choices[1:]] == [*"abcdef", "target"]
    draft = changed(session, session.sample_draft(), label="target")
    session.reopen_samples(draft)
    assert session.current().reading.label == "target"
    preview = session.sample_preview(draft, 2)
    assert preview.picture is None
    assert len(preview.values.split(", ")) == 6
    assert preview.label.startswith("label ")


def test_audio_asks_for_frames_and_shows_a_curve(write_model: WriteModel, tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1)]
    nodes.append(helper.make_node("Gemm", ["m", "w"], ["y"], name="fc"))
    weight = np.ones((1, 2), np.float32)
    model = write_model("audio.onnx", nodes, {"w": weight}, {"x": ["N", "T"]}, {"y": ["N", 2]})
    tone = (np.sin(np.arange(4000) / 9) * 20000).astype("<i2")
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(tone.tobytes())
    session = Session()
    session.open(model, path)
    draft = session.sample_draft()
    assert [f.name for f in session.sample_form(draft).fields] == ["frame_length", "hop", "subset"]
    assert session.sample_form(draft).notes == ("16,000 Hz as recorded, not resampled",)
    draft = changed(session, draft, frame_length="400", hop="200")
    assert session.sample_form(draft).notes[-1] == PREVIEW_NOTE
    session.reopen_samples(draft)
    samples = session.current().samples
    assert samples is not None
    assert samples.count == 19
    preview = session.sample_preview(session.sample_draft(), 0)
    assert preview.curve is not None
    np.testing.assert_allclose(preview.curve[:400], tone[:400] / 32768, atol=1e-6)
    assert changed(session, session.sample_draft(), hop="").reading.hop is None


def write_embedding(tmp_path: Path) -> Path:
    """Takes N×T token ids below 10, gives their one-hot rows."""
    table = helper.make_tensor("t", TensorProto.FLOAT, [10, 10], np.eye(10).ravel().tolist())
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["N", "T"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", "T", 10])
    node = helper.make_node("Gather", ["t", "ids"], ["y"], name="embed")
    graph = helper.make_graph([node], "g", [ids], [out], [table])
    model = tmp_path / "tokens.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model
    )
    return model


def test_text_asks_for_its_tokenizer(tmp_path: Path) -> None:
    path, other = tmp_path / "story.txt", tmp_path / "other.json"
    path.write_text("the cat sat on the mat " * 30)
    vocabulary = {word: at for at, word in enumerate(["?", "the", "cat", "sat", "on", "mat"])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    for file in (tmp_path / "tokenizer.json", other):
        tokenizer.save(str(file))
    session = Session()
    session.open(write_embedding(tmp_path), path)
    draft = session.sample_draft()
    assert values(session, draft) == {
        "sequence_length": "128",
        "tokenizer": "",
        "next_token": "next",
        "subset": "all",
    }
    session.reopen_samples(changed(session, draft, sequence_length="6", tokenizer=str(other)))
    samples = session.current().samples
    assert samples is not None
    assert samples.count == 30
    assert session.sample_preview(session.sample_draft(), 0).values == "1,  2,  3,  4,  1,  5"


def test_tokens_ask_for_the_labels(tmp_path: Path) -> None:
    model = write_embedding(tmp_path)
    path = tmp_path / "ids.npy"
    np.save(path, np.random.default_rng(0).integers(0, 10, (12, 5)))
    session = Session()
    session.open(model, path)
    draft = session.sample_draft()
    assert session.sample_form(draft).kind == "tokens"
    assert values(session, draft) == {"next_token": "next", "subset": "all"}
    assert session.sample_preview(draft, 0).label == "5 labels"
    session.reopen_samples(changed(session, draft, next_token="none"))
    assert session.sample_preview(session.sample_draft(), 0).label == ""


def test_inputs_that_are_the_same_for_all_samples_take_a_value(
    write_model: WriteModel, tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "gain"], ["g"]),
        helper.make_node("Gemm", ["g", "w"], ["y"], name="fc"),
    ]
    model = write_model(
        "gain.onnx",
        nodes,
        {"w": np.ones((3, 2), np.float32)},
        {"x": ["N", 3], "gain": []},
        {"y": ["N", 2]},
    )
    path = tmp_path / "gain.npz"
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    np.savez(path, x=x, gain=np.float32(2.0))
    session = Session()
    session.open(model, path)
    draft = session.sample_draft()
    gain = field(session.sample_form(draft), "value:gain")
    assert (gain.label, gain.value, gain.hint) == ("gain", "", "2")
    draft = session.set_reading(draft, "value:gain", "3")
    assert session.sample_preview(draft, 0).inputs[1].ranges[0].mean == 3.0
    session.reopen_samples(draft)
    assert dict(session.current().values) == {"gain": 3.0}
    assert session.set_reading(draft, "value:gain", "").values == {}
    with pytest.raises(QvizError, match="no number"):
        session.set_reading(draft, "value:gain", "loud")


def test_arrays_in_the_shape_of_pictures_are_drawn(demo_model: Path, demo_samples: Path) -> None:
    session = Session()
    session.open(demo_model, demo_samples)
    draft = session.sample_draft()
    assert session.sample_form(draft).kind == "arrays"
    preview = session.sample_preview(draft, 10_000)
    assert preview.row == 1999
    assert preview.picture is not None
    assert preview.picture.shape == (28, 28, 1)
    assert (preview.picture.min(), preview.picture.max()) == (0, 255)


def test_numbers_are_written_as_they_are_typed() -> None:
    assert scale_text(1 / 255) == "1/255"
    assert scale_text(1.0) == "1"
    assert scale_text(0.3) == "0.3"
    assert numbers_text((0.485, 127.5)) == "0.485, 127.5"


def test_a_preset_tells_the_sizes_it_has_for_this_input(images: Session) -> None:
    tips = {
        choice.label: choice.tip
        for choice in field(images.sample_form(images.sample_draft()), "preset").choices
    }
    assert tips["ImageNet (torchvision)"].startswith("Shorter side 183, center 160, 0…1")
    assert tips["CLIP"].startswith("Shorter side 160 with bicubic interpolation, center 160")
    assert tips["0…1"].startswith("Resized to the input")


def test_an_open_subset_tells_of_how_many_it_is(images: Session) -> None:
    images.reopen_samples(changed(images, images.sample_draft(), subset="some", subset_count="4"))
    form = images.sample_form(images.sample_draft())
    assert form.summary == "4 images in 2 classes"
    assert field(form, "subset_count").suffix == " of 6"
    assert field(form, "subset").choices[0].label == "All 6"

"""Samples Options: the form, its preview, Apply and Cancel; and the message it answers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.app.views import FormField, SamplePreview
from qviz.ui.main_window import MainWindow
from qviz.ui.palette import DARK, LIGHT
from qviz.ui.sample_canvas import SampleCanvas
from qviz.ui.sample_fields import FilePath, SampleFields, Text
from qviz.ui.samples_dialog import NOTHING_CHANGED, SamplesDialog
from qviz.ui.scheme_fields import Menu, Number, Segments

Settle = Callable[[MainWindow], None]
CAFFE = "ImageNet (Caffe, BGR, mean 103.939…)"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten pictures of 200×300 in two classes: red on the left, blue on the right."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[:, :150, 0], pixels[:, 150:, 2] = 255, 255
    for at in range(10):
        path = tmp_path / "pictures" / ("cat", "dog")[at % 2] / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels[0, 0] = at
        Image.fromarray(pixels).save(path)
    return tmp_path / "pictures"


@pytest.fixture
def image_model(tmp_path: Path) -> Path:
    """Takes N×3×128×128 in float32."""
    weight = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", strides=[8, 8]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 128, 128])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "images.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture
def picture_window(
    empty_window: MainWindow, session: Session, settle: Settle, image_model: Path, pictures: Path
) -> MainWindow:
    session.open(image_model, pictures)
    settle(empty_window)
    return empty_window


@pytest.fixture
def dialog(qtbot: QtBot, picture_window: MainWindow) -> SamplesDialog:
    return opened(qtbot, picture_window)


def opened(qtbot: QtBot, window: MainWindow) -> SamplesDialog:
    window.commands["sample_options"].trigger()
    dialog = window.findChild(SamplesDialog)
    assert isinstance(dialog, SamplesDialog)
    qtbot.waitUntil(lambda: dialog.preview.shown is not None, timeout=5000)
    return dialog


def change(qtbot: QtBot, dialog: SamplesDialog, field: str, value: str) -> SamplePreview:
    """As if the user had changed the field; what is previewed then."""
    before = dialog.preview.shown
    dialog.fields.changed.emit(field, value)
    qtbot.waitUntil(lambda: dialog.preview.shown is not before, timeout=5000)
    assert dialog.preview.shown is not None
    return dialog.preview.shown


def test_the_form_shows_how_images_are_read(dialog: SamplesDialog) -> None:
    assert dialog.fields.names()[:2] == ("preset", "resize")
    preset = dialog.fields.editor("preset")
    assert isinstance(preset, Menu)
    assert preset.currentText() == "Proposed: ImageNet (torchvision)"
    assert isinstance(dialog.fields.editor("channels"), Segments)
    assert not dialog.apply.isEnabled()
    assert dialog.apply.toolTip() == NOTHING_CHANGED
    assert "10 images in 2 classes" in dialog.summary.text()


def test_every_disabled_choice_says_why(dialog: SamplesDialog) -> None:
    layout = dialog.fields.editor("layout")
    assert isinstance(layout, Segments)
    assert not layout.button("NHWC").isEnabled()
    assert layout.button("NHWC").toolTip() == "The model takes NCHW"


def test_the_preview_follows_every_change(qtbot: QtBot, dialog: SamplesDialog) -> None:
    assert dialog.preview.canvas.image().pixelColor(2, 60).name() == "#ff0000"
    shown = change(qtbot, dialog, "preset", CAFFE)
    assert "blue in place of red" in shown.caption
    assert dialog.preview.caption.text() == shown.caption
    assert dialog.preview.canvas.image().pixelColor(2, 60).name() == "#0000ff"
    assert dialog.preview.tensors()[4] == "Blue"
    assert dialog.apply.isEnabled()
    width = dialog.preview.canvas.image().width()
    assert change(qtbot, dialog, "crop_width", "100").problem
    assert dialog.preview.canvas.image().width() == 100 < width
    assert not dialog.apply.isEnabled()
    assert "takes 3×128×128" in dialog.complaint.text()
    change(qtbot, dialog, "preset", "proposed")
    assert not dialog.complaint.isVisible()


def test_a_change_keeps_the_window_free(dialog: SamplesDialog) -> None:
    started = time.perf_counter()
    dialog.fields.changed.emit("preset", CAFFE)
    assert time.perf_counter() - started < 0.05


def test_fields_are_typed_and_enter_is_no_apply(dialog: SamplesDialog, session: Session) -> None:
    before = session.current().samples
    scale = dialog.fields.editor("scale")
    assert isinstance(scale, Text)
    assert scale.text() == "1/255"
    scale.setFocus()
    scale.selectAll()
    QTest.keyClicks(scale, "1/127.5")
    QTest.keyClick(scale, Qt.Key.Key_Return)
    preset = dialog.fields.editor("preset")
    assert isinstance(preset, Menu)
    assert preset.currentText() == "Own values"
    scale.selectAll()
    QTest.keyClicks(scale, "loud")
    QTest.keyClick(scale, Qt.Key.Key_Return)
    assert "no number" in dialog.complaint.text()
    assert scale.text() == "0.00784314"
    assert dialog.isVisible()
    assert session.current().samples is before


def test_numbers_are_stepped(qtbot: QtBot, dialog: SamplesDialog) -> None:
    side = dialog.fields.editor("resize_side")
    assert isinstance(side, Number)
    before = dialog.preview.shown
    side.stepUp()
    qtbot.waitUntil(lambda: dialog.preview.shown is not before, timeout=5000)
    assert side.value() == 147
    assert dialog.apply.isEnabled()


def test_the_tab_key_follows_the_screen(qtbot: QtBot, dialog: SamplesDialog) -> None:
    change(qtbot, dialog, "resize", "exact")
    height, width = (dialog.fields.editor(f"resize_{side}") for side in ("height", "width"))
    stops = dialog.fields.stops()
    assert stops.index(width) == stops.index(height) + 1
    height.setFocus()
    QTest.keyClick(height, Qt.Key.Key_Tab)
    assert width.hasFocus()
    QTest.keyClick(width, Qt.Key.Key_Tab)
    assert dialog.fields.editor("crop").hasFocus()


def test_the_samples_are_leafed_through(qtbot: QtBot, dialog: SamplesDialog) -> None:
    assert dialog.preview.name.text() == "cat/0.png"
    assert not dialog.preview.before.isEnabled()
    dialog.preview.after.click()
    qtbot.waitUntil(lambda: dialog.preview.place.text() == "2 of 10", timeout=5000)
    assert dialog.preview.name.text() == "cat/2.png"
    for _ in range(12):
        dialog.preview.after.click()
    qtbot.waitUntil(lambda: dialog.preview.place.text() == "10 of 10", timeout=5000)
    assert dialog.preview.label.text() == "1 dog"
    assert not dialog.preview.after.isEnabled()


def test_apply_opens_the_samples_again(
    qtbot: QtBot,
    dialog: SamplesDialog,
    picture_window: MainWindow,
    session: Session,
    settle: Settle,
) -> None:
    before = session.current().samples
    change(qtbot, dialog, "preset", "0…1")
    change(qtbot, dialog, "subset", "some")
    with qtbot.waitSignal(dialog.accepted, timeout=10000):
        dialog.apply.click()
        assert dialog.progress.isVisible()
        assert dialog.working.text() == "Opening pictures…"
        assert not dialog.fields.isEnabled()
    settle(picture_window)
    samples = session.current().samples
    assert samples is not None
    assert samples is not before
    assert samples.count == 5
    assert "5 samples" in picture_window.toolbar.facts.text()
    again = opened(qtbot, picture_window)
    assert again.notes.text().endswith("5 of 10 samples, drawn with seed 0")
    again.cancel.click()


def test_what_fails_is_told_in_the_dialog_and_the_old_samples_stay(
    qtbot: QtBot,
    dialog: SamplesDialog,
    picture_window: MainWindow,
    session: Session,
    settle: Settle,
    pictures: Path,
) -> None:
    before = session.current().samples
    change(qtbot, dialog, "preset", "0…1")
    shutil.rmtree(pictures)
    dialog.apply.click()
    qtbot.waitUntil(dialog.complaint.isVisible, timeout=10000)
    assert "pictures" in dialog.complaint.text()
    assert dialog.isVisible()
    assert dialog.apply.isEnabled()
    assert session.current().samples is before
    picture_window.refresh.flush()
    dialog.cancel.click()
    assert not picture_window.banner.isVisible()
    settle(picture_window)


def test_cancel_leaves_everything(qtbot: QtBot, dialog: SamplesDialog, session: Session) -> None:
    document = session.current()
    change(qtbot, dialog, "preset", "raw 0…255")
    with qtbot.waitSignal(dialog.rejected):
        dialog.cancel.click()
    assert session.current() is document
    assert not any(job.lane == "open" for job in session.jobs())


def test_cancel_stops_the_opening(qtbot: QtBot, dialog: SamplesDialog, session: Session) -> None:
    before = session.current().samples
    change(qtbot, dialog, "preset", "raw 0…255")
    dialog.apply.click()
    dialog.cancel.click()
    assert not any(job.lane == "open" for job in session.jobs())
    assert session.current().samples is before


def test_proposed_preprocessing_is_told_once(
    qtbot: QtBot, picture_window: MainWindow, settle: Settle
) -> None:
    said = "Images are read as ImageNet (torchvision): shorter side 146, crop 128, RGB"
    assert picture_window.message_area.latest.text().startswith(said)
    picture_window.message_area.latest.setText("")
    dialog = opened(qtbot, picture_window)
    change(qtbot, dialog, "subset", "some")
    with qtbot.waitSignal(dialog.accepted, timeout=10000):
        dialog.apply.click()
    settle(picture_window)
    assert not picture_window.message_area.latest.text().startswith("Images are read")


def test_the_dialog_follows_the_theme(dialog: SamplesDialog, picture_window: MainWindow) -> None:
    preview = dialog.preview

    def arrow() -> int:
        """How light its most opaque pixel is."""
        drawn = preview.after.icon().pixmap(16, 16).toImage()
        pixels = [drawn.pixelColor(x, y) for x in range(16) for y in range(16)]
        return max(pixels, key=lambda color: color.alpha()).lightness()

    def ground() -> str:
        return preview.canvas.grab().toImage().pixelColor(8, 60).name()

    light = arrow()
    assert ground() == LIGHT.sunken.lower()
    picture_window.preferences.set_theme("dark")
    assert arrow() > light + 80
    assert ground() == DARK.sunken.lower()
    picture_window.preferences.set_theme("light")
    assert arrow() == light


def test_a_theme_for_a_dialog_that_is_closed_is_no_error(
    qtbot: QtBot, dialog: SamplesDialog, picture_window: MainWindow
) -> None:
    with qtbot.waitSignal(dialog.destroyed):
        dialog.cancel.click()
    picture_window.preferences.set_theme("dark")
    assert picture_window.findChild(SamplesDialog) is None


def test_a_subset_is_counted_of_the_whole(qtbot: QtBot, dialog: SamplesDialog) -> None:
    change(qtbot, dialog, "subset", "some")
    count = dialog.fields.editor("subset_count")
    assert isinstance(count, Number)
    assert count.text() == "5 of 10"
    assert count.maximum() == 10


def test_options_need_samples_that_came_from_a_file(
    qtbot: QtBot, empty_window: MainWindow, session: Session, mlp: Path
) -> None:
    action = empty_window.commands["sample_options"]
    assert not action.isEnabled()
    assert action.toolTip() == "Open samples first"
    session.open(mlp)
    qtbot.waitUntil(lambda: session.document().synthetic and not session.jobs(), timeout=10000)
    empty_window.refresh.flush()
    assert action.toolTip() == "The inputs are synthetic: open samples first"
    empty_window.show_sample_options()
    assert "there are none open" in empty_window.banner.text.text()


def test_arrays_show_their_values(qtbot: QtBot, window: MainWindow) -> None:
    dialog = opened(qtbot, window)
    assert dialog.fields.names() == ("subset",)
    assert dialog.preview.name.text() == "Sample 1"
    assert dialog.preview.tensors()[0].startswith("x")
    assert dialog.preview.shown is not None
    assert len(dialog.preview.shown.values.split(", ")) == 6
    dialog.cancel.click()


def test_arrays_of_pictures_take_presets(
    qtbot: QtBot, empty_window: MainWindow, settle: Settle, image_model: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 128, 128, 3), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", x=pixels, labels=np.arange(10) % 2)
    session = empty_window.session
    session.open(image_model, tmp_path / "set.npz")
    settle(empty_window)
    dialog = opened(qtbot, empty_window)
    assert dialog.fields.names() == ("preset", "subset")
    preset = dialog.fields.editor("preset")
    assert isinstance(preset, Menu)
    assert preset.currentText() == "As they are"
    shown = change(qtbot, dialog, "preset", CAFFE)
    assert "blue in place of red" in shown.caption
    assert preset.currentText() == CAFFE
    assert "mean" in dialog.fields.names()
    dialog.apply.click()
    qtbot.waitUntil(lambda: empty_window.findChild(SamplesDialog) is None, timeout=10000)
    samples = session.current().samples
    assert samples is not None
    fed = samples.arrays["x"][np.array([3])][0]
    means = np.array([103.939, 116.779, 123.68]).reshape(3, 1, 1)
    np.testing.assert_allclose(fed, pixels[3, :, :, ::-1].transpose(2, 0, 1) - means, atol=1e-4)


def test_a_curve_is_drawn_about_its_middle(qtbot: QtBot) -> None:
    canvas = SampleCanvas()
    qtbot.addWidget(canvas)
    canvas.set_palette(DARK)
    canvas.resize(300, 200)
    curve = np.sin(np.linspace(0, 60, 5000))
    canvas.show_sample(SamplePreview(0, 1, "", "", curve=curve, caption="5,000 samples of audio"))
    drawn = canvas.grab().toImage()
    colors = {drawn.pixelColor(150, y).name() for y in range(200)}
    assert len(colors) > 2
    assert canvas.image().isNull()


def test_a_file_is_typed_or_chosen(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = SampleFields()
    qtbot.addWidget(fields)
    fields.show_fields([FormField("tokenizer", "Tokenizer", "file", "", hint="beside the text")])
    editor = fields.editor("tokenizer")
    assert isinstance(editor, FilePath)
    assert editor.text.placeholderText() == "beside the text"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("some.json", ""))
    with qtbot.waitSignal(fields.changed) as told:
        editor.choose.click()
    assert told.args == ["tokenizer", "some.json"]

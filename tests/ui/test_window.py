"""The window as a whole: opening, dropping, themes, memory, messages, pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QPushButton, QScrollArea
from pytestqt.qtbot import QtBot

from qviz.app.actions import ACTIONS
from qviz.app.actions.keys import CHANNELS_KEYS, SENSITIVITY_KEYS, TABLE_KEYS
from qviz.app.session import Session
from qviz.app.views import DocumentView, Message
from qviz.errors import QvizError
from qviz.ui.dialogs import about_dialog, shortcuts_dialog
from qviz.ui.file_drop import Dropped, classify
from qviz.ui.main_window import MainWindow
from qviz.ui.palette import DARK, LIGHT, Palette
from qviz.ui.run import screenshot
from qviz.ui.settings import Recent, Settings

Settle = Callable[[MainWindow], None]


def drop(window: MainWindow, *paths: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    plain = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(50, 50), action, mime, button, plain)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(50, 50), action, mime, button, plain))
    QApplication.sendPostedEvents(window.files, QEvent.Type.MetaCall)


def test_dropping_a_model_and_samples_opens_and_measures_them(
    empty_window: MainWindow, session: Session, settle: Settle, mlp: Path, mlp_samples: Path
) -> None:
    assert empty_window.pages.currentWidget() is empty_window.welcome
    drop(empty_window, mlp_samples, mlp)
    settle(empty_window)
    assert empty_window.pages.currentWidget() is empty_window.workspace
    assert empty_window.workspace.table.layers.total() == len(session.rows())
    assert empty_window.windowTitle().startswith("mlp.onnx")
    assert empty_window.workspace.strip.badge.isVisible()


def test_samples_dropped_first_wait_for_their_model(
    empty_window: MainWindow, session: Session, settle: Settle, mlp: Path, mlp_samples: Path
) -> None:
    drop(empty_window, mlp_samples)
    assert "mlp.npz" in empty_window.welcome.hint.text()
    drop(empty_window, mlp)
    settle(empty_window)
    assert session.document().samples_name == "mlp.npz"


def test_what_was_dropped_is_told_by_its_ending() -> None:
    paths = ["a.md", "b.ONNX", "c.npz", "d.json", "e.onnx"]
    assert classify(paths) == Dropped("b.ONNX", "c.npz", "d.json")
    assert classify(["a.md"]) == Dropped()


def test_a_file_that_is_no_model_says_so_and_leaves_the_document_alone(
    qtbot: QtBot, window: MainWindow, session: Session, tmp_path: Path
) -> None:
    rows = session.rows()
    broken = tmp_path / "text.onnx"
    broken.write_text("this is not a model")
    drop(window, broken)
    qtbot.waitUntil(lambda: "text.onnx" in window.banner.text.text(), timeout=5000)
    assert window.banner.isVisible()
    assert session.rows() == rows
    window.banner.dismiss.click()
    assert not window.banner.isVisible()


def test_a_plan_is_saved_and_dropped_again(
    window: MainWindow, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    session.set_bits(["fc1.weight"], 3)
    assert window.files.save_plan(str(path))
    session.set_bits(["fc1.weight"], 7)
    drop(window, path)
    first = session.rows()[0].weight
    assert first is not None
    assert first.scheme == "int3:channel"


def test_saving_where_nothing_can_be_written_is_a_message(
    window: MainWindow, tmp_path: Path
) -> None:
    assert not window.files.save_plan(str(tmp_path / "missing" / "plan.json"))
    assert window.banner.isVisible()


def test_opened_models_are_remembered_with_their_samples(
    window: MainWindow, settings: Settings, mlp: Path, mlp_samples: Path
) -> None:
    assert settings.recent() == (Recent(str(mlp), str(mlp_samples)),)
    assert window.recent_menu.isEnabled()
    window.files.forget_recent()
    assert settings.recent() == ()
    assert not window.recent_menu.isEnabled()


def test_the_metric_is_chosen_in_the_strip(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    caption = window.workspace.strip.caption
    assert caption.text() == "Top-1: float and quantized"
    entries = {entry.text(): entry for entry in caption.entries()}
    assert entries["Fits best: top-1 (automatic)"].isChecked()
    entries["Cross-entropy"].trigger()
    settle(window)
    assert session.strip().metric == "cross-entropy"
    assert caption.text() == "Cross-entropy: float and quantized"
    assert entries["Cross-entropy"].isChecked()
    assert not entries["Fits best: top-1 (automatic)"].isChecked()
    assert window.workspace.strip.change.note.text() == "nats from float"


def test_the_samples_button_has_a_menu(window: MainWindow) -> None:
    menu = window.toolbar.samples.menu()
    assert isinstance(menu, QMenu)
    names = [entry.text() for entry in menu.actions() if not entry.isSeparator()]
    assert names == ["Open Samples…", "Open Sample Folder…", "Samples Options…"]


def test_a_folder_of_samples_is_asked_for(
    empty_window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    empty_window.commands["open_sample_folder"].trigger()
    assert empty_window.files.pending == str(tmp_path)


def test_the_welcome_page_says_what_opens(empty_window: MainWindow) -> None:
    hint = empty_window.welcome.hint
    for word in ("ONNX", "PyTorch", "GGUF", "folder"):
        assert word in hint.text()
    assert hint.sizeHint().width() <= hint.width()


def test_the_theme_switches_and_is_remembered(window: MainWindow, settings: Settings) -> None:
    assert window.theme.palette is LIGHT
    window.toolbar.theme.click()
    assert window.theme.palette is DARK
    assert settings.theme() == "dark"
    assert window.commands["theme_dark"].isChecked()
    light = window.grab().toImage().pixelColor(4, 400)
    window.commands["theme_light"].trigger()
    assert window.theme.palette is LIGHT
    assert window.grab().toImage().pixelColor(4, 400).lightness() > light.lightness() + 100


def test_the_cards_widths_are_remembered(
    qtbot: QtBot, window: MainWindow, session: Session, settings: Settings
) -> None:
    splitter = window.workspace.splitter
    splitter.setSizes([500, 480, 268])
    splitter.splitterMoved.emit(500, 1)
    sizes = splitter.sizes()
    window.close()
    assert settings.state("window") is not None
    again = MainWindow(session, window.theme, settings)
    qtbot.addWidget(again)
    again.resize(window.size())
    again.pages.setCurrentWidget(again.workspace)
    again.show()
    assert again.workspace.splitter.sizes() == pytest.approx(sizes, abs=2)
    again.close()


def test_actions_without_a_model_are_disabled_and_say_why(empty_window: MainWindow) -> None:
    for row in ACTIONS:
        reason = row.why_disabled(DocumentView())
        action = empty_window.commands[row.id]
        assert action.isEnabled() == (not reason)
        if reason:
            assert action.toolTip() == reason


def test_no_menu_entry_is_without_an_effect(window: MainWindow) -> None:
    for menu_action in window.menuBar().actions():
        menu = menu_action.menu()
        assert isinstance(menu, QMenu)
        for action in menu.actions():
            assert isinstance(action, QAction)
            assert action.isSeparator() or action.menu() or action.receivers("2triggered()")


def test_space_is_the_overlay_in_a_plot_and_presses_a_button_beside_it(window: MainWindow) -> None:
    overlay, channels = window.commands["overlay"], window.workspace.channels
    window.workspace.views.show_view("channels")
    button = channels.roles.button("input")
    button.setFocus()
    with_overlay = overlay.isChecked()
    QTest.keyClick(button, Qt.Key.Key_Space)
    assert window.workspace.table.current_role() == "input"
    assert overlay.isChecked() == with_overlay
    channels.plot.setFocus()
    QTest.keyClick(channels.plot, Qt.Key.Key_Space)
    assert overlay.isChecked() != with_overlay


def test_escape_cancels_the_running_work(
    qtbot: QtBot, window: MainWindow, session: Session
) -> None:
    session.set_bits(["fc1.weight"], 2)
    window.commands["cancel"].trigger()
    qtbot.waitUntil(lambda: not session.jobs(), timeout=5000)
    assert session.rows()[0].weight is not None


def test_the_dialogs_name_every_key(qtbot: QtBot, window: MainWindow) -> None:
    dialog = shortcuts_dialog(window)
    qtbot.addWidget(dialog)
    shown = " ".join(child.text() for child in dialog.findChildren(type(window.banner.text)))
    for row in ACTIONS:
        if row.shortcuts:
            assert row.text.rstrip("…") in shown
    for _, words in (*TABLE_KEYS, *CHANNELS_KEYS, *SENSITIVITY_KEYS):
        assert words in shown
    about = about_dialog(window)
    qtbot.addWidget(about)
    assert about.windowTitle() == "About qviz"
    assert all(button.icon().isNull() for button in about.findChildren(QPushButton))


def test_the_log_is_as_high_as_its_messages_and_never_scrolls_sideways(
    qtbot: QtBot, window: MainWindow
) -> None:
    heights = []
    for count in (1, 4, 60):
        for number in range(count):
            window.files.said.emit(Message("info", f"{number}: {'many words ' * 20}"))
        dialog = window.message_area.log_dialog()
        qtbot.addWidget(dialog)
        dialog.show()
        scroll = dialog.findChild(QScrollArea)
        assert isinstance(scroll, QScrollArea)
        assert scroll.horizontalScrollBar().maximum() == 0
        heights.append(dialog.height())
    assert heights[0] < heights[1] < heights[2] < window.height()


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_text_stands_out_from_its_ground(palette: Palette) -> None:
    p = palette
    for text in (p.text, p.text_soft, p.text_faint):
        for ground in (p.window, p.card, p.sunken, p.raised, p.accent_soft):
            assert contrast(text, ground) >= 4.5, (text, ground)
    for text in (p.accent, p.good, p.warn, p.bad):
        assert contrast(text, p.card) >= 4.5
    assert contrast(p.accent, p.accent_soft) >= 4.5
    assert contrast(p.on_accent, p.accent) >= 4.5
    assert contrast(p.text_disabled, p.card) <= contrast(p.text_soft, p.card) / 2


@pytest.mark.usefixtures("qapp")
def test_a_screenshot_needs_no_display(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    path = tmp_path / "shot.png"
    screenshot(path, mlp, mlp_samples, size=(1280, 800), theme="dark", select="fc2")
    image = QImage(str(path))
    assert (image.width(), image.height()) == (1280, 800)
    assert image.pixelColor(4, 400).lightness() < 40


@pytest.mark.usefixtures("qapp")
def test_a_screenshot_of_a_broken_model_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "text.onnx"
    broken.write_text("this is not a model")
    with pytest.raises(QvizError, match=r"text\.onnx"):
        screenshot(tmp_path / "shot.png", broken, None)

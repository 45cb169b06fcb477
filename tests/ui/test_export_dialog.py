"""Export ONNX through the window: the verdict, stopping, errors, and an edit meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QStyleOptionViewItem
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from qviz.app.export_view import LayerLine
from qviz.app.session import Session
from qviz.ui.export_dialog import ExportDialog
from qviz.ui.export_form import NO_SAMPLES
from qviz.ui.export_layers import NAMES, NameDelegate
from qviz.ui.export_result import EARLIER
from qviz.ui.main_window import MainWindow

Settle = Callable[[MainWindow], None]


@pytest.fixture
def few(demo_samples: Path, tmp_path: Path) -> Path:
    """The first 300 of the demo's samples."""
    with np.load(demo_samples) as archive:
        np.savez(tmp_path / "few.npz", **{name: archive[name][:300] for name in archive.files})
    return tmp_path / "few.npz"


@pytest.fixture
def demo_window(
    empty_window: MainWindow, session: Session, settle: Settle, demo_model: Path, few: Path
) -> MainWindow:
    session.open(demo_model, few)
    settle(empty_window)
    return empty_window


def opened(window: MainWindow) -> ExportDialog:
    window.commands["export"].trigger()
    assert isinstance(window.export_dialog, ExportDialog)
    return window.export_dialog


def exported(qtbot: QtBot, window: MainWindow, dialog: ExportDialog, path: Path) -> None:
    dialog.form.file_line.setText(str(path))
    dialog.export.click()
    qtbot.waitUntil(lambda: not window.session.jobs(), timeout=30000)
    window.refresh.flush()


def test_the_verdict_with_its_evidence(
    qtbot: QtBot, demo_window: MainWindow, session: Session, settle: Settle, tmp_path: Path
) -> None:
    dialog = opened(demo_window)
    assert not dialog.isModal()
    assert opened(demo_window) is dialog
    assert dialog.form.check.isChecked()
    count = session.strip().total
    assert dialog.form.check_on.text() == f"on {count} samples (tune)"
    assert not dialog.copy.isEnabled()
    out = tmp_path / "out.onnx"
    exported(qtbot, demo_window, dialog, tmp_path / "out")  # the ending is added
    onnx.checker.check_model(str(out), full_check=True)
    shown = dialog.outcome
    assert shown.headline.text() == "Yes: the file gives these numbers"
    assert shown.headline.property("tone") == "good"
    assert shown.headline.isVisible()
    assert not shown.mark.pixmap().isNull()
    assert not shown.earlier.isVisible()
    texts = [cell.text() for cell in shown.runs.cells]
    assert texts[:3] == ["onnxruntime", "optimisations off", "optimisations on"]
    assert texts[4] == f"{session.strip().value:.6g}" == texts[7]
    assert shown.evidence.lines
    assert shown.layers.layers.rowCount() == len(session.rows())
    assert shown.layers.horizontalScrollBar().maximum() == 0
    assert dialog.state.text() == ""
    dialog.copy.click()
    report = QGuiApplication.clipboard().text()
    assert report.startswith(shown.headline.text())
    assert f"File: {out}" in report

    session.set("block1.dw.weight", "int2")
    settle(demo_window)
    assert shown.earlier.isVisible()
    assert shown.earlier.text() == EARLIER
    assert shown.headline.property("tone") == "faint"
    session.undo()
    settle(demo_window)
    assert not shown.earlier.isVisible()
    dialog.close()
    assert demo_window.export_dialog is None
    again = opened(demo_window)
    assert again.outcome.headline.text() == "Yes: the file gives these numbers"
    assert again.form.path == out


def test_an_export_can_be_stopped(
    qtbot: QtBot, demo_window: MainWindow, session: Session, tmp_path: Path
) -> None:
    dialog = opened(demo_window)
    dialog.form.file_line.setText(str(tmp_path / "out.onnx"))
    assert not dialog.stop.isVisible()
    dialog.export.click()
    assert dialog.stop.isVisible()
    assert dialog.progress.isVisible()
    assert not dialog.form.isEnabled()
    assert dialog.export.toolTip() == "An export is at work"
    dialog.stop.click()
    qtbot.waitUntil(lambda: not session.jobs())
    demo_window.refresh.flush()
    assert dialog.state.text() == "Stopped"
    assert not dialog.stop.isVisible()
    assert dialog.export.isEnabled()
    assert dialog.outcome.view is None or dialog.outcome.view.ok is None


def test_progress_says_what_is_left(qtbot: QtBot, demo_window: MainWindow, tmp_path: Path) -> None:
    dialog, said = opened(demo_window), list[str]()
    dialog.form.file_line.setText(str(tmp_path / "out.onnx"))
    dialog.export.click()

    def counted() -> bool:
        demo_window.refresh.flush()
        said.append(dialog.state.text())
        return " left" in said[-1]

    qtbot.waitUntil(counted, timeout=30000)
    assert said[-1].startswith("Running the file in onnxruntime  ·  ")
    assert dialog.progress.maximum() > 0
    assert dialog.outcome.headline.text() == "Saved: being checked"
    qtbot.waitUntil(lambda: not demo_window.session.jobs(), timeout=30000)


def test_an_error_is_said_once_in_the_dialog(
    qtbot: QtBot, demo_window: MainWindow, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    dialog = opened(demo_window)
    exported(qtbot, demo_window, dialog, tmp_path / "file" / "out.onnx")
    assert "it cannot be written" in dialog.state.text()
    assert dialog.state.property("tone") == "bad"
    assert not demo_window.banner.isVisible()
    assert dialog.outcome.view is None
    assert dialog.export.isEnabled()
    dialog.form.file_line.setText(str(tmp_path / "other.onnx"))
    assert dialog.state.text() == ""
    exported(qtbot, demo_window, dialog, tmp_path / "other.onnx")
    assert dialog.outcome.view is not None
    assert dialog.outcome.view.ok


def test_what_lies_there_is_not_replaced_unseen(
    demo_window: MainWindow, session: Session, tmp_path: Path
) -> None:
    dialog = opened(demo_window)
    form = dialog.form
    assert not form.hint.isVisible()
    (tmp_path / "there.onnx").touch()
    form.file_line.setText(str(tmp_path / "there"))
    assert "will be replaced" in form.hint.text()
    assert dialog.export.isEnabled()
    for name, why in (
        (session.document().model_path, "the open model itself"),
        (str(tmp_path), "a folder"),
        (" ", "a name"),
    ):
        form.file_line.setText(name)
        assert why in form.hint.text()
        assert form.hint.isVisible()
        assert not dialog.export.isEnabled()
        assert why in dialog.export.toolTip()


def test_browse_and_opset_go_into_the_file(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    dialog = opened(window)
    dialog.form.browse.click()
    asked = dialog.form.findChild(QFileDialog)
    assert isinstance(asked, QFileDialog)
    asked.fileSelected.emit(str(tmp_path / "chosen.onnx"))
    asked.reject()
    menu = dialog.form.opset_menu
    menu.activated.emit(menu.findData("21"))
    assert menu.currentText() == "21: 4 and 16 bits, groups"
    dialog.form.check.click()
    exported(qtbot, window, dialog, dialog.form.path)
    assert onnx.load(tmp_path / "chosen.onnx").opset_import[0].version == 21
    assert dialog.outcome.headline.text() == "Saved: not checked"
    assert dialog.state.text() == ""
    assert dialog.outcome.no_layers.isVisible()


def test_without_samples_nothing_is_checked(
    qtbot: QtBot, empty_window: MainWindow, session: Session, mlp: Path, tmp_path: Path
) -> None:
    session.open(mlp)
    qtbot.waitUntil(lambda: bool(session.rows()) and not session.jobs(), timeout=20000)
    empty_window.refresh.flush()
    dialog = opened(empty_window)
    assert not dialog.form.check.isEnabled()
    assert not dialog.form.check.isChecked()
    assert dialog.form.check_on.text() == NO_SAMPLES
    exported(qtbot, empty_window, dialog, tmp_path / "out.onnx")
    assert "must be measured on samples" in dialog.state.text()
    session.set_defaults(inputs="float")
    exported(qtbot, empty_window, dialog, tmp_path / "out.onnx")
    assert dialog.outcome.headline.text() == "Saved: not checked"


def test_weights_alone_and_nothing_cannot_be_exported(
    qtbot: QtBot, empty_window: MainWindow, session: Session, tmp_path: Path
) -> None:
    action = empty_window.commands["export"]
    assert not action.isEnabled()
    assert action.toolTip() == "Open a model first"
    save_file({"fc.weight": np.ones((8, 8), np.float32)}, tmp_path / "w.safetensors")
    session.open(tmp_path / "w.safetensors")
    qtbot.waitUntil(lambda: bool(session.rows()) and not session.jobs(), timeout=20000)
    empty_window.refresh.flush()
    assert not action.isEnabled()
    assert "no graph" in action.toolTip()


def test_long_names_keep_what_tells_them_apart_and_numbers_fit(window: MainWindow) -> None:
    table = opened(window).outcome.layers
    numbers = ("0.25", "1.0e-06", "1.0e-07", "999,999 of 1.61 M", "5.5e+04")
    names = [f"/model/encoder/layer.{at}/attention/output/dense/MatMul" for at in range(40)]
    table.show_layers(
        tuple(
            LayerLine((str(at), name, "ConvTranspose", *numbers)) for at, name in enumerate(names)
        )
    )
    painted = QStyleOptionViewItem()
    painted.rect = QRect(0, 0, 110, 26)
    delegate = table.itemDelegateForColumn(NAMES)
    assert isinstance(delegate, NameDelegate)
    delegate.initStyleOption(painted, table.layers.index(7, NAMES))
    assert painted.text == "…7/…MatMul"
    for column in set(range(table.layers.columnCount())) - {NAMES}:
        wanted = table.fontMetrics().horizontalAdvance(table.layers.lines[-1].cells[column])
        assert wanted + 12 <= table.header.sectionSize(column)


def test_keys_and_themes(qtbot: QtBot, window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    dialog = window.export_dialog
    assert isinstance(dialog, ExportDialog)
    qtbot.waitUntil(dialog.isActiveWindow)
    assert dialog.export.isDefault()
    window.theme.set_mode("dark")
    assert dialog.outcome.layers.layers.colors is window.theme.palette
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert window.export_dialog is None

"""Editing schemes in the layer table: keys, cells, several layers at once, undo."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QLineEdit

from qviz.app.session import Session
from qviz.ui.layer_columns import Column
from qviz.ui.main_window import MainWindow

Settle = Callable[[MainWindow], None]


def weight_schemes(session: Session) -> list[str]:
    return [row.weight.scheme for row in session.rows() if row.weight]


def move_to(window: MainWindow, column: Column) -> None:
    table = window.workspace.table
    index = table.currentIndex().siblingAtColumn(column)
    table.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)


def popup_of(editor: QLineEdit) -> QAbstractItemView:
    popup = editor.completer().popup()
    assert popup is not None
    return popup


def open_editor(window: MainWindow, column: Column) -> QLineEdit:
    move_to(window, column)
    table = window.workspace.table
    table.edit_current()
    editor = table.findChild(QLineEdit, "cell")
    assert isinstance(editor, QLineEdit)
    return editor


def test_a_digit_sets_the_bits_of_the_current_layer_and_undo_takes_them_back(
    window: MainWindow, session: Session, settle: Settle
) -> None:
    table = window.workspace.table
    assert weight_schemes(session) == ["int8:channel", "int8:channel"]
    before = window.workspace.strip.size_figure.number.value.text()
    table.go_to("fc2")
    QTest.keyClick(table, Qt.Key.Key_4)
    settle(window)
    assert weight_schemes(session) == ["int8:channel", "int4:channel"]
    assert window.workspace.strip.size_figure.number.value.text() != before
    ran = session.operators_run
    QTest.keyClick(table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settle(window)
    assert weight_schemes(session) == ["int8:channel", "int8:channel"]
    assert window.workspace.strip.size_figure.number.value.text() == before
    assert session.operators_run == ran
    QTest.keyClick(table, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert weight_schemes(session) == ["int8:channel", "int4:channel"]


def test_digits_mean_the_inputs_when_the_cursor_is_in_their_column(
    window: MainWindow, session: Session
) -> None:
    table = window.workspace.table
    table.go_to("fc1")
    move_to(window, Column.INPUT)
    QTest.keyClick(table, Qt.Key.Key_5)
    row = session.rows()[0]
    assert row.input is not None
    assert row.input.scheme == "uint5"
    assert weight_schemes(session) == ["int8:channel", "int8:channel"]
    QTest.keyClick(table, Qt.Key.Key_0)
    row = session.rows()[0]
    assert row.input is not None
    assert row.input.scheme == "float"


def test_editing_a_cell_applies_to_every_selected_layer(
    window: MainWindow, session: Session
) -> None:
    table = window.workspace.table
    table.selectAll()
    editor = open_editor(window, Column.WEIGHT)
    editor.selectAll()
    QTest.keyClicks(editor, "int3:channel:mse")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert weight_schemes(session) == ["int3:channel:mse", "int3:channel:mse"]
    assert session.document().undo_text


def offered(editor: QLineEdit) -> list[str]:
    completer = editor.completer()
    completer.setCompletionPrefix(editor.text())
    model = completer.completionModel()
    return [str(model.index(row, 0).data()) for row in range(model.rowCount())]


def test_completion_offers_the_next_part(window: MainWindow) -> None:
    editor = open_editor(window, Column.WEIGHT)
    editor.selectAll()
    QTest.keyClicks(editor, "fp")
    assert offered(editor)[:2] == ["fp8-e4m3", "fp8-e5m2"]
    assert {"mxfp4", "nvfp4"} < set(offered(editor))
    assert not [spelling for spelling in offered(editor) if ":" in spelling]
    editor.selectAll()
    QTest.keyClicks(editor, "int4:")
    assert {"int4:channel", "int4:group=128", "int4:mse"} <= set(offered(editor))
    assert {spelling.count(":") for spelling in offered(editor)} == {1}
    QTest.keyClicks(editor, "group=128:")
    assert offered(editor)[0] == "int4:group=128:mse"
    assert "int4:group=128:entropy" not in offered(editor)
    editor.selectAll()
    QTest.keyClicks(editor, "int4:n")
    assert offered(editor) == ["int4:narrow"]


def test_enter_in_the_list_takes_an_entry_and_then_applies_it(
    window: MainWindow, session: Session
) -> None:
    editor = open_editor(window, Column.WEIGHT)
    editor.selectAll()
    QTest.keyClicks(editor, "int4:group=128:")
    popup = popup_of(editor)
    assert popup.isVisible()
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert editor.text() == "int4:group=128:mse"
    assert not popup.isVisible()
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert weight_schemes(session)[0] == "int4:group=128:mse"


def test_enter_applies_what_is_typed_though_the_list_is_open(
    window: MainWindow, session: Session
) -> None:
    editor = open_editor(window, Column.WEIGHT)
    editor.selectAll()
    QTest.keyClicks(editor, "int4:group=128")
    popup = popup_of(editor)
    assert popup.isVisible()
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert not popup.isVisible()
    assert weight_schemes(session)[0] == "int4:group=128"


def test_a_picked_entry_is_not_lost_when_the_editor_is_left(
    window: MainWindow, session: Session
) -> None:
    editor = open_editor(window, Column.WEIGHT)
    editor.selectAll()
    QTest.keyClicks(editor, "ternary")
    popup = popup_of(editor)
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    picked = editor.text()
    assert picked.startswith("ternary:")
    QTest.keyClick(editor, Qt.Key.Key_Tab)
    assert weight_schemes(session)[0] == picked


def test_the_down_key_lists_the_formats(window: MainWindow) -> None:
    editor = open_editor(window, Column.INPUT)
    QTest.keyClick(editor, Qt.Key.Key_Down)
    assert popup_of(editor).isVisible()
    popup_of(editor).hide()
    QTest.keyClick(editor, Qt.Key.Key_Escape)


def test_a_spelling_that_means_nothing_keeps_the_editor_open_and_says_so(
    window: MainWindow, session: Session
) -> None:
    editor = open_editor(window, Column.WEIGHT)
    editor.selectAll()
    QTest.keyClicks(editor, "int99")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert editor.isVisible()
    assert editor.property("invalid") is True
    assert window.banner.isVisible()
    assert "int99" in window.banner.text.text()
    assert weight_schemes(session) == ["int8:channel", "int8:channel"]
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert not window.banner.isVisible()
    assert window.workspace.table.current_row() is not None


def test_an_error_is_over_with_the_next_edit_that_works(
    window: MainWindow, session: Session
) -> None:
    session.set_bits(["fc1.weight"], 6)
    window.refresh.flush()
    window.workspace.failed.emit("fc1.weight: something was wrong")
    assert window.banner.isVisible()
    window.refresh.flush()
    assert window.banner.isVisible()
    session.set_bits(["fc1.weight"], 5)
    window.refresh.flush()
    assert not window.banner.isVisible()


def test_a_long_scheme_is_cut_in_the_middle_and_told_whole(
    window: MainWindow, session: Session
) -> None:
    session.set_clip(["fc1.weight"], -208.574, 208.574)
    window.refresh.flush()
    window.workspace.table.go_to("fc1")
    window.workspace.show_selection()
    scheme = weight_schemes(session)[0]
    chip = window.workspace.distribution.panels["weight"].scheme
    assert chip.toolTip() == scheme
    assert chip.geometry().right() < window.workspace.distribution.width()
    assert window.workspace.inspector.scheme.toolTip() == scheme
    index = window.workspace.table.currentIndex().siblingAtColumn(Column.WEIGHT)
    assert scheme in index.data(Qt.ItemDataRole.ToolTipRole)


def test_a_layer_without_weights_says_where_its_inputs_are_edited(
    window: MainWindow, session: Session
) -> None:
    table = window.workspace.table
    without = next((row for row in session.rows() if row.weight is None), None)
    if without is None:
        table.clearSelection()
    else:
        table.go_to(without.name)
    QTest.keyClick(table, Qt.Key.Key_4)
    assert "A column" in window.banner.text.text()


def test_reset_gives_the_defaults_again(window: MainWindow, session: Session) -> None:
    table = window.workspace.table
    table.selectAll()
    QTest.keyClick(table, Qt.Key.Key_2)
    assert weight_schemes(session) == ["int2:channel", "int2:channel"]
    window.commands["reset"].trigger()
    assert weight_schemes(session) == ["int8:channel", "int8:channel"]


def test_left_and_right_keep_the_selection(window: MainWindow) -> None:
    table = window.workspace.table
    table.selectAll()
    selected = len(table.selected_rows())
    assert selected >= 2
    QTest.keyClick(table, Qt.Key.Key_Right)
    assert table.currentIndex().column() == 1
    assert len(table.selected_rows()) == selected


def test_copied_rows_are_tab_separated_with_a_head(window: MainWindow) -> None:
    table = window.workspace.table
    table.go_to("fc1")
    window.commands["copy_rows"].trigger()
    head, row = QGuiApplication.clipboard().text().split("\n")
    assert head.split("\t")[:2] == ["#", "Layer"]
    assert row.split("\t")[:3] == ["0", "fc1", "Gemm"]
    assert len(row.split("\t")) == len(Column)


def test_every_preset_says_what_it_sets(window: MainWindow) -> None:
    for menu in (window.toolbar.presets.menu(), window.presets_menu):
        assert menu.toolTipsVisible()
        tips = {action.text(): action.toolTip() for action in menu.actions()}
        assert tips["FP8"] == "FP8: E4M3 weights per channel and inputs per tensor"
        assert all(tip not in ("", name) for name, tip in tips.items())
        assert "last layer" in tips["DoReFa W1A2"]


def test_a_preset_changes_the_whole_model_as_one_edit(window: MainWindow, session: Session) -> None:
    window.toolbar.preset_picked.emit("W4A8 per-channel")
    assert weight_schemes(session) == ["int4:channel", "int4:channel"]
    session.undo()
    assert weight_schemes(session) == ["int8:channel", "int8:channel"]

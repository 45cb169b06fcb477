"""What is asked for before an export: the file, its opset, and whether it is checked."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from qviz.app.export_view import opset_choices
from qviz.app.resources import resource_path
from qviz.app.views import DocumentView, FormField
from qviz.ui import number_format as text
from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.palette import Palette
from qviz.ui.parts import label
from qviz.ui.scheme_fields import Menu

KINDS = "ONNX models (*.onnx)"
SUFFIX = ".onnx"
OPSET_WIDTH = 220
OPSET_TIP = "The version of ONNX's operators: the least that the file is written in"
CHECK_TIP = "Run the file over the samples, optimisations off and on, and compare its numbers"
NO_SAMPLES = "Open samples first: the file is run on them"


class ExportForm(QWidget):
    """`changed` when the file is another."""

    changed = Signal()

    def __init__(self) -> None:
        """No file yet."""
        super().__init__()
        self._model = ""  # the file of the open model, which must stay
        self._opset = ""
        self.file_line = QLineEdit()
        self.file_line.setFont(ui_font(13))
        self.file_line.setAccessibleName("File")
        self.file_line.textChanged.connect(lambda: self.changed.emit())
        self.browse = QPushButton("Browse…")
        self.browse.setFont(ui_font(13, "medium"))
        self.browse.setAutoDefault(False)
        self.browse.clicked.connect(self._ask_file)
        self.opset_menu = Menu()
        self.opset_menu.setAccessibleName("Opset")
        self.opset_menu.setFixedWidth(OPSET_WIDTH)
        self.opset_menu.edited.connect(self._take_opset)
        self.check = QCheckBox("Check with onnxruntime")
        self.check.setFont(ui_font(13))
        self.check_on = label("", 12, tone="faint")
        self.hint = label("", 12, tone="warn")
        self._assemble()
        self._take_opset("")

    def _assemble(self) -> None:
        second = QHBoxLayout()
        second.setSpacing(10)
        for part in (self.opset_menu, self.check, self.check_on):
            second.addWidget(part)
            second.addSpacing(14 if part is self.opset_menu else 0)
        second.addStretch(1)
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 0, 14, 12)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(8)
        for row, words in ((0, "File"), (2, "Opset")):
            grid.addWidget(label(words, 13, tone="soft"), row, 0)
        grid.addWidget(self.file_line, 0, 1)
        grid.addWidget(self.browse, 0, 2)
        grid.addWidget(self.hint, 1, 1, 1, 2)
        grid.addLayout(second, 2, 1, 1, 2)
        grid.setColumnStretch(1, 1)

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.browse.setIcon(icon("folder-open", palette))
        self.browse.setIconSize(QSize(16, 16))
        self.check.setStyleSheet(_box(palette))

    def show_document(self, document: DocumentView, part: str) -> None:
        """Another model may be open, or other samples: of a model anew, a name is proposed."""
        if document.model_path != self._model:
            self._model = document.model_path
            self.file_line.setText(_proposal(document.model_path))
        samples = 0 if document.synthetic else document.samples_count
        count = dict(document.parts).get(part, samples)
        if bool(samples) != self.check.isEnabled() or not self.check.toolTip():
            self.check.setChecked(bool(samples))
        self.check.setEnabled(bool(samples))
        self.check.setToolTip(CHECK_TIP if samples else NO_SAMPLES)
        of = f"on {text.counted(count, 'sample')} ({part})"
        self.check_on.setText(of if samples else NO_SAMPLES)

    def show_hint(self, written: str) -> None:
        """Say what is in the way, or would be replaced unseen; `written` was by us."""
        words = self.why_not()
        if not words and str(self.path) != written and self.path.exists():
            words = "This file is there already, and will be replaced"
        self.hint.setText(words)
        self.hint.setVisible(bool(words))

    def why_not(self) -> str:
        """Why nothing can be written under this name; "" where it can."""
        if not self.file_line.text().strip():
            return "Give the file a name"
        if self.path.is_dir():
            return "This is a folder: add a name for the file"
        if self.path.resolve() == Path(self._model).resolve():
            return "This is the open model itself: choose another name"
        return ""

    @property
    def path(self) -> Path:
        """The file to write, which ends in .onnx."""
        given = Path(self.file_line.text().strip()).expanduser()
        if given.is_dir() or not given.name or given.suffix.lower() == SUFFIX:
            return given
        return given.with_name(given.name + SUFFIX)

    @property
    def opset(self) -> int | None:
        """The least opset; None for what the plan needs."""
        return int(self._opset) if self._opset else None

    @property
    def checks(self) -> bool:
        """Whether the file is run over the samples."""
        return self.check.isChecked()

    def _take_opset(self, value: str) -> None:
        self._opset = value
        field = FormField("opset", "Opset", "menu", value, opset_choices(), tip=OPSET_TIP)
        self.opset_menu.show_field(field)

    def _ask_file(self) -> None:
        dialog = QFileDialog(self, "Export ONNX")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(KINDS)
        dialog.setDefaultSuffix(SUFFIX)
        dialog.selectFile(str(self.path))
        dialog.fileSelected.connect(self.file_line.setText)
        dialog.open()


def _proposal(model: str) -> str:
    """Beside the model, or at home where the model came with the program."""
    path = Path(model).absolute()
    folder = Path.home() if path.is_relative_to(resource_path()) else path.parent
    return str(folder / f"{path.stem}.quantized{SUFFIX}")


def _box(p: Palette) -> str:
    """A check box that is seen when it is empty, too."""
    mark = resource_path("icons", "check.svg").as_posix()
    return f"""
QCheckBox {{ spacing: 8px; }}
QCheckBox:disabled {{ color: {p.text_disabled}; }}
QCheckBox::indicator {{ width: 16px; height: 16px; border: 1px solid {p.line_strong};
  border-radius: 4px; background: {p.sunken}; }}
QCheckBox::indicator:checked {{ border-color: {p.accent}; background: {p.accent_soft};
  image: url("{mark}"); }}
QCheckBox:focus::indicator {{ border-color: {p.accent}; }}
QCheckBox::indicator:disabled {{ border-color: {p.line}; }}
"""

"""What came of an export: the verdict with its evidence, and the layers beside it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from qviz.app.export_view import ExportView, RunLine
from qviz.ui.export_layers import ExportLayerTable
from qviz.ui.fact_list import FactList
from qviz.ui.icons import icon
from qviz.ui.palette import LIGHT, Palette
from qviz.ui.parts import Card, Notice, label, scrolling, set_look

VERDICT_WIDTH = 456
ICON = 30
EARLIER = "Of an earlier plan"
NOTHING = (
    "Nothing is exported yet.\nA file that is checked is run in onnxruntime over the samples, and "
    "compared\nwith the numbers of this window down to the outputs of every layer."
)
NO_LAYERS = "Layers are compared when the file is checked."


class ExportResult(QWidget):
    """Draws an ExportView."""

    def __init__(self) -> None:
        """Nothing is exported."""
        super().__init__()
        self._palette = LIGHT
        self.view: ExportView | None = None
        self.nothing = Notice()
        self.nothing.setText(NOTHING)
        self.mark = label()
        self.mark.setFixedSize(ICON, ICON)
        self.headline = label("", 18, "semibold")
        self.headline.setWordWrap(True)
        self.words = _wrapped("soft")
        self.earlier = label(EARLIER, 12, "medium", tone="warn")
        self.facts = FactList()
        self.runs = RunGrid()
        self.evidence = BulletList()
        self.layers = ExportLayerTable()
        self.no_layers = Notice()
        self.no_layers.setText(NO_LAYERS)
        self.layers_on = label("", 12, tone="faint")
        self._empty, self._cards = Card("Result"), QWidget()
        self._assemble()
        self.show_view(None)

    def _assemble(self) -> None:
        row = QHBoxLayout(self._cards)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._verdict_card())
        row.addWidget(self._layer_card(), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._empty.body.addWidget(self.nothing)
        column.addWidget(self._empty)
        column.addWidget(self._cards)

    def _verdict_card(self) -> Card:
        card = Card("Result")
        card.setFixedWidth(VERDICT_WIDTH)
        card.header.addStretch(1)
        card.header.addWidget(self.earlier)
        card.header.addSpacing(6)
        said = QVBoxLayout()
        said.setSpacing(2)
        said.addWidget(self.headline)
        said.addWidget(self.words)
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(said, 1)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(14, 2, 12, 12)
        column.setSpacing(14)
        column.addLayout(top)
        for part in (self.runs, self.facts, self.evidence):
            column.addWidget(part)
        column.addStretch(1)
        card.body.addWidget(scrolling(content))
        return card

    def _layer_card(self) -> Card:
        card = Card("Layers")
        card.header.addSpacing(4)
        card.header.addWidget(self.layers_on, 1)
        card.body.addWidget(self.layers, 1)
        card.body.addWidget(self.no_layers, 1)
        return card

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self.nothing.set_palette(palette)
        self.no_layers.set_palette(palette)
        self.layers.set_palette(palette)
        self._draw_mark()

    def show_view(self, view: ExportView | None) -> None:
        """Show what is known; None where nothing is exported."""
        self._empty.setVisible(view is None)
        self._cards.setVisible(view is not None)
        known, self.view = self.view, view
        if view is None or view == known:
            return
        self.headline.setText(view.headline)
        self.words.setText(view.text)
        self.words.setVisible(bool(view.text))
        self.earlier.setVisible(not view.current)
        self.facts.show_facts(view.facts)
        self.runs.show_runs(view.runs)
        self.evidence.show_sentences(view.evidence)
        if known is None or known.layers != view.layers:
            self.layers.show_layers(view.layers)
        self.layers.setVisible(bool(view.layers))
        self.no_layers.setVisible(not view.layers)
        self.layers_on.setText(view.layers_on)
        self._draw_mark()

    def _draw_mark(self) -> None:
        """A check or a cross in their colors; grey where the plan is another by now."""
        view, p = self.view, self._palette
        if view is None:
            return
        name, tone, color = "floppy-disk", "", p.text_soft
        if view.ok is not None:
            name = "check-circle" if view.ok else "x-circle"
            tone, color = ("good", p.good) if view.ok else ("bad", p.bad)
        if not view.current:
            tone, color = "faint", p.text_faint
        self.mark.setPixmap(icon(name, p, color).pixmap(ICON, ICON))
        set_look(self.headline, "tone", tone)


class RunGrid(QWidget):
    """onnxruntime's two runs side by side."""

    def __init__(self) -> None:
        """No runs, and no room taken."""
        super().__init__()
        self.cells: list[QLabel] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 1)

    def show_runs(self, runs: tuple[RunLine, ...]) -> None:
        """Show `runs` below the titles of both columns."""
        _clear(self.cells)
        self.setVisible(bool(runs))
        titles = RunLine("onnxruntime", "optimisations off", "optimisations on")
        for row, run in enumerate((titles, *runs) if runs else ()):
            for column, words in enumerate((run.label, run.off, run.on)):
                cell = self._cell(words, title=not row, name=not column)
                cell.setToolTip(run.tip)
                self._grid.addWidget(cell, row, column)

    def _cell(self, words: str, *, title: bool, name: bool) -> QLabel:
        cell = label(words, 11, "medium", "faint") if title else label(words, 13, "medium")
        if name and not title:
            cell = label(words, 12, tone="soft")
        if not name:
            cell.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.cells.append(cell)
        return cell


class BulletList(QWidget):
    """Sentences, each behind a bullet, wrapped as their width asks for."""

    def __init__(self) -> None:
        """No sentences, and no room taken."""
        super().__init__()
        self.lines: list[QLabel] = []
        self._bullets: list[QLabel] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)

    def show_sentences(self, sentences: tuple[str, ...]) -> None:
        """Say these, in their order."""
        _clear(self.lines)
        _clear(self._bullets)
        self.setVisible(bool(sentences))
        for row, sentence in enumerate(sentences):
            bullet, line = label("•", 12, tone="faint"), _wrapped("soft")
            line.setText(sentence)
            self._bullets.append(bullet)
            self.lines.append(line)
            self._grid.addWidget(bullet, row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(line, row, 1)


def _wrapped(tone: str) -> QLabel:
    line = label("", 12, tone=tone)
    line.setWordWrap(True)
    line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return line


def _clear(labels: list[QLabel]) -> None:
    """Take labels out of their grid."""
    for each in labels:
        each.hide()
        each.setParent(None)
        each.deleteLater()
    labels.clear()

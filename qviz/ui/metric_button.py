"""The number strip's caption: a flat button with the menu of what can be measured."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton

from qviz.app.resources import resource_path
from qviz.app.views import MetricChoice
from qviz.ui.figure import CAPTION_HEIGHT
from qviz.ui.fonts import ui_font
from qviz.ui.metric_question import MetricQuestion
from qviz.ui.palette import LIGHT, Palette

MORE = ": float and quantized"


class MetricButton(QPushButton):
    """Emits `picked` with the word of `Session.set_metric`, or `file_wanted` for one's own.

    `classes_wanted` asks for the table of all classes.
    """

    picked = Signal(str)
    file_wanted = Signal()
    classes_wanted = Signal()

    def __init__(self) -> None:
        """A plain caption until there is something to choose."""
        super().__init__()
        self._choices: tuple[MetricChoice, ...] = ()
        self._classes: tuple[str, ...] = ()
        self._palette = LIGHT
        self._actions: list[QAction] = []
        self.by_class = QAction("Recall and Precision by Class…", self)
        self.by_class.setToolTip("A table of all classes, float and quantized side by side")
        self.by_class.triggered.connect(self.classes_wanted)
        self.setFont(ui_font(12, "medium"))
        self.setFixedHeight(CAPTION_HEIGHT)
        self.choices = QMenu(self)
        self.choices.setFont(ui_font(13))
        self.choices.setToolTipsVisible(True)
        self.setMenu(self.choices)
        self._show_kind()

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self._palette = palette
        self._show_kind()

    def show_caption(self, metric: str, width: int) -> None:
        """The metric, and as much of what is shown of it as has room."""
        room = self.fontMetrics()
        words = metric + MORE if room.horizontalAdvance(metric + MORE) <= width else metric
        self.setText(room.elidedText(words, Qt.TextElideMode.ElideRight, width))
        self.setAccessibleName(words)

    def show_choices(
        self, choices: tuple[MetricChoice, ...], classes: tuple[str, ...], *, by_class: bool = False
    ) -> None:
        """Offer these; `classes` are what an entry that asks for a class offers.

        `by_class`: there is a table of all classes.
        """
        self._classes = classes
        self.by_class.setVisible(by_class)
        if choices == self._choices:
            return
        if [choice.name for choice in choices] != [choice.name for choice in self._choices]:
            self._build(choices)
        self._choices = choices
        for action, choice in zip(self._actions, choices, strict=True):
            action.setText(choice.label)
            action.setToolTip(choice.tip)
            action.setStatusTip(choice.tip)
            action.setChecked(choice.current)
        self._show_kind()

    def _build(self, choices: tuple[MetricChoice, ...]) -> None:
        self.choices.clear()
        self._actions = []
        for at, choice in enumerate(choices):
            action = self.choices.addAction(choice.label)
            action.setCheckable(True)
            action.triggered.connect(lambda _=False, at=at: self._pick(self._choices[at]))
            self._actions.append(action)
            if not choice.name:
                self.choices.addSeparator()
        if choices:
            self.choices.addSeparator()
            self.choices.addAction(self.by_class)
            own = self.choices.addAction("From a Python File…")
            own.setToolTip("A metric of your own: a file that defines metric(outputs, labels)")
            own.triggered.connect(self.file_wanted)

    def _show_kind(self) -> None:
        some = bool(self._choices)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if some else Qt.FocusPolicy.NoFocus)
        self.setStyleSheet(_flat(self._palette, some=some))

    def entries(self) -> tuple[QAction, ...]:
        """What the menu offers, from the top."""
        return tuple(self._actions)

    def _pick(self, choice: MetricChoice) -> None:
        for action, known in zip(self._actions, self._choices, strict=True):
            action.setChecked(known.current)  # until the strip says otherwise
        if not choice.asks:
            self.picked.emit(choice.name)
            return
        question = MetricQuestion(self, choice, self._classes)
        question.answered.connect(self.picked)
        question.open()


def _flat(p: Palette, *, some: bool) -> str:
    """A caption like its neighbors, with a chevron and a reaction only where there is a menu."""
    chevron = resource_path("icons", "chevron-down.svg").as_posix()
    image = f'url("{chevron}")' if some else "none"
    hover = p.accent if some else p.text_faint
    return f"""
QPushButton {{ background: transparent; border: none; padding: 0px {17 if some else 0}px 0px 0px;
  text-align: left; color: {p.text_faint}; }}
QPushButton:hover {{ color: {hover}; }}
QPushButton:focus {{ color: {p.accent}; }}
QPushButton::menu-indicator {{ image: {image}; width: 12px; height: 12px;
  subcontrol-origin: padding; subcontrol-position: right center; }}
"""

"""The toolbar: files, undo, presets, what is open, and the theme."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from qviz.app.session import Session
from qviz.app.views import DocumentView
from qviz.ui import number_format as text
from qviz.ui.commands import Commands
from qviz.ui.fonts import ui_font
from qviz.ui.icons import icon
from qviz.ui.palette import DARK, Palette
from qviz.ui.parts import Wordings, label


class Toolbar(QToolBar):
    """Buttons for the commonest actions, and the facts of what is open."""

    theme_toggled = Signal()
    preset_picked = Signal(str)

    def __init__(self, session: Session, commands: Commands, recent: QMenu) -> None:
        """`recent` is the menu of files opened before."""
        super().__init__("Toolbar")
        self._session = session
        self.setObjectName("toolbar")
        self.setMovable(False)
        self.setIconSize(QSize(18, 18))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.open = self._button(commands["open_model"], "Open")
        self.open.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.open.setMenu(self._open_menu(commands, recent))
        self.samples = self._button(commands["open_samples"], "Samples")
        self.samples.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.samples.setMenu(self._samples_menu(commands))
        self.addSeparator()
        for name in ("undo", "redo"):
            button = self._button(commands[name], "")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self.addSeparator()
        self.presets = self._preset_button(session)
        self.addSeparator()
        self.facts = Wordings(13, tone="soft")
        self.facts.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.facts.setContentsMargins(8, 0, 8, 0)
        self.addWidget(self.facts)
        self.parity = label()
        self._parity_shown = self.addWidget(self.parity)
        self.theme = QToolButton()
        self.theme.clicked.connect(self.theme_toggled)
        self.addWidget(_gap(8))
        self.addWidget(self.theme)

    def _button(self, action: QAction, words: str) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(action)
        button.setFont(ui_font(13, "medium"))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(action.text())
        if words:
            button.setText(words)
            action.changed.connect(lambda: button.setText(words))
        self.addWidget(button)
        return button

    def _open_menu(self, commands: Commands, recent: QMenu) -> QMenu:
        menu = QMenu(self)
        menu.setFont(ui_font(13))
        menu.setToolTipsVisible(True)
        menu.addActions([commands["open_model"], commands["open_project"]])
        menu.addMenu(recent)
        menu.addActions([commands["open_demo"]])
        return menu

    def _samples_menu(self, commands: Commands) -> QMenu:
        menu = QMenu(self)
        menu.setFont(ui_font(13))
        menu.setToolTipsVisible(True)
        for name in ("open_samples", "open_sample_folder"):
            menu.addAction(commands[name])
        menu.addSeparator()
        menu.addAction(commands["sample_options"])
        return menu

    def _preset_button(self, session: Session) -> QToolButton:
        button = QToolButton()
        button.setText("Presets")
        button.setFont(ui_font(13, "medium"))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setMenu(self.preset_menu(session, QMenu(self)))
        self.addWidget(button)
        return button

    def preset_menu(self, session: Session, menu: QMenu) -> QMenu:
        """Fill `menu` with the presets; each says in its tooltip what it sets."""
        menu.setFont(ui_font(13))
        menu.setToolTipsVisible(True)
        for preset in session.presets():
            action = menu.addAction(preset.label)
            action.setToolTip(preset.tip)
            action.setStatusTip(preset.tip)
            action.triggered.connect(
                lambda _=False, name=preset.value: self.preset_picked.emit(name)
            )
        return menu

    def set_palette(self, palette: Palette) -> None:
        """Take the theme's colors."""
        self.presets.setIcon(icon("magic-wand", palette))
        dark = palette is DARK
        self.theme.setIcon(icon("sun" if dark else "moon", palette))
        words = "Switch to the light theme" if dark else "Switch to the dark theme"
        self.theme.setToolTip(words)
        self.theme.setAccessibleName(words)
        self._marks = {
            True: icon("check-circle", palette, palette.good).pixmap(18, 18),
            False: icon("warning", palette, palette.warn).pixmap(18, 18),
        }
        self.refresh()

    def refresh(self) -> None:
        """Show what is open."""
        document = self._session.document()
        self.facts.show_wordings(facts(document))
        self.presets.setEnabled(bool(document.model_name))
        self.presets.setToolTip(
            "Give the whole model a common plan, as one edit"
            if document.model_name
            else "Open a model first"
        )
        self._parity_shown.setVisible(bool(document.parity))
        self.parity.setPixmap(self._marks[document.parity_ok is not False])
        self.parity.setToolTip(document.parity)
        self.parity.setAccessibleName(document.parity)


def facts(document: DocumentView) -> tuple[str, ...]:
    """One line on the model and the samples, in more and in fewer words."""
    if not document.model_name:
        return ()
    parts = [
        document.model_name,
        text.counted(document.layers, "layer"),
        f"{text.short_count(document.parameters)} {text.word(document.parameters, 'parameter')}",
    ]
    if document.synthetic:
        parts.append("synthetic inputs")
    elif document.samples_count:
        parts.append(text.counted(document.samples_count, "sample"))
    long, short = "   ·   ", " · "
    return long.join(parts), short.join(parts), short.join((parts[0], *parts[3:])), *parts[3:]


def _gap(width: int) -> QWidget:
    gap = QWidget()
    gap.setFixedWidth(width)
    return gap

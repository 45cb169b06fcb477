"""What the user likes, in every model: the theme, memory for speed, what the histograms show."""

from __future__ import annotations

from qviz.app.memory import BUDGETS, budget_of
from qviz.app.session import Session
from qviz.ui.commands import Commands
from qviz.ui.distribution_view import DistributionPane
from qviz.ui.settings import Settings
from qviz.ui.theme import Mode, Theme

FLAGS = {"overlay": "overlay", "log_scale": "log", "error_curve": "curve"}  # action: setting


class Preferences:
    """Applies what is chosen and remembers it."""

    def __init__(
        self,
        session: Session,
        theme: Theme,
        settings: Settings,
        commands: Commands,
        distribution: DistributionPane,
    ) -> None:
        """Nothing is applied until `restore`; the theme already is."""
        self._session = session
        self._theme = theme
        self._settings = settings
        self._commands = commands
        self._distribution = distribution

    def set_theme(self, mode: Mode) -> None:
        """Follow the system, or stay light or dark."""
        self._settings.set_theme(mode)
        self._theme.set_mode(mode)

    def toggle_theme(self) -> None:
        """From light to dark and back."""
        self._theme.toggle()
        self._settings.set_theme(self._theme.mode)

    def set_memory(self, word: str) -> None:
        """Take one of the budgets for results that may be used again."""
        self._settings.set_word("memory", word)
        self._session.set_memory(budget_of(word).bytes)

    def take_flags(self) -> None:
        """Draw the histograms as their actions are checked."""
        for action, setting in FLAGS.items():
            self._settings.set_flag(setting, self._commands[action].isChecked())
        overlay, log, curve = (self._commands[action].isChecked() for action in FLAGS)
        self._distribution.set_overlay(overlay)
        self._distribution.set_log(log)
        self._distribution.set_curve(curve)

    def restore(self) -> None:
        """Apply the choices of last time."""
        for action, setting in FLAGS.items():
            self._commands[action].setChecked(self._settings.flag(setting, True))
        self._restore_memory()
        self.take_flags()

    def _restore_memory(self) -> None:
        """The budget of last time, unless this run was given one."""
        if self._session.memory_budget is None:
            word = self._settings.word("memory", "")
            self._session.set_memory(budget_of(word).bytes)
        for budget in BUDGETS:
            chosen = budget.bytes == self._session.memory_budget
            self._commands[f"memory_{budget.word}"].setChecked(chosen)

"""What the window remembers between runs."""

from __future__ import annotations

import json
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QSettings

from qviz.ui.theme import Mode

RECENT_LIMIT = 8


@dataclass(frozen=True, slots=True)
class Recent:
    """A model that was opened, and the samples it was opened with ("" for none)."""

    model: str
    samples: str


class Settings:
    """Typed access to one QSettings store."""

    def __init__(self, store: QSettings | None = None) -> None:
        """Use `store`, or the user's own file when none is given."""
        self._store = store or QSettings(
            QSettings.Format.IniFormat, QSettings.Scope.UserScope, "qviz", "qviz"
        )

    def theme(self) -> Mode:
        """The theme that was chosen last."""
        value = str(self._store.value("theme", "system"))
        return "light" if value == "light" else "dark" if value == "dark" else "system"

    def set_theme(self, mode: Mode) -> None:
        """Remember the theme."""
        self._store.setValue("theme", mode)

    def flag(self, name: str, default: bool) -> bool:
        """A yes or no."""
        return str(self._store.value(name, default)).lower() == "true"

    def set_flag(self, name: str, value: bool) -> None:
        """Remember a yes or no."""
        self._store.setValue(name, value)

    def word(self, name: str, default: str) -> str:
        """One choice of a few."""
        return str(self._store.value(name, default))

    def set_word(self, name: str, value: str) -> None:
        """Remember a choice."""
        self._store.setValue(name, value)

    def state(self, name: str) -> QByteArray | None:
        """The saved geometry or layout of a part of the window; None when there is none."""
        value = self._store.value(f"layout/{name}")
        return value if isinstance(value, QByteArray) else None

    def set_state(self, name: str, value: QByteArray) -> None:
        """Remember a geometry or layout."""
        self._store.setValue(f"layout/{name}", value)

    def recent(self) -> tuple[Recent, ...]:
        """Models opened before, newest first."""
        try:
            entries = json.loads(str(self._store.value("recent", "[]")))
            return tuple(Recent(str(model), str(samples)) for model, samples in entries)
        except (ValueError, TypeError):
            return ()

    def add_recent(self, model: str, samples: str) -> None:
        """Put a model first in the list."""
        kept = [entry for entry in self.recent() if entry.model != model]
        entries = [Recent(model, samples), *kept][:RECENT_LIMIT]
        self._store.setValue("recent", json.dumps([[e.model, e.samples] for e in entries]))

    def clear_recent(self) -> None:
        """Forget them all."""
        self._store.remove("recent")

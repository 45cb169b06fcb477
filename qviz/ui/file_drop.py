"""Files dragged onto the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QMimeData, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget

from qviz.app.file_kinds import Kind, kind_of


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a set of paths asks for; "" for none of a kind."""

    model: str = ""
    samples: str = ""
    plan: str = ""


def classify(paths: Sequence[str]) -> Dropped:
    """Sort paths by what they are; the first of each kind counts."""
    found: dict[Kind, str] = {}
    for path in paths:
        found.setdefault(kind_of(path), path)
    model = found.get("model") or found.get("program", "")
    return Dropped(model, found.get("samples", ""), found.get("plan", ""))


class FileDrop(QObject):
    """Watches a window: `hovered` while files it can open are over it, `dropped` when let go."""

    hovered = Signal(bool)
    dropped = Signal(object)

    def __init__(self, window: QWidget) -> None:
        """`window` takes drops from now on."""
        super().__init__(window)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the events of a drag; pass on all others."""
        if isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            self.hovered.emit(False)
            self.dropped.emit(_files(event.mimeData()))
            event.acceptProposedAction()
            return True
        if isinstance(event, QDragEnterEvent):
            if _files(event.mimeData()) != Dropped():
                self.hovered.emit(True)
                event.acceptProposedAction()
            return True
        if event.type() == QEvent.Type.DragLeave:
            self.hovered.emit(False)
        return super().eventFilter(watched, event)


def _files(mime: QMimeData) -> Dropped:
    return classify([url.toLocalFile() for url in mime.urls() if url.isLocalFile()])

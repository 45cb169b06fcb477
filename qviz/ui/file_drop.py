"""Files dragged onto the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a set of paths asks for; "" for none of a kind."""

    model: str = ""
    samples: str = ""
    plan: str = ""


def classify(paths: Sequence[str]) -> Dropped:
    """Sort paths by their ending: .onnx, .npz, .json; the first of each kind counts."""
    found: dict[str, str] = {}
    for path in paths:
        found.setdefault(Path(path).suffix.lower(), path)
    return Dropped(found.get(".onnx", ""), found.get(".npz", ""), found.get(".json", ""))


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

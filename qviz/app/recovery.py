"""Recovery: unsaved work is kept in the user's state folder, one file per open document.

A kept file is a project with its owner in it. Whoever saves or closes properly removes it, so that
one whose owner lives no more is work that was lost, but for the last edit at most.
"""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from qviz.app.document import Document
from qviz.app.opening import Opening
from qviz.app.project_file import CURE, SUFFIX, Owner, Project, project_json, read_project
from qviz.app.unsaved import differs
from qviz.app.views import Message
from qviz.errors import QvizError
from qviz.plan.json_file import read_json, write_json

NEVER = ""  # the key of no plan
CLOCK_MOVES = 60  # seconds: when a process started is told by a clock that may be set


@dataclass(frozen=True, slots=True)
class Recoverable:
    """Work that was neither saved nor closed properly."""

    path: Path  # of the kept file; it opens like a project
    model: str  # the model's file name
    project: str  # the project file that was open; "" where there was none
    kept: float  # when it was kept last, in seconds since 1970


def state_folder() -> Path:
    """QVIZ_STATE, else the folder of the platform for what a program keeps between its runs."""
    own = os.environ.get("QVIZ_STATE")
    if own:
        return Path(own)
    given = os.environ.get("XDG_STATE_HOME")
    if given and Path(given).is_absolute():
        return Path(given) / "qviz"
    local = os.environ.get("LOCALAPPDATA")
    if sys.platform == "win32" and local:
        return Path(local) / "qviz" / "state"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "qviz"
    return Path.home() / ".local" / "state" / "qviz"


def recovery_folder() -> Path:
    """Where unsaved work is kept."""
    return state_folder() / "recovery"


def recoverable() -> tuple[Recoverable, ...]:
    """What was left by processes that live no more, the latest first."""
    found = []
    for path in recovery_folder().glob(f"*{SUFFIX}"):
        try:
            project, kept = read_project(path), path.stat().st_mtime
        except (QvizError, OSError):  # another qviz removed it, or another version wrote it
            continue
        if project.owner is not None and not _lives(project.owner):
            found.append(Recoverable(path, project.model.name, project.owner.project, kept))
    return tuple(sorted(found, key=lambda each: each.kept, reverse=True))


def discard(path: Path) -> None:
    """Remove a kept file; one that is gone already is no error."""
    for file in (path, path.with_name(path.name + ".part")):
        file.unlink(missing_ok=True)


def _lives(owner: Owner) -> bool:
    """Whether the process is there, and not another one with its number."""
    try:
        return abs(psutil.Process(owner.pid).create_time() - owner.started) < CLOCK_MOVES
    except (psutil.Error, ValueError, OverflowError):
        return False


class Recovery(Opening):
    """Keeps unsaved work. Use `Session`."""

    _kept_at: Path | None = None  # the file of this session
    _kept: Document | None = None  # what is in it
    _project: Project | None = None  # the open project as it is on disk
    _keeping_failed = False  # which is said once

    def recoverable(self) -> tuple[Recoverable, ...]:
        """Work that was neither saved nor closed properly, the latest first; open its path."""
        return recoverable()

    def discard_recoverable(self, work: Recoverable) -> None:
        """Remove lost work for good."""
        discard(work.path)

    def autosave(self) -> bool:
        """Keep what is not saved, to be called after edits; whether there is any that is kept.

        While a model or samples are being opened nothing changes. A folder that cannot be written
        is told in a message, once.
        """
        document = self._document
        if not self._idle("open"):
            return self._kept_at is not None
        if not self._unsaved():
            self._forget_kept()
            return False
        if document is self._kept:
            return True
        folder = recovery_folder()
        path = self._kept_at or folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(path, {**project_json(path, document), "recovery": asdict(self._owner())})
        except (QvizError, OSError) as error:
            if not self._keeping_failed:
                self._say(Message("warning", f"Unsaved work cannot be kept for recovery: {error}"))
            self._keeping_failed = True
            return False
        self._kept_at, self._kept, self._keeping_failed = path, document, False
        return True

    def close(self) -> None:
        """End all work; what is not saved is given up."""
        super().close()
        self._forget_kept()

    def _owner(self) -> Owner:
        started = psutil.Process().create_time()
        return Owner(os.getpid(), started, self._document.project_path)

    def _unsaved(self) -> bool:
        document = self._document
        if document.model is None:
            return False
        if document.remarked or document.plan.key != document.saved_plan:
            return True
        project = self._project if document.project_path else None
        return project is not None and differs(document, project)

    def _forget_kept(self) -> None:
        if self._kept_at is not None:
            discard(self._kept_at)
        self._kept_at = self._kept = None

    def _check_place(self, path: Path) -> None:
        """Refuse to save a project where kept files come and go."""
        if path.absolute().parent.resolve() == recovery_folder().resolve():
            cause = "unsaved work is kept in this folder, and removed from it"
            raise QvizError(path.name, cause, "Save it in another folder")

    def _saved_as(self, path: Path) -> None:
        """A project was saved: nothing is left to keep."""
        self._project = read_project(path)
        self._forget_kept()

    def _recovered(self, path: Path, project: Project) -> None:
        """A project was opened; where it is lost work, it is this session's to keep from now on."""
        self._project = None if project.owner else project
        if project.owner is None:
            return
        of = project.owner.project
        self._document = replace(self._document, saved_plan=NEVER, project_path=of)
        if not _lives(project.owner):
            self._forget_kept()
            self._kept_at = path
            self._claim(path)

    def _claim(self, path: Path) -> None:
        """Become the owner of a kept file, so that no other session offers it."""
        try:
            data = read_json(path, CURE)
            if isinstance(data, dict):
                write_json(path, {**data, "recovery": asdict(self._owner())})
        except QvizError as error:
            self._say(Message("warning", str(error)))

"""The one exception that carries a message meant for the user, and what others say in a line."""

from __future__ import annotations

import re

_COLORS = re.compile(r"\x1b\[[0-9;]*m")


class QvizError(Exception):
    """Something the user can mend: names the subject (a file, a layer), the cause and the cure."""

    def __init__(self, subject: str, cause: str, cure: str) -> None:
        """Keep the three parts; `str()` joins them into one sentence each."""
        super().__init__(subject, cause, cure)
        self.subject = subject
        self.cause = cause
        self.cure = cure

    def __str__(self) -> str:
        """One line: subject, cause, cure."""
        end = "" if self.cure.endswith("?") else "."
        return f"{self.subject}: {self.cause}. {self.cure}{end}"


def first_line(error: BaseException) -> str:
    """What an error says, without what follows; its type where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def root_cause(error: BaseException) -> str:
    """One line of the innermost error: libraries wrap it in advice, or in whole graphs as text."""
    while error.__cause__ is not None:
        error = error.__cause__
    return _COLORS.sub("", first_line(error))[:200].rstrip(". ")

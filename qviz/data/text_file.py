"""A text file, whose errors name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from qviz.errors import QvizError


@contextmanager
def open_text(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """Open UTF-8 text, with or without a byte order mark.

    Raises:
        QvizError: a file that cannot be read, or is no UTF-8 text where the stream is read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline=newline) as stream:
            yield stream
    except OSError as error:
        raise QvizError(
            path.name, f"it cannot be read ({error.strerror})", "Check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise QvizError(path.name, "it is not UTF-8 text", "Save it as UTF-8") from error

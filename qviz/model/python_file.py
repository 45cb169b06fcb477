"""Running a Python file the user has agreed to run, without leaving a trace in the interpreter."""

from __future__ import annotations

import sys
import tokenize
import traceback
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qviz.errors import QvizError, root_cause


@contextmanager
def run_file(path: Path) -> Iterator[dict[str, Any]]:
    """The file's names; while this is open its code can run and import its neighbours.

    What its code raises becomes a QvizError with the file's line, the exception and the cure.
    """
    text = _read(path)
    with _importable(path.parent.resolve()), _errors_of(path):
        yield _execute(path, text)


def _read(path: Path) -> str:
    try:
        with tokenize.open(path) as stream:
            return stream.read()
    except FileNotFoundError as error:
        raise QvizError(path.name, "there is no such file", "Check the path") from error
    except OSError as error:
        cause = error.strerror or str(error)
        raise QvizError(path.name, f"it cannot be read: {cause}", "Check the file") from error
    except (SyntaxError, UnicodeError) as error:
        raise QvizError(path.name, f"it is not Python: {error}", "Choose a Python file") from error


def _execute(path: Path, text: str) -> dict[str, Any]:
    """Run the file as a module of its own, which its classes can find while it is in use."""
    module = types.ModuleType(_module_name(path))
    module.__file__ = str(path.resolve())
    sys.modules[module.__name__] = module
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module.__dict__


def _module_name(path: Path) -> str:
    return f"qviz_opened_{path.stem}"


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let the file import its neighbours; afterwards Python knows neither it nor them."""
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        added = [name for name in sys.modules if name not in known]
        tops = {name.partition(".")[0] for name in added}
        local = {top for top in tops if _is_neighbour(sys.modules.get(top), folder)}
        for name in added:
            if name.partition(".")[0] in local or name.startswith("qviz_opened_"):
                sys.modules.pop(name, None)


def _is_neighbour(module: types.ModuleType | None, folder: Path) -> bool:
    """Whether a module lies in the folder itself, not in an environment somewhere below it."""
    if module is None:
        return False
    where = getattr(module, "__file__", None)
    if where is None:
        packages = [Path(entry).resolve() for entry in getattr(module, "__path__", ())]
        return any(package.parent == folder for package in packages)
    file = Path(where).resolve()
    home = file.parent.parent if file.name == "__init__.py" else file.parent
    return home == folder


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Turn what the user's code raises into one QvizError with the line of the file."""
    try:
        yield
    except QvizError:
        raise
    except (Exception, SystemExit) as error:
        line = _line(path, error)
        where = f"line {line} raised " if line else "it raised "
        raise QvizError(
            path.name,
            f"{where}{type(error).__name__}: {root_cause(error)}",
            f"Run 'python {path.name}' to see the whole error, and mend it there",
        ) from error


def _line(path: Path, error: BaseException) -> int | None:
    """The last line of the file that the error passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None

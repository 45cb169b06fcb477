"""A tokenizer.json: where it lies, and reading it."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from qviz.data.reading import Reading
from qviz.errors import QvizError

LARGEST_TOKENIZER = 2**28  # bytes
FILE = "tokenizer.json"


def find_tokenizer(path: Path, reading: Reading) -> Path:
    """The file that `reading` names, else the one beside the text or in its folder."""
    if reading.tokenizer:
        return Path(reading.tokenizer)
    return path / FILE if path.is_dir() else path.with_name(FILE)


def read_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer; raises QvizError where there is none, or a damaged one."""
    try:
        if path.stat().st_size > LARGEST_TOKENIZER:
            raise QvizError(path.name, "it is too large for a tokenizer", "Choose another file")
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except QvizError:
        raise
    except OSError as error:
        raise QvizError(
            path.name,
            f"there is no tokenizer to read in {path.absolute().parent} ({error.strerror})",
            "Put the model's tokenizer.json beside the text, name it with "
            "--reading tokenizer=FILE, or give token ids as .npy",
        ) from error
    except Exception as error:  # the library raises plain exceptions
        raise QvizError(
            path.name, f"it is no tokenizer, or a damaged one ({error})", "Save it again"
        ) from error

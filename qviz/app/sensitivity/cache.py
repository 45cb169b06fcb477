"""Cache: where on disk sweeps are remembered, and under which names."""

from __future__ import annotations

import hashlib
import os
import sys
from importlib import metadata
from pathlib import Path

import torch

from qviz.app.document import Document
from qviz.data.parts import Indices
from qviz.engine.devices import CPU
from qviz.engine.program import Encodings
from qviz.model.model import Model


def cache_folder() -> Path:
    """QVIZ_CACHE, else the user's cache folder of the platform."""
    own = os.environ.get("QVIZ_CACHE")
    if own:
        return Path(own)
    given = os.environ.get("XDG_CACHE_HOME")
    if given and Path(given).is_absolute():
        return Path(given) / "qviz"
    local = os.environ.get("LOCALAPPDATA")
    if sys.platform == "win32" and local:
        return Path(local) / "qviz" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "qviz"
    return Path.home() / ".cache" / "qviz"


class Names:
    """Names of what sweeps find: equal names are equal numbers."""

    def __init__(
        self, model: Model, document: Document, rows: Indices, place: torch.device = CPU
    ) -> None:
        """`rows` are the samples in the order in which they are taken; `place` runs them."""
        samples = document.samples
        said: tuple[object, ...] = (
            metadata.version("qviz-workbench"),
            metadata.version("torch"),
            model.hash,
            "" if samples is None else samples.hash,
            document.metric,
            document.output,
            document.reading,
            sorted(document.values.items()),
        )
        if place != CPU:
            said += (str(place),)
        self._about = hashlib.sha256(repr(said).encode() + rows.tobytes()).digest()

    def name(self, base: Encodings, encodings: Encodings) -> str:
        """Of the candidate `encodings` in a sweep that starts from `base`."""
        digest = hashlib.sha256(self._about)
        for found in (base, encodings):
            for slot in sorted(found):
                digest.update(slot.encode() + b"\0" + found[slot].key)
            digest.update(b"|")
        return digest.hexdigest()[:40]

"""One malformed file, or a good one that must go on opening."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Outcome = Literal["error", "opens", "either"]


@dataclass(frozen=True, slots=True)
class Case:
    """Files and how they are opened: a model, samples and a plan by their names among them."""

    kind: str  # "onnx graph", "npz samples"
    name: str
    files: Mapping[str, bytes]
    model: str = "net.onnx"
    samples: str = ""
    plan: str = ""
    outcome: Outcome = "error"
    links: Mapping[str, str] = field(default_factory=dict)  # symbolic links to make: name -> target

    def write(self, folder: Path) -> list[str]:
        """Write the files and return the command line that opens them."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for name, target in self.links.items():
            (folder / name).symlink_to(target)
        arguments = ["run", str(folder / self.model)]
        for option, name in (("--samples", self.samples), ("--plan", self.plan)):
            if name:
                arguments += [option, str(folder / name)]
        return arguments

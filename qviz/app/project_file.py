"""A project: the open model and samples, how they are read, what is measured, plan and branches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qviz.app import looks
from qviz.app.document import Document, known_part
from qviz.app.looks import NO_LOOKS, Looks
from qviz.data import reading as readings
from qviz.data.parts import Part
from qviz.data.reading import Reading
from qviz.errors import QvizError
from qviz.plan import plan as plans
from qviz.plan.branches import ONE_BRANCH, Branches, branches_from_json, branches_to_json
from qviz.plan.json_file import read_json, write_json
from qviz.plan.plan import Plan

SUFFIX = ".qviz"
VERSION = 2
_FIELDS = frozenset(
    {"qviz_project", "model", "samples", "reading", "inputs", "metric", "output", "part", "seed"}
    | {"plan", "branches", "looks", "recovery"}
)
CURE = "Open a project that qviz saved"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who keeps a project for recovery: a process, and the project file that it has open."""

    pid: int
    started: float  # when the process was, in seconds since 1970
    project: str  # "" where what is open was never saved as a project


@dataclass(frozen=True, eq=False, slots=True)
class Project:
    """What a project file says; paths are absolute."""

    model: Path
    samples: Path | None
    reading: Reading
    values: Mapping[str, float]
    metric: str
    output: str
    part: Part
    seed: int
    plan: Plan
    looks: Looks
    branches: Branches = ONE_BRANCH
    owner: Owner | None = None  # of what was kept for recovery; None for a saved project


def write_project(path: Path, document: Document) -> None:
    """Write what is open; files in the project's folder or below it are named relative to it.

    Raises:
        QvizError: nothing is open, or the file cannot be written.
    """
    write_json(path, project_json(path, document))


def project_json(path: Path, document: Document) -> dict[str, Any]:
    """What `write_project` writes; QvizError where nothing is open."""
    if document.model is None:
        raise QvizError("project", "no model is open", "Open a model first")
    samples, own = document.scored, document.own_metric
    if samples is not None and samples.path == document.model.path:
        samples = None  # a program brings its own
    return {
        "qviz_project": VERSION,
        "model": _named(path, document.model.path),
        "samples": None if samples is None else _named(path, samples.path),
        "reading": readings.to_json(document.reading),
        "inputs": dict(document.values),
        "metric": "" if own is not None and document.metric == own.name else document.metric,
        "output": document.output,
        "part": document.part,
        "seed": document.seed,
        "plan": plans.to_json(document.plan),
        "branches": branches_to_json(document.branches),
        "looks": looks.to_json(document.looks),
    }


def _named(project: Path, file: str) -> str:
    folder, target = project.resolve().parent, Path(file).resolve()
    return str(target.relative_to(folder) if target.is_relative_to(folder) else target)


def read_project(path: Path) -> Project:
    """Read a project file, one of version 1, too.

    Raises:
        QvizError: no such file, not a project, or one of a newer version.
    """
    data = read_json(path, CURE)
    if not isinstance(data, dict) or "qviz_project" not in data:
        raise QvizError(path.name, "it is not a qviz project", CURE)
    newer = "Open it with the qviz that saved it"
    version = data["qviz_project"]
    if version not in (1, VERSION):
        cause = f"its version is {version!r} and this qviz reads 1 and {VERSION}"
        raise QvizError(path.name, cause, newer)
    unknown = sorted(set(data) - _FIELDS)
    if unknown and version == VERSION:
        cause = f"this qviz knows no field '{unknown[0]}' in it"
        raise QvizError(path.name, cause, newer)
    try:
        return _project(path, data)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        cause = f"its fields are not those of a project ({error})"
        raise QvizError(path.name, cause, CURE) from error


def _project(path: Path, data: Mapping[str, Any]) -> Project:
    folder, samples = path.resolve().parent, data["samples"]
    return Project(
        model=folder / str(data["model"]),
        samples=None if samples is None else folder / str(samples),
        reading=readings.from_json(data["reading"], path.name),
        values={str(name): float(value) for name, value in data["inputs"].items()},
        metric=str(data["metric"]),
        output=str(data.get("output", "")),  # which projects of earlier versions lack
        part=known_part(str(data["part"])),
        seed=int(data["seed"]),
        plan=plans.from_json(data["plan"], path.name),
        looks=looks.from_json(data["looks"]) if "looks" in data else NO_LOOKS,
        branches=branches_from_json(data["branches"], path.name)
        if "branches" in data
        else ONE_BRANCH,
        owner=_owner(data["recovery"]) if "recovery" in data else None,
    )


def _owner(data: Mapping[str, Any]) -> Owner:
    return Owner(int(data["pid"]), float(data["started"]), str(data["project"]))

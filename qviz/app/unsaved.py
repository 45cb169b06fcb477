"""Whether an open project says something else than its file."""

from __future__ import annotations

from pathlib import Path

from qviz.app.document import Document
from qviz.app.project_file import Project


def differs(document: Document, project: Project) -> bool:
    """Other samples, another reading, metric, part or seed than the file says; not the plan.

    A metric from a Python file is not saved, and so is no difference.
    """
    scored, own = document.scored, document.own_metric
    by_own = own is not None and document.metric == own.name
    metric = project.metric if by_own else document.metric
    now = (document.reading, dict(document.values), metric, document.part, document.seed)
    saved = (project.reading, dict(project.values), project.metric, project.part, project.seed)
    return now != saved or _other_file(scored.path if scored else "", document, project)


def _other_file(samples: str, document: Document, project: Project) -> bool:
    """A program brings its own samples, which its project does not name."""
    model = "" if document.model is None else document.model.path
    if samples == model:
        samples = ""
    named = "" if project.samples is None else str(project.samples.resolve())
    return named != (samples and str(Path(samples).resolve()))

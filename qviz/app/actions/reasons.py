"""Why an action is disabled, in words; "" when it is not."""

from __future__ import annotations

from pathlib import Path

from qviz.app.views import DocumentView

GRAPHS = (".onnx", ".pt2", ".py")  # models that are more than their weights


def always(_document: DocumentView) -> str:
    """Never disabled."""
    return ""


def needs_model(document: DocumentView) -> str:
    """Possible once a model is open."""
    return "" if document.model_name else "Open a model first"


def needs_samples(document: DocumentView) -> str:
    """Possible with samples that are read from files."""
    if document.samples_path.endswith(".py"):
        return "The program makes its samples itself"
    if document.samples_path:
        return ""
    return (
        "The inputs are synthetic: open samples first"
        if document.synthetic
        else "Open samples first"
    )


def needs_graph(document: DocumentView) -> str:
    """Possible with a graph that is fed by samples, or by synthetic inputs."""
    if not document.model_name or document.samples_name:
        return needs_model(document)
    if Path(document.model_path).suffix.lower() in GRAPHS:
        return "Nothing feeds the model: open samples first"
    return "Weights only: this file has no graph that could be exported"


def needs_departure(document: DocumentView) -> str:
    """Possible where a layer inherits more error than it adds."""
    return needs_model(document) or document.no_departure


def needs_undo(document: DocumentView) -> str:
    """Possible after an edit."""
    return "" if document.undo_text else "Nothing to undo"


def needs_redo(document: DocumentView) -> str:
    """Possible after an edit was taken back."""
    return "" if document.redo_text else "Nothing to redo"

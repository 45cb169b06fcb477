"""Summary: every figure the window shows, as JSON values with stable names (docs/json.md)."""

from __future__ import annotations

import math
from importlib import metadata
from pathlib import Path
from typing import Any

from qviz.app.document import PARTS, Document
from qviz.app.session import Session
from qviz.app.strip import used_to_choose
from qviz.app.views import Cell, LayerRow
from qviz.engine.evaluate import Evaluation
from qviz.plan.cost import parameter_count
from qviz.plan.plan import to_json

SUMMARY_VERSION = 1


def summary(session: Session, evaluation: Evaluation | None) -> dict[str, Any]:
    """What `qviz run --json` writes. Numbers that are infinite or unknown are null."""
    document, cost = session.current(), session.cost()
    if document.model is None or cost is None:
        raise ValueError("a summary needs a model")
    parity = session.findings.parity
    return {
        "qviz_summary": SUMMARY_VERSION,
        "qviz": metadata.version("qviz-workbench"),
        "model": {
            "name": Path(document.model.path).name,
            "sha256": document.model.hash,
            "layers": len(document.model.layers),
            "parameters": parameter_count(document.model),
            "file_bytes": document.model.source_bytes,
        },
        "data": _data(document),
        "parity": None
        if parity is None
        else {"ok": parity.ok, "max_relative": finite(parity.max_relative), "text": parity.text},
        **_scores(evaluation),
        "looks": _looks(document, evaluation),
        "bytes": {"float": cost.bytes_float, "quantized": cost.bytes_quantized},
        "bops": {"float": cost.bops_float, "quantized": cost.bops_quantized},
        "plan": to_json(document.plan),
        "layers": [_layer(row) for row in session.rows()],
    }


def _data(document: Document) -> dict[str, Any] | None:
    samples, split = document.scored, document.split
    if samples is None or split is None:
        return None
    return {
        "name": samples.name,
        "sha256": samples.hash,
        "count": samples.count,
        "seed": document.seed,
        "split": split.hash,
        "calibration": len(split.calibration),
        "tune": len(split.tune),
        "confirm": len(split.confirm),
    }


def _scores(evaluation: Evaluation | None) -> dict[str, Any]:
    if evaluation is None:
        return {"metric": None, "output": None, "float": None, "quantized": None}
    return {
        "metric": evaluation.metric,
        "output": evaluation.output,
        "unit": evaluation.unit,
        "better": evaluation.better,
        "part": evaluation.part,
        "samples": evaluation.samples,
        "total": evaluation.total,
        "float": {"value": finite(evaluation.float_value)},
        "quantized": {
            "value": finite(evaluation.value),
            "low": finite(evaluation.low),
            "high": finite(evaluation.high),
            "exact": evaluation.exact,
        },
        "delta": finite(evaluation.delta),
        "flips": evaluation.flips,
        "kl": finite(evaluation.kl),
    }


def _looks(document: Document, evaluation: Evaluation | None) -> dict[str, Any] | None:
    """On how many plans' numbers samples were looked at, and what that makes of this one."""
    if evaluation is None or document.split is None:
        return None
    split = document.split.hash
    counts: dict[str, int] = {part: document.looks.count(split, part) for part in PARTS}
    return {**counts, "used_to_choose": used_to_choose(document, evaluation.part).why}


def _layer(row: LayerRow) -> dict[str, Any]:
    return {
        "index": row.index,
        "name": row.name,
        "op": row.op,
        "shape": row.shape,
        "parameters": row.parameters,
        "macs": row.macs,
        "bytes": row.size_bytes,
        "size_share": row.size_share,
        "output": {
            "local_sqnr_db": finite(row.local_db),
            "accumulated_sqnr_db": finite(row.accumulated_db),
            "bias": finite(row.output_bias),
        },
        "weight": _cell(row.weight),
        "input": _cell(row.input),
    }


def _cell(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    return {
        "slots": list(cell.slots),
        "scheme": cell.scheme,
        "sqnr_db": finite(cell.sqnr_db),
        "lossless": cell.sqnr_db == math.inf,
        "clipped": finite(cell.clipped),
        "shared_with": list(cell.shared_with),
    }


def finite(value: float | None) -> float | None:
    """The number, or None where JSON has no word for it."""
    return value if value is not None and math.isfinite(value) else None

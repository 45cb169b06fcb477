"""Exporting pipeline: the plan as an ONNX file, then the file run and compared and timed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import onnx_ir as ir

from qviz.app.document import Document, Findings
from qviz.app.jobs import Step, Token
from qviz.data.parts import Part
from qviz.engine.chunks import feeder
from qviz.engine.execute import Executor
from qviz.engine.program import Encodings
from qviz.errors import QvizError
from qviz.export.latency import Latency, measure_latency
from qviz.export.onnx_file import save_onnx
from qviz.export.parity import Comparison, Progress
from qviz.export.qdq import Written, write_qdq
from qviz.export.verdict import Verdict
from qviz.model.model import Model
from qviz.plan.plan import to_json
from qviz.plan.resolve import resolve, schemes

_NEED_NO_SAMPLES = ("unit", "clip", "stored")  # ranges that are known beforehand


@dataclass(frozen=True, eq=False, slots=True)
class Export:
    """What was written, and what running it showed; `verdict` and `latency` where asked for."""

    path: str
    bytes: int  # of the file, and of the one with its weights where there is one
    float_bytes: int  # of the float model's
    opset: int
    containers: Mapping[str, int]  # type of the codes -> how many slots; "computed": no codes
    notes: tuple[str, ...]
    metadata: Mapping[str, str] = field(repr=False)
    verdict: Verdict | None = None
    latency: Latency | None = None

    @property
    def ratio(self) -> float:
        """Of the float model's size."""
        return self.bytes / max(self.float_bytes, 1)


@dataclass(frozen=True, slots=True)
class Wish:
    """Where to export to, and what to do with the file then."""

    path: Path
    opset: int | None = None
    verify: bool = False
    latency: bool = False
    limit: int | None = None  # samples to compare at most; None for the whole part


def check_calibrated(model: Model, document: Document, findings: Findings) -> None:
    """Refuse a plan whose inputs have ranges that only samples tell, where there are none.

    Raises:
        QvizError: the first such slot.
    """
    if document.scored is not None:
        if not findings.calibration_done:
            raise QvizError("export", "the inputs are not calibrated yet", "Wait for it")
        return
    for name, scheme in schemes(model, document.plan).items():
        known = scheme.range in _NEED_NO_SAMPLES or scheme.family in ("mx", "cast")
        if model.slots[name].role == "input" and not scheme.is_float and not known:
            raise QvizError(
                name,
                f"the range of its {scheme} must be measured on samples, and there are none",
                "Open samples, or leave the inputs in float",
            )


def export_plan(
    executor: Executor, document: Document, findings: Findings, wish: Wish, token: Token
) -> Iterator[Step]:
    """Write the file, and yield an Export; again with its verdict, and with its latency."""
    model = executor.model
    encodings = resolve(model, document.plan, findings.statistics, findings.encodings).encodings
    written = write_qdq(model, encodings, wish.opset)
    told = _metadata(model, document)
    if token.cancelled():
        return
    size = save_onnx(written.graph, wish.path, told)
    containers = Counter(kind or "computed" for kind in written.containers.values())
    found = Export(
        path=str(wish.path),
        bytes=size,
        float_bytes=_float_bytes(model),
        opset=written.opset,
        containers=dict(containers.most_common()),
        notes=written.notes,
        metadata=told,
    )
    yield Step(0, 0, found)
    if wish.verify:
        for step in _verified(executor, document, findings, encodings, written, wish, token):
            if isinstance(step.payload, Verdict):
                found = replace(found, verdict=step.payload)
                step = Step(step.done, step.total, found)
            yield step
    if wish.latency and not token.cancelled():
        yield Step(0, 0, replace(found, latency=_timed(model, document, findings, wish, token)))


def _float_bytes(model: Model) -> int:
    if Path(model.path).suffix.lower() == ".onnx":
        return model.source_bytes
    return len(_content(model))


def _content(model: Model) -> bytes:
    proto: Any = ir.to_proto(model.graph)
    content: bytes = proto.SerializeToString()
    return content


def _metadata(model: Model, document: Document) -> dict[str, str]:
    """What the file says of where it comes from."""
    told = {
        "qviz.version": metadata.version("qviz-workbench"),
        "qviz.plan": json.dumps(to_json(document.plan), separators=(",", ":")),
        "qviz.model": Path(model.path).name,
        "qviz.model.sha256": model.hash,
    }
    samples = document.scored
    if samples is not None and document.split is not None:
        told |= {
            "qviz.samples": samples.name,
            "qviz.samples.sha256": samples.hash,
            "qviz.samples.split": document.split.hash,
            "qviz.seed": str(document.seed),
        }
    return told


def _verified(
    executor: Executor,
    document: Document,
    findings: Findings,
    encodings: Encodings,
    written: Written,
    wish: Wish,
    token: Token,
) -> Iterator[Step]:
    samples, split = document.scored, document.split
    if samples is None or split is None:
        raise QvizError("export", "there are no samples to verify it on", "Open some first")
    part: Part = document.part
    comparison = Comparison(
        executor=executor,
        feeder=feeder(executor.model, samples, findings.macs_per_sample),
        rows=split.indices(part)[: wish.limit],
        part=part,
        encodings=encodings,
        written=written,
        file=wish.path,
        metric=document.metric,
        own=document.own_metric,
        output=document.output,
    )
    for found in comparison.run(token.cancelled):
        if isinstance(found, Progress):
            yield Step(found.done, found.total)
        else:
            yield Step(0, 0, found)


def _timed(
    model: Model, document: Document, findings: Findings, wish: Wish, token: Token
) -> Latency:
    samples, split = document.samples, document.split
    if samples is None or split is None:
        raise QvizError("export", "there are no samples to time it on", "Open some first")
    feed = feeder(model, samples, findings.macs_per_sample)
    rows = split.indices(document.part)[: feed.size]
    chunk = feed.chunk(rows)
    given = Path(model.path)
    first = given if given.suffix.lower() == ".onnx" else _content(model)
    return measure_latency(
        first, wish.path, chunk.feeds, len(rows) + chunk.padded, cancelled=token.cancelled
    )

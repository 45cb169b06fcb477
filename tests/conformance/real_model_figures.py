"""What qviz makes of a real model: the figures of docs/real-models.md, through a Session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import qviz
from qviz.model.runtime import Runtime
from qviz.plan.cost import parameter_count
from qviz.quant.statistics import TensorStats
from tests.conformance.real_models import RealModel
from tests.conformance.weight_nodes import count_weight_nodes

PLANS = {"W8A8": ("int8:channel", "uint8"), "W4A16": ("int4:group=128", "float16")}


@dataclass(frozen=True)
class Figures:
    """Measured on the model's samples."""

    layers: int
    with_weights: int
    weight_nodes: int  # the same, counted in the file without qviz
    parameters: int
    relative_error: float
    torch_ops: tuple[str, ...]
    onnxruntime_ops: tuple[str, ...]
    without_histogram: tuple[str, ...]  # slots
    sqnr_db: dict[str, float]  # of the outputs, by plan


def measure(real: RealModel, path: Path, folder: Path, count: int) -> Figures:
    """Open the model with `count` samples, look at every slot, run both plans.

    Raises:
        QvizError: what qviz cannot do with the model.
    """
    samples = folder / "samples.npz"
    np.savez(samples, allow_pickle=False, **real.samples(count))
    session = qviz.open(path, samples)
    model, parity = session.model, session.findings.parity
    assert model is not None
    session.set_metric("output SQNR")
    sqnr_db = {}
    for name, (weight, inputs) in PLANS.items():
        session.set_defaults(weight, inputs)
        sqnr_db[name] = session.evaluate().value
    runtime, statistics = Runtime(model), session.findings.statistics
    return Figures(
        layers=len(model.layers),
        with_weights=sum(bool(layer.weight_shape) for layer in model.layers),
        weight_nodes=count_weight_nodes(path),
        parameters=parameter_count(model),
        relative_error=float("nan") if parity is None else parity.max_relative,
        torch_ops=tuple(sorted({step.op for step in model.steps} - set(runtime.onnxruntime_ops))),
        onnxruntime_ops=runtime.onnxruntime_ops,
        without_histogram=tuple(
            slot.name for slot in model.slots.values() if not _counted(statistics.get(slot.group))
        ),
        sqnr_db=sqnr_db,
    )


def _counted(stats: TensorStats | None) -> bool:
    """Whether there is a histogram, and it holds every value."""
    return stats is not None and 0 < stats.count == stats.zeros + int(stats.bins.sum())

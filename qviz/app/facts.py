"""Facts: what is known of one slot, in words and numbers for the Inspector."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from qviz.app.document import Findings
from qviz.model.model import Model
from qviz.model.slots import Slot
from qviz.plan.cost import weight_bytes
from qviz.quant.encoding import Dynamic, Encoding
from qviz.quant.error import ROUNDING_NOISE, SlotError
from qviz.quant.grids import Codebook, Integers
from qviz.quant.scheme import Scheme

Fact = tuple[str, str]  # label, value


def slot_facts(findings: Findings, model: Model, slot: Slot, scheme: Scheme) -> tuple[Fact, ...]:
    """Layer, tensor, encoding and error of one slot."""
    layer = model.layers[slot.layer]
    facts = [("Layer", f"{layer.index}  {layer.name}"), ("Operator", layer.op)]
    if slot.role == "weight":
        weight = model.declared(slot.value)
        facts.append(("Shape", "×".join(map(str, weight.shape))))
        stored = 8 * weight_bytes(weight, slot.axis, scheme) / max(weight.numel(), 1)
        facts.append(("Bits per weight", f"{stored:.4g}"))
        if slot.value in model.stored_types:
            facts.append(("In the file", model.stored_types[slot.value]))
    stats = findings.statistics.get(slot.group)
    if stats is not None:
        low, high = float(stats.minimum.min()), float(stats.maximum.max())
        facts.append(("Values", f"{low:.4g} … {high:.4g}"))
        facts.append(("Zeros", f"{100.0 * stats.zeros / stats.count:.1f} %"))
    encoding = findings.encodings.get((slot.group, scheme))
    if encoding is not None:
        facts += _encoding(encoding)
    error = findings.errors.get((slot.group, scheme))
    if error is not None:
        facts += _error(error)
    return tuple(facts)


def _encoding(encoding: Encoding) -> Iterator[Fact]:
    if isinstance(encoding, Dynamic):
        yield "Scales", f"per {encoding.block} values, as they come"
        return
    yield ("Scale" if encoding.scale.numel() == 1 else "Scales"), _span(encoding.scale)
    if encoding.scale.numel() > 1:
        yield "How many", f"{encoding.scale.numel():,}"
    grid = encoding.grid
    if isinstance(grid, Integers):
        zeros = encoding.zero_point.unique().tolist()
        if encoding.step is None:
            yield "Zero point", f"{zeros[0]}" if len(zeros) == 1 else "per channel"
        yield "Codes", f"{grid.qmin} … {grid.qmax}"
    if encoding.step is not None and isinstance(grid, Integers):
        yield "Threshold", _span(encoding.step / 2)
    if isinstance(grid, Codebook):
        yield "Levels", f"{len(grid.levels)}"


def _span(values: Tensor) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.4g}" if low == high else f"{low:.3g} … {high:.3g}"


def _error(error: SlotError) -> Iterator[Fact]:
    yield "SQNR", f"{error.sqnr_db:.2f} dB"
    yield "MSE", f"{error.mse:.3g}"
    yield "Cosine", f"{error.cosine:.6f}"
    yield "Largest error", f"{error.max_error:.3g}"
    yield "Relative bias", f"{100.0 * error.bias:+.2g} %"
    yield "Clipped", f"{100.0 * error.clipped:.3g} %"
    if error.rmse_steps is not None:
        yield "RMSE / step", f"{error.rmse_steps:.3f}, {rounding_verdict(error.rmse_steps)}"


def rounding_verdict(rmse_steps: float) -> str:
    """What the RMSE in steps says: rounding alone gives 1/√12 = 0.289."""
    if rmse_steps > 1.15 * ROUNDING_NOISE:
        return "clipping adds to rounding"
    if rmse_steps < 0.85 * ROUNDING_NOISE:
        return "many values lie on the grid"
    return "rounding noise alone (1/√12)"

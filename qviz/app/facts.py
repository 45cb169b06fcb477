"""Facts: what is known of one slot, in words and numbers for the Inspector."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from qviz.app.document import Findings
from qviz.app.extents import NO_SCALE, used_scales
from qviz.app.views import Fact
from qviz.model.model import Model
from qviz.model.slots import Slot
from qviz.plan.cost import weight_bytes
from qviz.quant.encoding import Dynamic, Encoding, Scaled
from qviz.quant.error import ROUNDING_NOISE, SlotError
from qviz.quant.grids import Codebook, Integers
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

TIPS: dict[str, str] = {
    "Bits per weight": "Stored bits, with the scales and zero points shared among the weights",
    "In the file": "Type of the weights in the file; the bits of one with its share of the scales",
    "Values": "The smallest and the largest value",
    "Zeros": "Share of the values that are exactly zero",
    "Scale": "The distance between two neighboring levels, or what the format's levels are "
    "multiplied by",
    "Zero point": "The code that stands for 0",
    "Codes": "The smallest and the largest code",
    "Threshold": "Values closer to zero than this become zero",
    "SQNR": "Signal to quantization noise: 10·log10(Σx² / Σ(x−x̂)²). 6 dB are about one bit",
    "MSE": "Mean squared error between the values and their quantized selves",
    "Cosine": "Cosine of the angle between the tensor and its quantized self; 1 is the same",
    "Largest error": "The largest |x−x̂| of a value that occurs",
    "Relative bias": "mean(x̂−x) / rms(x): how far quantization shifts the mean",
    "Clipped": "Values beyond the outermost level by more than half a step, where rounding alone "
    "cannot reach",
    "RMSE / step": "Root of the MSE in steps of the grid: 1/√12 = 0.289 is rounding alone, "
    "more means clipping",
}


def slot_facts(findings: Findings, model: Model, slot: Slot, scheme: Scheme) -> tuple[Fact, ...]:
    """Layer, tensor, encoding and error of one slot."""
    stats = findings.statistics.get(slot.group)
    wide = (slot.group, scheme) in findings.wide
    facts = [*_place(model, slot, scheme, wide_scales=wide)]
    if stats is not None:
        facts += _values(stats)
    encoding = findings.encodings.get((slot.group, scheme))
    if encoding is not None and stats is not None:
        facts += _encoding(stats, scheme, encoding)
    error = findings.errors.get((slot.group, scheme))
    if error is not None:
        on = (
            f", on a sample of {error.sampled:,} values"
            if error.sampled
            else " of the whole tensor"
        )
        facts.append(Fact(f"Errors{on}", ""))
        facts += _error(error)
    return tuple(facts)


def _fact(label: str, value: str) -> Fact:
    return Fact(label, value, TIPS.get(label, ""))


def _place(model: Model, slot: Slot, scheme: Scheme, *, wide_scales: bool) -> Iterator[Fact]:
    layer = model.layers[slot.layer]
    yield _fact("Layer", f"{layer.index}  {layer.name}")
    yield _fact("Operator", layer.op)
    if slot.role == "weight":
        weight = model.declared(slot.value)
        yield _fact("Shape", "×".join(map(str, weight.shape)))
        count = max(weight.numel(), 1)
        size = weight_bytes(weight, slot.axis, scheme, wide_scales=wide_scales)
        yield _fact("Bits per weight", f"{8 * size / count:.4g}")
        if slot.value in model.stored_types:
            held = 8 * model.stored_bytes(slot.value) / count
            yield _fact("In the file", f"{model.stored_types[slot.value]}, {held:.4g} bits")


def _values(stats: TensorStats) -> Iterator[Fact]:
    yield _fact("Values", f"{float(stats.minimum.min()):.4g} … {float(stats.maximum.max()):.4g}")
    yield _fact("Zeros", f"{100.0 * stats.zeros / stats.count:.1f} %")


def _encoding(stats: TensorStats, scheme: Scheme, encoding: Encoding) -> Iterator[Fact]:
    if isinstance(encoding, Dynamic):
        yield Fact("Scales", f"one per {encoding.block} values, as they come", TIPS["Scale"])
        return
    used = used_scales(stats, encoding)
    if scheme.family not in NO_SCALE and bool(used.any()):
        yield from _scales(encoding, used)
    grid = encoding.grid
    if isinstance(grid, Integers):
        zeros = encoding.zero_point[used].unique().tolist()
        if encoding.step is None and zeros:
            yield _fact("Zero point", f"{zeros[0]}" if len(zeros) == 1 else "differs by scale")
        yield _fact("Codes", f"{grid.qmin} … {grid.qmax}")
    if encoding.step is not None and isinstance(grid, Integers):
        yield _fact("Threshold", _span(encoding.step / 2))
    if isinstance(grid, Codebook):
        yield _fact("Levels", f"{len(grid.levels)}")


def _scales(encoding: Scaled, used: Tensor) -> Iterator[Fact]:
    """Scales of zeros alone are 1 and say nothing of the tensor."""
    count, empty = encoding.scale.numel(), int((~used).sum())
    label = "Scale" if count == 1 else "Scales"
    yield Fact(label, _span(encoding.scale[used]), TIPS["Scale"])
    if count > 1:
        of_zeros = f", {empty:,} of zeros alone" if empty else ""
        yield _fact("Number of scales", f"{count:,}{of_zeros}")


def _span(values: Tensor) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.4g}" if low == high else f"{low:.3g} … {high:.3g}"


def _error(error: SlotError) -> Iterator[Fact]:
    exact = error.mse == 0.0
    yield _fact("SQNR", "exact" if exact else f"{error.sqnr_db:.2f} dB")
    yield _fact("MSE", f"{error.mse:.3g}")
    yield _fact("Cosine", f"{error.cosine:.6f}")
    yield _fact("Largest error", f"{error.max_error:.3g}")
    yield _fact("Relative bias", f"{100.0 * error.bias:+.2g} %")
    yield _fact("Clipped", f"{100.0 * error.clipped:.3g} %")
    if error.rmse_steps is not None:
        yield _fact("RMSE / step", f"{error.rmse_steps:.3f}, {rounding_verdict(error.rmse_steps)}")


def rounding_verdict(rmse_steps: float) -> str:
    """What the RMSE in steps says: rounding alone gives 1/√12 = 0.289."""
    if rmse_steps > 1.15 * ROUNDING_NOISE:
        return "clipping adds to rounding"
    if rmse_steps < 0.85 * ROUNDING_NOISE:
        return "many values lie on the grid"
    return "rounding noise alone (1/√12)"

"""The Inspector's form over a selection of slots: fields, choices and why some are disabled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from qviz.app.document import Document, Findings
from qviz.app.views import Choice, SchemeForm
from qviz.model.model import Model
from qviz.model.slots import Slot
from qviz.plan.plan import why_not
from qviz.quant.scheme import Scheme, integer

T = TypeVar("T")

_BITS = (
    Choice("0", "float", "keep this slot in floating point"),
    *(Choice(str(bits), f"{bits} bits") for bits in range(2, 17)),
)
_SIGNS = (
    Choice("int", "signed", "codes on both sides of zero, the usual choice for weights"),
    Choice("uint", "unsigned", "codes from zero up, the usual choice after a ReLU"),
)
_SYMMETRY = (
    Choice("sym", "symmetric", "the zero point is the middle of the codes"),
    Choice("asym", "asymmetric", "the zero point moves, so that the range fits skewed values"),
)
_CODE_RANGE = (
    Choice("narrow", "restricted", "drops the lowest code: [-127, 127] for int8"),
    Choice("full", "full", "uses every code: [-128, 127] for int8"),
)
_RANGES = (
    Choice("minmax", "min-max", "covers every value seen"),
    Choice("percentile", "percentile", "cuts the rarest values at the ends"),
    Choice("mse", "least squared error", "the range with the smallest mean squared error"),
    Choice("clip", "by hand", "drag the clip lines over the histogram"),
)


def scheme_form(
    document: Document,
    findings: Findings,
    model: Model,
    slots: Sequence[str],
    schemes: dict[str, Scheme],
) -> SchemeForm:
    """The form for `slots`, which must be slots of the model; empty for no selection."""
    chosen = [model.slots[name] for name in slots if name in model.slots]
    if not chosen:
        return empty_form()
    values = [schemes[slot.name] for slot in chosen]
    quantized = [scheme for scheme in values if not scheme.is_float]
    roles = {slot.role for slot in chosen}
    return SchemeForm(
        slots=tuple(slot.name for slot in chosen),
        title=chosen[0].name if len(chosen) == 1 else f"{len(chosen)} slots",
        role=chosen[0].role if len(roles) == 1 else None,
        scheme=str(values[0]) if len(set(values)) == 1 else "mixed",
        is_float=_same(values, lambda s: s.is_float),
        bits=_same(values, lambda s: 0 if s.is_float else s.bits),
        signed=_same(quantized, lambda s: s.signed),
        symmetric=_same(quantized, lambda s: s.symmetric),
        narrow=_same(quantized, lambda s: s.narrow),
        granularity=_same(quantized, lambda s: s.granularity),
        range_method=_same(quantized, lambda s: s.range),
        percentile=_same(quantized, lambda s: s.percentile),
        clip=_same(quantized, lambda s: s.clip),
        bits_choices=_BITS,
        sign_choices=_SIGNS,
        symmetry_choices=_SYMMETRY,
        code_range_choices=_CODE_RANGE,
        granularity_choices=_granularities(chosen),
        range_choices=_RANGES,
        facts=_facts(findings, model, chosen[0], values[0]) if len(chosen) == 1 else (),
        shared_with=_shared(model, chosen),
        overridden=any(slot.name in document.plan.overrides for slot in chosen),
    )


def _same(values: Sequence[Scheme], pick: Callable[[Scheme], T]) -> T | None:
    picked = [pick(value) for value in values]
    return picked[0] if picked and all(one == picked[0] for one in picked) else None


def _granularities(slots: Sequence[Slot]) -> tuple[Choice, ...]:
    probe = integer("int8", "channel")
    reason = next((why for slot in slots if (why := why_not(probe, slot))), "")
    return (
        Choice("tensor", "per tensor", "one scale for the whole tensor"),
        Choice("channel", "per channel", "one scale per output channel", reason),
    )


def _facts(
    findings: Findings, model: Model, slot: Slot, scheme: Scheme
) -> tuple[tuple[str, str], ...]:
    layer = model.layers[slot.layer]
    facts = [("Layer", f"{layer.index}  {layer.name}"), ("Operator", layer.op)]
    if slot.role == "weight":
        facts.append(("Shape", "×".join(map(str, model.constants[slot.value].shape))))
    stats = findings.statistics.get(slot.group)
    if stats is not None:
        low, high = float(stats.minimum.min()), float(stats.maximum.max())
        facts.append(("Values", f"{low:.4g} … {high:.4g}"))
        facts.append(("Zeros", f"{100.0 * stats.zeros / stats.count:.1f} %"))
    encoding = findings.encodings.get((slot.group, scheme))
    if encoding is not None:
        scales = encoding.scale
        text = f"{float(scales[0]):.4g}"
        if scales.numel() > 1:
            text = f"{float(scales.min()):.3g} … {float(scales.max()):.3g}"
        facts.append(("Scale", text))
        zeros = encoding.zero_point.unique().tolist()
        facts.append(("Zero point", f"{zeros[0]}" if len(zeros) == 1 else "per channel"))
        facts.append(("Codes", f"{encoding.qmin} … {encoding.qmax}"))
    error = findings.errors.get((slot.group, scheme))
    if error is not None:
        facts.append(("SQNR", f"{error.sqnr_db:.2f} dB"))
        facts.append(("Cosine", f"{error.cosine:.6f}"))
        facts.append(("Largest error", f"{error.max_error:.3g}"))
        facts.append(("Clipped", f"{100.0 * error.clipped:.3g} %"))
    return tuple(facts)


def _shared(model: Model, chosen: Sequence[Slot]) -> tuple[str, ...]:
    groups = {slot.group for slot in chosen}
    names = {slot.name for slot in chosen}
    return tuple(
        name for name, slot in model.slots.items() if slot.group in groups and name not in names
    )


def empty_form() -> SchemeForm:
    """The form when nothing is selected."""
    return SchemeForm(
        slots=(),
        title="",
        role=None,
        scheme="",
        is_float=None,
        bits=None,
        signed=None,
        symmetric=None,
        narrow=None,
        granularity=None,
        range_method=None,
        percentile=None,
        clip=None,
    )

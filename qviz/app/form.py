"""The Inspector's form over a selection of slots: the fields that the chosen format has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from qviz.app.document import Document, Findings
from qviz.app.facts import slot_facts
from qviz.app.refusals import range_refusal, refusal
from qviz.app.views import Choice, FormField, SchemeForm
from qviz.model.model import Model
from qviz.model.slots import Slot
from qviz.plan.stored import Stored, stored_quantizer
from qviz.quant.encode import fits_stored
from qviz.quant.formats import FORMATS, GROUP_SIZES, ROUNDINGS
from qviz.quant.scheme import Granularity, Scheme, number

FAMILIES: tuple[tuple[str, str, str], ...] = (
    ("float", "Float (not quantized)", "keep this slot in 32-bit floating point"),
    ("integer", "Integer", "equal steps: 1 to 16 bits with a scale and a zero point"),
    ("cast", "Half precision", "float16 or bfloat16, no scale"),
    ("minifloat", "Small float", "FP8, FP6 and FP4 with a scale: steps grow with the value"),
    ("mx", "MX blocks", "OCP Microscaling: blocks of 32 share a power of two"),
    ("nvfp4", "NVFP4", "FP4 in blocks of 16 with an FP8 scale each"),
    ("nf4", "NF4", "16 levels at the quantiles of a Gaussian (QLoRA)"),
    ("pot", "Powers of two", "a multiplication becomes a shift"),
    ("apot", "Sums of powers of two", "APoT: denser far from zero than powers of two"),
    ("kmeans", "k-means codebook", "shared values as in Deep Compression"),
    ("lloyd", "Lloyd-Max codebook", "the levels of least squared error for these values"),
    ("ternary", "Ternary", "-a, 0 and +a"),
    ("binary", "Binary", "-a and +a"),
    ("dorefa", "DoReFa-Net", "levels over [-1, 1] for weights and [0, 1] for activations"),
)
RANGES: dict[str, tuple[str, str]] = {
    "minmax": ("min-max", "covers every value seen"),
    "average": ("moving average", "of each sample's smallest and largest value, as in torch"),
    "percentile": ("percentile", "cuts the rarest values at the ends"),
    "mse": ("least squared error", "the range with the smallest mean squared error"),
    "entropy": ("entropy (KL)", "TensorRT's: the histogram that diverges least"),
    "aciq-gauss": ("ACIQ, Gauss", "the best clip if the values were Gaussian"),
    "aciq-laplace": ("ACIQ, Laplace", "the best clip if the values were Laplacian"),
    "stored": ("from the file", "the scales that the quantized file holds"),
    "clip": ("by hand", "drag the clip lines over the histogram"),
    "unit": ("as it is", "scale 1: the format's own values"),
    "twn": ("0.7 mean|w|", "zero below 0.7 times the mean size (TWN)"),
    "mean": ("mean |x|", "the size that keeps the mean (XNOR-Net)"),
}
VARIANTS: dict[str, tuple[str, str]] = {
    "nearest": ("value", "switches at 1.5 times a power of two: least squared error"),
    "log": ("exponent", "switches at the square root of 2 times a power of two"),
    "linear": ("linear", "start at equal steps: large weights keep a value of their own"),
    "density": ("density", "start at equal shares of the values"),
    "random": ("random", "start at values drawn by a seed (Forgy)"),
}


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
    roles = {slot.role for slot in chosen}
    return SchemeForm(
        slots=tuple(slot.name for slot in chosen),
        title=chosen[0].name if len(chosen) == 1 else f"{len(chosen)} slots",
        role=chosen[0].role if len(roles) == 1 else None,
        scheme=str(values[0]) if len(set(values)) == 1 else "mixed",
        fields=tuple(_fields(chosen, values, [stored_quantizer(model, slot) for slot in chosen])),
        facts=slot_facts(findings, model, chosen[0], values[0]) if len(chosen) == 1 else (),
        shared_with=_shared(model, chosen),
        overridden=any(slot.name in document.plan.overrides for slot in chosen),
    )


def empty_form() -> SchemeForm:
    """The form when nothing is selected."""
    return SchemeForm(slots=(), title="", role=None, scheme="")


def _fields(
    slots: Sequence[Slot], schemes: Sequence[Scheme], stored: Sequence[Stored | None]
) -> Iterator[FormField]:
    """The fields of the schemes' family; only the family while several are selected."""

    def same(pick: Callable[[Scheme], str]) -> str | None:
        picked = {pick(scheme) for scheme in schemes}
        return picked.pop() if len(picked) == 1 else None

    family = same(lambda s: _word(s.family))
    yield FormField("family", "Format", "menu", family, _families(slots))
    if family is None or family == "float":
        return
    first = schemes[0]
    yield from _width(slots, family, same)
    if family == "integer":
        yield from _codes(schemes, same)
    yield from _scales(slots, schemes, same)
    yield from _range(slots, schemes, stored, same)
    if first.row.variants[1:]:
        label = "Nearest" if family == "pot" else "Start"
        choices = tuple(Choice(name, *VARIANTS[name]) for name in first.row.variants)
        yield FormField("variant", label, "segments", same(lambda s: s.variant), choices)
    if family == "integer":
        yield FormField(
            "rounding", "Rounding", "menu", same(lambda s: s.rounding), _roundings(slots)
        )
    if all(s.rounding == "stochastic" or s.variant == "random" for s in schemes):
        seed = same(lambda s: str(s.seed))
        yield FormField("seed", "Seed", "number", seed, least=0, most=2**31 - 1)


def _word(family: str) -> str:
    return "dorefa" if family.startswith("dorefa") else family


def _families(slots: Sequence[Slot]) -> tuple[Choice, ...]:
    found = []
    roles = {slot.role for slot in slots}
    for word, label, tip in FAMILIES:
        rows = [row for row in FORMATS.values() if _word(row.family) == word]
        able = {role for row in rows for role in row.roles}
        why = "" if roles <= able else f"{label} is for {rows[0].roles[0]}s only"
        found.append(Choice(word, label, tip, why))
    return tuple(found)


Same = Callable[[Callable[[Scheme], str]], str | None]


def _width(slots: Sequence[Slot], family: str, same: Same) -> Iterator[FormField]:
    roles = {slot.role for slot in slots}
    rows = [r for r in FORMATS.values() if _word(r.family) == family and roles & set(r.roles)]
    bits = sorted({row.bits for row in rows})
    if family in ("minifloat", "mx", "cast"):
        choices = tuple(Choice(row.name, _type_name(row.name), row.label) for row in rows)
        yield FormField("format", "Type", "menu", same(lambda s: s.format), choices)
    elif len(bits) > 1:
        choices = tuple(Choice(str(n), f"{n} bits" if n > 1 else "1 bit") for n in bits)
        yield FormField("bits", "Bits", "menu", same(lambda s: str(s.bits)), choices)


def _type_name(name: str) -> str:
    head, _, layout = name.partition("-")
    return name if "float" in name else f"{head.upper()} {layout.upper()}".strip()


def _codes(schemes: Sequence[Scheme], same: Same) -> Iterator[FormField]:
    signs = (
        Choice("int", "signed", "codes on both sides of zero, the usual choice for weights"),
        Choice("uint", "unsigned", "codes from zero up, the usual choice after a ReLU"),
    )
    sign = same(lambda s: "int" if s.signed else "uint")
    yield FormField("sign", "Codes", "segments", sign, signs)
    one_bit = any(s.bits == 1 for s in schemes)
    why = "one bit has no middle code" if one_bit else ""
    symmetry = (
        Choice("sym", "symmetric", "the zero point is the middle of the codes", why),
        Choice("asym", "asymmetric", "the zero point moves, so that the range fits skewed values"),
    )
    chosen = same(lambda s: "sym" if s.symmetric else "asym")
    yield FormField("symmetry", "Zero point", "segments", chosen, symmetry)
    if all(s.symmetric and s.signed for s in schemes):
        yield FormField(
            "code_range",
            "Scale is max over",
            "segments",
            same(lambda s: s.code_range),
            _code_ranges(same(lambda s: str(s.bits))),
        )


def _code_ranges(bits: str | None) -> tuple[Choice, ...]:
    """What the largest value is divided by; as powers where the widths differ or are large."""
    whole = 2 ** (int(bits) - 1) if bits is not None else 0
    if 0 < whole < 10000:
        low, top, half, span = f"{1 - whole}", f"{whole - 1}", f"{whole - 1}.5", f"{whole}"
    else:
        span = {"15": "2¹⁴", "16": "2¹⁵"}.get(bits or "", "2ⁿ⁻¹")
        low, top, half = f"1-{span}", f"{span}-1", f"{span}-½"
    return (
        Choice("narrow", top, f"codes [{low}, {top}]: TFLite's and onnxruntime's"),
        Choice("full", half, f"codes [-{span}, {top}]: torch's, clips +max"),
        Choice("wide", span, f"codes [-{span}, {top}], -max is a code"),
    )


_GRAINS: tuple[Granularity, ...] = ("tensor", "channel", "group")


def _scales(slots: Sequence[Slot], schemes: Sequence[Scheme], same: Same) -> Iterator[FormField]:
    row = schemes[0].row
    if len(row.granularities) > 1:
        words = {
            "tensor": ("tensor", "one scale for the whole tensor"),
            "channel": ("channel", "one scale per output channel"),
            "group": ("group", "one scale for every few values that a sum runs over"),
        }
        choices = tuple(
            Choice(name, *words[name], _reason(slots, schemes[0], name))
            for name in _GRAINS
            if name in row.granularities
        )
        chosen = same(lambda s: s.granularity)
        yield FormField("granularity", "One scale per", "segments", chosen, choices)
        if all(s.granularity == "group" for s in schemes):
            sizes = tuple(Choice(str(n), f"{n} values") for n in GROUP_SIZES)
            yield FormField("group", "Group size", "menu", same(lambda s: str(s.group)), sizes)
    if row.integer:
        choices = (
            Choice("float", "any", "scales are floating-point numbers"),
            Choice("pow2", "powers of two", "rounded up, so that rescaling is a shift"),
        )
        chosen = same(lambda s: "pow2" if s.pow2 else "float")
        yield FormField("scales", "Scales are", "segments", chosen, choices)


def _reason(slots: Sequence[Slot], scheme: Scheme, granularity: Granularity) -> str:
    """Why some slot cannot take the scheme with another granularity; "" when all can."""
    trial = replace(scheme, granularity=granularity)
    return next((why for slot in slots if (why := refusal(trial, slot.role))), "")


def _range(
    slots: Sequence[Slot],
    schemes: Sequence[Scheme],
    stored: Sequence[Stored | None],
    same: Same,
) -> Iterator[FormField]:
    row = schemes[0].row
    if len(row.ranges) > 1:
        choices = []
        for name in row.ranges:
            if name == "stored":
                choices += _from_the_file(schemes, stored)
                continue
            reasons = (range_refusal(s, slot.role, name) for s in schemes for slot in slots)
            choices.append(Choice(name, *RANGES[name], next(filter(None, reasons), "")))
        yield FormField("range", "Range", "menu", same(lambda s: s.range), tuple(choices))
    if all(s.range == "percentile" for s in schemes):
        percent = same(lambda s: f"{s.percentile:g}")
        yield FormField(
            "percentile", "", "number", percent, suffix=" %", least=50.0, most=100.0, decimals=3
        )
    if all(s.range == "clip" for s in schemes):
        clip = same(lambda s: f"{number((s.clip or (0, 0))[0])}..{number((s.clip or (0, 0))[1])}")
        yield FormField("clip", "", "range", clip)


def _from_the_file(schemes: Sequence[Scheme], stored: Sequence[Stored | None]) -> list[Choice]:
    """Offered where the file holds scales for a slot; they are of one grid only."""
    known = [own for own in stored if own is not None]
    if not known:
        return []
    fit = len(known) == len(stored) and all(
        fits_stored(own.encoding, scheme) for own, scheme in zip(known, schemes, strict=True)
    )
    why = "" if fit else f"the file's scales are for {known[0].scheme}"
    return [Choice("stored", *RANGES["stored"], why)]


def _roundings(slots: Sequence[Slot]) -> tuple[Choice, ...]:
    inputs = any(slot.role == "input" for slot in slots)
    why = "a draw for every activation would change the result with the batch size"
    return tuple(
        Choice(word, text, "ONNX and IEEE 754" if word == "even" else "", why)
        if word == "stochastic" and inputs
        else Choice(word, text, "ONNX and IEEE 754" if word == "even" else "")
        for word, text in ROUNDINGS.items()
    )


def _shared(model: Model, chosen: Sequence[Slot]) -> tuple[str, ...]:
    groups = {slot.group for slot in chosen}
    names = {slot.name for slot in chosen}
    return tuple(
        name for name, slot in model.slots.items() if slot.group in groups and name not in names
    )

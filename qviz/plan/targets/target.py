"""Target: what one runtime can execute, as frozen values without any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from qviz.plan.targets.wording import listed, spelled
from qviz.quant.formats import Role
from qviz.quant.scheme import CodeRange, Granularity, Rounding, Scheme

# "integer": both operands are multiplied as integers (or as 8-bit floats where the runtime does).
# "decoded": the weight stays packed in memory and is decoded inside the kernel.
# "float": everything is decoded first and multiplied in floating point.
Kernel = Literal["integer", "decoded", "float"]


@dataclass(frozen=True, slots=True)
class Fit:
    """Schemes that a slot may have: all that differ in nothing named here; () allows everything."""

    formats: tuple[str, ...]
    granularities: tuple[Granularity, ...] = ()
    symmetric: bool | None = None  # None: with a free zero point or without
    code_ranges: tuple[CodeRange, ...] = ()  # of symmetric signed integers
    groups: tuple[int, ...] = ()
    roundings: tuple[Rounding, ...] = ()

    def admits(self, scheme: Scheme) -> bool:
        """Whether a slot may have this scheme."""
        return not self.lacks(scheme)

    def lacks(self, scheme: Scheme) -> str:
        """The first property that does not fit: "format", "granularity", …; "" when all do."""
        integer = scheme.row.integer
        if scheme.format not in self.formats:
            return "format"
        if self.granularities and scheme.granularity not in self.granularities:
            return "granularity"
        if self.symmetric is not None and integer and scheme.symmetric != self.symmetric:
            return "symmetric"
        signed = integer and scheme.symmetric and scheme.signed
        if self.code_ranges and signed and scheme.code_range not in self.code_ranges:
            return "code_range"
        if self.groups and scheme.granularity == "group" and scheme.group not in self.groups:
            return "group"
        if self.roundings and integer and scheme.rounding not in self.roundings:
            return "rounding"
        return ""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a runtime executes a layer; each slot fits one of its role's fits."""

    ops: tuple[str, ...]  # () for every operator
    weight: tuple[Fit, ...]
    input: tuple[Fit, ...]
    kernel: Kernel
    needs_output: bool = False  # only where the output is quantized too, else it runs in float
    containers: tuple[int, ...] = ()  # widths in bits that integer codes are stored in
    note: str = ""

    def of(self, op: str) -> bool:
        """Whether it executes this operator."""
        return not self.ops or op in self.ops

    def fits(self, role: Role) -> tuple[Fit, ...]:
        """What slots of a role may have."""
        return self.weight if role == "weight" else self.input

    def admits(self, operands: Sequence[tuple[Role, Scheme]]) -> bool:
        """Whether all slots of one layer fit together."""
        return all(any(fit.admits(s) for fit in self.fits(role)) for role, s in operands)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a combination is in no way, in the words for the user."""

    ops: tuple[str, ...]
    weight: tuple[Fit, ...]  # () for every weight
    input: tuple[Fit, ...]
    why: str

    def of(self, op: str, operands: Sequence[tuple[Role, Scheme]]) -> bool:
        """Whether it speaks of this layer."""
        if self.ops and op not in self.ops:
            return False
        for role, fits in (("weight", self.weight), ("input", self.input)):
            own = [scheme for each, scheme in operands if each == role]
            if fits and not any(fit.admits(scheme) for fit in fits for scheme in own):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Sharing:
    """Operators whose inputs and output must have one encoding, as the runtime's kernels ask."""

    ops: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Source:
    """The documentation, or the measurement, that a profile rests on."""

    title: str
    url: str
    version: str  # release, commit or date


@dataclass(frozen=True, eq=False, slots=True)  # told apart by identity, so that it hashes fast
class Target:
    """What one runtime can execute. `ways` stand in order of preference, the fastest first.

    `quantizes` names operators beside the multiplying ones whose inputs the runtime quantizes;
    they have no slots yet. `fuses` are activations that join the layer before, `passes` operators
    that hand codes on unchanged.
    """

    id: str
    title: str
    summary: str
    ways: tuple[Way, ...]
    sources: tuple[Source, ...]
    refusals: tuple[Refusal, ...] = ()
    quantizes: tuple[str, ...] = ()
    shares: tuple[Sharing, ...] = ()
    fuses: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    int32_bias: bool = False  # biases are int32 at s_w·s_x
    opset: int | None = None  # of ONNX, the least that has all its types
    notes: tuple[str, ...] = ()

    @property
    def limits(self) -> bool:
        """Whether it refuses anything; the target "none" does not."""
        return bool(self.sources)

    def ways_of(self, op: str) -> tuple[Way, ...]:
        """The ways of one operator."""
        return tuple(way for way in self.ways if way.of(op))

    def way_of(self, op: str, operands: Sequence[tuple[Role, Scheme]]) -> Way | None:
        """How a layer with these schemes runs; None when it does not."""
        return next((way for way in self.ways_of(op) if way.admits(operands)), None)


@lru_cache(maxsize=4096)
def why_not_on(target: Target, op: str, role: Role, scheme: Scheme) -> str:
    """Why a layer's slot cannot have a scheme, whatever its other slots have; "" when it can.

    Cheap enough to be asked for every choice of a form.
    """
    fits = tuple(fit for way in target.ways_of(op) for fit in way.fits(role))
    if any(fit.admits(scheme) for fit in fits):
        return ""
    told = next((r.why for r in target.refusals if r.of(op, ((role, scheme),))), "")
    return told or _words(target, op, role, scheme, fits)


_ORDER = ("format", "granularity", "symmetric", "code_range", "group", "rounding")


def _words(target: Target, op: str, role: Role, scheme: Scheme, fits: tuple[Fit, ...]) -> str:
    """What the fit that comes closest lacks."""
    slot = f"{role}s of {op}"
    lacks = [fit.lacks(scheme) for fit in fits]
    which = max((_ORDER.index(lack) for lack in lacks), default=0)
    near = [fit for fit, lack in zip(fits, lacks, strict=True) if lack == _ORDER[which]]
    match _ORDER[which]:
        case "format":
            formats = {name for fit in fits for name in fit.formats}
            return f"{target.title} has no {scheme.format} for {slot}, only {spelled(formats)}"
        case "granularity":
            grains = listed(dict.fromkeys(g for fit in near for g in fit.granularities))
            own = f"not per {scheme.granularity}"
            return f"{target.title} has scales per {grains} for {scheme.format} {slot}, {own}"
        case "symmetric" if near[0].symmetric:
            return f"{target.title} has no zero point for {scheme.format} {slot}"
        case "symmetric":
            return f"{target.title} has {scheme.format} {slot} with a free zero point only"
        case "code_range":
            codes = listed(dict.fromkeys(c for fit in near for c in fit.code_ranges))
            own = f"not {scheme.code_range} ones"
            return f"{target.title} has {codes} codes for {scheme.format} {slot}, {own}"
        case "group":
            sizes = listed(sorted({size for fit in near for size in fit.groups}))
            return f"{target.title} has groups of {sizes} values, not of {scheme.group}"
    return f"{target.title} rounds half to even when it quantizes {slot}"

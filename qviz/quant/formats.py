"""The number formats as rows of data: what each is called, holds, and can be given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Family = Literal[
    "float",  # float32: not quantized
    "integer",
    "cast",  # a narrower IEEE-like float without a scale
    "minifloat",
    "mx",
    "nvfp4",
    "nf4",
    "pot",
    "apot",
    "kmeans",
    "lloyd",
    "ternary",
    "binary",
    "dorefa-w",
    "dorefa-a",
]
Role = Literal["weight", "input"]

# 128 is GPTQ's and AWQ's, 32 GGML's and MX's, 64 QLoRA's, 16 NVFP4's; ONNX takes any block_size.
GROUP_SIZES = (16, 32, 64, 128, 256)
ROUNDINGS: dict[str, str] = {
    "even": "half to even",
    "away": "half away from zero",
    "up": "half up",
    "zero": "toward zero",
    "stochastic": "stochastic",
}
_BOTH: tuple[Role, ...] = ("weight", "input")
_WEIGHT: tuple[Role, ...] = ("weight",)
_INPUT: tuple[Role, ...] = ("input",)
_INTEGER_RANGES = (
    "minmax",
    "average",
    "percentile",
    "mse",
    "entropy",
    "aciq-gauss",
    "aciq-laplace",
    "clip",
    "stored",  # the scales that an already quantized file holds
)
_SCALED_RANGES = ("minmax", "average", "percentile", "mse", "clip", "unit")
_ANYWHERE = ("tensor", "channel", "group")


@dataclass(frozen=True, slots=True)
class Format:
    """One number format and the choices it has; the first of each tuple is its default."""

    name: str
    family: Family
    bits: int  # stored per value, scales apart
    label: str
    granularities: tuple[str, ...] = ("tensor",)
    ranges: tuple[str, ...] = ("minmax",)
    variants: tuple[str, ...] = ("",)  # decision rule or start of the fit
    roles: tuple[Role, ...] = _BOTH
    signed: bool = True
    group: int = 0  # default block size; the only one where `granularities` is just "group"

    @property
    def integer(self) -> bool:
        """Whether it has codes with a zero point."""
        return self.family == "integer"


def _integers() -> Iterator[Format]:
    for bits in range(1, 17):
        for sign, word in (("int", "signed"), ("uint", "unsigned")):
            yield Format(
                f"{sign}{bits}",
                "integer",
                bits,
                f"{bits}-bit {word} integer",
                _ANYWHERE,
                _INTEGER_RANGES,
                signed=sign == "int",
                group=128,
            )


def _floats() -> Iterator[Format]:
    yield Format("float16", "cast", 16, "half precision, 5 exponent and 10 mantissa bits")
    yield Format("bfloat16", "cast", 16, "brain float, 8 exponent and 7 mantissa bits")
    for bits, exponent, mantissa in ((8, 4, 3), (8, 5, 2), (6, 2, 3), (6, 3, 2), (4, 2, 1)):
        yield Format(
            f"fp{bits}-e{exponent}m{mantissa}",
            "minifloat",
            bits,
            f"{bits}-bit float, {exponent} exponent and {mantissa} mantissa bits",
            _ANYWHERE,
            (*_SCALED_RANGES, "stored"),
            group=32,
        )


def _blocks() -> Iterator[Format]:
    for name, bits, element in (
        ("mxfp4", 4, "E2M1"),
        ("mxfp6-e2m3", 6, "E2M3"),
        ("mxfp6-e3m2", 6, "E3M2"),
        ("mxfp8-e4m3", 8, "E4M3"),
        ("mxfp8-e5m2", 8, "E5M2"),
        ("mxint8", 8, "INT8"),
    ):
        label = f"{element} in blocks of 32 that share a power of two (OCP MX)"
        yield Format(name, "mx", bits, label, ("group",), group=32)
    label = "E2M1 in blocks of 16 with an E4M3 scale each"
    yield Format("nvfp4", "nvfp4", 4, label, ("group",), group=16)
    yield Format(
        "nf4",
        "nf4",
        4,
        "NormalFloat: the quantiles of a Gaussian (QLoRA)",
        ("group", "channel", "tensor"),
        ("minmax", "mse", "stored"),
        roles=_WEIGHT,
        group=64,
    )


def _codebooks() -> Iterator[Format]:
    for bits in range(2, 7):
        label = "zero and powers of two"
        variants = ("nearest", "log")
        yield Format(
            f"pot{bits}", "pot", bits, label, _ANYWHERE, _SCALED_RANGES, variants, group=32
        )
    for bits in range(3, 6):
        label = "sums of powers of two (APoT)"
        yield Format(f"apot{bits}", "apot", bits, label, _ANYWHERE, _SCALED_RANGES, group=32)
    for bits in range(1, 9):
        label = f"{2**bits} shared values found by k-means (Deep Compression)"
        starts = ("linear", "density", "random")
        yield Format(f"kmeans{bits}", "kmeans", bits, label, variants=starts, roles=_WEIGHT)
    for bits in range(1, 9):
        yield Format(f"lloyd{bits}", "lloyd", bits, f"the {2**bits} best levels (Lloyd-Max)")


def _extremes() -> Iterator[Format]:
    grains = ("tensor", "channel")
    label = "-a, 0 and +a"
    yield Format("ternary", "ternary", 2, label, grains, ("twn", "mse"), roles=_WEIGHT)
    yield Format("binary", "binary", 1, "-a and +a", grains, ("mean", "unit"))
    ranges = ("unit", "minmax")
    for bits in range(1, 9):
        label = "levels over [-1, 1] of tanh(w) (DoReFa-Net)"
        name = f"dorefa-w{bits}"
        own = ranges if bits > 1 else ("mean",)  # one bit is sign(w)·mean|w|, whatever the range
        yield Format(name, "dorefa-w", bits, label, ranges=own, roles=_WEIGHT)
    for bits in range(1, 9):
        label = "levels over [0, 1] (DoReFa-Net)"
        name = f"dorefa-a{bits}"
        yield Format(name, "dorefa-a", bits, label, ranges=ranges, roles=_INPUT, signed=False)


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("float", "float", 32, "32-bit float, not quantized"),
        *_integers(),
        *_floats(),
        *_blocks(),
        *_codebooks(),
        *_extremes(),
    )
}

ALIASES: dict[str, str] = {
    "float32": "float",
    "fp32": "float",
    "fp16": "float16",
    "bf16": "bfloat16",
    "fp8": "fp8-e4m3",
    "float8e4m3fn": "fp8-e4m3",
    "float8e5m2": "fp8-e5m2",
    "fp6": "fp6-e2m3",
    "fp4": "fp4-e2m1",
    "float4e2m1": "fp4-e2m1",
    "mxfp6": "mxfp6-e2m3",
    "mxfp8": "mxfp8-e4m3",
}

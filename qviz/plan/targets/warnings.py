"""Warnings: where a runtime will not get faster or a file not smaller, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from qviz.model.model import Model
from qviz.model.slots import Layer
from qviz.plan.cost import weight_bytes
from qviz.plan.targets.followers import Followers
from qviz.plan.targets.misfits import operands_of
from qviz.plan.targets.target import Target, Way
from qviz.quant.scheme import Scheme

MUCH = 0.25  # of a weight's bytes, from which on its scales are worth a word
NAMED = 3  # layers that one warning names


def warnings(target: Target, model: Model, schemes: Mapping[str, Scheme]) -> tuple[str, ...]:
    """One sentence each, speed first; () for a target without limits.

    `schemes` has one for every slot. Layers that do not run at all are for `check_plan_against`.
    """
    if not target.limits:
        return ()
    ways = {
        layer.index: way
        for layer in model.layers
        if (way := target.way_of(layer.op, operands_of(model, layer, schemes))) is not None
    }
    return (
        *_float_layers(target, model, schemes, ways),
        *_open_outputs(target, model, schemes, ways),
        *_between(target, model, ways),
        *_narrow_products(target, model, schemes, ways),
        *_decoded(target, model, ways),
        *_unsimulated(target, model),
        *_containers(model, schemes, ways),
        *_scales(model, schemes),
        *_float_weights(model, schemes),
    )


def _float_layers(
    target: Target, model: Model, schemes: Mapping[str, Scheme], ways: Mapping[int, Way]
) -> Iterator[str]:
    """Quantized layers for which the runtime has float kernels only, by what they have."""
    found: dict[str, list[str]] = {}
    for layer in _of_kernel(model, ways, "float"):
        operands = operands_of(model, layer, schemes)
        if all(scheme.family in ("float", "cast") for _, scheme in operands):
            continue
        parts = [
            f"{' and '.join(own)} {role}s"
            for role in ("weight", "input")
            if (own := dict.fromkeys(str(s) for each, s in operands if each == role))
        ]
        found.setdefault(f"{layer.op} with {' and '.join(parts)}", []).append(layer.name)
    for what, names in found.items():
        yield (
            f"{target.title} runs {what} in float, so {_named(names)} will be no faster than in "
            "float"
        )


def _open_outputs(
    target: Target, model: Model, schemes: Mapping[str, Scheme], ways: Mapping[int, Way]
) -> Iterator[str]:
    """Layers whose integer kernel writes integers, which nobody reads."""
    followers = Followers(target, model, schemes)
    names = [
        layer.name
        for layer in _of_kernel(model, ways, "integer")
        if ways[layer.index].needs_output and not followers.quantized_after(layer)
    ]
    if names:
        yield (
            f"{target.title} runs {_named(names)} in float, because what comes after does not "
            "take integers: its kernel writes integers only"
        )


def _between(target: Target, model: Model, ways: Mapping[int, Way]) -> Iterator[str]:
    """Float layers with integer ones before and after: values go to float and back."""
    integer = [layer.index for layer in _of_kernel(model, ways, "integer")]
    names = [
        layer.name
        for layer in _of_kernel(model, ways, "float")
        if integer and integer[0] < layer.index < integer[-1]
    ]
    if names:
        yield (
            f"{_named(names)} in float between integer layers: {target.title} converts the values "
            "there and back, which can cost more than it gains"
        )


def _narrow_products(
    target: Target, model: Model, schemes: Mapping[str, Scheme], ways: Mapping[int, Way]
) -> Iterator[str]:
    """Widths that the integer kernels do not know."""
    found: dict[tuple[str, str, int], list[str]] = {}
    for layer in _of_kernel(model, ways, "integer"):
        least = min(ways[layer.index].containers, default=0)
        for role, scheme in operands_of(model, layer, schemes):
            if scheme.row.integer and scheme.bits < least:
                key = (f"{scheme.bits}-bit", role, least)
                found.setdefault(key, []).append(layer.name)
    for (width, kind, bits), names in found.items():
        yield (
            f"{target.title} multiplies {width} {kind}s as {bits}-bit integers, so "
            f"{_named(names)} will be no faster than with {bits} bits"
        )


def _decoded(target: Target, model: Model, ways: Mapping[int, Way]) -> Iterator[str]:
    names = [layer.name for layer in _of_kernel(model, ways, "decoded")]
    if names:
        yield (
            f"{target.title} decodes the weights of {_named(names)} and multiplies in float: "
            "faster only where reading the weights takes longest, such as one row at a time"
        )


def _unsimulated(target: Target, model: Model) -> Iterator[str]:
    """Operators that the runtime quantizes and a plan has no slots for."""
    counts = Counter(step.op for step in model.steps if step.op in target.quantizes)
    if counts:
        ops = ", ".join(f"{op} ({count})" for op, count in sorted(counts.items()))
        yield (
            f"{target.title} quantizes {ops} as well, which run in float here: its numbers will "
            "differ from these"
        )


def _containers(
    model: Model, schemes: Mapping[str, Scheme], ways: Mapping[int, Way]
) -> Iterator[str]:
    """Weights whose codes are stored in a wider integer type."""
    found: dict[tuple[str, int], list[str]] = {}
    for layer in model.layers:
        way = ways.get(layer.index)
        for name in layer.slots if way is not None else ():
            scheme = schemes[name]
            stored = container_bits(scheme, () if way is None else way.containers)
            if model.slots[name].role == "weight" and stored > scheme.bits:
                found.setdefault((scheme.format, stored), []).append(name)
    for (spelled, stored), names in found.items():
        yield (
            f"{spelled} is stored in {stored}-bit integers: the file is as large as with {stored} "
            f"bits for {_named(names)}"
        )


def container_bits(scheme: Scheme, containers: Sequence[int]) -> int:
    """Bits that a code takes in a file: those of the narrowest integer type that holds it."""
    if scheme.family not in ("integer", "kmeans", "lloyd"):
        return scheme.bits
    return min((bits for bits in containers if bits >= scheme.bits), default=scheme.bits)


def _scales(model: Model, schemes: Mapping[str, Scheme]) -> Iterator[str]:
    """Weights whose scales, zero points or codebooks are a large part of what they take."""
    large: dict[str, list[str]] = {}
    for slot in model.slots.values():
        scheme = schemes[slot.name]
        if slot.role != "weight" or scheme.is_float:
            continue
        tensor = model.declared(slot.value)
        taken = weight_bytes(tensor, slot.axis, scheme)
        beside = taken - math.ceil(tensor.numel() * scheme.bits / 8)
        if taken >= tensor.numel() * tensor.element_size():
            yield f"{slot.name} is no smaller as {scheme} than in float: it takes {taken} bytes"
        elif beside > MUCH * taken:
            large.setdefault(str(scheme), []).append(slot.name)
    for spelled, names in large.items():
        yield (
            f"More than a quarter of what {_named(names)} take as {spelled} are scales, zero "
            "points or a codebook: coarser ones save more there than fewer bits"
        )


def _float_weights(model: Model, schemes: Mapping[str, Scheme]) -> Iterator[str]:
    """Weights in float that are most of what remains."""
    once = {slot.value: slot for slot in model.slots.values() if slot.role == "weight"}
    taken = {
        slot.name: weight_bytes(model.declared(value), slot.axis, schemes[slot.name])
        for value, slot in once.items()
    }
    floats = [name for name in taken if schemes[name].is_float]
    total, kept = sum(taken.values()), sum(taken[name] for name in floats)
    if floats and len(floats) < len(taken) and kept > total / 2:
        yield f"{round(100 * kept / total)} % of the weights' bytes stay in float: {_named(floats)}"


def _of_kernel(model: Model, ways: Mapping[int, Way], kernel: str) -> list[Layer]:
    return [
        layer
        for layer in model.layers
        if layer.index in ways and ways[layer.index].kernel == kernel
    ]


def _named(names: Sequence[str]) -> str:
    """Names of the first few, and how many more there are."""
    if len(names) == 1:
        return names[0]
    if len(names) <= NAMED:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"

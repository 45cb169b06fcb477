"""Observe: what stands out among the costs of the layers, in plain words, when it is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from qviz.app.document import Findings
from qviz.app.sensitivity.result import Cost, LayerCosts, Observation, Sensitivity
from qviz.model.model import Model
from qviz.model.slots import Slot

FELT = 1e-3  # nats of all layers together; below it nothing is worth a word
STANDS_OUT = 2.0  # times the next layer's KL
MOST = 0.5  # of the sum of all layers' KL
SPREAD = 8.0  # times the median channel's largest |x|: three bits of an 8-bit grid
LISTED = 2  # layers whose channels are told of, under one scheme
NAMED = 5  # layers that a finding names
MANY = 4  # things told in all


def observe(found: Sensitivity, model: Model, findings: Findings) -> tuple[Observation, ...]:
    """What is worth saying of complete columns of KL, the last scheme first; a few things at most.

    A channel of a layer is told of once, under the scheme where the layer costs most.
    """
    if found.request.mode == "all-but":
        return tuple(_restored(found))
    told: list[Observation] = []
    unlike: set[int] = set()
    for scheme in reversed(found.request.schemes):
        at = found.request.schemes.index(scheme)
        costs = [layer.costs[at] for layer in found.layers]
        if any(cost.kl is None or cost.samples < found.wanted for cost in costs):
            continue
        ranking = found.ranking(scheme)
        if sum(_kl(layer, at) for layer in ranking) < FELT:
            continue
        told += _worst(found, ranking, at)
        for one in _channels(ranking, at, found, model, findings):
            told += [] if one.layer in unlike else [one]
            unlike.add(one.layer)
    return tuple(told[:MANY])


def _kl(layer: LayerCosts, at: int) -> float:
    return layer.costs[at].kl or 0.0


def _worst(found: Sensitivity, ranking: tuple[LayerCosts, ...], at: int) -> Iterator[Observation]:
    """The layer that stands out, or the few that make most of the sum."""
    total = sum(_kl(layer, at) for layer in ranking)
    if len(ranking) < 3:
        return
    first, second = ranking[0], ranking[1]
    worst, scheme = _kl(first, at), first.costs[at].scheme
    share = 100.0 * worst / total
    told = found.request.told(scheme)
    if worst >= STANDS_OUT * _kl(second, at) > 0.0:
        yield Observation(
            first.index,
            scheme,
            f"{first.name} costs {worst:.2g} nats at {told}, {worst / _kl(second, at):.1f} × the "
            f"next layer ({second.name}) and {share:.0f} % of the sum",
            _evidence(first.costs[at]),
        )
        return
    held, few = 0.0, 0
    while held < MOST * total:
        held += _kl(ranking[few], at)
        few += 1
    if 1 < few <= len(ranking) / 4:
        named = ranking[: min(few, NAMED)]
        more = f" and {few - len(named)} more" if few > len(named) else ""
        each = ", ".join(f"{layer.name} {_kl(layer, at):.3g}" for layer in named)
        yield Observation(
            first.index,
            scheme,
            f"{few} of {len(ranking)} layers make {100.0 * held / total:.0f} % of the sum at "
            f"{told}: {', '.join(layer.name for layer in named)}{more}",
            f"KL in nats: {each}; all layers {total:.3g}",
        )


def _evidence(cost: Cost) -> str:
    words = [f"KL {cost.kl:.3g} nats"] if cost.kl is not None else []
    if cost.flips is not None:
        flip = "prediction flips" if cost.flips == cost.samples == 1 else "predictions flip"
        words.append(f"{cost.flips:,} of {cost.samples:,} {flip}")
    if cost.sqnr_db is not None:
        words.append(f"output SQNR {cost.sqnr_db:.1f} dB".replace("-", "\N{MINUS SIGN}"))
    return ", ".join(words)


@dataclass(frozen=True, slots=True)
class _Spread:
    """The channel of the widest range, and how many times the median channel's that is."""

    channel: int
    times: float
    largest: float
    median: float


def _channels(
    ranking: tuple[LayerCosts, ...],
    at: int,
    found: Sensitivity,
    model: Model,
    findings: Findings,
) -> Iterator[Observation]:
    """Layers that cost more than their share and whose one scale has to serve unlike channels."""
    scheme = found.request.schemes[at]
    if "weight" not in found.request.slot_roles:
        return
    if found.request.scheme(scheme, "weight").granularity != "tensor":
        return
    mean = sum(_kl(layer, at) for layer in ranking) / len(ranking)
    told = 0
    for layer in ranking:
        if told == LISTED or _kl(layer, at) <= mean:
            return
        for name in model.layers[layer.index].slots:
            slot = model.slots[name]
            spread = _spread(slot, findings) if slot.role == "weight" else None
            if spread is not None and spread.times >= SPREAD:
                told += 1
                yield Observation(
                    layer.index,
                    scheme,
                    f"channel {spread.channel} of {layer.name} has {spread.times:.0f} × the median "
                    f"range, at one scale in {scheme}: per-channel weights or equalisation",
                    f"largest |w| {spread.largest:.3g}, of the median channel {spread.median:.3g}; "
                    f"at {found.request.told(scheme)} {_evidence(layer.costs[at])}",
                )
                break


def _spread(slot: Slot, findings: Findings) -> _Spread | None:
    stats = findings.statistics.get(slot.group)
    if stats is None or stats.channels < 4:
        return None
    size = torch.maximum(stats.minimum.abs(), stats.maximum.abs())
    widest = int(size.argmax())
    median = float(size.median())
    if median <= 0.0:
        return None
    return _Spread(widest, float(size[widest]) / median, float(size[widest]), median)


def _restored(found: Sensitivity) -> Iterator[Observation]:
    """The layer whose return to float takes most of the plan's KL away."""
    start = found.start
    if start is None or start.kl is None or start.kl <= 0.0 or not found.complete:
        return
    first = found.ranking()[0]
    left = first.costs[0].kl
    if left is None or start.kl - left < 0.25 * start.kl:
        return
    yield Observation(
        first.index,
        first.costs[0].scheme,
        f"left in float, {first.name} takes {100.0 * (1.0 - left / start.kl):.0f} % of the plan's "
        "KL away",
        f"KL {start.kl:.3g} → {left:.3g} nats",
    )

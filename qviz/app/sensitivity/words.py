"""What is said of a sweep: how much is known, all numbers of a layer, and the rows as text."""

from __future__ import annotations

from collections.abc import Iterable
from math import isinf

from qviz.app.sensitivity.quantities import QUANTITIES, QuantityName, label, spelled, unit
from qviz.app.sensitivity.request import PLAN
from qviz.app.sensitivity.result import Cost, LayerCosts, Sensitivity

_MODES = {
    "only": "one layer quantized at a time",
    "all-but": "the plan with one layer in float at a time",
}
_PARTS = {"tune": "tuning sample", "all": "sample", "confirm": "confirm sample"}


def status(found: Sensitivity, *, stopped: bool) -> str:
    """How much is known, and of which samples."""
    costs = [cost for layer in found.layers for cost in layer.costs]
    seen = min(cost.samples for cost in costs)
    of = f"{found.total:,} {_PARTS[found.part]}{'' if found.total == 1 else 's'}"
    if seen == found.total:
        return f"exact: {'the' if found.total == 1 else 'all'} {of}"
    if found.complete:
        return f"{seen:,} of {of}"
    measured = sum(all(cost.measured for cost in layer.costs) for layer in found.layers)
    many = len(found.layers)
    if not measured:
        told = "guesses from gradients alone so far"
    elif measured < many:
        told = f"{measured:,} of {many:,} layers measured, the others guessed"
    else:
        told = f"{seen:,} of {found.wanted:,} samples"
    return f"stopped: {told}" if stopped else told


def layer_numbers(found: Sensitivity, layer: LayerCosts) -> str:
    """All numbers of a layer, a scheme after the other."""
    head = f"{layer.name}  ·  {layer.op}  ·  {layer.parameters:,} parameters"
    lines = [head, _MODES[found.request.mode]]
    for cost in layer.costs:
        what = "left in float" if cost.scheme == PLAN else found.request.told(cost.scheme)
        lines += ["", f"{what}: {_numbers(found, cost)}"]
    return "\n".join(lines)


def _numbers(found: Sensitivity, cost: Cost) -> str:
    if not cost.measured:
        if cost.guess is None:
            return "not measured yet"
        return f"KL ~{spelled(cost.guess, 'kl', change=False)} nats, a guess from gradients"
    restored = found.request.mode == "all-but"
    words = []
    if cost.kl is not None:
        words.append(
            f"KL {spelled(cost.kl, 'kl', change=False, digits=3)} nats{_from(found, 'kl')}"
        )
    if cost.sqnr_db is not None:
        db = "" if isinf(cost.sqnr_db) else " dB"
        words.append(f"SQNR {spelled(cost.sqnr_db, 'sqnr', change=False)}{db}")
    if cost.flips is not None:
        flip = "flips" if cost.samples == 1 else "flip"
        words.append(f"{cost.flips:,} of {cost.samples:,} {flip}{_from(found, 'flips')}")
    against = "the plan" if restored else "float"
    if cost.loss is not None:
        name = label(found, "loss").replace("Loss", "loss")
        loss = f"{name} {spelled(cost.loss, 'loss', change=True)} {unit(found, 'loss')}".rstrip()
        words.append(f"\n    {loss} against {against}")
    if cost.delta is not None:
        delta = spelled(cost.delta, "metric", change=True)
        words.append(f"{found.metric} {delta} {unit(found, 'metric')}".rstrip() + _interval(cost))
    many = f"{cost.samples:,} of " if not cost.exact else "" if cost.total == 1 else "all "
    seen = f"{many}{cost.total:,} sample{'' if cost.total == 1 else 's'}"
    return ", ".join(words).replace(", \n", "\n") + f"\n    on {seen}"


def _from(found: Sensitivity, name: QuantityName) -> str:
    """What the plan itself has, in the mode all-but."""
    value = None if found.start is None else QUANTITIES[name].value(found.start)
    return "" if value is None else f" (the plan: {spelled(value, name, change=False)})"


def _interval(cost: Cost) -> str:
    if cost.exact:
        return ", exact"
    if cost.low is None or cost.high is None:
        return ""
    low, high = (spelled(end, "metric", change=True) for end in (cost.low, cost.high))
    return f" (95 %: {low} … {high})"


def as_text(found: Sensitivity, indices: Iterable[int]) -> str:
    """Layers with all their numbers in the order given, tab-separated under a line of heads."""
    heads = ["#", "layer", "op", "parameters"]
    words = ("KL", "guess", "SQNR", "loss", "delta", "low", "high", "flips", "samples")
    heads += [f"{scheme} {word}" for scheme in found.request.schemes for word in words]
    by_index = {layer.index: layer for layer in found.layers}
    lines = ["\t".join(heads)]
    for index in indices:
        layer = by_index[index]
        fields = [str(layer.index), layer.name, layer.op, str(layer.parameters)]
        for cost in layer.costs:
            numbers = (cost.kl, cost.guess, cost.sqnr_db, cost.loss, cost.delta, cost.low)
            fields += [_plain(n) for n in (*numbers, cost.high, cost.flips, cost.samples)]
        lines.append("\t".join(fields))
    return "\n".join(lines)


def _plain(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"

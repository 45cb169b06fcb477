"""The layer table's rows, made from the document and its findings."""

from __future__ import annotations

from math import inf, isfinite, isnan, sqrt

from qviz.app.document import Document, Findings
from qviz.app.sensitivity.result import Cost as LayerCost
from qviz.app.sensitivity.result import Sensitivity
from qviz.app.views import Cell, CellCost, LayerRow
from qviz.model.model import Model
from qviz.model.slots import Layer
from qviz.plan.cost import Cost, weight_bytes
from qviz.quant.scheme import Scheme


def layer_rows(
    document: Document,
    findings: Findings,
    cost: Cost,
    schemes: dict[str, Scheme],
    sensitivity: tuple[Sensitivity, str] | None = None,
) -> tuple[LayerRow, ...]:
    """One row per layer of the open model, with what `sensitivity` knows of it under its scheme."""
    model = document.model
    if model is None:
        return ()
    shared = _sharing(model)
    outputs = findings.outputs.get(document.plan.key)
    sensitivities = {} if sensitivity is None else cell_costs(*sensitivity)
    rows = []
    counted: set[str] = set()  # tensors whose bytes are in a row already
    for layer, layer_cost in zip(model.layers, cost.layers, strict=True):
        cells = {
            role: _cell(document, findings, model, layer, role, schemes, shared)
            for role in ("weight", "input")
        }
        size = layer_cost.bytes - _repeated(findings, model, layer, schemes, counted)
        error = None if outputs is None else outputs[layer.index]
        local = None if error is None else error.local
        arrived = None if error is None else error.accumulated
        rows.append(
            LayerRow(
                index=layer.index,
                name=layer.name,
                op=layer.op,
                shape="×".join(map(str, layer.weight_shape)),
                parameters=layer.parameters,
                macs=layer_cost.macs,
                weight=cells["weight"],
                input=cells["input"],
                size_bytes=size,
                size_share=size / max(cost.bytes_quantized, 1),
                local_db=None if local is None else local.sqnr_db,
                accumulated_db=None if arrived is None else arrived.sqnr_db,
                output_bias=None if arrived is None else arrived.bias,
                sensitivity=sensitivities.get(layer.index),
            )
        )
    return tuple(rows)


def cell_costs(found: Sensitivity, scheme: str = "") -> dict[int, CellCost]:
    """What each layer costs under a scheme, the request's last by default, by index, where known.

    With a share of the costliest layer's on a scale of square roots, on which nothing stays
    nothing and layers a hundred times apart can both be seen.
    """
    schemes = found.request.schemes
    at = schemes.index(scheme) if scheme in schemes else len(schemes) - 1
    known = {
        layer.index: (layer.costs[at], _value(layer.costs[at], found)) for layer in found.layers
    }
    values = [value for _, value in known.values() if value is not None and isfinite(value)]
    most = max(values, default=0.0)
    return {
        index: CellCost(
            value=value,
            share=_share(value, most),
            unit="noise" if cost.measured and cost.kl is None else "nats",
            guessed=not cost.measured,
            scheme=found.request.told(cost.scheme),
            role=found.request.role,
            mode=found.request.mode,
            sqnr_db=cost.sqnr_db,
            flips=cost.flips,
            metric=found.metric,
            metric_unit=found.unit,
            delta=cost.delta,
            low=cost.low,
            high=cost.high,
            samples=cost.samples,
            total=cost.total,
        )
        for index, (cost, value) in known.items()
        if value is not None
    }


def _value(cost: LayerCost, found: Sensitivity) -> float | None:
    """What it costs, measured or guessed; None while unknown."""
    if not cost.measured:
        return cost.guess
    damage = _damage(cost)
    if found.request.mode == "all-but":
        whole = None if found.start is None else _damage(found.start)
        damage = None if damage is None or whole is None else whole - damage
    return None if damage is None or isnan(damage) else damage


def _damage(cost: LayerCost) -> float | None:
    """KL in nats; of outputs without classes their noise over their signal."""
    if cost.kl is not None or cost.sqnr_db is None:
        return cost.kl
    return inf if cost.sqnr_db == -inf else 10.0 ** (-cost.sqnr_db / 10.0)


def _share(value: float, most: float) -> float:
    if value <= 0.0:
        return 0.0
    return min(1.0, sqrt(value / most)) if most > 0.0 else 1.0


def _repeated(
    findings: Findings, model: Model, layer: Layer, schemes: dict[str, Scheme], counted: set[str]
) -> int:
    """Bytes of the layer's weights that an earlier row counts; adds its own to `counted`."""
    found = 0
    for slot in (model.slots[name] for name in layer.slots):
        if slot.role != "weight":
            continue
        if slot.value in counted:
            scheme = schemes[slot.name]
            wide = (slot.group, scheme) in findings.wide
            tensor = model.declared(slot.value)
            found += weight_bytes(tensor, slot.axis, scheme, wide_scales=wide)
        counted.add(slot.value)
    return found


def _sharing(model: Model) -> dict[str, tuple[str, ...]]:
    """Group -> the slots in it."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, slot in model.slots.items():
        groups[slot.group] = (*groups.get(slot.group, ()), name)
    return groups


def _cell(
    document: Document,
    findings: Findings,
    model: Model,
    layer: Layer,
    role: str,
    schemes: dict[str, Scheme],
    shared: dict[str, tuple[str, ...]],
) -> Cell | None:
    names = tuple(name for name in layer.slots if model.slots[name].role == role)
    if not names:
        return None
    first = schemes[names[0]]
    same = all(schemes[name] == first for name in names)
    error = findings.errors.get((model.slots[names[0]].group, first))
    others = {
        model.layers[model.slots[other].layer].name
        for name in names
        for other in shared[model.slots[name].group]
        if model.slots[other].layer != layer.index
    }
    return Cell(
        slots=names,
        scheme=str(first) if same else "mixed",
        overridden=any(name in document.plan.overrides for name in names),
        sqnr_db=None if error is None else error.sqnr_db,
        clipped=None if error is None else error.clipped,
        shared_with=tuple(sorted(others)),
    )

"""The layer table's rows, made from the document and its findings."""

from __future__ import annotations

from qviz.app.document import Document, Findings
from qviz.app.views import Cell, LayerRow
from qviz.model.model import Model
from qviz.model.slots import Layer
from qviz.plan.cost import Cost, weight_bytes
from qviz.quant.scheme import Scheme


def layer_rows(
    document: Document, findings: Findings, cost: Cost, schemes: dict[str, Scheme]
) -> tuple[LayerRow, ...]:
    """One row per layer of the open model."""
    model = document.model
    if model is None:
        return ()
    shared = _sharing(model)
    outputs = findings.outputs.get(document.plan.key)
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
            )
        )
    return tuple(rows)


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

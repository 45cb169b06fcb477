"""Fits: which schemes a slot can take, whatever the runtime."""

from __future__ import annotations

from qviz.model.slots import Role, Slot
from qviz.quant.scheme import Scheme

CURE = "Choose a scheme that fits: inputs take one scale per tensor, or an MX or NVFP4 format"


def why_not(scheme: Scheme, slot: Slot) -> str:
    """Why a slot cannot take a scheme; "" when it can."""
    return why_not_for(scheme, slot.role)


def why_not_for(scheme: Scheme, role: Role) -> str:
    """Why a slot of a role cannot take a scheme; "" when it can."""
    row = scheme.row
    if role not in row.roles:
        return f"{row.name} is for {row.roles[0]}s only"
    if role == "weight":
        return ""
    if scheme.granularity == "channel":
        return (
            "each sum of a layer runs over all input channels and can be scaled only once, so "
            "inputs are quantized per tensor"
        )
    if scheme.granularity == "group" and row.granularities != ("group",):
        return (
            "the scales of groups must be known before the model runs, so only formats whose "
            "blocks are scaled as they come (MX, NVFP4) have them for inputs"
        )
    if scheme.rounding == "stochastic":
        return "a draw for every activation would change the result with the batch size"
    return ""

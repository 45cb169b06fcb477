"""Offers: the schemes that a sweep is offered, mildest first, and those that it starts with."""

from __future__ import annotations

from collections.abc import Iterable

from qviz.app.sensitivity.request import Roles, read_request
from qviz.app.views import Choice
from qviz.errors import QvizError

USUAL: dict[Roles, tuple[str, ...]] = {
    "weights": (
        "int8:channel",
        "int8",
        "fp8-e4m3:channel",
        "int6:channel",
        "int5:channel",
        "int4:channel",
        "int4",
        "mxfp4",
        "int3:channel",
        "int2:channel",
    ),
    "inputs": ("uint8", "int8", "fp8-e4m3", "uint6", "uint5", "uint4", "int4", "mxfp4", "uint3"),
}
FIRST: dict[Roles, tuple[str, ...]] = {
    "weights": ("int8:channel", "int8", "int4:channel"),
    "inputs": ("uint8", "uint6", "uint4"),
}


def first_schemes(role: Roles) -> tuple[str, ...]:
    """What is measured until the user chooses: how per-channel scales help, and fewer bits."""
    return FIRST["inputs" if role == "inputs" else "weights"]


def scheme_choices(role: Roles, more: Iterable[str] = ()) -> tuple[Choice, ...]:
    """The usual schemes of a role and `more`, such as the plan's, each once.

    One that slots of the role cannot have says why.
    """
    usual = USUAL["inputs" if role == "inputs" else "weights"]
    return tuple(_choice(spelled, role) for spelled in dict.fromkeys((*usual, *more)))


def _choice(spelled: str, role: Roles) -> Choice:
    try:
        request = read_request([spelled], role, "only", "all")
    except QvizError as error:
        return Choice(spelled, spelled, reason=error.cause)
    told = request.told(spelled)
    return Choice(spelled, spelled, "" if told == spelled else told)

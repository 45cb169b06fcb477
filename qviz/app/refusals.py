"""Refusals: why a scheme is not offered for a role, in the form and in a cell's completion."""

from __future__ import annotations

from qviz.plan.plan import why_not_for
from qviz.quant.formats import Role
from qviz.quant.scheme import Scheme

_IN_GROUPS: dict[str, str] = {
    "average": "groups take their range from the values that they hold",
    "percentile": "a group has too few values for a percentile",
    "entropy": "a group has too few values for a histogram of 2,048 bins",
    "aciq-gauss": "a group has too few values to fit a distribution to",
    "aciq-laplace": "a group has too few values to fit a distribution to",
    "clip": "one range set by hand does not fit all groups",
    "unit": "groups have scales of their own",
}


def refusal(scheme: Scheme, role: Role) -> str:
    """Why a slot of a role is not offered a scheme; "" when it is."""
    if scheme.range == "stored":
        return "only a file that is already quantized holds scales"
    if scheme.range == "average" and role == "weight":
        return "weights do not arrive sample by sample"
    return why_not_for(scheme, role)


def range_refusal(scheme: Scheme, role: Role, method: str) -> str:
    """Why a scheme cannot have another range method; "" when it can."""
    if method == "average" and role == "weight":
        return "weights do not arrive sample by sample"
    if method in scheme.ranges:
        return ""
    if scheme.granularity == "group":
        return _IN_GROUPS.get(method, "groups take their range from the values that they hold")
    return "a channel has too few values for a histogram of 2,048 bins"

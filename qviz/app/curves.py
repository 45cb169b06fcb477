"""Curves of the Distribution view: error against clip and width, and the range methods' lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from qviz.app.details import SlotDetails, details_of
from qviz.app.document import Findings
from qviz.app.form import RANGES
from qviz.app.slot_views import DistributionView, RangeLine, WidthBar
from qviz.quant.curves import FIXED, WidthPoint, can_curve, clip_curve, width_points
from qviz.quant.scheme import Scheme

EXACT_DB = 130.0  # what is above is the noise of float32, not the grid's
SHORT: dict[str, str] = {
    "minmax": "min-max",
    "average": "average",
    "mse": "least error",
    "entropy": "KL",
    "aciq-gauss": "ACIQ Gauss",
    "aciq-laplace": "ACIQ Laplace",
}


def with_curves(
    view: DistributionView, findings: Findings, group: str, scheme: Scheme
) -> DistributionView:
    """The view with what is known of other ranges and widths; one row of values is done at once."""
    details, exact = details_of(findings.details, group, scheme)
    stats = findings.statistics[group]
    curve, widths = details.curve, details.widths
    if not exact and details.profile is not None and len(details.profile.values) == 1:
        if curve is None and can_curve(scheme):
            curve = clip_curve(details.profile, stats, scheme)
        if scheme.range in FIXED:
            widths = tuple(width_points(stats, scheme, details.profile))
    if curve is not None:
        view = replace(view, curve_x=curve.positions.numpy(), curve_db=curve.sqnr_db.numpy())
    lines = tuple(_lines(details, scheme))
    return replace(view, ranges=lines, widths=tuple(_bars(widths, scheme)))


def _lines(details: SlotDetails, scheme: Scheme) -> Iterator[RangeLine]:
    for choice in details.ranges:
        low, high = choice.low, choice.high
        if scheme.symmetric:  # what the grid covers, not what the values did
            high = max(-low, high)
            low = -high
        short = SHORT.get(choice.method) or f"{scheme.percentile:g} %"
        yield RangeLine(
            method=choice.method,
            label=short,
            low=low,
            high=high,
            sqnr_db=choice.sqnr_db,
            current=choice.method == scheme.range,
            tip="{}: {}".format(*RANGES[choice.method]),
        )


def _bars(widths: tuple[WidthPoint, ...], scheme: Scheme) -> Iterator[WidthBar]:
    repeated = len({width.bits for width in widths}) < len(widths)
    for width in widths:
        head, _, layout = width.format.upper().removeprefix("MX").partition("-")
        label = (layout or head) if repeated else str(width.bits)
        sqnr_db = math.inf if width.sqnr_db > EXACT_DB else width.sqnr_db
        yield WidthBar(width.format, width.bits, label, sqnr_db, width.format == scheme.format)

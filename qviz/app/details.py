"""Details of the slots that are looked at: error curves, range methods, widths and channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from qviz.app.channel_errors import channel_errors
from qviz.app.jobs import Step, Token
from qviz.quant.curves import (
    ClipCurve,
    RangeChoice,
    WidthPoint,
    can_curve,
    clip_curve,
    curve_profile,
    range_choices,
    width_points,
)
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding
from qviz.quant.error import ChannelErrors
from qviz.quant.profile import Profile
from qviz.quant.scheme import Scheme
from qviz.quant.statistics import TensorStats

KEPT = 12  # slots and schemes whose details are remembered, the latest

Key = tuple[str, Scheme]  # group, scheme


@dataclass(frozen=True, eq=False, slots=True)
class SlotDetails:
    """What takes longer than a frame to know of one slot under one scheme."""

    profile: Profile | None = None
    curve: ClipCurve | None = None
    ranges: tuple[RangeChoice, ...] = ()
    widths: tuple[WidthPoint, ...] = ()
    channels: ChannelErrors | None = None
    complete: bool = False  # nothing is left to be found


@dataclass(frozen=True, eq=False, slots=True)
class DetailsFound:
    """Details of a slot group under a scheme, as far as they are known."""

    group: str
    scheme: Scheme
    details: SlotDetails
    source: TensorStats  # the statistics they were found from


def details_of(
    known: Mapping[Key, SlotDetails], group: str, scheme: Scheme
) -> tuple[SlotDetails, bool]:
    """(details, exact): those of the scheme, or what is known of it under another range or clip.

    The widths of another range stand in for a moment, so that the window does not jump.
    """
    exact = known.get((group, scheme))
    if exact is not None:
        return exact, True
    base = _base(scheme)
    for (other_group, other), details in reversed(list(known.items())):
        if other_group == group and _base(other) == base:
            several = details.profile is not None and len(details.profile.values) > 1
            ranges = details.ranges if details.complete else ()
            # Only a lone asymmetric range has a curve that depends on where its other end is.
            curve = details.curve if scheme.symmetric or several else None
            return replace(
                details, curve=curve, ranges=ranges, channels=None, complete=False
            ), False
    return SlotDetails(), False


def _base(scheme: Scheme) -> Scheme:
    return replace(scheme, range=scheme.ranges[0])


def measure_details(
    wanted: Mapping[Key, TensorStats],
    encodings: Mapping[Key, Encoding],
    known: Mapping[Key, SlotDetails],
    token: Token,
) -> Iterator[Step]:
    """Details that are not known yet, what is seen first found first."""
    for (group, scheme), stats in wanted.items():
        details, _ = details_of(known, group, scheme)
        if details.complete:
            continue
        if (group, scheme) in known:  # cut short: which of its ranges are missing is not known
            details = replace(details, ranges=())
        for part in _parts(details, stats, scheme, encodings.get((group, scheme))):
            if token.cancelled():
                return
            details = part
            yield Step(0, 0, DetailsFound(group, scheme, details, stats))


def _parts(
    details: SlotDetails, stats: TensorStats, scheme: Scheme, encoding: Encoding | None
) -> Iterator[SlotDetails]:
    if encoding is None:
        encoding = find_encoding(stats, scheme)
    channels = channel_errors(stats, encoding)
    if channels is not None:
        details = replace(details, channels=channels)
        yield details
    if can_curve(scheme):
        values = details.profile or curve_profile(stats, scheme)
        details = replace(details, profile=values, curve=clip_curve(values, stats, scheme))
        yield details
    widths: tuple[WidthPoint, ...] = ()
    for width in width_points(stats, scheme, details.profile):
        widths = (*widths, width)
        yield details  # a place to be cancelled
    details = replace(details, widths=widths if len(widths) > 1 else ())
    yield details
    ranges = details.ranges
    if not ranges:  # the same whatever range is chosen
        for choice in range_choices(stats, scheme, details.profile):
            ranges = (*ranges, choice)
            yield replace(details, ranges=ranges)
    yield replace(details, ranges=ranges, complete=True)

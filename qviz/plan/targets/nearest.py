"""Nearest: the scheme closest to a given one among those that a runtime can execute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from qviz.plan.plan import why_not_for
from qviz.plan.targets.target import Fit, Target, Way
from qviz.quant.formats import FORMATS, Role
from qviz.quant.scheme import CodeRange, Granularity, Scheme, plain

_GRAINS: tuple[Granularity, ...] = ("tensor", "channel", "group")
_PLACES = {name: place for place, name in enumerate(FORMATS)}

Operands = tuple[tuple[Role, Scheme], ...]  # of one layer
Distance = tuple[int, ...]  # compared place by place, the most important first


def nearest_on(target: Target, op: str, role: Role, scheme: Scheme) -> Scheme:
    """What a slot may have, whatever the layer's other slots have.

    The width is kept where that is possible, else it goes up to the next wider one, and down only
    where there is no wider one.
    """
    fits = tuple(fit for way in target.ways_of(op) for fit in way.fits(role))
    found = _nearest(fits, role, scheme)
    return scheme if found is None else found


def nearest_layer(target: Target, op: str, operands: Operands) -> tuple[Scheme, ...] | None:
    """The same for all slots of a layer together; None where no way has room for all of them.

    As few slots as possible change; of equal numbers the nearest schemes win, then the way that
    the runtime prefers.
    """
    best: tuple[int, Distance, tuple[Scheme, ...]] | None = None
    for way in target.ways_of(op):
        found = _on_way(way, operands)
        if found is None:
            continue
        pairs = [
            (role, old, new) for (role, old), new in zip(operands, found, strict=True) if old != new
        ]
        total = _sum([distance(role, old, new) for role, old, new in pairs])
        if best is None or (len(pairs), total) < best[:2]:
            best = (len(pairs), total, found)
    return None if best is None else best[2]


def last_resort(target: Target, operands: Operands) -> tuple[Scheme, ...]:
    """The same on the target's last way, which is for every operator."""
    return _on_way(target.ways[-1], operands) or tuple(scheme for _, scheme in operands)


def _on_way(way: Way, operands: Operands) -> tuple[Scheme, ...] | None:
    found = [_nearest(way.fits(role), role, scheme) for role, scheme in operands]
    if any(scheme is None for scheme in found):
        return None
    return tuple(scheme for scheme in found if scheme is not None)


def _sum(distances: Sequence[Distance]) -> Distance:
    return tuple(sum(places) for places in zip(*distances, strict=True))


@lru_cache(maxsize=4096)
def _nearest(fits: tuple[Fit, ...], role: Role, scheme: Scheme) -> Scheme | None:
    if any(fit.admits(scheme) for fit in fits):
        return scheme
    offered = {made for fit in fits for made in _offers(fit, role, scheme)}
    return min(offered, key=lambda made: distance(role, scheme, made), default=None)


def _offers(fit: Fit, role: Role, scheme: Scheme) -> Iterator[Scheme]:
    """The scheme in every format of the fit, with what else the fit asks for."""
    for name in fit.formats:
        made = _recast(scheme, name)
        grains = [g for g in fit.granularities if g in FORMATS[name].granularities]
        if grains and made.granularity not in grains:
            made = replace(made, granularity=_nearest_grain(made, grains))
        if fit.symmetric is not None and made.symmetric != fit.symmetric:
            made = replace(made, symmetric=fit.symmetric, code_range=plain(name).code_range)
        if fit.code_ranges and made.code_range not in fit.code_ranges:
            made = replace(made, code_range=fit.code_ranges[0])
        if made.granularity == "group" and fit.groups:
            made = replace(made, group=_closest(made.group, fit.groups))
        if fit.roundings and made.rounding not in fit.roundings:
            made = replace(made, rounding=fit.roundings[0])
        if made.range == "stored" and made != scheme:  # a file's scales are of its own grid
            made = replace(made, range=made.ranges[0])
        if fit.admits(made) and not why_not_for(made, role):
            yield made


def _nearest_grain(scheme: Scheme, grains: Sequence[Granularity]) -> Granularity:
    """The nearest of the granularities that there are."""
    return min(grains, key=lambda grain: _steps(scheme, grain))


def _closest(size: int, sizes: Sequence[int]) -> int:
    return min(sizes, key=lambda each: (abs(each - size), each))


def _recast(scheme: Scheme, name: str) -> Scheme:
    """The scheme in another format; where one of the two has no integer codes, its usual ones."""
    if scheme.format == name:
        return scheme
    usual = plain(name)
    if scheme.row.integer and usual.row.integer:
        return replace(scheme, format=name, code_range=_codes(scheme, usual))
    grain = usual.granularity if scheme.is_float else scheme.granularity
    return replace(
        scheme,
        format=name,
        granularity=grain,
        symmetric=usual.symmetric,
        code_range=usual.code_range,
    )


def _codes(scheme: Scheme, usual: Scheme) -> CodeRange:
    """Unsigned codes say nothing of restricted ranges."""
    return scheme.code_range if scheme.signed and scheme.symmetric else usual.code_range


def _steps(scheme: Scheme, grain: str) -> int:
    """How much coarser or finer the scales become; coarser counts more."""
    there, here = _GRAINS.index(grain), _GRAINS.index(scheme.granularity)
    return 3 * (here - there) if there < here else there - here


def _strangeness(role: Role, old: Scheme, new: Scheme) -> int:
    """Another kind of grid; integers and floats are what everybody reads.

    A 16-bit float helps a weight, which gets smaller, but hardly an input.
    """
    if old.family == new.family:
        return 0
    if new.family == "cast":
        return 1 if role == "weight" else 2
    return 1 if new.family in ("integer", "float") else 3


def distance(role: Role, old: Scheme, new: Scheme) -> Distance:
    """How far two schemes lie apart, what matters most first."""
    lost = max(old.bits - new.bits, 0)
    return (
        int(lost > 0),
        _strangeness(role, old, new),
        lost + max(new.bits - old.bits, 0),
        int(old.signed != new.signed),
        _steps(old, new.granularity),
        int(old.symmetric != new.symmetric),
        int(old.code_range != new.code_range),
        abs(old.group - new.group),
        int(old.rounding != new.rounding),
        _PLACES[new.format],
    )

"""Reading target profiles: one TOML file each, in `resources/targets`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from qviz.data.bundled import resource_path
from qviz.errors import QvizError
from qviz.plan.targets.target import Fit, Kernel, Refusal, Sharing, Source, Target, Way
from qviz.quant.formats import FORMATS, GROUP_SIZES, Role
from qviz.quant.scheme import CodeRange, Granularity, Rounding

NO_LIMITS = "none"
_WIDTHS = re.compile(r"(u?int)(\d+)-(\d+)")
_CURE = "Mend the profile, or choose another target"
_KERNELS = ("integer", "decoded", "float")
_GRAINS: dict[str, Granularity] = {"tensor": "tensor", "channel": "channel", "group": "group"}
_CODES: dict[str, CodeRange] = {"narrow": "narrow", "full": "full", "wide": "wide"}
_ROUNDINGS: dict[str, Rounding] = {
    "even": "even",
    "away": "away",
    "up": "up",
    "zero": "zero",
    "stochastic": "stochastic",
}


@lru_cache(maxsize=1)
def bundled_targets() -> tuple[Target, ...]:
    """The profiles that ship with qviz, "no limits" first."""
    found = [read_target(path) for path in sorted(resource_path("targets").glob("*.toml"))]
    return tuple(sorted(found, key=lambda target: target.id != NO_LIMITS))


def bundled_target(name: str) -> Target:
    """One of them by its id.

    Raises:
        QvizError: no profile has that id.
    """
    known = {target.id: target for target in bundled_targets()}
    if name not in known:
        raise QvizError(f"target '{name}'", "no profile has that name", f"Use {', '.join(known)}")
    return known[name]


def read_target(path: Path) -> Target:
    """Read one profile.

    Raises:
        QvizError: unreadable, not TOML, or not a profile; the message names the faulty part.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise QvizError(path.name, f"it cannot be read ({error})", _CURE) from error
    try:
        return _target(data)
    except KeyError as error:
        raise QvizError(path.name, f"it has no or does not know {error}", _CURE) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise QvizError(path.name, str(error), _CURE) from error


def _target(data: Mapping[str, Any]) -> Target:
    _known(
        data,
        "id title summary sources ways refusals quantizes shares fuses passes bias opset notes",
    )
    ways = tuple(_way(table) for table in data["ways"])
    if not ways or ways[-1].ops:
        raise ValueError("its last way must be for every operator, so that any plan can be mended")
    return Target(
        id=str(data["id"]),
        title=str(data["title"]),
        summary=str(data["summary"]),
        ways=ways,
        sources=tuple(Source(**table) for table in data.get("sources", ())),
        refusals=tuple(_refusal(table) for table in data.get("refusals", ())),
        quantizes=tuple(data.get("quantizes", ())),
        shares=tuple(Sharing(tuple(s["ops"]), str(s["why"])) for s in data.get("shares", ())),
        fuses=tuple(data.get("fuses", ())),
        passes=tuple(data.get("passes", ())),
        int32_bias=_one_of(data.get("bias", "float"), ("float", "int32")) == "int32",
        opset=data.get("opset"),
        notes=tuple(data.get("notes", ())),
    )


def _way(table: Mapping[str, Any]) -> Way:
    _known(table, "ops weight input kernel needs_output containers note")
    return Way(
        ops=tuple(table.get("ops", ())),
        weight=_fits(table["weight"], "weight"),
        input=_fits(table["input"], "input"),
        kernel=cast(Kernel, _one_of(table["kernel"], _KERNELS)),
        needs_output=bool(table.get("needs_output", False)),
        containers=tuple(int(bits) for bits in table.get("containers", ())),
        note=str(table.get("note", "")),
    )


def _refusal(table: Mapping[str, Any]) -> Refusal:
    _known(table, "ops weight input why")
    return Refusal(
        ops=tuple(table.get("ops", ())),
        weight=_fits(table.get("weight", ()), "weight"),
        input=_fits(table.get("input", ()), "input"),
        why=str(table["why"]),
    )


def _fits(tables: Any, role: Role) -> tuple[Fit, ...]:
    return tuple(_fit(table, role) for table in tables)


def _fit(table: Mapping[str, Any], role: Role) -> Fit:
    """One table of schemes. Runtimes quantize inputs half to even; weights are rounded before."""
    _known(table, "formats granularities symmetric codes groups roundings")
    usual = ("even",) if role == "input" else ()
    return Fit(
        formats=_formats(table["formats"], role),
        granularities=tuple(_GRAINS[word] for word in table.get("granularities", ())),
        symmetric=table.get("symmetric"),
        code_ranges=tuple(_CODES[word] for word in table.get("codes", ())),
        groups=tuple(_group(size) for size in table.get("groups", ())),
        roundings=tuple(_ROUNDINGS[word] for word in table.get("roundings", usual)),
    )


def _group(size: Any) -> int:
    if size not in GROUP_SIZES:
        raise ValueError(f"groups of {size} values are none of {GROUP_SIZES}")
    return int(size)


def _formats(patterns: Any, role: Role) -> tuple[str, ...]:
    """The formats of a role that patterns name: `int8`, `int5-8`, `mx*`; `!fp8*` takes out."""
    offered = [name for name, row in FORMATS.items() if role in row.roles]
    found: dict[str, None] = {}
    for pattern in patterns:
        out = pattern.startswith("!")
        names = [name for name in offered if _matches(name, pattern.removeprefix("!"))]
        if not names:
            raise ValueError(f"'{pattern}' is no format that {role}s can have")
        for name in names:
            if out:
                found.pop(name, None)
            else:
                found[name] = None
    return tuple(found)


def _matches(name: str, pattern: str) -> bool:
    widths = _WIDTHS.fullmatch(pattern)
    if widths is None:
        return fnmatchcase(name, pattern)
    kind, first, last = widths.groups()
    return name in {f"{kind}{bits}" for bits in range(int(first), int(last) + 1)}


def _one_of(value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"'{value}' is none of {', '.join(allowed)}")
    return str(value)


def _known(table: Mapping[str, Any], keys: str) -> None:
    unknown = sorted(set(table) - set(keys.split()))
    if unknown:
        raise ValueError(f"'{unknown[0]}' is no key of a profile; it has {keys}")

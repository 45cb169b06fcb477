"""Which arrays of the samples a module's forward() is called with, to find out its shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

import torch

from qviz.errors import QvizError

# What labels are called: they are no arguments where there are arrays enough without them.
_LABELS = frozenset({"label", "labels", "target", "targets", "y"})


def match_arguments(
    path: Path, arguments: Sequence[str], needed: Sequence[str], inputs: Mapping[str, torch.Tensor]
) -> dict[str, str]:
    """The array for each of the arguments that forward() is called with, which are the first.

    By name, as written or in another case; what is still `needed` takes arrays that are left in
    their order. Raises QvizError where there are more or fewer.
    """
    found = _by_name(arguments, inputs)
    missing = [name for name in needed if name not in found]
    if missing:
        left = [name for name in arguments if name not in found]
        rows = [n for n, tensor in inputs.items() if tensor.dim() and n not in found.values()]
        if len(rows) > len(missing):
            rows = [name for name in rows if name.lower() not in _LABELS]
        if not len(missing) <= len(rows) <= len(left):
            raise QvizError(
                path.name,
                f"its forward() takes {quoted(arguments)}, and the samples have {quoted(inputs)}",
                f"Save one array for each of {quoted(needed)}, under that name",
            )
        found |= dict(zip(left, rows, strict=False))
    return {name: found[name] for name in takewhile(found.__contains__, arguments)}


def as_fed(tensor: torch.Tensor, module: torch.nn.Module) -> torch.Tensor:
    """Floats and pixels in the type of the module's parameters; other types as they are."""
    types = [each.dtype for each in module.parameters() if each.is_floating_point()]
    if tensor.is_floating_point() or tensor.dtype == torch.uint8:
        return tensor.to(types[0] if types else torch.float32)
    return tensor


def quoted(names: Iterable[str]) -> str:
    """Names as a sentence lists them."""
    return ", ".join(f"'{name}'" for name in names)


def _by_name(arguments: Sequence[str], inputs: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """The input for each argument that has one of its name, as written or in another case."""
    others = {name.lower(): name for name in inputs if name not in arguments}
    every = {name: name if name in inputs else others.get(name.lower()) for name in arguments}
    return {argument: name for argument, name in every.items() if name is not None}

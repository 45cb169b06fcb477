"""The tensors of a checkpoint, which is a dictionary of them, often within another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from qviz.model.weights.opened_file import OpenedFile
from qviz.model.weights.stored import damaged, listed

# What training scripts put the weights under, beside the optimizer's state.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model")
OPTIMIZERS = ("optim", "lr_sched", "scheduler")
DEEPEST = 16
MOST_ENTRIES = 1 << 20  # a dictionary within itself many times over would never end


def named_tensors(
    file: OpenedFile, tree: object
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """The tensors by name, outer keys joined with dots; the notes say what was not read.

    Raises:
        QvizError: dictionaries too deep or too many, or a name that is there twice.
    """
    tree, notes = _unwrapped(tree)
    tensors: dict[str, torch.Tensor] = {}
    for visited, (name, value) in enumerate(_leaves(file, tree)):
        if visited == MOST_ENTRIES:
            raise damaged(file, "its dictionaries have too many entries")
        if not isinstance(value, torch.Tensor):
            continue
        if name in tensors:
            raise damaged(file, f"its tensor '{name[:80]}' is there twice")
        tensors[name] = value.detach()
    return tensors, notes


def _unwrapped(tree: object) -> tuple[object, tuple[str, ...]]:
    """What a wrapper holds, and a note of what lies beside it."""
    beside: list[str] = []
    for _ in range(DEEPEST):
        if not isinstance(tree, Mapping):
            break
        others = {str(key): value for key, value in tree.items() if _holds_tensors(value)}
        inside = next((key for key in WRAPPERS if isinstance(others.get(key), Mapping)), None)
        if inside is None:
            beside += [key for key in others if key.lower().startswith(OPTIMIZERS)]
            tree = {key: value for key, value in others.items() if key not in beside}
            break
        beside += [key for key in others if key != inside]
        tree = others[inside]
    return tree, (f"Not read: {listed(beside)}",) if beside else ()


def _holds_tensors(value: object) -> bool:
    return isinstance(value, (torch.Tensor, Mapping, list, tuple))


def _leaves(file: OpenedFile, tree: object) -> Iterator[tuple[str, Any]]:
    """Every entry with its joined name, in order; containers come with their own name first."""
    left: list[tuple[str, object, int]] = [("", tree, 0)]
    while left:
        name, value, depth = left.pop()
        yield name or "tensor", value
        if isinstance(value, Mapping):
            pairs = [(str(key), inner) for key, inner in value.items()]
        elif isinstance(value, (list, tuple)):
            pairs = [(str(index), inner) for index, inner in enumerate(value)]
        else:
            continue
        if depth == DEEPEST:
            raise damaged(file, "its dictionaries lie too deep within each other")
        prefix = f"{name}." if name else ""
        left += [(prefix + key, inner, depth + 1) for key, inner in reversed(pairs)]

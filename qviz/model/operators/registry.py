"""Which torch function is the meaning of which ONNX operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class UnsupportedError(Exception):
    """This use of the operator has no torch meaning here; onnxruntime runs it."""


@dataclass(frozen=True)
class Operator:
    """One torch meaning: `function(step, *inputs)` returns a value, or a tuple when several."""

    function: Callable[..., Any]
    since: int
    until: int
    any_value: bool  # accepts sequences and arrays that are not tensors


_OPERATORS: dict[tuple[str, str], list[Operator]] = {}


def operator(
    *names: str, since: int = 1, until: int = 10_000, domain: str = "", any_value: bool = False
) -> Callable[[F], F]:
    """Register the function as the meaning of these operators for opsets since..until."""

    def register(function: F) -> F:
        for name in names:
            entry = Operator(function, since, until, any_value)
            _OPERATORS.setdefault((domain, name), []).append(entry)
        return function

    return register


def find_operator(domain: str, name: str, version: int) -> Operator | None:
    """The torch meaning of an operator at an opset version, or None."""
    for entry in _OPERATORS.get((domain, name), ()):
        if entry.since <= version <= entry.until:
            return entry
    return None


def operator_names() -> tuple[str, ...]:
    """Every operator of the standard domain that has a torch meaning."""
    return tuple(sorted(name for domain, name in _OPERATORS if domain == ""))

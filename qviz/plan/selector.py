"""Selectors: which layers the first part of a rule's pattern means.

    selection   NAME | term ("&" term)*
    term        ["!"] ( "op:" WORDS | "at:first" | "at:last" | "tag:" WORDS
                      | "params" ("<" | "<=" | ">" | ">=") NUMBER | "name:" NAME | "re:" REGEX )
    WORDS       WORD ("|" WORD)*
    NUMBER      digits, a fraction, and k, M or G for 10^3, 10^6 or 10^9

`name:` and `re:` reach to the end of the text, so that names and expressions may hold an `&`. What
does not begin like a term is the name of a layer; `name:` says so of a name that does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from qviz.errors import QvizError
from qviz.model.slots import Role
from qviz.plan.layer_facts import LayerFacts

Test = Callable[[LayerFacts, Role], bool]
FORBIDDEN = "|&"  # in the names of tags

_TERM = re.compile(r"!?(op:|at:|tag:|name:|re:|params[<>])")
_PARAMS = re.compile(r"params(<=|>=|<|>)(\d+(?:\.\d+)?)([kKMG]?)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FACTORS = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000}


@dataclass(frozen=True, eq=False, slots=True)
class Selection:
    """The tests that a layer must pass, and what they are about."""

    tests: tuple[Test, ...]
    named: bool  # a layer's name or an expression over names, and nothing else
    operators: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def is_selector(text: str) -> bool:
    """Whether the text is read as terms, and not as the name of a layer."""
    return _TERM.match(text) is not None


def layer_named(name: str) -> str:
    """The text that means this layer, whatever its name looks like."""
    return f"name:{name}" if is_selector(name) else name


def parse_selection(text: str, pattern: str) -> Selection:
    """The tests of a text; `pattern` is the whole that errors speak of.

    Raises:
        QvizError: a term that is not understood.
    """
    if not is_selector(text):
        return Selection((partial(_has_name, text),), named=True)
    tests: list[Test] = []
    operators: list[str] = []
    tags: list[str] = []
    terms = _terms(text)
    for term in terms:
        bare = term.removeprefix("!")
        kind, _, value = bare.partition(":")
        test = _test(bare, kind, value, pattern)
        tests.append(partial(_not, test) if term != bare else test)
        operators += value.split("|") if kind == "op" else []
        tags += value.split("|") if kind == "tag" else []
    named = all(term.startswith(("name:", "re:")) for term in terms)
    return Selection(tuple(tests), named, tuple(operators), tuple(tags))


def _terms(text: str) -> list[str]:
    found: list[str] = []
    rest: str | None = text
    while rest is not None:
        if rest.removeprefix("!").startswith(("name:", "re:")):
            found.append(rest)
            break
        term, more, rest_after = rest.partition("&")
        found.append(term)
        rest = rest_after if more else None
    return found


def _test(term: str, kind: str, value: str, pattern: str) -> Test:
    if kind == "name" and value:
        return partial(_has_name, value)
    if kind == "re":
        return _by_expression(value, pattern)
    if kind in ("op", "tag"):
        words = frozenset(value.split("|"))
        if all(words):
            return partial(_has_operator if kind == "op" else _has_tag, words)
    if term == "at:first":
        return _is_first
    if term == "at:last":
        return _is_last
    size = _PARAMS.fullmatch(term)
    if size is not None:
        return partial(_has_size, _COMPARE[size[1]], float(size[2]) * _FACTORS[size[3]])
    raise QvizError(
        f"pattern '{pattern}'",
        f"'{term}' is no selector",
        "Use op:Conv|Gemm, at:first, at:last, params<100k, tag:NAME, re:EXPRESSION or name:LAYER, "
        "joined by &",
    )


def _by_expression(value: str, pattern: str) -> Test:
    try:
        expression = re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise QvizError(
            f"pattern '{pattern}'",
            f"its regular expression is malformed ({error})",
            "Mend the expression after 're:'",
        ) from None
    return partial(_fits, expression)


def _has_name(name: str, layer: LayerFacts, _role: Role) -> bool:
    return layer.name == name


def _fits(expression: re.Pattern[str], layer: LayerFacts, _role: Role) -> bool:
    return expression.fullmatch(layer.name) is not None


def _has_operator(words: frozenset[str], layer: LayerFacts, _role: Role) -> bool:
    return layer.op in words


def _has_tag(words: frozenset[str], layer: LayerFacts, _role: Role) -> bool:
    return not words.isdisjoint(layer.tags)


def _is_first(layer: LayerFacts, role: Role) -> bool:
    return role in layer.first


def _is_last(layer: LayerFacts, role: Role) -> bool:
    return role in layer.last


def _has_size(
    compare: Callable[[float, float], bool], size: float, layer: LayerFacts, _role: Role
) -> bool:
    return layer.parameters is not None and compare(layer.parameters, size)


def _not(test: Test, layer: LayerFacts, role: Role) -> bool:
    return layer.index >= 0 and not test(layer, role)

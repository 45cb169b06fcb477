"""Makes docs/operators.md from the ONNX project's own tests: python -m docs.operators."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import onnx

from qviz.model.operators import operator_names
from tests.conformance.onnx_nodes import Outcome, node_outcomes

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Operators

Made by `python -m docs.operators` with onnx {onnx} and onnxruntime {onnxruntime}.

Every operator of the ONNX standard: how many of the ONNX project's own test cases pass in qviz and
in onnxruntime, and whether qviz runs it in torch. The others run in onnxruntime, one node at a
time, as does a use of a torch operator that torch cannot express. Cases in which an operator is
written out as simpler ones are left out here; the tests run them too.

{own} of {all} operators run in torch. Of {cases} cases {ours} pass in qviz and {theirs} in
onnxruntime, {both} of them in both.

| operator | cases | qviz | onnxruntime | runs in |
| --- | ---: | ---: | ---: | --- |
"""


def main() -> None:
    """Run the cases and write the page."""
    names = sorted({schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain})
    with tempfile.TemporaryDirectory() as folder:
        found = [o for o in node_outcomes(Path(folder)) if o.op in names]
    outcomes = [outcome for outcome in found if "_expanded" not in outcome.name]
    head = HEAD.format(
        onnx=version("onnx"),
        onnxruntime=version("onnxruntime"),
        own=len(operator_names()),
        all=len(names),
        cases=len(outcomes),
        ours=sum(o.qviz for o in outcomes),
        theirs=sum(o.onnxruntime for o in outcomes),
        both=sum(o.qviz and o.onnxruntime for o in outcomes),
    )
    PAGE.write_text(head + "\n".join(_rows(names, outcomes)) + "\n", encoding="utf-8")


def _rows(names: Iterable[str], outcomes: Iterable[Outcome]) -> Iterator[str]:
    by_op = defaultdict(list)
    for outcome in outcomes:
        by_op[outcome.op].append(outcome)
    in_torch = set(operator_names())
    for name in names:
        cases = by_op[name]
        ours, theirs = sum(o.qviz for o in cases), sum(o.onnxruntime for o in cases)
        where = "torch" if name in in_torch else "onnxruntime"
        yield f"| {name} | {len(cases)} | {ours} | {theirs} | {where} |"


if __name__ == "__main__":
    main()

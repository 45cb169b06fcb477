"""What the window says of an exported file: headline, evidence, tables and the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import qviz
from qviz.app.actions.reasons import needs_graph
from qviz.app.export_view import LAYER_HEADINGS, MOST_FLIPS, export_view, opset_choices
from qviz.app.pipelines.exporting import Export
from qviz.app.session import Session
from qviz.app.views import DocumentView
from qviz.export.verdict import FirstDifference, Flip, LayerDifference, RunDifference, Verdict

OFF = RunDifference(optimised=False, value=90.0, relative=2e-6, beyond=0, flips=())
ON = RunDifference(
    optimised=True,
    value=89.5,
    relative=3e-3,
    beyond=7,
    flips=(Flip(1238, 3, 4, 1, None), Flip(9, None, None, 5, None)),
)
CONV = LayerDifference(0, "conv", "Conv", 0.25, 1e-6, 1e-7, 3, 4096, 2.0, 0)
FC = LayerDifference(1, "fc", "Gemm", None, 2e-3, 0.0, 5, 3211264, 1e6, 0)
YES = Verdict(
    ok=True,
    text="the file gives these numbers on all 200 samples, outputs within 2.0e-06",
    reasons=(),
    remarks=("with optimisations on outputs differ",),
    metric="top-1",
    unit="%",
    samples=200,
    ours=90.0,
    off=OFF,
    on=ON,
    layers=(CONV, FC),
    layer_samples=64,
    first=FirstDifference("fc", "tie", "5 inputs lie on a tie"),
    optimisers=(),
    integer_nodes=0,
)
NO = replace(
    YES,
    ok=False,
    text="the file does not give these numbers: the file gives 5 inputs another code",
    reasons=("the file gives 5 inputs another code", "fc (Gemm) gives other numbers"),
    remarks=(),
)


def export(verdict: Verdict | None = None) -> Export:
    return Export(
        path="/models/q.onnx",
        bytes=37853,
        float_bytes=91813,
        opset=17,
        containers={"int8": 12, "uint8": 2},
        notes=("written with onnxruntime's own quantizers",),
        metadata={},
        verdict=verdict,
    )


def test_a_yes_in_words_and_tables() -> None:
    names = tuple(f"{at} c{at}" for at in range(5))
    view = export_view(export(YES), current=True, checking=False, classes=names)
    assert view.ok
    assert view.headline == "Yes: the file gives these numbers"
    assert view.text == "On all 200 samples, outputs within 2.0e-06."
    assert view.evidence == (
        "First difference at fc: 5 inputs lie on a tie.",
        "With optimisations on outputs differ.",
        "Written with onnxruntime's own quantizers.",
        "Flips with optimisations on: sample 1,238 (3 c3 → 4 c4), sample 9 (5 positions).",
    )
    facts = {fact.label: fact.value for fact in view.facts}
    assert facts["Bytes"] == "37,853, 0.412 of the float file's 91,813"
    assert facts["Slots"] == "12 in int8, 2 in uint8"
    assert [(run.off, run.on) for run in view.runs] == [
        ("90", "89.5"),
        ("90", "90"),
        ("0", "2"),
        ("0", "7"),
        ("2.0e-06", "3.0e-03"),
    ]
    assert [line.first for line in view.layers] == [False, True]
    assert view.layers[0].cells == (
        *("0", "conv", "Conv", "0.25", "1.0e-06", "1.0e-07"),
        *("3 of 4,096", "2"),
    )
    assert view.layers[1].cells[3] == ""
    assert view.layers[1].cells[-1] == "carried"
    assert all(len(line.cells) == len(LAYER_HEADINGS) for line in view.layers)


def test_a_no_says_its_first_reason_once() -> None:
    view = export_view(export(NO), current=True, checking=False)
    assert view.ok is False
    assert view.headline.startswith("No: ")
    assert view.text == "The file gives 5 inputs another code."
    assert view.evidence[0] == "fc (Gemm) gives other numbers."
    assert not any("another code" in sentence for sentence in view.evidence)
    assert "sample 1,238 (3 → 4)" in view.evidence[-1]


def test_a_run_that_fails_has_no_numbers() -> None:
    failing = replace(OFF, failure="onnxruntime cannot run it")
    view = export_view(export(replace(NO, off=failing)), current=True, checking=False)
    assert [run.off for run in view.runs] == ["fails", "90", "–", "–", "–"]


def test_what_was_not_checked_claims_nothing() -> None:
    view = export_view(export(), current=True, checking=False)
    assert view.ok is None
    assert view.headline == "Saved: not checked"
    assert view.runs == ()
    assert view.layers == ()
    assert export_view(export(), current=True, checking=True).headline == "Saved: being checked"


def test_the_report_holds_everything_and_every_flip() -> None:
    many = replace(ON, flips=tuple(Flip(at, 0, 1, 1, None) for at in range(MOST_FLIPS + 5)))
    view = export_view(export(replace(YES, on=many)), current=False, checking=False)
    assert view.evidence[-1].endswith("and 5 more.")
    assert "more" not in view.report
    assert f"sample {MOST_FLIPS + 4} (0 → 1)." in view.report
    lines = view.report.splitlines()
    assert lines[0] == "Yes: the file gives these numbers (of an earlier plan)"
    assert "File: /models/q.onnx" in lines
    assert "Largest difference            2.0e-06           3.0e-03" in lines
    titles = " ".join(heading.title for heading in LAYER_HEADINGS)
    assert " ".join(lines[-3].split()) == titles
    assert lines[-1].endswith("5 of 3.21 M  carried")


def test_opsets_are_offered_with_what_they_bring() -> None:
    choices = opset_choices()
    assert [choice.value for choice in choices] == ["", *map(str, range(13, 26))]
    assert choices[0].label == "As needed"
    assert choices[-1].label == "25: 2-bit codes"
    assert all(choice.tip for choice in choices)


@pytest.mark.parametrize("opset", [13, 25])
def test_every_end_of_the_offer_can_be_written(
    opset: int, mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    session = qviz.open(mlp, mlp_samples)
    found = session.export(tmp_path / "out.onnx", opset, verify=True)
    assert found.opset == max(opset, 17)
    view = session.export_view()
    assert view is not None
    assert view.ok
    assert view.current
    session.set("fc1.weight", "int2")
    earlier = session.export_view()
    assert earlier is not None
    assert not earlier.current


def test_nothing_is_said_before_an_export(mlp: Path) -> None:
    assert Session().export_view() is None
    assert qviz.open(mlp).export_view() is None


def test_what_has_no_graph_is_not_exported() -> None:
    assert needs_graph(DocumentView()) == "Open a model first"
    weights = DocumentView(model_name="w.safetensors", model_path="/m/w.safetensors")
    assert needs_graph(weights).startswith("Weights only")
    graph = DocumentView(model_name="m.onnx", model_path="/m/m.onnx")
    assert "open samples" in needs_graph(graph)
    assert needs_graph(replace(graph, samples_name="synthetic inputs", synthetic=True)) == ""

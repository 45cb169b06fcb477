"""Judge: what the differences found add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qviz.export.replay import Replay
from qviz.export.verdict import CLOSE, FirstDifference, Optimiser, RunDifference, Verdict


def explained(off: RunDifference, replay: Replay) -> RunDifference:
    """The same with word of which flips follow a value on a tie between two codes."""
    flips = (
        replace(flip, tie=flip.sample in replay.tied if flip.sample in replay.seen else None)
        for flip in off.flips
    )
    return replace(off, flips=tuple(flips))


def judge(
    *,
    metric: tuple[str, str],
    samples: int,
    ours: float,
    runs: tuple[RunDifference, RunDifference],
    replay: Replay | None,
    deviating: int,
    optimisers: Sequence[Optimiser],
    integers: int,
) -> Verdict:
    """The verdict; `runs` with optimisations off and on, `deviating` samples with them off."""
    off, on = runs
    reasons = list(_reasons(off, replay, deviating))
    first = None if replay is None else _first(replay)
    remarks = [] if replay is None or reasons else _ties(off, replay, deviating)
    remarks += _optimised(runs, samples, ours, optimisers, integers)
    return Verdict(
        ok=not reasons,
        text=_text(off, samples, deviating, reasons),
        reasons=tuple(reasons),
        remarks=tuple(remarks),
        metric=metric[0],
        unit=metric[1],
        samples=samples,
        ours=ours,
        off=off,
        on=on,
        layers=() if replay is None else replay.layers(),
        layer_samples=0 if replay is None else len(replay.seen),
        first=first,
        optimisers=tuple(optimisers),
        integer_nodes=integers,
    )


def _reasons(off: RunDifference, replay: Replay | None, deviating: int) -> list[str]:
    if off.failure or replay is None:
        return [off.failure or "nothing was run"]
    found = [
        f"the file gives {count:,} inputs of {step.name} another code than qviz does"
        for step, count in replay.wrong()
    ]
    found += [
        f"{step.name} ({step.op}) gives other numbers in onnxruntime on the same inputs: "
        f"{local:.1e} of its largest"
        for step, local in replay.disagreeing()
    ]
    if deviating and not found and not replay.quantizes_inputs:
        found.append(
            f"{deviating:,} samples differ by up to {off.relative:.1e}, without any input that is "
            "rounded to codes"
        )
    return found


def _first(replay: Replay) -> FirstDifference | None:
    """The first step of the graph with a difference beyond float rounding."""
    wrong = {step.index: (step, count) for step, count in replay.wrong()}
    apart = {step.index: (step, local) for step, local in replay.disagreeing()}
    codes = {step.index: (step, count, ulps) for step, count, ulps in replay.departures()}
    every = (*wrong, *apart, *codes)
    if not every:
        return None
    at = min(every)
    if at in wrong:
        step, count = wrong[at]
        return FirstDifference(step.name, "quantizer", f"{count:,} inputs took a wrong code")
    if at in codes:
        step, count, ulps = codes[at]
        are = "input lies" if count == 1 else "inputs lie"
        text = (
            f"{count:,} {are} on a tie between two codes: in onnxruntime at most {ulps:.3g} ulps "
            "apart, on the other side"
        )
        return FirstDifference(step.name, "tie", text)
    step, local = apart[at]
    text = f"{step.op} itself gives other numbers: {local:.1e} of its largest"
    return FirstDifference(step.name, "operator", text)


def _ties(off: RunDifference, replay: Replay, deviating: int) -> list[str]:
    """What was set aside, and why that is right."""
    if not deviating:
        return []
    flips = f", {len(off.flips):,} with another prediction" if off.flips else ""
    where = "" if replay.departures() else ", which qviz's integer kernels round the other way"
    looked = min(len(replay.seen), deviating)
    text = (
        f"{deviating:,} samples differ by more than {CLOSE:.0e} (at most {off.relative:.1e})"
        f"{flips}: values on a tie between two codes{where}. Of the {looked:,} looked at, every "
        "quantizer gives onnxruntime's codes and every operator its numbers on its own inputs"
    )
    return [text]


def _optimised(
    runs: tuple[RunDifference, RunDifference],
    samples: int,
    ours: float,
    optimisers: Sequence[Optimiser],
    integers: int,
) -> list[str]:
    off, on = runs
    if on.failure:
        return [f"with optimisations on: {on.failure}"]
    kernels = f", {integers:,} operators on integer kernels" if integers else ""
    if not on.flips and not on.beyond:
        return [f"with optimisations on the file gives these numbers{kernels}"]
    if abs(on.relative - off.relative) <= CLOSE and _of(on) == _of(off):
        return [f"with optimisations on it is as with them off{kernels}"]
    text = (
        f"with optimisations on outputs differ by up to {on.relative:.1e}: {len(on.flips):,} of "
        f"{samples:,} predictions, {on.value:.6g} instead of {ours:.6g}{kernels}"
    )
    return [text, *(f"{each.text} ({each.relative:.1e} without it)" for each in optimisers)]


def _of(run: RunDifference) -> tuple[tuple[int, int | None], ...]:
    """The samples that flip, and to what."""
    return tuple((flip.sample, flip.theirs) for flip in run.flips)


def _text(off: RunDifference, samples: int, deviating: int, reasons: Sequence[str]) -> str:
    if reasons:
        return f"the file does not give these numbers: {reasons[0]}"
    within = f"outputs within {off.relative:.1e}"
    if not deviating:
        return f"the file gives these numbers on all {samples:,} samples, {within}"
    return (
        f"the file gives these numbers; {deviating:,} of {samples:,} samples differ after a tie "
        f"between two codes, {len(off.flips):,} in their prediction"
    )

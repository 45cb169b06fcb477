"""How few samples a number needs, and whether its interval holds while it is watched.

Run: python benchmarks/coverage.py [STREAMS [PLAN ...]]. The bundled network's predictions under
each plan are resized to a pool of 10,000 by drawing with replacement, anew for each stream, and
streamed as the window does it: 256 in shuffled order, then those that the design draws, then the
rest in order. "Covered": streams whose shown interval, the overlap of both, held the pool's exact
value after every chunk until all were seen. Samples are those at which the half-width was 1 point
or less first: of the design; of plain sampling with the same bets, which may be watched too; of
plain sampling with a fixed number and Wilson's interval, which may not; and of the design with a
fixed number and all rates known, which no method can do much better than.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

import qviz
from qviz.app.session import Session
from qviz.data.bundled import demo_model, demo_samples
from qviz.engine.estimates import Design, Estimate, MeanSequence
from qviz.engine.estimates.strata import Strata
from qviz.engine.evaluate import FIRST
from qviz.engine.pool import ALPHA, MOST
from qviz.engine.tally import STREAM_ALPHA

Array = NDArray[np.float64]

POOL = 10_000
CHUNK = 64
HALF_WIDTH = 0.01
LOOK = 320  # samples at which the value's error is told
LATER = 512  # samples of the rest between two looks
Z2 = 1.959963985**2
PLANS = {
    "W8A8": ("int8:channel", "uint8"),
    "W8": ("int8:channel", "float32"),
    "W6": ("int6:channel", "float32"),
    "W6A6": ("int6:channel", "uint6"),
    "W5A5": ("int5:channel", "uint5"),
    "W4": ("int4:channel", "float32"),
    "W4A4": ("int4:channel", "uint4"),
    "W3": ("int3:channel", "float32"),
    "W2": ("int2:channel", "float32"),
}


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: samples until the half-width was reached, whether it held, its error at LOOK."""

    needed: int
    held: bool
    error: float


def label_margins() -> Array:
    """By how much each sample's label's logit beats the best other one in float [n]."""
    data = np.load(demo_samples())
    images, labels = data["image"].astype(np.float32), data["labels"]
    runner = InferenceSession(demo_model())
    logits = np.concatenate(
        [
            np.asarray(runner.run(None, {"image": images[i : i + 100]})[0], np.float64)
            for i in range(0, len(images), 100)
        ]
    )
    every = np.arange(len(labels))
    own = logits[every, labels]
    logits[every, labels] = -np.inf
    return np.asarray(own - logits.max(1))


def right(session: Session, weights: str, inputs: str) -> Array:
    """Which samples a plan gets right [n], 0 or 1."""
    labels, model = np.load(demo_samples())["labels"], session.current().model
    for layer in () if model is None else model.layers:
        for slot in layer.slots:
            session.set(slot, weights if slot.endswith(".weight") else inputs)
    score = session.evaluate()
    found = np.zeros(len(labels))
    found[score.rows] = score.predictions == labels[score.rows]
    return found


def stream(reference: Array, margins: Array, values: Array, seed: int) -> Stream:
    """Watch one stream as the window shows it until all samples were seen."""
    design, truth = Design(reference, margins, seed, alpha=ALPHA), values.mean()
    ordered = MeanSequence(len(values), alpha=STREAM_ALPHA)
    order = np.random.default_rng(seed + 10**6).permutation(len(values))
    changes = (0.5 + 0.5 * (values - reference))[order]
    ordered.add(changes[:FIRST])

    def holds(drawn: Estimate) -> bool:
        known = ordered.estimate()
        low = max(drawn.low, reference.mean() + 2.0 * known.low - 1.0)
        high = min(drawn.high, reference.mean() + 2.0 * known.high - 1.0)
        return bool(low - 1e-12 <= truth <= high + 1e-12)

    needed, held, error = 0, True, 0.0
    last = design.estimate()  # what the window has when it stops drawing
    while not needed and len(rows := design.next(CHUNK)):
        design.add(rows, values[rows])
        drawn = design.estimate()
        if drawn.seen <= MOST:
            last, held = drawn, held and holds(drawn)
        if drawn.seen == LOOK:
            error = drawn.value - truth
        if drawn.high - drawn.low <= 2 * HALF_WIDTH:
            needed = drawn.seen
    for start in range(FIRST, len(values), LATER):
        ordered.add(changes[start : start + LATER])
        held = held and holds(last)
    return Stream(needed, held, error)


def plainly(values: Array, seed: int) -> int:
    """Samples of plain sampling with the same bets until the half-width was reached."""
    nothing = np.zeros(POOL)
    design = Design(nothing, nothing, seed)
    while len(rows := design.next(CHUNK)):
        design.add(rows, values[rows])
        shown = design.estimate()
        if shown.high - shown.low <= 2 * HALF_WIDTH:
            return shown.seen
    return POOL


def fixed(variance: float) -> float:
    """Samples of a pool that a half-width takes with a number fixed beforehand."""
    n = Z2 * variance / HALF_WIDTH**2
    return n / (1 + n / POOL)


def spread(reference: Array, margins: Array, values: Array) -> float:
    """(Σ W·σ)² over the strata: the variance of a draw when all rates are known (Neyman 1934)."""
    strata = Strata(reference, np.abs(margins), np.random.default_rng(0))
    change = values - reference
    return float(sum(len(part) / POOL * change[part].std() for part in strata.members) ** 2)


def row(plan: str, margins: Array, values: Array, streams: int) -> str:
    """The figures of one plan."""
    found, plain, drops, flips, best = [], [], [], [], []
    for seed in range(streams):
        chosen = np.random.default_rng(seed).integers(0, len(values), POOL)
        m, q = margins[chosen], values[chosen]
        f = (m > 0).astype(float)
        found.append(stream(f, m, q, seed))
        if seed < max(streams // 50, 4):
            plain.append(plainly(q, seed))
            drops.append(100 * (f - q).mean())
            flips.append(100 * np.abs(f - q).mean())
            best.append(fixed(spread(f, m, q)))
    needed = np.array([one.needed for one in found])
    errors = 100 * np.array([one.error for one in found])
    wilson = fixed(float(values.mean() * (1 - values.mean())))
    return (
        f"{plan:<6}{np.mean(drops):6.2f}{np.mean(flips):7.2f}  "
        f"{needed.mean():6.0f}{np.quantile(needed, 0.9):6.0f}{np.mean(plain):7.0f}"
        f"{np.mean(plain) / needed.mean():6.1f}x{wilson:7.0f}{wilson / needed.mean():6.1f}x"
        f"{np.mean(best):7.0f}  {100 * np.mean([one.held for one in found]):7.1f} %"
        f"{errors.mean():8.3f} ± {2 * errors.std() / np.sqrt(len(errors)):.3f}"
    )


def main() -> None:
    """Print the table."""
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    session, margins = qviz.open(demo_model(), demo_samples()), label_margins()
    print("        points          samples until ± 1 point, of 10,000                       at 320")
    print("plan    drop  flips    mean   90 %  plain  ratio  fixed  ratio  known  covered    bias")
    for plan in sys.argv[2:] or PLANS:
        print(row(plan, margins, right(session, *PLANS[plan]), streams), flush=True)


if __name__ == "__main__":
    main()

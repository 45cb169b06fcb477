"""What the number strip says besides its numbers."""

from __future__ import annotations

from collections.abc import Mapping

from qviz.app.views import Choice, Strip
from qviz.ui import number_format as text

PART_WORDS: dict[str, tuple[str, str]] = {
    "tune": ("Tuning", "The samples to look at while the plan changes"),
    "all": ("All", "Every sample, those for calibration too"),
    "confirm": ("Confirm", "Kept aside: look at them once, when the plan is final"),
}


def part_choices(counts: Mapping[str, int]) -> tuple[Choice, ...]:
    """The parts of the samples, with how many are in each; none can be chosen without samples."""
    choices = []
    for value, (word, tip) in PART_WORDS.items():
        known = value in counts
        tip = f"{tip}: {text.counted(counts[value], 'sample')}" if known else tip
        choices.append(Choice(value, word, tip, "" if known else "Open samples first"))
    return tuple(choices)


def flip_notes(strip: Strip) -> tuple[str, ...]:
    """Of how many samples, and the divergence, in fewer and fewer words."""
    seen = text.count(strip.samples)
    divergence = "" if strip.kl is None else f"KL {text.steady(strip.kl, 2)}"
    if strip.flips is None:
        unknown = "changed answers", "changed"
        return (f"{divergence} nats", divergence) if divergence else unknown
    if not divergence:
        return f"of {text.counted(strip.samples, 'sample')}", f"of {seen}"
    long = f"of {seen}  ·  {divergence} nats"
    return long, f"of {seen} · {divergence}", divergence


def seen_words(strip: Strip) -> str:
    """What has been measured so far, or why nothing is."""
    if strip.message:
        return strip.message
    if strip.first_kl is not None:
        seen = text.counted(strip.first_kl_samples, "sample")
        return f"KL {text.steady(strip.first_kl, 3)} nats ({seen})"
    if strip.total == 0:
        return "Waiting for the first samples" if strip.state == "waiting" else ""
    if strip.stale:
        return "The plan changed: measuring again"
    seen = text.counted(strip.total, "sample")
    if strip.samples < strip.total:
        seen = f"{text.count(strip.samples)} of {seen}"
    return f"{seen}, {strip.note}" if strip.note else seen

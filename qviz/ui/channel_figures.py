"""What the Channels view says in numbers: error metrics, orders, the worst channels, sentences."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qviz.app.slot_views import ChannelsView
from qviz.app.views import Floats
from qviz.ui import number_format as text

ROUNDING_NOISE = 1.0 / math.sqrt(12.0)  # RMSE over step of an error uniform over one step
WORST_SHARE = 0.05  # of the channels are marked as the worst …
CONSTANT = 1e-6  # of the widest range: a channel within it has one value
WORST_LIMIT = 10  # … but not more than can be told apart

CALM, EXACT, RAMP = 0, 1, 2  # tones of the error bars; from RAMP on the error colors
NO_BREAK = "\N{NO-BREAK SPACE}"
DOT = "  ·  "  # between the parts of a line
SORTS = {"index": "by index", "range": "by range", "error": "by error"}
Indices = NDArray[np.int_]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Metric:
    """One error per channel, in the unit of its axis; `badness` grows with the error."""

    label: str  # in the menu
    axis: str
    values: Callable[[ChannelsView], Floats]
    badness: Callable[[Floats], Floats]
    calm: float  # badness at the calm end of the error colors …
    worst: float  # … and at their worst
    missing: str = ""  # why a channel can have errors, but not this one
    clear: str = ""  # what is said where every channel has none of it
    tip: str = ""
    absolute: bool = False  # in the unit of the values: how bad it is the SQNR says


METRICS: dict[str, Metric] = {
    "sqnr": Metric(
        "SQNR (dB)",
        "SQNR, dB",
        lambda v: v.sqnr_db,
        np.negative,
        -45.0,
        -5.0,
        tip="Signal to quantization noise: 10·log10(Σx² / Σ(x−x̂)²)",
    ),
    "mse": Metric(
        "MSE",
        "MSE",
        lambda v: v.mse,
        np.positive,
        0.0,
        1.0,
        clear="Every channel is exact",
        tip="Mean squared error; colored by the SQNR",
        absolute=True,
    ),
    "cosine": Metric(
        "Cosine",
        "1 − cosine",
        lambda v: np.maximum(1.0 - v.cosine, 0.0),
        np.positive,
        0.0,
        0.05,
        clear="Every channel keeps its direction",
        tip="1 minus the cosine of the angle between the channel and its quantized self",
    ),
    "largest": Metric(
        "Largest error",
        "max |x−x̂|",
        lambda v: v.max_error,
        np.positive,
        0.0,
        1.0,
        clear="Every channel is exact",
        tip="The largest |x−x̂| of a value that occurs; colored by the SQNR",
        absolute=True,
    ),
    "rmse": Metric(
        "RMSE / step",
        "RMSE / step",
        lambda v: v.rmse_steps,
        np.positive,
        ROUNDING_NOISE,
        1.0,
        "This grid has no uniform step to measure the RMSE in",
        tip="Root of the MSE in steps of the grid: 1/√12 is rounding alone, more means clipping",
    ),
    "bias": Metric(
        "Relative bias (%)",
        "bias, %",
        lambda v: 100 * v.bias,
        np.abs,
        0.0,
        10.0,
        clear="No channel is shifted",
        tip="mean(x̂−x) / rms(x): how far quantization shifts the mean",
    ),
    "clipped": Metric(
        "Clipped (%)",
        "clipped, %",
        lambda v: 100 * v.clipped,
        np.positive,
        0.0,
        5.0,
        clear="No value of any channel is clipped",
        tip="Values beyond the outermost level by more than half a step",
    ),
}


def badness(view: ChannelsView, metric: Metric) -> Floats:
    """How bad every channel is, [channels]; -inf where unknown or dead; empty without errors."""
    values = metric.values(view)
    if not values.size:
        return values
    bad = metric.badness(values)
    return np.where(np.isnan(bad) | dead(view), -math.inf, bad)


def dead(view: ChannelsView) -> Mask:
    """Channels that carry nothing, [channels]."""
    return view.dead if view.dead.size else np.zeros(view.minimum.size, dtype=np.bool_)


def severity(metric: Metric, bad: Floats) -> Floats:
    """Badness along the error colors, 0 calm to 1 worst."""
    return np.clip((bad - metric.calm) / (metric.worst - metric.calm), 0.0, 1.0)


def worst(view: ChannelsView, metric: Metric) -> Mask:
    """The few channels with the largest errors, [channels]; none where all are alike."""
    bad = badness(view, metric)
    found = np.zeros(bad.size, dtype=np.bool_)
    if bad.size:
        few = min(WORST_LIMIT, math.ceil(WORST_SHARE * bad.size))
        found[np.argsort(-bad, kind="stable")[:few]] = True
        found &= bad > np.sort(bad)[(bad.size - 1) // 2]  # worse than the middle one
    return found


def tones(view: ChannelsView, metric: Metric, colors: int) -> Indices:
    """How every channel's error is drawn: CALM, EXACT, or RAMP + one of `colors` for the worst."""
    scale = METRICS["sqnr"] if metric.absolute else metric
    along = np.rint(severity(scale, badness(view, scale)) * (colors - 1)).astype(np.int_)
    rest = np.where(np.isposinf(metric.values(view)), EXACT, CALM)
    return np.where(worst(view, metric), RAMP + along, rest)


def order(view: ChannelsView, sort: str, metric: Metric) -> Indices:
    """The channel at every position: by index, widest range first, or worst error first."""
    if sort == "range":
        return np.argsort(-spans(view), kind="stable")
    bad = badness(view, metric)
    if sort == "error" and bad.size:
        return np.argsort(-bad, kind="stable")
    return np.arange(view.minimum.size)


def spans(view: ChannelsView) -> Floats:
    """Maximum minus minimum of every channel, [channels]."""
    return view.maximum - view.minimum


def bar_heights(values: Floats) -> Floats:
    """Finite heights of errors [n]: an exact channel rises above the best other one."""
    finite = values[np.isfinite(values)]
    best = float(finite.max()) if finite.size else 1.0
    return np.nan_to_num(values, nan=0.0, posinf=1.1 * max(best, 1.0), neginf=0.0)


def why_no_errors(view: ChannelsView, metric: Metric) -> str:
    """Why there is nothing to draw; "" when there is."""
    values = metric.values(view)
    if not values.size:
        return view.error_notice or metric.missing or "No errors per channel are known"
    return metric.clear if not np.any(values) else ""


def summary(view: ChannelsView) -> str:
    """One line on all channels."""
    count = view.minimum.size
    if count == 0:
        return ""
    alive, gone = ~dead(view), int(dead(view).sum())
    parts = [text.counted(count, "channel")]
    if gone:
        parts.append(f"{text.count(gone)} dead")
    if gone < count:
        parts += _range_parts(spans(view)[alive])
    outliers = int(view.outliers.sum())
    if outliers:
        parts.append(text.counted(outliers, "outlier"))
    if view.sqnr_db.size:
        parts.append(_worst_part(np.where(alive, view.sqnr_db, math.nan)))
    if view.error_source:
        parts.append(f"errors {view.error_source}")
    return DOT.join(parts)


def _range_parts(span: Floats) -> list[str]:
    wide = span[span > CONSTANT * span.max()]
    constant = span.size - wide.size
    parts = [f"{text.count(constant)} constant"] if constant else []
    if wide.size:
        low, high = float(wide.min()), float(wide.max())
        ends = f"range {_plain(low, 2)} … {_plain(high, 2)}"
        apart = high / low
        factor = f"{apart:.1f}" if apart < 10 else text.short_count(apart)
        parts.append(f"{ends} (×{factor} apart)" if apart >= 1.05 else ends)
    return parts


def _plain(value: float, digits: int) -> str:
    """Some significant digits, and large values without an exponent."""
    return text.short_count(value) if abs(value) >= 100 else text.significant(value, digits)


def _worst_part(sqnr: Floats) -> str:
    if np.isnan(sqnr).all() or np.nanmin(sqnr) == math.inf:
        return "every channel exact"
    channel = int(np.nanargmin(sqnr))
    return f"worst SQNR {text.decibels(float(sqnr[channel]), unit=True)} in channel {channel}"


def unbroken(line: str, separator: str) -> str:
    """The line with breaks after its separators only."""
    parts = (part.replace(" ", NO_BREAK) for part in line.split(separator))
    return separator.join(parts)


def readout(view: ChannelsView, channel: int, shown: str = "") -> str:
    """One channel in a line, and the error that is drawn where the line has it not anyway."""
    low, high = (_plain(float(v[channel]), 3) for v in (view.minimum, view.maximum))
    parts = [f"channel {channel}: {low} … {high}"]
    if view.outliers[channel]:
        parts.append("outlier")
    if dead(view)[channel]:
        parts.append("dead")
    if view.sqnr_db.size:
        parts.append(f"SQNR {text.decibels(float(view.sqnr_db[channel]), unit=True)}")
    if view.bias.size:
        parts.append(f"bias {text.signed(100 * float(view.bias[channel]))} %")
    if view.clipped.size:
        parts.append(f"clipped {text.share(float(view.clipped[channel]))}")
    if view.rmse_steps.size:
        parts.append(f"RMSE {text.significant(float(view.rmse_steps[channel]), 2)} steps")
    extra = {
        "mse": ("MSE", view.mse),
        "cosine": ("cosine", view.cosine),
        "largest": ("largest error", view.max_error),
    }
    if shown in extra and extra[shown][1].size:
        word, values = extra[shown]
        digits = 6 if shown == "cosine" else 3
        parts.append(f"{word} {text.significant(float(values[channel]), digits)}")
    return ", ".join(parts)

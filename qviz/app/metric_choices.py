"""The menu of metrics: what the samples can tell, in words, with unit and direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qviz.app.views import MetricChoice, OutputChoice

# By name: unit in words, which direction is good, meaning.
_SHARE = "percent"
METRICS: dict[str, tuple[str, str, str]] = {
    "top-1": (_SHARE, "higher", "share whose most likely class is the label"),
    "top-5": (_SHARE, "higher", "share whose label is among the five most likely classes"),
    "mean recall": (
        _SHARE,
        "higher",
        "hits over labels, the mean over the classes labelled (balanced accuracy)",
    ),
    "worst recall": (_SHARE, "higher", "the recall of the class that is recognised least"),
    "mean precision": (
        _SHARE,
        "higher",
        "hits over predictions, the mean over the classes labelled or predicted; one that is never "
        "predicted counts as 0",
    ),
    "F1": (
        _SHARE,
        "higher",
        "2·hits / (labels + predictions), the mean over the classes labelled or predicted",
    ),
    "AUROC": (_SHARE, "higher", "chance that a positive scores above a negative"),
    "mean average precision": (
        _SHARE,
        "higher",
        "precision at every recall of a class, the mean over the classes",
    ),
    "micro F1": (_SHARE, "higher", "2·hits / (labels + predictions) of all classes together"),
    "Hamming accuracy": (_SHARE, "higher", "share of a sample's classes rightly given or withheld"),
    "exact match": (_SHARE, "higher", "share of samples all of whose classes are right"),
    "ECE": (_SHARE, "lower", "calibration: gap between confidence and accuracy, in 15 bins"),
    "cross-entropy": ("nats", "lower", "mean −ln p of the label"),
    "perplexity": ("no unit", "lower", "exponential of the mean −ln p per token"),
    "mean IoU": (_SHARE, "higher", "overlap of prediction and label, the mean over the classes"),
    "CTC exact match": (_SHARE, "higher", "share whose whole sequence is the label"),
    "MSE": ("no unit", "lower", "mean of (y − ŷ)²"),
    "MAE": ("no unit", "lower", "mean of |y − ŷ|"),
    "R²": ("no unit", "higher", "1 − Σ(y − ŷ)² / Σ(y − ȳ)²"),
    "PSNR": ("dB", "higher", "10·log10(peak² / MSE), the mean over the samples"),
    "agreement with float": (
        _SHARE,
        "higher",
        "share of all answers that are the float model's; a sample with several positions gives "
        "one answer at each",
    ),
    "KL to float": ("nats", "lower", "how far the output distributions are from float's"),
    "output SQNR": ("dB", "higher", "10·log10(Σy² / Σ(y−ŷ)²) over float and quantized outputs"),
    "recall": (_SHARE, "higher", "hits over labels of one class: its sensitivity"),
    "precision": (_SHARE, "higher", "hits over predictions of one class"),
    "sensitivity": (_SHARE, "higher", "share of class 1 whose probability reaches the threshold"),
    "specificity": (_SHARE, "higher", "share of class 0 whose probability stays below it"),
}
_MARKS = (":", "@")  # between a metric and what it asks for


def metric_choices(
    names: Sequence[str], chosen: str, proposed: str, classes: Sequence[str] = ()
) -> tuple[MetricChoice, ...]:
    """The entries for these metrics; `chosen` is "" while the `proposed` one is shown.

    `classes` are what a class of the samples is called, for the one that was asked for.
    """
    if not names:
        return ()
    fits = f": {proposed}" if proposed else ""
    tip = "What suits the labels and the outputs"
    first = MetricChoice("", f"Fits best{fits} (automatic)", tip, not chosen)
    return (first, *_entries(names, chosen, classes))


def output_choices(names: Sequence[str], chosen: str, shown: str) -> tuple[OutputChoice, ...]:
    """The outputs that can be scored; `chosen` is "" while the one `shown` was found to fit."""
    if len(names) < 2:
        return ()
    fits = "" if chosen else f": {shown}"
    tip = "The output that fits the labels or, without labels, looks like scores of classes"
    first = OutputChoice("", f"Fits best{fits} (automatic)", tip, not chosen)
    others = (
        OutputChoice(name, name, f"Score the output {name}", name == chosen) for name in names
    )
    return (first, *others)


def _entries(names: Sequence[str], chosen: str, classes: Sequence[str]) -> Iterator[MetricChoice]:
    word, mark, answer = split_metric(chosen)
    for name in names:
        asked, at, _ = split_metric(name)
        if at == "@":
            current = mark == "@" and word == asked
            label = f"{title(asked)} at {answer if current else 'threshold'}…"
            yield MetricChoice(
                f"{asked}@", label, metric_tip(asked), current, "threshold", answer * current
            )
            continue
        yield MetricChoice(name, title(name), metric_tip(name), name == chosen)
        if name == "worst recall" and "AUROC" in names:  # one class per sample
            current = mark == ":" and word == "recall"
            label = f"Recall of {_class(answer, classes)}…" if current else "Recall of class…"
            tip = metric_tip("recall")
            yield MetricChoice("recall:", label, tip, current, "class", answer * current)
    if mark == ":" and word != "recall":  # chosen on the command line
        yield MetricChoice(chosen, metric_title(chosen, classes), metric_tip(chosen), True)


def split_metric(name: str) -> tuple[str, str, str]:
    """("recall", ":", "3") of "recall:3"; the last two are "" for a metric that asks nothing."""
    for mark in _MARKS:
        word, found, answer = name.partition(mark)
        if found:
            return word, mark, answer
    return name, "", ""


def metric_title(name: str, classes: Sequence[str] = ()) -> str:
    """A metric in words: "Top-1", "Recall of class 3", "Sensitivity at 0.3"."""
    word, mark, answer = split_metric(name)
    if mark == ":":
        return f"{title(word)} of {_class(answer, classes)}"
    return f"{title(word)} at {answer}" if mark else title(word)


def metric_tip(name: str) -> str:
    """Meaning, unit and direction of a metric; "" for one that is not known."""
    found = METRICS.get(split_metric(name)[0])
    if found is None:
        return ""
    unit, better, meaning = found
    return f"{title(meaning)}. In {unit}, {better} is better".replace("In no unit", "No unit")


def title(words: str) -> str:
    """The first letter large."""
    return words[:1].upper() + words[1:]


def _class(answer: str, classes: Sequence[str]) -> str:
    at = int(answer) if answer.isdecimal() else -1
    return f"class {classes[at] if 0 <= at < len(classes) else answer}"

"""Next tokens: the labels of a language model, as files leave them out or hold them unshifted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from qviz.data.samples import Array, Samples
from qviz.data.token_inputs import next_tokens, token_input
from qviz.engine.chunks import Feeder, feeder, input_specs
from qviz.errors import QvizError
from qviz.model.model import Model, Value
from qviz.model.runtime import Runtime

ADDED = "Labels are the next tokens"
SHIFTED = "Labels are the input ids, as Hugging Face trainers take them: each is moved one place on"
_TOLERANCE = 1e-3  # of the largest score, by which a later token may move it


def with_next_tokens(model: Model, samples: Samples) -> Samples:
    """Samples with each token's successor as its label, where a language model needs them.

    It does where there are no labels, or those that there are equal the ids. A language model gives
    scores [n, tokens, vocabulary] that do not depend on later tokens. What does not run is left
    as it is, to be refused where samples are checked.
    """
    spec = token_input(input_specs(model))
    if spec is None or samples.synthetic:
        return samples
    try:
        feed = feeder(model, samples, None)
    except QvizError:
        return samples
    column = feed.fitted.columns.get(spec.name)
    if column is None or len(column.shape) != 2 or column.shape[1] < 2:
        return samples
    ids = column[np.arange(samples.count)]
    labels = samples.labels
    if labels is not None and not _are_ids(labels, ids):
        return samples
    if not _is_language_model(model, feed, spec.name, int(ids.max())):
        return samples
    digest = hashlib.sha256(f"{samples.hash} next tokens".encode()).hexdigest()
    note = ADDED if labels is None else SHIFTED
    moved = next_tokens(ids if labels is None else labels)
    return replace(samples, labels=moved, hash=digest, notes=(*samples.notes, note))


def _are_ids(labels: Array, ids: Array) -> bool:
    """Whether labels repeat the ids at every position that is not left out."""
    if labels.shape != ids.shape or labels.dtype.kind != "i":
        return False
    counted = labels >= 0
    return bool(counted.any() and (labels == ids)[counted].all())


def _is_language_model(model: Model, feed: Feeder, name: str, largest: int) -> bool:
    """Whether an output scores every id at every token, whatever comes after it."""
    feeds = dict(feed.chunk(np.zeros(1, np.int64)).feeds)
    ids = feeds[name]
    other = ids.clone()
    other[:, -1] = torch.where(ids[:, -1] == 0, 1, 0)
    try:
        with torch.inference_mode():
            runtime = Runtime(model)
            before, after = runtime.run(feeds), runtime.run({**feeds, name: other})
    except QvizError:
        return False
    return any(
        _scores_all(before[output], ids.shape[1], largest) and _same(before, after, output)
        for output in model.outputs
    )


def _scores_all(scores: Value, length: int, largest: int) -> bool:
    return (
        isinstance(scores, Tensor)
        and scores.is_floating_point()
        and scores.ndim == 3
        and scores.shape[1] == length
        and scores.shape[2] > largest
    )


def _same(before: Mapping[str, Value], after: Mapping[str, Value], output: str) -> bool:
    """Whether scores of all tokens but the last are the same in both runs."""
    a, b = before[output], after[output]
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return False
    first, second = a[:, :-1].float(), b[:, :-1].float()
    return bool((first - second).abs().max() <= _TOLERANCE * first.abs().max())

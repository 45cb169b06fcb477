"""Trace: one float run of the model for its shapes, and its comparison with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from qviz.data.samples import Samples
from qviz.engine.chunks import feeder
from qviz.errors import QvizError
from qviz.model.model import Model, Step, Value
from qviz.model.parity import Parity, check_against_onnxruntime
from qviz.model.runtime import Runtime, synthetic_feeds
from qviz.plan.cost import count_macs

CHECKED_SAMPLES = 4
FREE_SIZES = (64, 512, 16, 1)  # tried in turn for dimensions that the model leaves open


def trace_macs(model: Model, samples: Samples | None) -> dict[int, int]:
    """MACs per sample of every layer, from a run on one sample or on synthetic inputs.

    Raises:
        QvizError: without samples, when an input's rank is unknown.
    """
    feeds, shapes = _runnable(model, samples)
    first = next(iter(feeds.values()), None)
    batch = first.shape[0] if first is not None and first.ndim else 1
    return {index: macs // max(batch, 1) for index, macs in count_macs(model, shapes).items()}


def check_float(model: Model, samples: Samples | None) -> Parity:
    """Largest difference between qviz's float outputs and onnxruntime's on a few samples."""
    feeds = (
        _runnable(model, None)[0]
        if samples is None
        else _sample_feeds(model, samples, CHECKED_SAMPLES)
    )
    return check_against_onnxruntime(model, {name: _array(t) for name, t in feeds.items()})


def _runnable(
    model: Model, samples: Samples | None
) -> tuple[Mapping[str, Tensor], dict[str, tuple[int, ...]]]:
    """Feeds that the model runs on, and the shapes of all values of that run."""
    if samples is not None:
        feeds = _sample_feeds(model, samples, 1)
        return feeds, _shapes(model, feeds)
    for free in FREE_SIZES[:-1]:
        try:
            tried = synthetic_feeds(model, free=free)
            return tried, _shapes(model, tried)
        except QvizError:
            continue  # this size does not suit the model; the last one's message is the user's
    last = synthetic_feeds(model, free=FREE_SIZES[-1])
    return last, _shapes(model, last)


def _shapes(model: Model, feeds: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    shapes = {name: tuple(tensor.shape) for name, tensor in feeds.items()}

    def observe(step: Step, _inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        for name, value in zip(step.outputs, outputs, strict=False):
            if isinstance(value, Tensor):
                shapes[name] = tuple(value.shape)

    with torch.inference_mode():
        Runtime(model).run(feeds, keep=(), observe=observe)
    return shapes


def _sample_feeds(model: Model, samples: Samples, count: int) -> Mapping[str, Tensor]:
    feed = feeder(model, samples, None)
    rows = np.arange(min(count, feed.size, samples.count), dtype=np.int64)
    return feed.chunk(rows).feeds


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.numpy()

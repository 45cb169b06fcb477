"""Trace: one float run of the model for its shapes, and its comparison with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from qviz.data.samples import Samples
from qviz.engine.chunks import feeder
from qviz.model.model import Model, Step, Value
from qviz.model.parity import Parity, check_against_onnxruntime
from qviz.model.runtime import Runtime, synthetic_feeds
from qviz.plan.cost import count_macs

CHECKED_SAMPLES = 4


def trace_macs(model: Model, samples: Samples | None) -> dict[int, int]:
    """MACs per sample of every layer, from a run on one sample or on synthetic inputs.

    Raises:
        QvizError: without samples, when an input's rank is unknown.
    """
    feeds = _feeds(model, samples, 1)
    shapes = {name: tuple(tensor.shape) for name, tensor in feeds.items()}

    def observe(step: Step, _inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        for name, value in zip(step.outputs, outputs, strict=False):
            if isinstance(value, Tensor):
                shapes[name] = tuple(value.shape)

    with torch.inference_mode():
        Runtime(model).run(feeds, keep=(), observe=observe)
    first = next(iter(feeds.values()), None)
    batch = first.shape[0] if first is not None and first.ndim else 1
    return {index: macs // max(batch, 1) for index, macs in count_macs(model, shapes).items()}


def check_float(model: Model, samples: Samples | None) -> Parity:
    """Largest difference between qviz's float outputs and onnxruntime's on a few samples."""
    feeds = _feeds(model, samples, CHECKED_SAMPLES)
    return check_against_onnxruntime(model, {name: _array(t) for name, t in feeds.items()})


def _feeds(model: Model, samples: Samples | None, count: int) -> Mapping[str, Tensor]:
    if samples is None:
        return synthetic_feeds(model)
    feed = feeder(model, samples, None)
    rows = np.arange(min(count, feed.size, samples.count), dtype=np.int64)
    return feed.chunk(rows).feeds


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.numpy()

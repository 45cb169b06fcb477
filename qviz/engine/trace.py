"""Trace: one float run of the model for its shapes, and its comparison with onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qviz.data.fit import is_memory
from qviz.data.samples import InputSpec, Samples
from qviz.engine.chunks import Chunk, feeder, input_specs
from qviz.engine.evaluate import scored_output
from qviz.engine.execute import Executor, WorkCancelledError
from qviz.engine.memo import Memo
from qviz.engine.metrics import find_task
from qviz.errors import QvizError
from qviz.model.model import Model, Step, Value
from qviz.model.parity import Parity, check_against_onnxruntime
from qviz.model.runtime import Runtime, synthetic_feeds
from qviz.model.tensors import to_numpy
from qviz.plan.macs import count_macs
from qviz.plan.stored import stored_quantizers

CHECKED_SAMPLES = 4
FREE_SIZES = (64, 512, 16, 1)  # tried in turn for dimensions that the model leaves open


@dataclass(frozen=True, eq=False, slots=True)
class FloatRun:
    """A float run: the feeds that the model ran on, and the MACs per sample of every layer."""

    feeds: Mapping[str, Tensor]
    macs: Mapping[int, int]


def trace_float(
    model: Model, samples: Samples | None, cancelled: Callable[[], bool] = lambda: False
) -> FloatRun:
    """Run one sample, or synthetic inputs, in float.

    Raises:
        QvizError: without samples, when an input's rank is unknown.
        WorkCancelledError: `cancelled()` turned true between two operators.
    """
    feeds, shapes = _runnable(model, samples, cancelled)
    batch = _batch_size(model, samples, feeds)
    macs = {index: n // max(batch, 1) for index, n in count_macs(model, shapes).items()}
    return FloatRun(feeds, macs)


def _batch_size(model: Model, samples: Samples | None, feeds: Mapping[str, Tensor]) -> int:
    """How many samples the feeds hold: the first size of an input that samples feed."""
    if samples is None:
        by_samples = [
            spec.name for spec in input_specs(model) if spec.shape and not is_memory(spec)
        ]
    else:
        by_samples = list(feeder(model, samples, None).fitted.columns)
    return next((feeds[name].shape[0] for name in by_samples), 1)


def tried_specs(model: Model, run: FloatRun) -> tuple[InputSpec, ...]:
    """What the inputs take, with the sizes that the model ran on for those it leaves open."""
    return tuple(
        InputSpec(spec.name, spec.dtype, _filled(spec.shape, tuple(run.feeds[spec.name].shape)))
        for spec in input_specs(model)
    )


def _filled(
    declared: tuple[int | None, ...] | None, tried: tuple[int, ...]
) -> tuple[int | None, ...]:
    if declared is None or not declared:
        return tried
    return (declared[0], *tried[1:]) if declared[0] is None else tried


def check_float(model: Model, samples: Samples | None, run: FloatRun) -> Parity:
    """Largest difference between qviz's float outputs and onnxruntime's on a few samples.

    Without samples it is measured on the feeds of `run`.
    """
    feeds = run.feeds if samples is None else _sample_feeds(model, samples, CHECKED_SAMPLES)
    arrays = {name: to_numpy(tensor) for name, tensor in feeds.items()}
    stored = stored_quantizers(model)
    if not stored:
        return check_against_onnxruntime(model, arrays)
    executor = Executor(model, Memo(0))
    encodings = {
        slot.name: stored[slot.group].encoding
        for slot in model.slots.values()
        if slot.group in stored
    }
    chunk = Chunk("parity", np.zeros(0, np.int64), feeds, 0)
    with torch.inference_mode():
        ours = executor.run(chunk, encodings, executor.keys(encodings))
    return check_against_onnxruntime(model, arrays, ours)


def check_labels(model: Model, samples: Samples) -> None:
    """See that the samples fit the model's inputs, and the labels what it predicts.

    Raises:
        QvizError: arrays that do not fit, a model that cannot run on them, labels out of range.
    """
    chunk = _first_chunk(model, samples, 1)
    if samples.labels is None:
        return
    with torch.inference_mode():
        values = Runtime(model).run(chunk.feeds)
    outputs = {name: values[name] for name in model.outputs}
    find_task(scored_output(outputs, chunk), samples.labels, samples.name)


def _runnable(
    model: Model, samples: Samples | None, cancelled: Callable[[], bool]
) -> tuple[Mapping[str, Tensor], dict[str, tuple[int, ...]]]:
    """Feeds that the model runs on, and the shapes of all values of that run."""
    if samples is not None:
        feeds = _sample_feeds(model, samples, 1)
        return feeds, _shapes(model, feeds, cancelled)
    some_free = any(not isinstance(n, int) for info in model.inputs for n in (info.shape or ())[1:])
    for free in FREE_SIZES[:-1] if some_free else ():
        try:
            tried = synthetic_feeds(model, free=free)
            return tried, _shapes(model, tried, cancelled)
        except QvizError:
            continue  # this size does not suit the model; the last one's message is the user's
    last = synthetic_feeds(model, free=FREE_SIZES[-1])
    return last, _shapes(model, last, cancelled)


def _shapes(
    model: Model, feeds: Mapping[str, Tensor], cancelled: Callable[[], bool]
) -> dict[str, tuple[int, ...]]:
    shapes = {name: tuple(tensor.shape) for name, tensor in feeds.items()}

    def observe(step: Step, _inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        if cancelled():
            raise WorkCancelledError
        for name, value in zip(step.outputs, outputs, strict=False):
            if isinstance(value, Tensor):
                shapes[name] = tuple(value.shape)

    with torch.inference_mode():
        Runtime(model).run(feeds, keep=(), observe=observe)
    return shapes


def _sample_feeds(model: Model, samples: Samples, count: int) -> Mapping[str, Tensor]:
    return _first_chunk(model, samples, count).feeds


def _first_chunk(model: Model, samples: Samples, count: int) -> Chunk:
    feed = feeder(model, samples, None)
    return feed.chunk(np.arange(min(count, feed.size, samples.count), dtype=np.int64))

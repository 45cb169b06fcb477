"""Trace: one float run of the model for its shapes, and its comparison with onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qviz.data.fit import is_memory, memory_batch_axis
from qviz.data.samples import InputSpec, Samples
from qviz.engine.chunks import Chunk, Feeder, feeder, input_specs
from qviz.engine.execute import Executor, WorkCancelledError
from qviz.engine.float_run import scored_output
from qviz.engine.memo import Memo
from qviz.engine.metrics import find_task
from qviz.engine.metrics.outputs import choose_output
from qviz.errors import QvizError
from qviz.model.model import Model, Step, Value
from qviz.model.parity import Parity, check_against_onnxruntime
from qviz.model.runtime import Runtime, synthetic_feeds
from qviz.model.tensors import to_numpy
from qviz.plan.macs import count_macs
from qviz.plan.stored import stored_quantizers

CHECKED_SAMPLES = 4
# Tried in turn for sizes that a model leaves open.
FREE_SIZES = (64, 512, 224, 256, 1024, 16, 1)


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
    fed = "random inputs" if samples is None else _counted(samples)
    if not stored:
        return check_against_onnxruntime(model, arrays, fed=fed)
    executor = Executor(model, Memo(0))
    encodings = {
        slot.name: stored[slot.group].encoding
        for slot in model.slots.values()
        if slot.group in stored
    }
    chunk = Chunk("parity", np.zeros(0, np.int64), feeds, 0)
    with torch.inference_mode():
        ours = executor.run(chunk, encodings, executor.program(encodings))
    return check_against_onnxruntime(model, arrays, ours, fed)


def _counted(samples: Samples) -> str:
    count = min(CHECKED_SAMPLES, samples.count)
    return f"{count} sample{'s' * (count != 1)}"


def check_samples(model: Model, samples: Samples) -> tuple[str, ...]:
    """See that samples fit the model's inputs, and labels what it predicts; notes for the user.

    Raises:
        QvizError: arrays that do not fit, a model that cannot run on them, labels out of range.
    """
    feed = feeder(model, samples, None)
    chunk = _first_chunk(feed, 1)
    if samples.labels is not None:
        with torch.inference_mode():
            values = Runtime(model).run(chunk.feeds)
        outputs = {name: values[name] for name in model.outputs}
        count = len(chunk.rows) + chunk.padded
        reading = choose_output(model, outputs, count, samples.labels, samples.name)
        find_task(scored_output(outputs, chunk, reading), samples.labels, samples.name)
    return feed.fitted.notes


def _runnable(
    model: Model, samples: Samples | None, cancelled: Callable[[], bool]
) -> tuple[Mapping[str, Tensor], dict[str, tuple[int, ...]]]:
    """Feeds that the model runs on, and the shapes of all values of that run."""
    if samples is not None:
        feeds = _sample_feeds(model, samples, 1)
        return feeds, _shapes(model, feeds, cancelled)
    axes = {s.name: memory_batch_axis(s.shape or ()) for s in input_specs(model) if is_memory(s)}
    free = _free_inputs(model, axes)
    sizes = FREE_SIZES if free else FREE_SIZES[-1:]
    where = ""
    for size in sizes:
        try:
            tried = synthetic_feeds(model, free=size, batch_axes=axes)
        except QvizError:
            if size == sizes[-1]:
                raise
            continue  # too large
        try:
            return tried, _shapes(model, tried, cancelled)
        except QvizError as error:
            where = error.subject
    raise _not_run(model, free, where)


def _free_inputs(model: Model, batch_axes: Mapping[str, int]) -> tuple[str, ...]:
    """Inputs with a size that the model leaves open, besides the batch."""
    return tuple(
        info.name
        for info in model.inputs
        if any(
            not isinstance(size, int) and axis != batch_axes.get(info.name, 0)
            for axis, size in enumerate(info.shape or ())
        )
    )


def _not_run(model: Model, free: tuple[str, ...], where: str) -> QvizError:
    cause = f"it cannot run on random inputs: it stops at {where}"
    if free:
        names, sizes = ", ".join(f"'{name}'" for name in free), ", ".join(map(str, FREE_SIZES))
        cause += f". Input {names} leaves a size open, and none of {sizes} suits it"
    scalar = next((info.name for info in model.inputs if info.shape == ()), None)
    value = "" if scalar is None else f", and give '{scalar}' its value: --input {scalar}=VALUE"
    return QvizError(model.name, cause, f"Open samples for it{value}")


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
    return _first_chunk(feeder(model, samples, None), count).feeds


def _first_chunk(feed: Feeder, count: int) -> Chunk:
    return feed.chunk(np.arange(min(count, feed.size, feed.samples.count), dtype=np.int64))

"""Devices: every value of a run is on its device, and a device that differs or fails says so.

No GPU is needed: on "meta" tensors have a device but no numbers, and mixing devices raises; on
"cpu:0", which is not the device "cpu" to torch, all runs as it does on a GPU, with numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper
from torch import Tensor

from qviz.data.read_npz import read_npz
from qviz.engine.chunks import Chunk, feeder
from qviz.engine.device_check import Outputs, check_device, largest_difference
from qviz.engine.devices import (
    CPU,
    THE_CPU,
    Device,
    DeviceFailedError,
    devices,
    failure,
    find_device,
    is_blamed,
    keep_full_precision,
    memory_on,
)
from qviz.engine.evaluate import evaluate
from qviz.engine.execute import Executor
from qviz.engine.memo import Memo
from qviz.engine.near_errors import near_sqnr
from qviz.engine.placement import placed, quantized
from qviz.engine.program import Encodings
from qviz.engine.sensitivity.sweep import Sweep
from qviz.errors import QvizError
from qviz.model.model import Model, Step, Value
from qviz.model.node_session import NodeSession
from qviz.model.read_onnx import read_onnx
from qviz.model.runtime import Runtime
from qviz.model.step_runner import StepRunner, moved
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Encoding, Scaled
from qviz.quant.measure import measure
from qviz.quant.spelling import parse_scheme

Write = Callable[..., Path]
META = torch.device("meta")
ELSEWHERE = Device("cpu:0", "A GPU")


@pytest.fixture(scope="module")
def demo(demo_model: Path, demo_samples: Path) -> tuple[Model, Chunk]:
    model = read_onnx(demo_model)
    return model, feeder(model, read_npz(demo_samples), None).chunk(np.arange(8))


def encodings_of(model: Model, chunk: Chunk, weights: str, inputs: str) -> dict[str, Encoding]:
    values = Runtime(model).run(chunk.feeds, keep={slot.value for slot in model.slots.values()})
    found = {}
    for slot in model.slots.values():
        value, weight = values[slot.value], slot.role == "weight"
        assert isinstance(value, Tensor)
        stats = measure(value, slot.axis if weight else None, keep=weight)
        found[slot.name] = find_encoding(stats, parse_scheme(weights if weight else inputs))
    return found


# What there is


def test_every_kind_of_device_has_an_entry_and_what_is_missing_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = [device.name.split(":")[0] for device in devices()]
    assert sorted(set(kinds)) == ["cpu", "cuda", "mps"]
    assert not devices()[0].why_not
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    why = {device.name: device.why_not for device in devices()}
    assert why["cuda"] == "this build of PyTorch has no CUDA"
    assert "no Apple GPU was found" in why["mps"]
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices()[1] == Device("cuda", "NVIDIA GPU (CUDA)", "no CUDA device was found")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda at: f"GPU {at}")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert [(d.name, d.title, d.why_not) for d in devices()] == [
        ("cpu", "CPU", ""),
        ("cuda:0", "GPU 0", ""),
        ("cuda:1", "GPU 1", ""),
        ("mps", "Apple GPU (MPS)", ""),
    ]
    assert find_device("cuda").name == "cuda:0"


def test_a_device_that_cannot_be_chosen_is_refused_with_its_reason() -> None:
    def offered() -> tuple[Device, ...]:
        return THE_CPU, Device("mps", "Apple GPU", "no Apple GPU was found")

    assert find_device("cpu", offered) is THE_CPU
    with pytest.raises(QvizError, match=r"device mps: no Apple GPU was found\. Use one of cpu"):
        find_device("mps", offered)
    with pytest.raises(QvizError, match="device tpu: there is no such device"):
        find_device("tpu", offered)


def test_a_gpu_keeps_results_in_a_quarter_of_its_own_free_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = torch.device("cuda:0")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _place: (8_000, 16_000))
    assert [memory_on(cuda, budget) for budget in (None, 500, 5_000)] == [2_000, 500, 2_000]
    assert memory_on(CPU, None) is None
    assert memory_on(torch.device("mps"), 5_000) == 5_000


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("MPS backend out of memory"), True),
        (TypeError("Cannot convert a MPS Tensor to float64 dtype"), True),
        (RuntimeError("Expected all tensors to be on the same device"), True),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), False),
    ],
)
def test_only_a_device_that_is_to_blame_is_blamed(error: Exception, blamed: bool) -> None:
    wrapped = QvizError("conv1 (Conv)", "it cannot run", "Check the samples")
    wrapped.__cause__ = error
    assert is_blamed(error) is is_blamed(wrapped) is blamed


def test_what_is_said_of_a_device_without_memory() -> None:
    said = failure(torch.device("cuda:0"), torch.OutOfMemoryError("CUDA out of memory. Tried …"))
    assert str(said) == "device cuda:0: it has too little free memory. Use the CPU."


# Where values are


def on_device(value: Value, place: torch.device) -> bool:
    return isinstance(value, Tensor) and value.device == place


@pytest.mark.parametrize("planned", [False, True])
def test_every_value_that_a_step_sees_is_on_its_device(
    demo: tuple[Model, Chunk], planned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, chunk = demo
    encodings = encodings_of(model, chunk, "int8", "uint8") if planned else {}
    executor, seen, run_step = Executor(model, Memo(), place=META), list[str](), StepRunner.run

    def watched(
        runner: StepRunner, step: Step, inputs: Sequence[Value], captures: dict[str, Value]
    ) -> tuple[Value, ...]:
        outputs = run_step(runner, step, inputs, captures)
        values = (*inputs, *captures.values(), *outputs)
        assert all(on_device(value, META) for value in values if value is not None), step.name
        seen.append(step.name)
        return outputs

    monkeypatch.setattr(StepRunner, "run", watched)
    program = executor.program(encodings)
    with torch.inference_mode():
        found = executor.fetch(chunk, program, program.outputs)
    assert all(on_device(value, META) for value in found.values())
    assert len(seen) >= len(model.layers)
    assert executor.runtime.place == CPU


def test_a_constant_is_moved_once(demo: tuple[Model, Chunk]) -> None:
    model, chunk = demo
    runtime = Runtime(model, META)
    name = next(iter(model.constants))
    assert runtime.constant(name) is runtime.constant(name)
    assert runtime.constant(name).device == META
    assert Runtime(model).constant(name) is model.constants[name]
    assert chunk.feeds["image"].device == CPU


def test_the_layers_of_a_device_run_on_numbers(demo: tuple[Model, Chunk]) -> None:
    model, chunk = demo
    encodings = encodings_of(model, chunk, "int8:channel", "uint8")
    on_codes = Executor(model, Memo(0)).program(encodings)
    there = Executor(model, Memo(0), place=ELSEWHERE.place).program(encodings)
    assert any(form for task in on_codes.tasks for _, form in task.reads)
    assert not any(form for task in there.tasks for _, form in task.reads)


def test_many_scales_go_to_the_device_and_one_stays_a_number(demo: tuple[Model, Chunk]) -> None:
    model, chunk = demo
    one = encodings_of(model, chunk, "int8", "uint8")["conv1.weight"]
    many = encodings_of(model, chunk, "int8:channel", "uint8")["conv1.weight"]
    assert placed(one, META) is one
    assert placed(many, CPU) is many
    there = placed(many, META)
    assert isinstance(there, Scaled)
    assert there.scale.device == there.zero_point.device == META
    assert quantized(one, torch.zeros(3, device=META)).device == META
    step = replace(many, step=many.scale) if isinstance(many, Scaled) else many
    moved_step = placed(step, META)
    assert isinstance(moved_step, Scaled)
    assert moved_step.step is not None
    assert moved_step.step.device == META


def test_onnxruntime_is_given_values_of_the_cpu_and_its_own_go_to_the_device(
    write_model: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RoiAlign has no meaning in torch here; its session builds the model's constants in."""
    nodes = [
        helper.make_node("Relu", ["x"], ["h"], "before"),
        helper.make_node("RoiAlign", ["h", "boxes", "images"], ["r"], "align"),
        helper.make_node("Relu", ["r"], ["y"], "after"),
    ]
    boxes, images = np.array([[0, 0, 2, 2]], np.float32), {"images": np.zeros(1, np.int64)}
    shapes: tuple[dict[str, list[int]], ...] = {"x": [1, 2, 4, 4]}, {"y": [1, 2, 1, 1]}
    model = read_onnx(write_model("r.onnx", nodes, {"boxes": boxes}, *shapes, images))
    assert Runtime(model).onnxruntime_ops == ("RoiAlign",)
    x = torch.rand(1, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    given, made, run = dict[str, Value](), list[NodeSession](), NodeSession.run

    def brought(value: Value, place: torch.device) -> Value:
        """Meta tensors have no numbers to bring back: here are some."""
        return x if on_device(value, META) and place == CPU else moved(value, place)

    def watched(session: NodeSession, values: Mapping[str, Value]) -> tuple[Value, ...]:
        given.update(values)
        made.append(session)
        return run(session, values)

    monkeypatch.setattr("qviz.model.step_runner.moved", brought)
    monkeypatch.setattr(NodeSession, "run", watched)
    executor = Executor(model, Memo(0), place=META)
    program = executor.program({})
    with torch.inference_mode():
        found = executor.fetch(Chunk("one", np.arange(1), {"x": x}, 0), program, program.outputs)
    assert given["h"] is x
    assert given["boxes"] is model.constants["boxes"]
    assert [session._fed for session in made] == [("h",)]
    assert [on_device(value, META) for value in found.values()] == [True]


def test_lists_move_and_what_is_no_tensor_stays() -> None:
    text = np.array(["a"])
    found = moved([torch.ones(1), [torch.ones(2)], None, text], META)
    assert isinstance(found, list)
    assert found[0].device == found[1][0].device == META
    assert found[2] is None
    assert found[3] is text


# Numbers


def test_a_device_gives_the_numbers_of_the_floating_point_path(demo: tuple[Model, Chunk]) -> None:
    model, chunk = demo
    encodings = encodings_of(model, chunk, "int4:channel", "uint8")
    numbers = Executor(model, Memo(0), integers=False)
    there = Executor(model, Memo(), place=ELSEWHERE.place)
    with torch.inference_mode():
        expected = numbers.run(chunk, encodings, numbers.program(encodings))
        for _ in range(2):
            found = there.run(chunk, encodings, there.program(encodings))
            assert largest_difference(found, expected) == 0.0


def test_a_sweep_runs_on_the_device(demo: tuple[Model, Chunk], demo_samples: Path) -> None:
    model, chunk = demo
    encodings = encodings_of(model, chunk, "int4:channel", "uint8")
    feed, rows = feeder(model, read_npz(demo_samples), None), np.arange(40)
    name = "conv1.weight"

    def measured(place: torch.device) -> float:
        sweep = Sweep(model, feed, rows, {}, [{name: encodings[name]}], place=place)
        list(sweep.run())
        effect = sweep.effect(0)
        assert effect is not None
        assert effect.kl is not None
        return effect.kl

    assert measured(ELSEWHERE.place) == measured(CPU) > 0.0


def test_errors_of_layers_are_not_taken_from_another_memory(
    demo: tuple[Model, Chunk], demo_samples: Path
) -> None:
    model, _ = demo
    feed, rows = feeder(model, read_npz(demo_samples), None), np.arange(40)
    step = next(layer.step for layer in model.layers if layer.name == "conv1") or 0
    for place, known in ((CPU, True), (ELSEWHERE.place, False)):
        executor = Executor(model, Memo(), place=place)
        list(evaluate(executor, feed, {}, rows, "all"))
        assert (near_sqnr(executor, feed, rows, {}, step) is not None) is known


# The check


def test_a_device_that_gives_the_same_is_trusted(demo: tuple[Model, Chunk]) -> None:
    model, chunk = demo
    assert check_device(model, ELSEWHERE, chunk, lambda: False) == ""


@pytest.mark.parametrize(
    ("when", "said"),
    [("float", "its outputs differ from the CPU's by"), ("8 bits", "with 8 bits its outputs")],
)
def test_a_device_that_gives_something_else_is_not(
    demo: tuple[Model, Chunk], when: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, chunk = demo
    run = Executor.run

    def wrong(executor: Executor, chunk: Chunk, encodings: Encodings, *more: Any) -> Outputs:
        found = run(executor, chunk, encodings, *more)
        if executor.place == CPU or bool(encodings) != (when == "8 bits"):
            return found
        return {name: v * 1.1 if isinstance(v, Tensor) else v for name, v in found.items()}

    monkeypatch.setattr(Executor, "run", wrong)
    assert check_device(model, ELSEWHERE, chunk, lambda: False).startswith(said)


def test_a_device_that_raises_is_not_trusted(demo: tuple[Model, Chunk]) -> None:
    model, chunk = demo
    assert "meta" in check_device(model, Device("meta", "Nothing"), chunk, lambda: False)


def test_samples_that_do_not_fit_are_no_fault_of_the_device(demo: tuple[Model, Chunk]) -> None:
    model, chunk = demo
    wrong = replace(chunk, feeds={"image": torch.zeros(2, 3, 5, 5)})
    with pytest.raises(QvizError, match="image"):
        check_device(model, ELSEWHERE, wrong, lambda: False)


def test_outputs_are_compared_by_norm_classes_by_count_and_nan_by_place() -> None:
    y = torch.tensor([3.0, 4.0, torch.nan])
    assert largest_difference({"y": y}, {"y": y}) == 0.0
    off = torch.tensor([3.0, 4.5, torch.nan])
    assert largest_difference({"y": off}, {"y": y}) == pytest.approx(0.1)
    lost = torch.tensor([3.0, torch.nan, torch.nan])
    assert not largest_difference({"y": lost}, {"y": y}) <= 1.0
    classes = torch.tensor([1, 2, 3, 4])
    assert largest_difference({"c": classes}, {"c": torch.tensor([1, 2, 3, 9])}) == 0.25
    assert largest_difference({}, {"y": y}) == largest_difference({"y": y[:2]}, {"y": y}) == np.inf


def test_a_device_without_memory_fails_as_a_device_and_the_cpu_as_itself(
    demo: tuple[Model, Chunk], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, chunk = demo

    def full(*_: object) -> tuple[Value, ...]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(StepRunner, "_run", full)
    for place, raised in ((ELSEWHERE.place, DeviceFailedError), (CPU, torch.OutOfMemoryError)):
        executor = Executor(model, Memo(0), place=place)
        with pytest.raises(raised):
            executor.run(chunk, {}, executor.program({}))


def test_only_the_cpu_gets_its_own_layout_of_images(write_model: Write) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv")
    held = {"w": np.ones((4, 3, 3, 3), np.float32)}
    model = read_onnx(write_model("i.onnx", [node], held, {"x": [2, 3, 8, 8]}, {"y": []}))
    for place, own in ((CPU, True), (META, False)):
        runtime = Runtime(model, place)
        x = torch.zeros(2, 3, 8, 8, device=place)
        (out,) = runtime.run_step(model.steps[0], [x, runtime.constant("w")])
        assert isinstance(out, Tensor)
        assert out.is_contiguous(memory_format=torch.channels_last) is own


def test_products_keep_all_bits_and_torch_export_can_still_ask() -> None:
    keep_full_precision()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    exported = torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),))
    assert len(exported.graph.nodes) > 2

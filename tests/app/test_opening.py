"""Every kind of model through the Session: what opens, what has to be agreed to, what is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper
from safetensors.torch import save_file

import qviz
from qviz.app.file_kinds import kind_of
from qviz.errors import QvizError
from qviz.model.read_model import read_model

Write = Callable[..., Path]

PROGRAM = """
import torch
from pathlib import Path

Path(__file__).with_suffix(".ran").touch()


def get_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))


def get_eval_batches():
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        x = torch.randn(10, 6, generator=generator)
        yield x, torch.randint(0, 4, (10,), generator=generator)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "tok_embeddings.weight": torch.randn(50, 8, generator=generator).bfloat16(),
        "layers.0.q_proj.weight": torch.randn(8, 8, generator=generator).bfloat16(),
        "layers.0.norm.weight": torch.ones(8).bfloat16(),
    }
    save_file(tensors, tmp_path / "llm.safetensors")
    return tmp_path / "llm.safetensors"


def module() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4)).eval()


def test_a_program_runs_only_when_the_user_agreed(program: Path) -> None:
    with pytest.raises(QvizError, match="to open it is to run it"):
        qviz.open(program)
    assert not program.with_suffix(".ran").exists()
    session = qviz.open(program, run_code=True)
    assert program.with_suffix(".ran").exists()
    assert session.document().samples_count == 30
    evaluation = session.evaluate()
    assert (evaluation.metric, evaluation.samples) == ("top-1", 30)
    assert [row.name for row in session.rows()] == ["0", "2"]


def test_an_exported_program_scores_as_its_module_does(tmp_path: Path) -> None:
    net, x = module(), torch.randn(40, 6, generator=torch.Generator().manual_seed(3))
    batch = torch.export.Dim("batch")
    exported = torch.export.export(net, (x[:2],), dynamic_shapes=({0: batch},))
    torch.export.save(exported, tmp_path / "net.pt2")
    with torch.no_grad():
        labels = net(x).argmax(1)
    np.savez(tmp_path / "x.npz", x=x.numpy(), labels=labels.numpy())
    evaluation = qviz.open(tmp_path / "net.pt2", tmp_path / "x.npz").evaluate()
    assert evaluation.float_value == 100.0
    assert evaluation.exact


def test_torchscript_takes_its_shapes_from_the_samples(tmp_path: Path) -> None:
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(3))
    path = tmp_path / "net.pt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # torch.jit is deprecated
        torch.jit.save(torch.jit.trace(module(), x[:2]), str(path))
    np.savez(tmp_path / "x.npz", x=x.numpy(), labels=np.zeros(20, np.int64))
    with pytest.raises(QvizError, match="does not record the shape"):
        qviz.open(path)
    assert qviz.open(path, tmp_path / "x.npz").evaluate().samples == 20


def test_torchscript_takes_its_shapes_from_an_array_alone(tmp_path: Path) -> None:
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(3))
    path = tmp_path / "net.pt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # torch.jit is deprecated
        torch.jit.save(torch.jit.trace(module(), x[:2]), str(path))
    np.save(tmp_path / "x.npy", x.numpy())
    assert qviz.open(path, tmp_path / "x.npy").document().samples_count == 20
    np.savez(tmp_path / "rate.npz", x=x.numpy(), rate=np.float32(16000))
    assert qviz.open(path, tmp_path / "rate.npz").document().samples_count == 20


class TwoInputs(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.image = torch.nn.Linear(6, 4)
        self.text = torch.nn.Linear(6, 4)

    def forward(
        self, image: torch.Tensor, text: torch.Tensor, offset: torch.Tensor
    ) -> torch.Tensor:
        scores: torch.Tensor = self.image(image) * self.text(text).tanh() + offset
        return scores


def test_torchscript_takes_its_inputs_by_name_whatever_their_order(tmp_path: Path) -> None:
    """The two inputs have one shape: by the order of the file they would be exchanged."""
    net, path = TwoInputs().eval(), tmp_path / "net.pt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # torch.jit is deprecated
        torch.jit.save(torch.jit.script(net), str(path))
    image, text = torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(3))
    offset = torch.tensor([0.0, 0.3, -0.3, 0.1])  # one for all samples
    with torch.no_grad():
        labels = net(image, text, offset).argmax(1)
        assert (net(text, image, offset).argmax(1) != labels).any()
    arrays = {"Text": text.numpy(), "Image": image.numpy(), "offset": offset.numpy()}
    exact = {"image": arrays["Image"], "text": arrays["Text"], "offset": arrays["offset"]}
    for name, given in (("other_case", arrays), ("exact", dict(reversed(exact.items())))):
        np.savez(tmp_path / f"{name}.npz", allow_pickle=False, labels=labels.numpy(), **given)
        evaluation = qviz.open(path, tmp_path / f"{name}.npz").evaluate()
        assert (evaluation.samples, evaluation.float_value) == (40, 100.0)


def test_arrays_that_torchscript_has_no_argument_for_are_told(tmp_path: Path) -> None:
    path, x = tmp_path / "net.pt", np.ones((9, 6), np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # torch.jit is deprecated
        torch.jit.save(torch.jit.script(module()), str(path))
    np.savez(tmp_path / "x.npz", a=x, b=x)
    with pytest.raises(QvizError, match="takes 'input', and the samples have 'a', 'b'"):
        qviz.open(path, tmp_path / "x.npz")


SCALED = """
import torch


class Scaled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(6, 4)

    def forward(self, x, scale):
        return self.fc(x * scale)


def get_model():
    torch.manual_seed(0)
    return Scaled()


def get_eval_batches():
    for number in range(3):
        torch.manual_seed(number)
        yield (torch.randn(10, 6), torch.tensor(SCALE)), torch.randint(0, 4, (10,))
"""


def test_a_program_may_take_a_scalar_that_is_the_same_in_every_batch(tmp_path: Path) -> None:
    path = tmp_path / "scaled.py"
    path.write_text(SCALED.replace("SCALE", "0.5"))
    session = qviz.open(path, run_code=True)
    samples = session.current().samples
    assert samples is not None
    assert (samples.count, list(samples.constants)) == (30, ["scale"])
    assert session.evaluate().samples == 30
    path.write_text(SCALED.replace("SCALE", "float(number)"))
    with pytest.raises(QvizError, match="'scale' in shapes or values that cannot be joined"):
        qviz.open(path, run_code=True)


def test_a_file_of_weights_has_everything_but_accuracy(checkpoint: Path, mlp_samples: Path) -> None:
    session = qviz.open(checkpoint)
    session.set_defaults("int4:group=32", None)
    session.measure()
    rows = session.rows()
    assert [(row.name, row.op) for row in rows] == [
        ("layers.0.q_proj", "Linear"),
        ("tok_embeddings", "Embedding"),
    ]
    assert all(row.input is None for row in rows)
    assert all(row.weight is not None and 15 < (row.weight.sqnr_db or 0) < 25 for row in rows)
    view = session.distribution("layers.0.q_proj.weight")
    assert view.counts.sum() == 64
    cost = session.cost()
    assert cost is not None
    assert cost.bytes_float == 2 * (400 + 64 + 8)
    with pytest.raises(QvizError, match="weights without a graph"):
        session.open_samples(mlp_samples)
    with pytest.raises(QvizError, match="there are none to evaluate on"):
        session.evaluate()


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("net.tflite", b"TFL3", "does not read .tflite"),
        ("net.h5", b"\x89HDF", "does not read .h5"),
        ("net.pkl", b"\x80\x04", "does not read .pkl"),
        ("net.onnx", b"", "it is empty"),
        ("net.onnx", b"hello", "not an ONNX model"),
        ("net.gguf", b"hello, this is text", "GGUF"),
    ],
)
def test_what_cannot_be_opened_says_what_to_do(
    tmp_path: Path, name: str, content: bytes, cause: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(QvizError) as caught:
        read_model(path)
    assert caught.value.subject == name
    assert cause in caught.value.cause
    assert caught.value.cure


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QvizError, match="no such file"):
        read_model(tmp_path / "none.onnx")
    with pytest.raises(QvizError, match="it is a folder"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.onnx", "model"),
        ("a.PT2", "model"),
        ("model.safetensors.index.json", "model"),
        ("a.gguf", "model"),
        ("a.py", "program"),
        ("a.npz", "samples"),
        ("a.parquet", "samples"),
        ("plan.json", "plan"),
        ("notes.md", ""),
    ],
)
def test_files_are_sorted_by_their_ending(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_a_first_state_that_starts_at_zero_is_told_of(write_model: Write, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], name="mm"),
        helper.make_node("Add", ["m", "h"], ["y"], name="add"),
    ]
    w = np.eye(4, dtype=np.float32)
    path = write_model("rnn.onnx", nodes, {"w": w}, {"x": ["N", 4], "h": ["N", 4]}, {"y": ["N", 4]})
    np.savez(tmp_path / "x.npz", x=np.ones((9, 4), np.float32))
    session = qviz.open(path, tmp_path / "x.npz")
    assert session.evaluate().samples == 9
    told = [message.text for message in session.messages()]
    assert "Input 'h' is not in the samples: zeros are fed" in told

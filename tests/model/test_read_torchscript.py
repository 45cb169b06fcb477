"""TorchScript archives: what they compute with example inputs, and what is refused unrun."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from qviz.errors import QvizError
from qviz.model.read_torch import quiet_torch
from qviz.model.read_torchscript import is_torchscript, read_torchscript
from qviz.model.runtime import Runtime


class _Conv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.fc = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fc(self.stem(x).mean((2, 3)))
        return result


class _Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 6, batch_first=True)
        self.out = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(x)
        result: torch.Tensor = self.out(states[:, -1])
        return result


class _Branch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Linear(4, 4)
        self.high = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.high(x) if bool(x.sum() > 0) else self.low(x)
        return result


class _Saving(nn.Module):
    """Its TorchScript writes a file when it is loaded, or when it is run."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = str(file)
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.file, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.file = state[0]
        self.training = state[1]
        torch.save([1], self.file)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def _save(path: Path, module: nn.Module, example: torch.Tensor | None) -> Path:
    with quiet_torch():
        module.eval()
        made = torch.jit.script(module) if example is None else torch.jit.trace(module, example)
        torch.jit.save(made, path)
    return path


@pytest.mark.parametrize(
    ("module", "shape", "traced", "names"),
    [
        (_Conv(), (3, 8, 8), True, ["stem.0", "fc"]),
        (_Lstm(), (7, 8), True, ["lstm", "out"]),
        (_Branch(), (4,), False, None),
    ],
)
def test_it_computes_what_torchscript_computes(
    tmp_path: Path, module: nn.Module, shape: tuple[int, ...], traced: bool, names: list[str] | None
) -> None:
    example = torch.randn(2, *shape)
    path = _save(tmp_path / "net.pt", module, example if traced else None)
    assert is_torchscript(path)
    model = read_torchscript(path, {"x": example})
    if names is not None:
        assert [layer.name for layer in model.layers] == names
    assert model.inputs[0].shape == ("batch", *shape)
    for batch in (1, 2, 5):
        x = torch.randn(batch, *shape)
        with torch.no_grad():
            wanted = module(x)
        result = Runtime(model).run({model.inputs[0].name: x})[model.outputs[0]]
        assert isinstance(result, torch.Tensor)
        assert float((result - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_without_inputs_it_asks_for_samples(tmp_path: Path) -> None:
    path = _save(tmp_path / "net.pt", nn.Linear(4, 3), torch.ones(1, 4))
    with pytest.raises(QvizError, match="does not record the shape") as caught:
        read_torchscript(path, None)
    assert "samples" in caught.value.cure


def test_inputs_that_do_not_fit_are_told(tmp_path: Path) -> None:
    path = _save(tmp_path / "net.pt", nn.Linear(4, 3), torch.ones(1, 4))
    with pytest.raises(QvizError, match="cannot be turned into ONNX") as caught:
        read_torchscript(path, {"x": torch.ones(1, 7)})
    assert "\n" not in str(caught.value)


def test_code_that_writes_files_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = _save(tmp_path / "evil.pt", _Saving(canary), None)
    canary.unlink(missing_ok=True)
    with pytest.raises(QvizError, match="reaches beyond tensors"):
        read_torchscript(path, {"x": torch.ones(1)})
    assert not canary.exists()
    with quiet_torch():
        torch.jit.load(str(path))
    assert canary.exists()  # so the refusal is what kept it from being written


def test_a_second_table_of_contents_is_refused(tmp_path: Path) -> None:
    """Python would read the one table, PyTorch the other."""
    path = _save(tmp_path / "net.pt", nn.Linear(4, 3), torch.ones(1, 4))
    path.write_bytes(b"PK" + b"\0" * 62 + path.read_bytes())
    assert zipfile.is_zipfile(path)
    with pytest.raises(QvizError, match="table of contents"):
        read_torchscript(path, {"x": torch.ones(1, 4)})


def test_a_pickled_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pickled.pt"
    torch.save(nn.Linear(2, 2), path)
    assert not is_torchscript(path)
    with pytest.raises(QvizError, match="no graph"):
        read_torchscript(path, {"x": torch.ones(1, 2)})


class _Gated(nn.Module):
    """Its inputs are of the same shape, so that only their names tell them apart."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Linear(4, 3)
        self.side = nn.Linear(4, 3)

    def forward(self, value: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.main(value) * self.side(gate).sigmoid()
        return result


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (["value", "gate"], ["value", "gate"]),
        (["gate", "value"], ["value", "gate"]),
        (["Gate", "VALUE"], ["VALUE", "Gate"]),
        (["other", "gate", "value"], ["value", "gate"]),
        (["gate", "x"], ["x", "gate"]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_inputs_go_to_the_arguments_by_name_and_else_in_their_order(
    tmp_path: Path, given: list[str], chosen: list[str]
) -> None:
    module = _Gated()
    path = _save(tmp_path / "net.pt", module, None)
    inputs = {name: torch.randn(2, 9 if name == "other" else 4) for name in given}
    model = read_torchscript(path, inputs)
    names = [info.name for info in model.inputs]
    assert names == ["value", "gate"]
    feeds = {name: inputs[array] for name, array in zip(names, chosen, strict=True)}
    with torch.no_grad():
        wanted = module(*feeds.values())
    result = Runtime(model).run(feeds)[model.outputs[0]]
    assert isinstance(result, torch.Tensor)
    torch.testing.assert_close(result, wanted)


@pytest.mark.parametrize("given", [["value"], ["a", "b", "c"], ["value", "a", "b"]])
def test_more_or_fewer_inputs_than_forward_takes_are_told(tmp_path: Path, given: list[str]) -> None:
    path = _save(tmp_path / "net.pt", _Gated(), None)
    with pytest.raises(QvizError) as caught:
        read_torchscript(path, {name: torch.ones(2, 4) for name in given})
    listed = ", ".join(f"'{name}'" for name in given)
    assert caught.value.cause == (
        f"its forward() takes 'value', 'gate', and the samples have {listed}"
    )
    assert caught.value.cure == "Save one array for each of 'value', 'gate', under that name"


class _Optional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, value: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        result: torch.Tensor = self.fc(value)
        return result if bias is None else result + bias


def test_an_optional_argument_is_one_of_its_inputs_once_the_samples_have_it(tmp_path: Path) -> None:
    module = _Optional()
    path = _save(tmp_path / "net.pt", module, None)
    inputs = {"bias": torch.ones(2, 3), "x": torch.ones(2, 4)}
    model = read_torchscript(path, inputs)
    assert [info.name for info in model.inputs] == ["value", "bias"]
    feeds = {"value": inputs["x"], "bias": inputs["bias"]}
    with torch.no_grad():
        wanted = module(**feeds)
    torch.testing.assert_close(Runtime(model).run(feeds)[model.outputs[0]], wanted)
    with pytest.raises(QvizError, match="may be called without 'bias'") as caught:
        read_torchscript(path, {"x": torch.ones(2, 4)})
    assert "Save an array for each of them" in caught.value.cure


class _Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, value: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fc(value) * rate
        return result


def test_a_scalar_is_an_input_by_its_name_only(tmp_path: Path) -> None:
    path = _save(tmp_path / "net.pt", _Scaled(), None)
    rows, scalar = torch.ones(2, 4), torch.tensor(2.0)
    model = read_torchscript(path, {"rate": scalar, "x": rows})
    assert [(info.name, info.shape) for info in model.inputs] == [
        ("value", ("batch", 4)),
        ("rate", ()),
    ]
    with pytest.raises(QvizError, match="takes 'value', 'rate', and the samples have 'r', 'x'"):
        read_torchscript(path, {"r": scalar, "x": rows})

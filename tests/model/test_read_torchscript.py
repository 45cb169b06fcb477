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
    model = read_torchscript(path, (example,))
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
        read_torchscript(path, (torch.ones(1, 7),))
    assert "\n" not in str(caught.value)


def test_code_that_writes_files_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = _save(tmp_path / "evil.pt", _Saving(canary), None)
    canary.unlink(missing_ok=True)
    with pytest.raises(QvizError, match="reaches beyond tensors"):
        read_torchscript(path, (torch.ones(1),))
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
        read_torchscript(path, (torch.ones(1, 4),))


def test_a_pickled_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pickled.pt"
    torch.save(nn.Linear(2, 2), path)
    assert not is_torchscript(path)
    with pytest.raises(QvizError, match="no graph"):
        read_torchscript(path, (torch.ones(1, 2),))

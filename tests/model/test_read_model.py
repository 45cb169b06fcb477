"""What is no model: pointers, web pages and folders, told with the way to one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from qviz.errors import QvizError
from qviz.model.read_model import read_model


def refused(path: Path) -> QvizError:
    with pytest.raises(QvizError) as caught:
        read_model(path)
    return caught.value


@pytest.mark.parametrize("name", ["net.onnx", "net.pt2", "net.safetensors", "net.pt"])
def test_what_a_download_leaves_in_place_of_a_model(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n")
    assert refused(path).cause == "it is a pointer of Git LFS, not the file itself"
    assert "git lfs pull" in refused(path).cure
    path.write_text("\n<!DOCTYPE html><html>404</html>")
    assert refused(path).cause == "it is a web page, not a model"


def test_a_folder_says_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Choose a file" in refused(tmp_path).cure
    for name in ("model-1.safetensors", "model.safetensors.index.json", "data.npz", "readme.md"):
        (tmp_path / name).touch()
    assert refused(tmp_path).cure == f"Open {tmp_path / 'model.safetensors.index.json'}"
    (tmp_path / "net.onnx").touch()
    (tmp_path / "other.onnx").touch()
    assert refused(tmp_path).cure == f"Open {tmp_path / 'net.onnx'} or one of 1 more"
    monkeypatch.chdir(tmp_path)
    assert refused(Path()).subject == tmp_path.name


def test_a_checkpoint_of_lightning_is_read_as_weights(tmp_path: Path) -> None:
    weights = {
        f"module.{name}": value for name, value in torch.nn.Linear(4, 3).state_dict().items()
    }
    torch.save({"state_dict": weights, "epoch": 3}, tmp_path / "net.ckpt")
    model = read_model(tmp_path / "net.ckpt")
    assert not model.runs
    assert len(model.layers) == 1

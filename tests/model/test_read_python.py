"""Python files that build a module and its samples: batches, dynamic sizes, the user's errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from qviz.errors import QvizError
from qviz.model.read_python import PythonModel, read_python
from qviz.model.runtime import Runtime

Write = Callable[..., Path]

_HEAD = """
import numpy as np
import torch
from torch import nn
torch.manual_seed(0)
"""

_LINEAR = f"""{_HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return self.fc(x)
def get_model():
    return Net()
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str, name: str = "net.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def _run(read: PythonModel, batch: int = 0) -> torch.Tensor:
    names = {info.name for info in read.model.inputs}
    arrays = {name: array for name, array in read.batches[batch].items() if name in names}
    feeds = {name: torch.from_numpy(array) for name, array in arrays.items()}
    result = Runtime(read.model).run(feeds)[read.model.outputs[0]]
    assert isinstance(result, torch.Tensor)
    return result


def test_pairs_become_arrays_by_name_and_the_batch_stays_open(write: Write) -> None:
    path = write(
        _LINEAR
        + """
def get_eval_batches():
    for size in (4, 4, 1):
        yield torch.ones(size, 4), torch.arange(size)
"""
    )
    read = read_python(path)
    assert [batch["x"].shape for batch in read.batches] == [(4, 4), (4, 4), (1, 4)]
    np.testing.assert_array_equal(read.batches[0]["labels"], np.arange(4))
    assert read.model.inputs[0].shape == ("batch", 4)
    assert [layer.name for layer in read.model.layers] == ["fc"]
    assert read.model.notes == ()
    weight, bias = read.model.constants["fc.weight"], read.model.constants["fc.bias"]
    torch.testing.assert_close(_run(read, 2), torch.ones(1, 4) @ weight.T + bias)


def test_inputs_without_labels_dicts_arrays_and_modes(write: Write) -> None:
    path = write(
        f"""{_HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(9, 4)
        self.drop = nn.Dropout(0.5)
    def forward(self, tokens, mask=None, *, scale):
        return self.drop(self.emb(tokens)) * mask.unsqueeze(-1) * scale
def get_model():
    return Net()
def get_eval_batches():
    batch = dict(scale=torch.full((2, 1, 1), 3.0), mask=np.ones((2, 5), np.float32))
    return [dict(batch, tokens=torch.zeros(2, 5, dtype=torch.int64))]
"""
    )
    read = read_python(path)
    assert set(read.batches[0]) == {"tokens", "mask", "scale"}
    assert [info.name for info in read.model.inputs] == ["tokens", "mask", "scale"]
    row = read.model.constants["emb.weight"][0] * 3
    torch.testing.assert_close(_run(read), row.expand(2, 5, 4))


def test_tuples_of_inputs_and_a_single_sample(write: Write) -> None:
    path = write(
        f"""{_HEAD}
class Net(nn.Module):
    def forward(self, a, b, factor):
        return (a - b) * factor
def get_model():
    return Net()
def get_eval_batches():
    return [((torch.full((1, 3), 5.0), torch.ones(1, 3), 2), [7])]
"""
    )
    read = read_python(path)
    assert read.model.inputs[0].shape == ("batch", 3)
    assert set(read.batches[0]) == {"a", "b", "labels"}
    torch.testing.assert_close(_run(read), torch.full((1, 3), 8.0))


def test_a_batch_that_export_fixes_is_told(write: Write) -> None:
    path = write(
        f"""{_HEAD}
class Net(nn.Module):
    def forward(self, x):
        return x.reshape(2, 6) * 2
def get_model():
    return Net()
def get_eval_batches():
    return [torch.ones(4, 3)]
"""
    )
    read = read_python(path)
    assert read.model.inputs[0].shape == (4, 3)
    assert "The export fixed the batch size to 4" in read.model.notes
    assert _run(read).shape == (2, 6)


def test_neighbours_can_be_imported_and_leave_no_trace(write: Write) -> None:
    write("SIZE = 4\n", "neighbour.py")
    path = write(
        f"""{_HEAD}
from dataclasses import dataclass
import neighbour
@dataclass
class Options:
    size: int = neighbour.SIZE
def get_model():
    return nn.Linear(Options().size, 2)
def get_eval_batches():
    import neighbour
    return [torch.ones(2, neighbour.SIZE)]
"""
    )
    paths, modules = list(sys.path), set(sys.modules)
    assert read_python(path).model.layers
    assert sys.path == paths
    left = {name for name in set(sys.modules) - modules if not name.startswith("torch")}
    assert not {name for name in left if "neighbour" in name or name.startswith("qviz_")}


def test_the_hash_covers_the_file_and_the_weights(write: Write, tmp_path: Path) -> None:
    batches = "def get_eval_batches():\n    return [torch.ones(2, 4)]\n"
    seeded = _LINEAR + batches
    first = read_python(write(seeded)).model.hash
    assert read_python(write(seeded)).model.hash == first
    from_file = seeded.replace(
        "torch.manual_seed(0)", "torch.manual_seed(int(pathlib.Path(SEED).read_text()))"
    )
    path = write(f"import pathlib\nSEED = {str(tmp_path / 'seed')!r}\n" + from_file)
    hashes = set()
    for seed in ("1", "2"):
        (tmp_path / "seed").write_text(seed)
        hashes.add(read_python(path).model.hash)
    assert len(hashes | {first}) == 3


def test_what_the_file_prints_is_left_alone(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    batches = "def get_eval_batches():\n    print('loading')\n    return [torch.ones(2, 4)]\n"
    read_python(write(_LINEAR + batches))
    assert capsys.readouterr().out == "loading\n"


_BATCHES = "def get_eval_batches():\n    return [torch.ones(2, 4)]\n"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("def get_model(:\n", r"line 1 raised SyntaxError"),
        ("\n\nimport no_such_module_here\n", r"line 3 raised ModuleNotFoundError: No module"),
        ("import sys\nsys.exit('bye')\n", r"line 2 raised SystemExit: bye"),
        ("x = 1\n", r"defines no function get_model\(\)"),
        ("def get_model():\n    return 7\n", r"gave a int, not a torch.nn.Module"),
        (_LINEAR, r"defines no function get_eval_batches\(\)"),
        (_LINEAR + "def get_eval_batches():\n    return []\n", r"gave no batches"),
        (
            _LINEAR + "def get_eval_batches():\n    yield torch.ones(2, 4)\n    1 / 0\n",
            r"line 17 raised ZeroDivisionError",
        ),
        (
            _LINEAR + "def get_eval_batches():\n    return [torch.ones(2, 5)]\n",
            r"line 12 raised RuntimeError: mat1",
        ),
        (
            _LINEAR + "def get_eval_batches():\n    return [dict(y=torch.ones(2, 4))]\n",
            r"batch 0 .* does not fit forward\(x\)",
        ),
        (
            _LINEAR + "def get_eval_batches():\n    return [(torch.ones(2, 4), object())]\n",
            r"labels of batch 0 are a object",
        ),
        (
            _LINEAR.replace("self.fc(x)", "self.fc(x) if float(x.sum()) > 0 else x") + _BATCHES,
            r"torch.export cannot trace",
        ),
    ],
)
def test_errors_name_the_file_the_line_and_the_cure(
    write: Write, text: str, cause: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(QvizError, match=cause) as caught:
        read_python(write(text))
    assert caught.value.subject == "net.py"
    assert caught.value.cure
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(QvizError, match="no such file"):
        read_python(tmp_path / "none.py")


def test_samples_tell_the_shapes_where_the_file_gives_none(write: Write) -> None:
    path = write(_LINEAR)
    for name, dtype in (("x", torch.float64), ("X", torch.float32), ("images", torch.uint8)):
        given = {name: torch.ones(2, 4, dtype=dtype), "y": torch.zeros(2, dtype=torch.int64)}
        read = read_python(path, given)
        assert read.batches == ()
        assert [(info.name, info.dtype) for info in read.model.inputs] == [("x", torch.float32)]
        result = Runtime(read.model).run({"x": torch.ones(3, 4)})[read.model.outputs[0]]
        assert isinstance(result, torch.Tensor)
        assert result.shape == (3, 3)
    with pytest.raises(QvizError, match=r"takes 'x', and the samples have 'a', 'b'"):
        read_python(path, {"a": torch.ones(2, 4), "b": torch.ones(2, 4)})
    with pytest.raises(QvizError, match=r"no function get_eval_batches\(\).*samples, \.npz or"):
        read_python(path)


def test_batches_of_the_file_come_before_samples(write: Write) -> None:
    path = write(f"{_LINEAR}\ndef get_eval_batches():\n    yield torch.ones(5, 4), None\n")
    read = read_python(path, {"x": torch.ones(2, 4)})
    assert len(read.batches) == 1

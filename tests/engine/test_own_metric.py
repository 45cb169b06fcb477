"""A user's own metric: what it is given, what it gives, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import qviz
from qviz.engine.metrics.own import read_metric
from qviz.errors import QvizError

MARGIN = """
import numpy as np
from pathlib import Path

Path(__file__).with_suffix(".ran").touch()
UNIT, BETTER = "logits", "lower"


def metric(outputs, labels):
    assert outputs.dtype == np.float32
    chosen = outputs[np.arange(len(labels)), labels]
    return outputs.max(1) - chosen
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "margin.py"
    path.write_text(text)
    return path


def test_it_is_the_mean_over_the_samples_and_has_an_interval(
    mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    path = written(tmp_path, MARGIN)
    session = qviz.open(mlp, mlp_samples)
    with pytest.raises(QvizError, match="to open it is to run it"):
        session.open_metric(path)
    assert not path.with_suffix(".ran").exists()
    session.open_metric(path, run_code=True)
    found = session.evaluate()
    assert (found.metric, found.unit, found.better) == ("margin", "logits", "lower")
    assert found.choices[-1] == "margin"
    assert found.float_value >= 0.0
    part = session.evaluate(limit=20)
    assert part.low < part.value < part.high
    session.set_metric("top-1")
    assert session.evaluate().metric == "top-1"
    assert "margin" in session.evaluate().choices


def test_the_float_value_is_what_numpy_makes_of_it(tmp_path: Path) -> None:
    own = read_metric(written(tmp_path, MARGIN))
    outputs = torch.tensor([[1.0, 3.0], [2.0, 0.5]])
    rows = own.rows(outputs, outputs, torch.tensor([0, 0]))
    assert rows.tolist() == [[2.0], [0.0]]
    assert own.estimate(rows)[0] == 1.0


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("x = 1", "defines no function metric"),
        ("BETTER = 'more'\ndef metric(o, l): return o", "sets UNIT to ''"),
        ("raise ValueError('broken')", "broken"),
        ("def metric(:", "margin.py"),
    ],
)
def test_a_file_without_a_metric_is_refused(tmp_path: Path, text: str, cause: str) -> None:
    with pytest.raises(QvizError, match=r"margin\.py") as caught:
        read_metric(written(tmp_path, text))
    assert cause in str(caught.value)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("return outputs", r"shape \(3, 2\) for 3 samples"),
        ("return 1.0", r"one number for 3 samples.*\(a == b\), not \(a == b\)\.mean\(\)"),
        ("return (outputs == 0).mean()", "Return one number for each sample"),
        ("return 1 / 0", "ZeroDivisionError"),
        ("return ['a', 'b', 'c']", "ValueError"),
    ],
)
def test_what_it_gives_wrongly_is_said(tmp_path: Path, body: str, cause: str) -> None:
    own = read_metric(written(tmp_path, f"def metric(outputs, labels):\n    {body}"))
    outputs = torch.from_numpy(np.zeros((3, 2), np.float32))
    with pytest.raises(QvizError, match=cause):
        own.rows(outputs, outputs, None)

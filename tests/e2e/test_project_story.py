"""A user's project: saved by the menu, opened again by the command line and by the menu."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

STORY = Path(__file__).parent / "project_story.py"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Sixty noisy pictures in two classes, of 40×40."""
    rng = np.random.default_rng(1)
    for at in range(60):
        path = tmp_path / "pictures" / ("cat", "dog")[at % 2] / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    return tmp_path / "pictures"


@pytest.fixture
def image_model(tmp_path: Path) -> Path:
    """Takes N×3×32×32 in float32."""
    weight = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Flatten", ["c"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "images.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_a_saved_project_shows_the_same_numbers_again(
    image_model: Path, pictures: Path, tmp_path: Path
) -> None:
    project = tmp_path / "work.qviz"
    saved = _told(tmp_path, "save", image_model, pictures, project)["saved"]
    assert project.exists()
    assert saved["reading"] == "raw 0…255"
    assert saved["layers"][0][1] == "int2:channel"
    assert saved["title"].startswith("work.qviz")
    opened = _told(tmp_path, "open", project)
    for way in ("by main", "by menu"):
        for figure in ("numbers", "layers", "reading"):
            assert opened[way][figure] == saved[figure], way
        assert not opened[way]["modified"]
    assert opened["by menu"]["title"] == saved["title"]
    assert saved["layers"][0][0] < 15  # dB, of two bits


def _told(home: Path, *arguments: str | Path) -> dict[str, Any]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(home)}
    environment |= {"XDG_CONFIG_HOME": str(home), "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, str(STORY), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    assert told["code"] == 0, run.stderr
    return told

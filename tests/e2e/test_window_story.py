"""The first user story in a real window: see a layer, give it 4 bits, watch, undo."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STORY = Path(__file__).parent / "window_story.py"
ROOT = Path(__file__).parents[2]
PLATFORMS = {"offscreen": [], "xcb": ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24"]}


@pytest.mark.parametrize("platform", list(PLATFORMS))
def test_four_bits_by_keyboard_and_back(platform: str, tmp_path: Path) -> None:
    if platform == "xcb" and sys.platform.startswith("linux"):
        assert shutil.which("xvfb-run"), "make test installs xvfb"
    environment = {**os.environ, "QT_QPA_PLATFORM": platform, "HOME": str(tmp_path)}
    environment |= {"XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [*PLATFORMS[platform], sys.executable, str(STORY)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout.splitlines()[-1])
    assert seen["platform"] == platform
    assert seen["code"] == 0, run.stderr
    assert seen["samples"] == 960
    assert seen["scheme"] == "int4:channel"
    assert seen["edited"] != seen["first"]
    assert seen["undone"] == seen["first"]
    assert seen["state"] == "done"
    assert seen["operators"] == 0
    assert "fashion_cnn.onnx" in seen["title"]

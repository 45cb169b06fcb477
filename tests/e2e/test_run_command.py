"""`qviz run` through the real main(): every figure, every refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PySide6.QtGui import QImage

import qviz
from qviz.cli import main


def run(*arguments: str | Path) -> int:
    """Exit code of the command line."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def figures(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    assert run("run", *arguments, "--json", "-") == 0
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    return data


def test_json_holds_every_documented_figure(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path
) -> None:
    data = figures(capsys, mlp, "--samples", mlp_samples)
    assert data["metric"] == "top-1"
    assert data["part"] == "all"
    assert data["samples"] == 60
    assert data["quantized"]["exact"] is True
    assert data["quantized"]["low"] == data["quantized"]["value"] == data["quantized"]["high"]
    assert data["bytes"] == {"float": (48 + 8 + 32) * 4, "quantized": 48 + 32 + 32 + 32 + 16}
    assert data["bops"] == {"float": 80 * 32 * 32, "quantized": 80 * 8 * 8}
    layer = data["layers"][0]
    assert (layer["index"], layer["name"], layer["op"]) == (0, "fc1", "Gemm")
    assert layer["parameters"] == 56
    assert layer["weight"]["scheme"] == "int8:channel"
    assert layer["weight"]["sqnr_db"] > 30
    assert layer["input"]["scheme"] == "uint8"
    documented = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    for name in _paths(data):
        assert f"`{name}`" in documented, name


def _paths(data: Any, prefix: str = "") -> set[str]:
    """Dotted names of all values; list entries are [] and the plan's own content is left out."""
    if isinstance(data, dict) and not prefix.startswith("plan"):
        return {p for key, value in data.items() for p in _paths(value, f"{prefix}{key}.")}
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return _paths(data[0], prefix[:-1] + "[].")
    return {prefix[:-1]}


def test_schemes_settings_plan_limit_part_and_seed(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    data = figures(
        capsys,
        *(mlp, "--samples", mlp_samples, "--weights", "int6", "--inputs", "float"),
        *("--set", "re:fc.*.weight=int5:channel", "--set", "fc2.weight=int3:clip=-1..1"),
        *("--part", "tune", "--limit", "10", "--seed", "7", "--save-plan", plan),
    )
    assert [layer["weight"]["scheme"] for layer in data["layers"]] == [
        "int5:channel",
        "int3:clip=-1..1",
    ]
    assert data["layers"][0]["input"] == {
        "slots": ["fc1.input"],
        "scheme": "float",
        "sqnr_db": None,
        "lossless": False,
        "clipped": None,
        "shared_with": [],
    }
    assert (data["part"], data["samples"], data["data"]["seed"]) == ("tune", 10, 7)
    assert data["quantized"]["exact"] is False
    again = figures(capsys, mlp, "--samples", mlp_samples, "--plan", plan)
    assert again["plan"] == data["plan"]


def test_the_table_is_for_people(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    assert run("run", mlp, "--samples", mlp_samples, "--json", out) == 0
    text = capsys.readouterr().out
    assert "fc1" in text
    assert "top-1: float" in text
    assert "float outputs match onnxruntime" in text
    assert json.loads(out.read_text())["layers"][1]["name"] == "fc2"


def test_bad_input_is_one_message_with_the_cure(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    def refused(*arguments: str | Path) -> str:
        assert run("run", *arguments) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        lines = captured.err.strip().splitlines()
        assert len(lines) == 1, captured.err
        return lines[0]

    truncated = tmp_path / "truncated.onnx"
    truncated.write_bytes(mlp.read_bytes()[: mlp.stat().st_size // 2])
    assert "truncated.onnx" in refused(truncated, "--samples", mlp_samples)

    text = tmp_path / "text.onnx"
    text.write_text("this is not a model\n")
    assert "text.onnx" in refused(text, "--samples", mlp_samples)

    spoiled = onnx.load(mlp)
    weights = numpy_helper.to_array(spoiled.graph.initializer[0]).copy()
    weights[0, 0] = np.nan
    spoiled.graph.initializer[0].raw_data = weights.tobytes()
    onnx.save(spoiled, tmp_path / "nan.onnx")
    message = refused(tmp_path / "nan.onnx", "--samples", mlp_samples)
    assert "w1" in message
    assert "NaN" in message

    np.savez(tmp_path / "wide.npz", x=np.zeros((4, 9), np.float32))
    assert "takes samples of shape 6" in refused(mlp, "--samples", tmp_path / "wide.npz")

    np.savez(tmp_path / "labels.npz", x=np.zeros((4, 6), np.float32), labels=[0, 1, 2, 4])
    assert "out of range" in refused(mlp, "--samples", tmp_path / "labels.npz")

    np.savez(tmp_path / "empty.npz", x=np.zeros((0, 6), np.float32))
    assert "no samples" in refused(mlp, "--samples", tmp_path / "empty.npz")

    nowhere = tmp_path / "missing" / "out.json"
    assert "cannot be written" in refused(mlp, "--samples", mlp_samples, "--json", nowhere)

    assert "no such file" in refused(tmp_path / "absent.onnx", "--samples", mlp_samples).lower()
    assert "no such file" in refused(mlp, "--samples", tmp_path / "absent.npz")
    assert "not a number format" in refused(mlp, "--samples", mlp_samples, "--weights", "int99")
    assert "no slot" in refused(mlp, "--samples", mlp_samples, "--set", "conv.weight=int4")
    assert "one scale per tensor" in refused(
        mlp, "--samples", mlp_samples, "--inputs", "uint8:channel"
    )


def test_a_screenshot_of_the_very_run(mlp: Path, mlp_samples: Path, tmp_path: Path) -> None:
    picture = tmp_path / "run.png"
    arguments = ("--part", "all", "--limit", "20", "--seed", "3", "--set", "fc1.weight=int3")
    code = run("run", mlp, "--samples", mlp_samples, *arguments, "--screenshot", picture)
    assert code == 0
    image = QImage(str(picture))
    assert (image.width(), image.height()) == (1280, 800)
    strip = {image.pixelColor(x, y).name() for x in range(0, 1280, 3) for y in range(100, 220, 10)}
    assert len(strip) > 8  # below a warning's banner, if there is one


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert "qviz" in capsys.readouterr().out
    assert run("run", "--help") == 0
    assert "--samples" in capsys.readouterr().out
    assert run("run") == 2
    assert "MODEL" in capsys.readouterr().err


def test_formats_are_listed_with_what_they_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("formats") == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in (
        "int1 … int16",
        "fp8-e4m3",
        "mxfp4",
        "nvfp4",
        "nf4",
        "kmeans1 … kmeans8",
        "ternary",
    ):
        assert name in text, name


def test_the_channels_view_is_a_picture_too(
    mlp: Path, mlp_samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = [tmp_path / "distribution.png", tmp_path / "channels.png"]
    for picture in pictures:
        view = ("--view", picture.stem, "--select", "fc2", "--screenshot", picture)
        assert run("open", mlp, "--samples", mlp_samples, *view) == 0
    assert capsys.readouterr().err == ""
    first, second = (picture.read_bytes() for picture in pictures)
    assert first.startswith(b"\x89PNG")
    assert first != second


def test_another_metric_and_no_samples(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path
) -> None:
    data = figures(capsys, mlp, "--samples", mlp_samples, "--metric", "cross-entropy")
    assert (data["metric"], data["unit"], data["better"]) == ("cross-entropy", "nats", "lower")
    assert run("run", mlp, "--samples", mlp_samples, "--metric", "PSNR") == 1
    assert "Use one of top-1, mean recall" in capsys.readouterr().err
    data = figures(capsys, mlp)
    assert (data["metric"], data["quantized"], data["data"]) == (None, None, None)
    assert data["layers"][0]["input"]["sqnr_db"] > 20
    assert run("run", mlp) == 0
    assert "measured on synthetic inputs" in capsys.readouterr().out


def test_a_project_decides_what_is_not_given(
    capsys: pytest.CaptureFixture[str], mlp: Path, mlp_samples: Path, tmp_path: Path
) -> None:
    session = qviz.open(mlp, mlp_samples, seed=3)
    session.set_part("tune")
    session.set_metric("cross-entropy")
    session.save_project(tmp_path / "work.qviz")
    data = figures(capsys, tmp_path / "work.qviz")
    assert (data["part"], data["metric"], data["data"]["seed"]) == ("tune", "cross-entropy", 3)
    given = ("--part", "all", "--metric", "top-1", "--seed", "7")
    other = figures(capsys, tmp_path / "work.qviz", *given)
    assert (other["part"], other["metric"], other["data"]["seed"]) == ("all", "top-1", 7)
    assert other["data"]["split"] != data["data"]["split"]
    plain = figures(capsys, mlp, "--samples", mlp_samples, "--seed", "7")
    assert plain["data"]["split"] == other["data"]["split"]


def test_a_screenshot_is_of_the_inputs_and_the_metric_that_were_given(
    capsys: pytest.CaptureFixture[str], write_model: Callable[..., Path], tmp_path: Path
) -> None:
    """The sample rate is the model's second input, without which it does not run."""
    rng = np.random.default_rng(0)
    model = write_model(
        "rate.onnx",
        [
            helper.make_node("Mul", ["x", "rate"], ["scaled"]),
            helper.make_node("MatMul", ["scaled", "w"], ["y"], name="fc"),
        ],
        {"w": rng.normal(size=(6, 4)).astype(np.float32)},
        {"x": ["N", 6], "rate": []},
        {"y": ["N", 4]},
    )
    np.savez(
        tmp_path / "x.npz", x=rng.normal(size=(30, 6)).astype(np.float32), labels=[0, 1, 2] * 10
    )
    picture = tmp_path / "run.png"
    options = ("--input", "rate=2", "--metric", "cross-entropy", "--screenshot", picture)
    assert run("run", model, "--samples", tmp_path / "x.npz", *options) == 0
    assert "cross-entropy" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
    session = qviz.open(model, tmp_path / "x.npz", values={"rate": 2.0})
    session.set_metric("cross-entropy")
    drawn = []

    def draw(path: Path, *opened: Any, **options: Any) -> None:
        del path, options
        again = qviz.open(*opened)
        drawn.append((again.current().values, again.evaluate().metric, again.evaluate().value))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qviz.ui.run.screenshot", draw)
        assert run("run", model, "--samples", tmp_path / "x.npz", *options) == 0
    assert drawn == [({"rate": 2.0}, "cross-entropy", session.evaluate().value)]


def test_reading_options_are_those_of_the_form(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    rng = np.random.default_rng(0)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")]
    weights = {"w": rng.normal(size=(6, 4)).astype(np.float32)}
    model = write_model("net.onnx", nodes, weights, {"x": ["N", 6]}, {"y": ["N", 4]})
    x = rng.normal(size=(30, 6)).astype(np.float32)
    right = (x @ weights["w"]).argmax(1)
    wrong = (right + 1) % 4
    np.savez(tmp_path / "set.npz", x=x, answer=right, wrong=wrong)
    given = ("run", model, "--samples", tmp_path / "set.npz", "--json", "-")
    assert run(*given) == 0
    assert json.loads(capsys.readouterr().out)["float"]["value"] == 100.0
    assert run(*given, "--reading", "label=wrong", "--reading", "subset=10") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["float"]["value"] == 0.0
    assert data["samples"] == 10
    columns = ",".join([*"abcdef", "kind", "other"])
    rows = [",".join(map(str, [*row, kind, 1.5])) for row, kind in zip(x, right, strict=True)]
    (tmp_path / "set.csv").write_text("\n".join([columns, *rows]))
    table = ("run", model, "--samples", tmp_path / "set.csv", "--json", "-")
    assert run(*table) == 1
    assert "--reading label=COLUMN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("label", "it is not KEY=VALUE of a known key"),
        ("colour=3", "it is not KEY=VALUE of a known key"),
        ("length=long", "length is a whole number"),
        ("next-token=perhaps", "next-token is yes or no"),
        ("subset=0", "subset is 0"),
        ("size=big", "Write as in size=224x224"),
        ("preset=none such", "it names no preset"),
    ],
)
def test_reading_options_that_are_refused(
    capsys: pytest.CaptureFixture[str], mlp: Path, option: str, says: str
) -> None:
    assert run("run", mlp, "--reading", option) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_program_without_batches_opens_with_samples(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef get_model():\n    return nn.Linear(6, 4)\n"
    )
    np.savez(tmp_path / "x.npz", x=np.ones((30, 6)), y=np.arange(30) % 4)
    given = (tmp_path / "net.py", "--run-code")
    data = figures(capsys, *given, "--samples", tmp_path / "x.npz")
    assert (data["metric"], data["samples"]) == ("top-1", 30)
    assert run("run", *given) == 1
    assert "open it together with samples" in capsys.readouterr().err

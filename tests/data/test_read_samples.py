"""Reading of any kind, how it is spelled, and samples made up where there are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qviz.data.fit import fit_to_inputs
from qviz.data.preprocessing import Preprocessing
from qviz.data.presets import CLIP
from qviz.data.read_samples import read_samples
from qviz.data.reading import AS_PROPOSED, Reading, from_json, to_json
from qviz.data.samples import InputSpec
from qviz.data.synthetic import synthetic_samples
from qviz.errors import QvizError

X = (InputSpec("x", "float32", (None, 2)),)


def test_reading_as_json_and_back() -> None:
    full = Reading(CLIP.preprocessing, 100, 7, "kind", 400, 160, 256, "tokenizer.json", False)
    for reading in (AS_PROPOSED, full, Reading(Preprocessing((3, 4), crop=2))):
        found = from_json(json.loads(json.dumps(to_json(reading))), "plan.json")
        assert found == reading
        assert hash(found) == hash(reading)
    assert from_json({}, "plan.json") == AS_PROPOSED


@pytest.mark.parametrize(
    "data",
    [
        None, 3, {"what": 1}, {"subset": "3"}, {"subset": 0}, {"seed": None}, {"hop": -1},
        {"next_token": 1}, {"seed": True}, {"preprocessing": {"crop": -1}}, {"preprocessing": 3},
    ],
)  # fmt: skip
def test_json_that_is_no_reading(data: object) -> None:
    with pytest.raises(QvizError) as caught:
        from_json(data, "plan.json")
    assert caught.value.cure


def test_kinds_that_are_not_known(tmp_path: Path) -> None:
    (tmp_path / "x.docx").write_text("x")
    with pytest.raises(QvizError, match=r"not read from '\.docx' files\. Choose \.npz"):
        read_samples(tmp_path / "x.docx", X)
    with pytest.raises(QvizError, match="there is no such file"):
        read_samples(tmp_path / "none.npz", X)
    with pytest.raises(QvizError, match="holds no images"):
        read_samples(tmp_path, X)


def test_an_npz_is_read_as_before(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((3, 2)), labels=np.arange(3))
    samples = read_samples(tmp_path / "x.npz", X)
    assert samples.labels is not None
    assert (samples.count, samples.labels.tolist()) == (3, [0, 1, 2])


def test_synthetic_samples_fit_the_inputs_and_say_what_they_are() -> None:
    inputs = (
        InputSpec("image", "float32", (None, 3, 32, None)),
        InputSpec("raw", "uint8", (None, 5)),
        InputSpec("ids", "int64", (None, None)),
        InputSpec("attention_mask", "int64", (None, None)),
        InputSpec("flag", "bool", (None, 1)),
        InputSpec("half", "float16", (None, 2)),
        InputSpec("state", "float32", (2, None, 8)),
        InputSpec("sr", "int64", ()),
    )
    samples = synthetic_samples(inputs)
    fitted = fit_to_inputs(samples, inputs)
    assert set(fitted.columns) | set(fitted.constants) == {spec.name for spec in inputs}
    assert (samples.name, samples.count, samples.labels) == ("synthetic inputs", 16, None)
    assert samples.synthetic
    assert "accuracy cannot be measured" in samples.notes[0]
    for spec in inputs:
        if spec.name in samples.arrays:
            assert samples.arrays[spec.name].dtype == np.dtype(spec.dtype)
    every = np.arange(16)
    assert samples.arrays["image"].shape == (16, 3, 32, 224)
    assert abs(float(samples.arrays["image"][every].std()) - 1.0) < 0.01
    assert int(samples.arrays["raw"][every].max()) > 200
    assert int(samples.arrays["ids"][every].max()) < 10
    assert samples.arrays["attention_mask"][every].all()
    assert samples.constants["sr"].item() == 16_000
    assert samples.constants["state"].shape == (2, 1, 8)


def test_synthetic_samples_follow_their_seed() -> None:
    first, same, other = (synthetic_samples(X, 4, seed) for seed in (0, 0, 1))
    assert first.hash == same.hash != other.hash


def test_models_that_no_samples_can_be_made_up_for() -> None:
    with pytest.raises(QvizError, match="shape is not known"):
        synthetic_samples((InputSpec("x", "float32", None),))
    with pytest.raises(QvizError, match="no input that takes samples"):
        synthetic_samples((InputSpec("x", "float32", ()),))
    with pytest.raises(QvizError, match="too large"):
        synthetic_samples((InputSpec("x", "float32", (None, 2**40)),))
    fixed = synthetic_samples((InputSpec("x", "float32", (8, 2)),), 3)
    assert fixed.arrays["x"].shape == (3, 2)

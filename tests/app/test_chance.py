"""A float model that scores like chance is told of, once, and others are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import qviz


def test_samples_in_another_scale_are_told_of_once(
    demo_model: Path, demo_samples: Path, tmp_path: Path
) -> None:
    with np.load(demo_samples) as archive:
        images, labels = archive["image"][:300], archive["labels"][:300]
    np.savez(tmp_path / "scaled.npz", image=images.astype(np.float32) / 255.0, labels=labels)
    session = qviz.open(demo_model, tmp_path / "scaled.npz")
    for scheme in ("int8", "int4"):
        session.set("fc.weight", scheme)
        session.evaluate()
    warnings = [m.text for m in session.messages() if m.level == "warning"]
    assert [text.startswith("The float model scores like chance") for text in warnings] == [True]


def test_a_model_that_works_is_left_alone(demo_model: Path, demo_samples: Path) -> None:
    session = qviz.open(demo_model, demo_samples, limit=200)
    session.evaluate()
    assert not [m for m in session.messages() if m.level == "warning"]

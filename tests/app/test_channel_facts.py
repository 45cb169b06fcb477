"""Channels and grids of tensors with channels of zeros alone; errors of input channels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

from qviz.app.channel_errors import channel_errors
from qviz.app.extents import used_scales
from qviz.app.session import Session
from qviz.quant.encode import find_encoding
from qviz.quant.encoding import Dynamic, Scaled
from qviz.quant.error import measure_channels
from qviz.quant.measure import measure
from qviz.quant.points import Points
from qviz.quant.spelling import parse_scheme


@pytest.fixture
def session(write_model: Callable[..., Path]) -> Session:
    """A convolution whose channel 1 is zero, channel 2 next to nothing."""
    weight = np.random.default_rng(0).normal(size=(6, 16, 3, 3)).astype(np.float32)
    weight[1] = 0.0
    weight[2] *= 1e-12
    path = write_model(
        "dead.onnx",
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")],
        {"w": weight},
        {"x": ["N", 16, 8, 8]},
        {"y": ["N", 6, 6, 6]},
    )
    made = Session()
    made.open(path)
    return made


GRIDS = ["int8:channel", "int8", "int4:group=16", "fp8-e4m3:channel", "mxint8", "nf4"]


@pytest.mark.parametrize("spelling", GRIDS)
def test_a_zero_channel_has_no_say_in_the_scale(session: Session, spelling: str) -> None:
    session.set_scheme(["conv.weight"], spelling)
    view = session.channels("conv.weight")
    largest = np.maximum(-view.minimum, view.maximum).max()
    assert np.nanmax(view.high) <= 2.0 * largest
    assert np.nanmin(view.low) >= -2.0 * largest
    assert view.dead.tolist() == [False, True, True, False, False, False]
    whole = session.distribution("conv.weight")
    if whole.low is not None and whole.high is not None:
        assert max(-whole.low, whole.high) <= 2.0 * largest
    one = session.distribution("conv.weight", 1)
    assert (one.low, one.high, one.scale) == (None, None, None)
    facts = {fact.label: fact.value for fact in session.form(["conv.weight"]).facts}
    if "Scales" in facts:
        assert not facts["Scales"].endswith("… 1")
        assert "of zeros alone" in facts["Number of scales"]


@pytest.mark.parametrize("spelling", ["kmeans3", "lloyd3", "float16"])
def test_formats_without_scales_show_none(session: Session, spelling: str) -> None:
    session.set_scheme(["conv.weight"], spelling)
    assert session.distribution("conv.weight").scale is None
    assert "Scale" not in {fact.label for fact in session.form(["conv.weight"]).facts}


def test_an_activation_in_blocks_says_what_was_measured(
    demo_model: Path, demo_samples: Path
) -> None:
    session = Session()
    session.open(demo_model, demo_samples)
    session.set_scheme(["block1.dw.input"], "mxfp4")
    session.evaluate(limit=16)
    view = session.distribution("block1.dw.input")
    assert 1000 < view.sampled < view.values
    facts = session.form(["block1.dw.input"]).facts
    assert f"Errors, on a sample of {view.sampled:,} values" in {fact.label for fact in facts}
    session.set_scheme(["block1.dw.input"], "uint2")
    session.evaluate(limit=16)
    assert session.distribution("block1.dw.input").sampled == 0
    facts = session.form(["block1.dw.input"]).facts
    assert "Errors of the whole tensor" in {fact.label for fact in facts}
    assert all(fact.tip for fact in facts if fact.label in ("SQNR", "Clipped", "Zeros"))


def test_an_open_input_channel_has_the_error_of_the_channels_view(
    demo_model: Path, demo_samples: Path
) -> None:
    session = Session()
    session.open(demo_model, demo_samples)
    every = session.channels("block2.pw.input")
    for channel in (0, 7):
        one = session.distribution("block2.pw.input", channel)
        assert one.sqnr_db == pytest.approx(every.sqnr_db[channel])
        assert f"{one.sampled:,} values" in every.error_source


@pytest.mark.parametrize("spelling", ["uint8", "int4", "mxfp4", "nvfp4", "fp8-e4m3"])
def test_errors_of_input_channels_are_those_of_their_values(spelling: str) -> None:
    x = torch.randn(4, 6, 32, 32) * torch.arange(1.0, 7.0).reshape(1, 6, 1, 1)
    stats = measure(x, 1)
    encoding = find_encoding(stats, parse_scheme(spelling))
    found = channel_errors(stats, encoding)
    assert found is not None
    if isinstance(encoding, Dynamic):
        q = encoding.apply(x)
        noise = (q - x).double().square().mean((0, 2, 3))
    else:
        rows = x.movedim(1, 0).flatten(1)
        noise = measure_channels(Points(rows), encoding).values["mse"]
    assert found.values["mse"].tolist() == pytest.approx(noise.tolist(), rel=0.2)
    assert found.values["max_error"].shape == found.clipped.shape == (6,)


def test_scales_of_zeros_are_told_from_scales_of_one() -> None:
    x = torch.zeros(3, 32)
    x[1] = torch.linspace(-127.0, 127.0, 32)
    x[2, :16] = 0.5
    stats = measure(x, 0, keep=True)
    for spelling, used in (
        ("int8:channel", [False, True, True]),
        ("int8:group=16", [[False, False], [True, True], [True, False]]),
        ("int8", [True]),
    ):
        encoding = find_encoding(stats, parse_scheme(spelling))
        assert isinstance(encoding, Scaled)
        assert used_scales(stats, encoding).tolist() == used

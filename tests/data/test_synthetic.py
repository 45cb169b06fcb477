"""Synthetic samples beside the memory of recurrent models."""

from __future__ import annotations

import numpy as np
import pytest

from qviz.data.samples import InputSpec
from qviz.data.synthetic import synthetic_samples


@pytest.mark.parametrize("batch", [1, None])
def test_a_first_state_of_fixed_size_is_zero_for_all_samples(batch: int | None) -> None:
    inputs = (InputSpec("x", "float32", (batch, 16, 4)), InputSpec("h0", "float32", (2, 1, 8)))
    samples = synthetic_samples(inputs, 5)
    assert samples.arrays["x"].shape == (5, 16, 4)
    assert samples.constants["h0"].tolist() == np.zeros((2, 1, 8)).tolist()


def test_memory_that_goes_by_samples_is_random() -> None:
    inputs = (InputSpec("x", "float32", (None, 4)), InputSpec("cache", "float32", (None, 8)))
    samples = synthetic_samples(inputs, 5)
    assert samples.arrays["cache"][np.arange(5)].all()
    alone = synthetic_samples((InputSpec("state", "float32", (1, 8)),), 5)
    assert alone.arrays["state"].shape == (5, 8)
    assert not alone.constants

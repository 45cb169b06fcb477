"""A pass over blocks finds the same in any layout, and as blocks widen the bins."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from qviz.quant.measure import measure
from qviz.quant.statistics import TensorStats
from qviz.quant.tally import Room, Tally


def same(a: TensorStats, b: TensorStats) -> None:
    assert (a.count, a.zeros, a.exponent, a.finite) == (b.count, b.zeros, b.exponent, b.finite)
    assert torch.equal(a.minimum, b.minimum)
    assert torch.equal(a.maximum, b.maximum)
    assert torch.equal(a.bins, b.bins)
    for one, other in ((a.mean, b.mean), (a.square, b.square), (a.sums, b.sums)):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-9)
    if a.channel_bins is not None and b.channel_bins is not None:
        assert torch.equal(a.channel_bins, b.channel_bins)


# Several blocks each: of planes, parts of a plane, several samples, more channels than one block.
@pytest.mark.parametrize("shape", [(3, 5, 300, 301), (2, 300, 40, 40), (40, 150, 7, 7)])
@pytest.mark.parametrize("axis", [1, None])
def test_layouts_do_not_matter(shape: tuple[int, ...], axis: int | None) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).relu()
    whole = measure(x, axis)
    same(whole, measure(x.contiguous(memory_format=torch.channels_last), axis))
    same(whole, measure(x.transpose(2, 3), axis))
    rows = x.reshape(1, -1) if axis is None else x.movedim(1, 0).flatten(1)
    assert whole.zeros == int((x == 0).sum())
    torch.testing.assert_close(whole.mean, rows.double().mean(1), rtol=1e-12, atol=0.0)
    assert torch.equal(whole.maximum, rows.amax(1).double())


def test_bins_widen_from_block_to_block() -> None:
    growing = torch.randn(8, 200_000, generator=torch.Generator().manual_seed(1))
    growing *= 8.0 ** torch.arange(8).unsqueeze(1)
    growing[0] = 0.0
    found, backwards = measure(growing), measure(growing.flip(0))
    same(found, backwards)
    same(measure(growing, 0), measure(growing.t().contiguous(), 1))
    fine = torch.floor(growing.double() / found.width).long().flatten() + len(found.bins) // 2
    wanted: Tensor = torch.bincount(fine, minlength=len(found.bins))
    wanted[len(found.bins) // 2] -= found.zeros
    assert torch.equal(found.bins, wanted)


def test_one_tally_takes_rows_after_planes_and_planes_after_rows() -> None:
    planes = torch.randn(2, 70, 9, 9, generator=torch.Generator().manual_seed(2))
    rows = 5 * planes.contiguous(memory_format=torch.channels_last)
    wanted = measure(torch.cat([planes, rows]), 1).channel_bins
    for parts in ((planes, rows), (rows, planes)):
        tally, room = Tally(70, counted=True), Room()
        for part in parts:
            tally.add(part.flatten(2).transpose(0, 1), room)
        assert tally.channel_bins is not None
        assert wanted is not None
        assert torch.equal(tally.channel_bins, wanted)

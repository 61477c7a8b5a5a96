"""What a VGG without some of its channels computes."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from vitprof.compress.cutting import cut, hold_at_zero, prunable_of, smaller_model
from vitprof.compress.nvit.importance import Importance

from .conftest import VGG, randomised

SPECS = pytest.mark.parametrize(
    "spec", [VGG, replace(VGG, hidden=(), pooled=4)], ids=["dense layers", "none"]
)


@SPECS
def test_the_smaller_model_is_the_one_with_channels_at_zero(spec) -> None:
    model = randomised(spec).eval()
    structures = prunable_of(spec).structures(spec, True)
    generator = torch.Generator().manual_seed(1)
    gone = {s.name: torch.rand(s.units, generator=generator) < 0.4 for s in structures}
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    smaller = smaller_model(model, cut(spec, structures, gone, shapes))
    assert smaller.spec.channels == tuple(int((~gone[s.name]).sum()) for s in structures)
    assert smaller.spec.channels < spec.channels
    assert sum(p.numel() for p in smaller.parameters()) == smaller.spec.params
    masked = copy.deepcopy(model)
    hold_at_zero(masked, structures, gone)
    x = torch.randn(4, 3, spec.resolution, spec.resolution)
    with torch.no_grad():
        torch.testing.assert_close(smaller(x), masked(x), rtol=1e-5, atol=1e-5)
        assert (smaller(x) - model(x)).abs().max() > 0.01


def test_a_channels_weights_leave_statistics_out() -> None:
    """A mean or a variance is not a weight: it counts for no magnitude."""
    model = randomised(VGG)
    structures = prunable_of(VGG).structures(VGG, True)
    before, after = Importance("magnitude"), Importance("magnitude")
    before.observe(structures, model)
    for conv in model.convs:
        conv.bn.running_var.mul_(7)
    after.observe(structures, model)
    first = "convs.0.channels"
    torch.testing.assert_close(before.of[first], after.of[first])
    conv, norm, reader = model.convs[0].conv, model.convs[0].bn, model.convs[1].conv
    with torch.no_grad():
        expected = (
            conv.weight.square().sum(dim=(1, 2, 3))
            + conv.bias**2
            + norm.weight**2
            + norm.bias**2
            + reader.weight.square().sum(dim=(0, 2, 3))
        )
    torch.testing.assert_close(before.of[first], expected)

"""A model that units were taken out of equals the one in which they are masked."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from vitprof.compress.cutting import cut, hold_at_zero, prunable_of, smaller_model, with_fixed_scale
from vitprof.models import Spec, SwinSpec, ViTSpec
from vitprof.models.structures.structure import Structure

from .conftest import DISTILLED, SWIN, VIT, randomised

SPECS = {"vit": VIT, "deit": DISTILLED, "swin": SWIN}


class NormOfSome(nn.Module):
    """A layer norm over some of its inputs; the others come out as 0."""

    def __init__(self, norm: nn.LayerNorm, kept: Tensor) -> None:
        super().__init__()
        self.norm, self.kept = norm, kept

    def forward(self, x: Tensor) -> Tensor:
        out = torch.zeros_like(x)
        kept, norm = self.kept, self.norm
        out[..., kept] = F.layer_norm(
            x[..., kept], (len(kept),), norm.weight[kept], norm.bias[kept], norm.eps
        )
        return out


def masked(model: nn.Module, structures: list[Structure], gone: dict[str, Tensor]) -> nn.Module:
    """Return a full-sized copy whose units are zero and whose norms do not see them."""
    model = copy.deepcopy(model)
    hold_at_zero(model, structures, gone)
    norms: dict[str, Tensor] = {}
    for structure in structures:
        if structure.kind != "embed":
            continue
        for part in structure.parts:
            owner, _, name = part.weight.rpartition(".")
            module = model.get_submodule(owner)
            if isinstance(module, nn.LayerNorm) and name == "weight":
                flags = torch.ones(module.normalized_shape[0], dtype=torch.bool)
                flags[part.index[gone[structure.name]].reshape(-1)] = False
                norms[owner] = torch.nonzero(flags).flatten()
    for name, kept in norms.items():
        owner, _, attribute = name.rpartition(".")
        parent = model.get_submodule(owner)
        setattr(parent, attribute, NormOfSome(model.get_submodule(name), kept))
    return model.eval()


def drawn(structures: list[Structure], seed: int, share: float) -> dict[str, Tensor]:
    """Return random flags of which at least one unit of each lane stays."""
    generator = torch.Generator().manual_seed(seed)
    flags = {}
    for s in structures:
        gone = torch.rand(s.units, generator=generator) < share
        gone.reshape(s.lanes, -1)[:, 0] = False
        flags[s.name] = gone
    return flags


def images_for(spec: ViTSpec | SwinSpec) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, spec.in_channels, spec.resolution, spec.resolution)


def both(spec: Spec, aligned: bool, seed: int, share: float) -> tuple[nn.Module, nn.Module]:
    model = with_fixed_scale(randomised(spec, seed))
    structures = prunable_of(spec).structures(spec, aligned)
    gone = drawn(structures, seed, share)
    shapes = {name: tuple(w.shape) for name, w in model.state_dict().items()}
    reference = masked(model, structures, gone)
    hold_at_zero(model, structures, gone)
    return smaller_model(model, cut(model.spec, structures, gone, shapes)), reference


@pytest.mark.parametrize("family", SPECS)
@pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "not aligned"])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.95))
@example(seed=469, share=0.9453125)
def test_the_smaller_model_equals_the_masked_one(
    family: str, aligned: bool, seed: int, share: float
) -> None:
    spec = SPECS[family]
    smaller, reference = both(spec, aligned, seed, share)
    # In fp64: some of these models answer a rounding in fp32 by 1e-4.
    images = images_for(spec).double()
    with torch.no_grad():
        expected, found = reference.double()(images), smaller.double()(images)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("family", SPECS)
def test_its_spec_says_how_small_it_is(family: str) -> None:
    smaller, _ = both(SPECS[family], True, 3, 0.5)
    assert sum(p.numel() for p in smaller.parameters()) == smaller.spec.params
    assert smaller.spec.params < 0.7 * SPECS[family].params
    assert smaller.spec.macs < SPECS[family].macs


def test_nothing_taken_out_is_the_same_model() -> None:
    model = randomised(VIT)
    structures = prunable_of(VIT).structures(VIT, True)
    gone = {s.name: torch.zeros(s.units, dtype=torch.bool) for s in structures}
    shapes = {name: tuple(w.shape) for name, w in model.state_dict().items()}
    same = smaller_model(model, cut(VIT, structures, gone, shapes))
    for name, weight in same.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name


def test_every_unit_has_weights_of_its_own() -> None:
    """All units of a structure together are whole rows, none of them twice."""
    for spec in SPECS.values():
        for structure in prunable_of(spec).structures(spec, True):
            for part in structure.parts:
                places = part.index.reshape(-1).tolist()
                assert len(set(places)) == len(places), (structure.name, part.weight)


def test_a_fixed_scale_changes_nothing() -> None:
    from dataclasses import replace

    from vitprof.models import ViTLayer

    layers = (ViTLayer(4, 8, 8, 64), ViTLayer(2, 24, 8, 64))
    spec = replace(VIT, layers=layers)
    model = randomised(spec)
    fixed = with_fixed_scale(model)
    assert fixed.spec.attention_scale_dim == 8
    images = images_for(spec)
    with torch.no_grad():
        torch.testing.assert_close(fixed(images), model(images), rtol=1e-5, atol=1e-5)

"""A skeleton has the tensors of its model, and shares layers that are alike, but not within it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from vitprof.models import ViTLayer, ViTSpec, create_model
from vitprof.models.removal import removable
from vitprof.models.skeleton import skeleton

TWO = ViTSpec(embed=8, layers=(ViTLayer(2, 4, 4, 8), ViTLayer(2, 4, 4, 8)), resolution=8, patch=4)


@pytest.mark.parametrize("family", ["vit", "autovit", "efficientvit"])
def test_names_and_shapes_are_the_models(specs, family: str) -> None:
    for spec in (specs[family], *(module.left for module in removable(specs[family]))):
        own, of = skeleton(spec).state_dict(), create_model(spec).state_dict()
        assert {n: t.shape for n, t in own.items()} == {n: t.shape for n, t in of.items()}
        assert all(tensor.is_meta for tensor in own.values())


def test_layers_are_made_once_and_stand_once_in_a_model() -> None:
    first, again = skeleton(TWO), skeleton(replace(TWO, name="again"))
    assert first is not again
    assert first.blocks[0] is again.blocks[0]
    assert first.blocks[0] is not first.blocks[1]
    scaled = skeleton(replace(TWO, attention_scale_dim=64))
    assert scaled.blocks[0].attn.scale == 64**-0.5
    assert first.blocks[0].attn.scale == 0.5
    assert skeleton(replace(TWO, norm_eps=1e-3)).blocks[0].norm1.eps == 1e-3


def test_another_family_is_made_whole() -> None:
    from vitprof.models import create_spec

    made = skeleton(create_spec("efficientvit-m0"))
    assert all(parameter.device == torch.device("meta") for parameter in made.parameters())

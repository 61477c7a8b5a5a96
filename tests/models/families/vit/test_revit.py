"""ReViT against the paper's Tables 6 and 7."""

from __future__ import annotations

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import create_model, create_spec
from vitprof.models.families.vit.revit import revit_layers, with_revit_stage


def test_the_small_one_is_about_as_large_as_published() -> None:
    # Yang et al. 2023, table 7: 23 M and 4.7 G.
    spec = create_spec("revit-small")
    assert spec.embed == 384
    assert spec.params / 1e6 == pytest.approx(23, rel=0.05)
    assert spec.macs / 1e9 == pytest.approx(4.7, rel=0.05)


def test_the_tiny_one_follows_the_rule_though_not_the_published_size() -> None:
    # Table 7 says 5.9 M and 1.3 G at EMB 176, which no reading of table 6 gives.
    spec = create_spec("revit-tiny")
    assert spec.embed == 176
    assert spec.params == 4_698_360
    assert (spec.layers[0].heads, spec.layers[0].qk) == (2, 8)
    assert (spec.layers[4].heads, spec.layers[4].qk) == (4, 16)


def test_the_middle_half_is_twice_as_wide() -> None:
    layers = revit_layers(384)
    outer, middle = layers[0], layers[5]
    assert (outer.heads, outer.qk, outer.v, outer.mlp) == (4, 16, 64, 1152)
    assert (middle.heads, middle.qk, middle.v, middle.mlp) == (8, 40, 64, 2304)
    assert [layer == middle for layer in layers] == [False] * 3 + [True] * 6 + [False] * 3


@pytest.mark.parametrize("embed", [8, 100, 192, 250, 1024])
@pytest.mark.parametrize("depth", [1, 2, 6, 24])
def test_any_width_and_depth_follow_the_rule(embed, depth) -> None:
    layers = revit_layers(embed, depth)
    assert len(layers) == depth
    for layer in layers:
        assert layer.heads % 2 == 0
        assert layer.qk % 8 == 0
        assert layer.mlp in (3 * embed, 6 * embed)


def test_a_stage_of_a_swin() -> None:
    swin = create_spec("swin-tiny")
    spec = with_revit_stage(swin, 2)
    assert spec.name == "swin-tiny-revit"
    assert [stage == old for stage, old in zip(spec.stages, swin.stages, strict=True)] == [
        True,
        True,
        False,
        True,
    ]
    assert len(spec.stages[2].layers) == 6
    assert 0.6 < spec.macs / swin.macs < 1.4
    with pytest.raises(UserError, match="stage 4"):
        with_revit_stage(swin, 4)


def test_they_run() -> None:
    from dataclasses import replace

    small = replace(create_spec("revit-tiny"), resolution=32, patch=8, classes=7)
    with torch.no_grad():
        assert create_model(small)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)

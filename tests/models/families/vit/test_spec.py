from __future__ import annotations

import dataclasses

import pytest
from vitprof.models import Block, ViTLayer, ViTSpec


def test_blocks_in_order_with_absent_halves_skipped():
    layers = (
        ViTLayer(2, 3, 5, 7),
        ViTLayer(0, 0, 0, 9),
        ViTLayer(1, 4, 4, 0),
        ViTLayer(0, 0, 0, 0),
    )
    spec = ViTSpec(embed=6, layers=layers, patch=4, resolution=12, classes=11, distilled=True)
    assert spec.tokens == 11
    assert spec.blocks() == [
        Block.of("patch_embed", embed=6, in_channels=3, resolution=12, kernel=4, prefix=2),
        Block.of("attention", embed=6, heads=2, qk=3, v=5, tokens=11),
        Block.of("mlp", embed=6, mlp=7, tokens=11),
        Block.of("mlp", embed=6, mlp=9, tokens=11),
        Block.of("attention", embed=6, heads=1, qk=4, v=4, tokens=11),
        Block.of("classifier", embed=6, heads=2, classes=11, tokens=11),
    ]


def test_an_absent_attention_has_no_dims():
    assert ViTLayer(0, 64, 64, 9) == ViTLayer(0, 0, 0, 9)


def test_uniform_fills_in_the_usual_dims():
    assert ViTSpec.uniform(192, 12, 3).layers == (ViTLayer(3, 64, 64, 768),) * 12
    assert ViTSpec.uniform(10, 1, 3, 7, qk=4, v=2).layers == (ViTLayer(3, 4, 2, 7),)
    assert ViTSpec.uniform(10, 1, 0).layers == (ViTLayer(0, 0, 0, 40),)


def test_the_distillation_head_follows_the_token_unless_said():
    assert ViTSpec.uniform(8, 1, 2).classifier_heads == 1
    assert ViTSpec.uniform(8, 1, 2, distilled=True).classifier_heads == 2
    one_head = ViTSpec.uniform(8, 1, 2, distilled=True, distillation_head=False)
    assert (one_head.classifier_heads, one_head.prefix) == (1, 2)


def test_a_spec_is_a_value():
    spec = ViTSpec.uniform(8, 2, 2)
    assert hash(spec) == hash(ViTSpec.uniform(8, 2, 2))
    assert dataclasses.replace(spec, layers=list(spec.layers)) == spec
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.embed = 4  # type: ignore[misc]


def test_wrong_values_are_refused(refused):
    with refused("heads=3", "embed=8", "divide"):
        ViTSpec.uniform(8, 1, 3)
    with refused("embed=8.0"):
        ViTSpec.uniform(8.0, 1, 2)  # type: ignore[arg-type]
    with refused("thousands of digits"):
        ViTSpec.uniform(10**5000, 1, 2)
    with refused("layers=", "ViTLayer"):
        ViTSpec(embed=8, layers=({"heads": 2},))  # type: ignore[arg-type]
    with refused("v=0"):
        ViTLayer(2, 3, 0, 4)


def test_fewer_layers_are_the_first_ones(refused) -> None:
    spec = ViTSpec.uniform(8, 3, 1, resolution=4, patch=2, merges=(1, 0, 0), name="three")
    assert spec.with_layers(2).layers == spec.layers[:2]
    assert spec.with_layers(2).merges == (1, 0)
    with refused("`layers` 4", "three has 3"):
        spec.with_layers(4)

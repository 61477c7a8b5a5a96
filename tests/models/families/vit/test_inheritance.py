"""What a ViT inherits is the part of the larger one that it should be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vitprof.models import ViTLayer, ViTSpec, create_spec
from vitprof.models.inheritance.inherited import inherited

LARGEST = ViTSpec(
    embed=24,
    layers=(ViTLayer(3, 8, 6, 32),) * 2,
    resolution=8,
    patch=2,
    classes=10,
    distilled=True,
    in_channels=1,
)


def test_heads_take_their_own_rows() -> None:
    subnet = replace(LARGEST, embed=16, layers=(ViTLayer(2, 4, 5, 16),))
    found = inherited(LARGEST, subnet)
    rows, columns = found["blocks.0.attn.qkv.weight"].dims
    # Q of 3 heads of 8 are rows 0-23, K 24-47, V of 3 heads of 6 48-65.
    assert rows == ((0, 4), (8, 12), (24, 28), (32, 36), (48, 53), (54, 59))
    assert columns == ((0, 16),)
    assert found["blocks.0.attn.qkv.bias"].dims == (rows,)
    assert found["blocks.0.attn.proj.weight"].dims == (((0, 16),), ((0, 5), (6, 11)))
    whole_heads = replace(LARGEST, layers=(ViTLayer(2, 8, 6, 32),) * 2)
    rows, _ = inherited(LARGEST, whole_heads)["blocks.0.attn.qkv.weight"].dims
    assert rows == ((0, 16), (24, 40), (48, 60))


def test_halves_may_be_absent(check_inheritance) -> None:
    subnet = replace(LARGEST, layers=(ViTLayer(0, 0, 0, 16), ViTLayer(1, 8, 6, 0)))
    check_inheritance(LARGEST, subnet)


@pytest.mark.parametrize(
    ("subnet", "words"),
    [
        (replace(LARGEST, resolution=16), ("resolution=16", "8")),
        (replace(LARGEST, patch=4), ("patch=4",)),
        (replace(LARGEST, classes=9), ("classes=9",)),
        (replace(LARGEST, attention_scale_dim=64), ("attention_scale_dim=64",)),
        (replace(LARGEST, distilled=False, distillation_head=False), ("distilled=False",)),
        (replace(LARGEST, norm_eps=1e-5), ("norm_eps=1e-05", "1e-06")),
        (replace(LARGEST, embed=25), ("embed=25 is more", "24")),
        (replace(LARGEST, layers=LARGEST.layers * 2), ("depth=4 is more",)),
        (replace(LARGEST, layers=(LARGEST.layers[0], ViTLayer(3, 9, 6, 32))), ("layers[1].qk=9",)),
        (create_spec("autovit-xxs"), ("'autovit'", "'vit'")),
    ],
)
def test_a_vit_that_does_not_fit_is_refused(refused, subnet, words) -> None:
    with refused(*words):
        inherited(LARGEST, subnet)


def test_merging_tokens_needs_no_weights(refused) -> None:
    merging = replace(LARGEST, merges=(2, 2))
    assert inherited(LARGEST, merging) == inherited(LARGEST, LARGEST)
    with refused("tokens left="):  # they would not run alike
        inherited(merging, LARGEST)

"""What is measured of Vision Transformers with details."""

import random

import pytest
from vitprof.models import create_spec
from vitprof.models.timm_names import timm_spec
from vitprof.spaces.vit import ViTSlabs

NAMES = [
    "vit_small_patch14_dinov2",
    "vit_small_patch14_reg4_dinov2",
    "vit_giant_patch14_dinov2",
    "deit3_small_patch16_224",
    "vit_base_patch16_clip_quickgelu_224",
    "vit_medium_patch16_gap_256",
    "vit_medium_patch16_reg4_gap_256",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_with_details_is_covered_and_so_are_random_ones(name: str) -> None:
    spec = create_spec(name)
    space = ViTSlabs.covering(spec)
    measured = set(space.blocks())
    assert set(spec.blocks()) <= measured
    model = space.sample(random.Random(0))
    assert model.details == spec.details  # type: ignore[attr-defined]
    assert {block.op for block in model.blocks()} == {block.op for block in measured}


def test_qk_norm_is_an_op_of_its_own() -> None:
    space = ViTSlabs.covering(timm_spec("vit_tiny_patch16_224", qk_norm=True))
    assert "normed_attention" in {block.op for block in space.blocks()}

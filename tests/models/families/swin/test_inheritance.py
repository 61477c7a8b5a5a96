"""What a Swin Transformer inherits is the part of the larger one that it should be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.models import SwinSpec, ViTLayer
from vitprof.models.families.swin.spec import SwinStage
from vitprof.models.inheritance.inherited import inherited

LARGE = SwinSpec(
    stages=(
        SwinStage(12, (ViTLayer(3, 6, 4, 24),) * 2),
        SwinStage(20, (ViTLayer(2, 6, 8, 40),) * 3),
    ),
    patch=2,
    window=4,
    resolution=16,
    in_channels=1,
    classes=10,
)
layers = st.builds(
    ViTLayer, st.integers(1, 2), st.integers(1, 6), st.integers(1, 4), st.integers(1, 24)
)


def stages(widest: int, deepest: int) -> st.SearchStrategy[SwinStage]:
    within = st.lists(layers, min_size=1, max_size=deepest).map(tuple)
    return st.builds(SwinStage, st.integers(1, widest), within)


@settings(max_examples=15, deadline=None)
@given(first=stages(12, 2), second=stages(20, 3))
def test_any_smaller_model_has_its_names_and_shapes(check_inheritance, first, second) -> None:
    check_inheritance(LARGE, replace(LARGE, stages=(first, second)))


def test_a_merged_token_has_the_first_channels_of_each_of_four() -> None:
    first = replace(LARGE.stages[0], embed=8)
    found = inherited(LARGE, replace(LARGE, stages=(first, LARGE.stages[1])))
    wide = ((0, 8), (12, 20), (24, 32), (36, 44))
    assert found["layers.1.downsample.norm.weight"].dims == (wide,)
    assert found["layers.1.downsample.reduction.weight"].dims == (((0, 20),), wide)


def test_heads_have_the_first_columns_of_the_biases() -> None:
    layer = replace(LARGE.stages[0].layers[0], heads=1)
    stage = replace(LARGE.stages[0], layers=(layer,))
    found = inherited(LARGE, replace(LARGE, stages=(stage, LARGE.stages[1])))
    bias = found["layers.0.blocks.0.attn.relative_position_bias_table"]
    assert bias.dims == (((0, 49),), ((0, 1),))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window": 8}, "window=8"),
        ({"classes": 9}, "classes=9"),
        ({"stages": LARGE.stages[:1]}, "stages=1"),
        ({"stages": (SwinStage(13, LARGE.stages[0].layers), LARGE.stages[1])}, "[0].embed=13"),
        (
            {"stages": (SwinStage(12, LARGE.stages[0].layers * 2), LARGE.stages[1])},
            "[0].depth=4",
        ),
        (
            {"stages": (SwinStage(12, (ViTLayer(4, 6, 4, 24),)), LARGE.stages[1])},
            "[0].layers[0].heads=4",
        ),
    ],
)
def test_a_swin_that_does_not_fit_is_refused(refused, change, words) -> None:
    with refused(words):
        inherited(LARGE, replace(LARGE, **change))


def test_another_family_is_refused() -> None:
    from vitprof.models import create_spec

    with pytest.raises(UserError, match="family 'vit'"):
        inherited(LARGE, create_spec("deit-tiny"))

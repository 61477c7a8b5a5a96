"""What an EfficientViT inherits is the part of the larger one that it should be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.models import EfficientViTSpec
from vitprof.models.families.efficientvit.stage import EfficientViTStage
from vitprof.models.inheritance.inherited import inherited

LARGE = EfficientViTSpec(
    stages=(EfficientViTStage(32, 2, 2), EfficientViTStage(48, 3, 3)),
    qk=(6, 8),
    kernels=(5, 3),
    window=5,
    resolution=80,
    in_channels=1,
    classes=10,
)


def subnets(of: EfficientViTSpec) -> st.SearchStrategy[EfficientViTSpec]:
    """Models whose heads see at most as many channels as those of `of`."""

    def build(shares: list[int], heads: list[int], depths: list[int], qk: int, ratio: float):
        parts = zip(shares, heads, depths, strict=True)
        stages = tuple(EfficientViTStage(8 * s * h, depth, h) for s, h, depth in parts)
        return replace(of, stages=stages, qk=qk, ffn_ratio=ratio)

    return st.builds(
        build,
        st.tuples(st.integers(1, 2), st.integers(1, 2)).map(list),
        st.tuples(st.integers(1, 2), st.integers(1, 3)).map(list),
        st.tuples(st.integers(1, 2), st.integers(1, 3)).map(list),
        st.integers(1, 6),
        st.sampled_from([0.5, 1.3, 2.0]),
    )


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"norm": "layer"},
        {"attention": "mhsa", "cascade": None},
        {"dwconv": False, "kernels": (1,)},
        {"ffns_before": 2, "ffns_after": 0},
        {"v_ratio": 0.6},
    ],
)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
@pytest.mark.few("change1", "change2")
def test_any_smaller_model_has_its_names_and_shapes(check_inheritance, change, data) -> None:
    large = replace(LARGE, **change)
    check_inheritance(large, data.draw(subnets(large)))


def test_rows_of_queries_keys_and_values_are_the_first_of_each() -> None:
    found = inherited(LARGE, replace(LARGE, stages=(EfficientViTStage(16, 1, 2), LARGE.stages[1])))
    weight = found["stages.0.blocks.0.mixer.m.attn.qkvs.1.conv.weight"]
    assert weight.dims[:2] == (((0, 20),), ((0, 8),))  # Q, K and half of V, side by side
    proj = found["stages.0.blocks.0.mixer.m.attn.proj.1.conv.weight"]
    assert proj.dims[:2] == (((0, 16),), ((0, 8), (16, 24)))
    narrow = inherited(LARGE, replace(LARGE, qk=(4, 8)))
    rows = narrow["stages.0.blocks.0.mixer.m.attn.qkvs.0.bn.running_mean"].dims
    assert rows == (((0, 4), (6, 10), (12, 28)),)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"norm": "layer"}, "norm=layer"),
        ({"stages": LARGE.stages[:1], "qk": 6}, "stages=1"),
        ({"qk": (6, 9)}, "[1].qk=9"),
        ({"v_ratio": 1.2}, "[0].v=19"),
        ({"ffn_ratio": 3}, "[0].mlp=96"),
        ({"stages": (LARGE.stages[0], EfficientViTStage(48, 4, 3))}, "[1].depth=4"),
        # Two heads of 24 channels, where the supernet's see 16 each.
        ({"stages": (LARGE.stages[0], EfficientViTStage(48, 3, 2))}, "[1].v=24"),
        (
            {"stages": (LARGE.stages[0], EfficientViTStage(48, 3, 2)), "v_ratio": 0.5},
            "[1].embed/heads=24",
        ),
    ],
)
def test_an_efficientvit_that_does_not_fit_is_refused(refused, change, words) -> None:
    with refused(words):
        inherited(LARGE, replace(LARGE, **change))

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.models import Spec, ViTLayer, create_spec
from vitprof.models.families.swin.spec import SwinSpec, SwinStage

SMALL = {
    "family": "swin",
    "stages": [
        {"embed": 8, "layers": [{"heads": 2, "qk": 3, "v": 5, "mlp": 7}, {"heads": 0, "mlp": 9}]},
        {"embed": 12, "layers": [{"heads": 1, "qk": 4, "v": 4, "mlp": 0}]},
    ],
    "patch": 2,
    "window": 4,
    "resolution": 16,
    "classes": 3,
}


@st.composite
def swins(draw: st.DrawFn) -> SwinSpec:
    dims = st.integers(1, 9)
    layer = st.builds(ViTLayer, st.integers(0, 3), dims, dims, st.integers(0, 17))
    count = draw(st.integers(1, 3))
    stage = st.builds(SwinStage, dims, st.lists(layer, min_size=1, max_size=3).map(tuple))
    patch, window = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    last = draw(st.integers(1, 2) if window > 2 else st.just(1))  # windows that the last map has
    return SwinSpec(
        stages=tuple(draw(stage) for _ in range(count)),
        patch=patch,
        window=window,
        resolution=patch * window * last * 2 ** (count - 1),
        in_channels=draw(st.integers(1, 3)),
        classes=draw(dims),
        attention_scale_dim=draw(st.none() | dims),
    )


@given(spec=swins())
def test_json_round_trip_is_exact(spec):
    assert Spec.from_json(spec.to_json()) == spec
    assert Spec.from_dict(spec.to_dict()).blocks() == spec.blocks()


@given(spec=swins())
def test_each_block_takes_what_the_one_before_gives(spec):
    blocks = spec.blocks()
    assert blocks[0].input_shape == (spec.in_channels, spec.resolution, spec.resolution)
    assert blocks[-1].output_shape == (spec.classes,)
    for before, after in itertools.pairwise(blocks):
        assert before.output_shape == after.input_shape


# Liu et al. 2021, table 1: 29, 50 and 88 million parameters; 4.5, 8.7 and 15.4 G.
@pytest.mark.parametrize(
    ("name", "params", "gmacs"),
    [
        ("swin-tiny", 28_288_354, 4.5),
        ("swin-small", 49_606_258, 8.7),
        ("swin-base", 87_768_224, 15.4),
    ],
)
def test_published_sizes(name, params, gmacs):
    spec = create_spec(name)
    assert spec.params == params
    assert round(spec.macs / 1e9, 1) == gmacs
    assert spec.norm_eps == 1e-5


def test_blocks_of_swin_tiny():
    blocks = create_spec("swin-tiny").blocks()
    assert len(blocks) == 1 + 2 * 12 + 3 + 1
    assert [str(block) for block in blocks[:6]] == [
        "swin_embed(embed=96, in_channels=3, resolution=224, kernel=4)",
        "window_attention(embed=96, heads=3, qk=32, v=32, window=7, resolution=56, shift=1)",
        "mlp(embed=96, mlp=384, tokens=3136)",
        "window_attention(embed=96, heads=3, qk=32, v=32, window=7, resolution=56, shift=2)",
        "mlp(embed=96, mlp=384, tokens=3136)",
        "token_merging(embed=96, out_channels=192, resolution=56)",
    ]
    assert str(blocks[-1]) == "pooled_tokens_classifier(embed=768, tokens=49, classes=1000)"
    # The last map is one window, so nothing is shifted there.
    assert [block["shift"] for block in blocks if block.op == "window_attention"] == [
        *[1, 2] * 5,
        1,
        1,
    ]


def test_a_window_larger_than_the_map_is_the_map():
    spec = SwinSpec.uniform(4, [2], [1], patch=4, resolution=16, window=7)
    attentions = [block for block in spec.blocks() if block.op == "window_attention"]
    assert [(block["window"], block["shift"]) for block in attentions] == [(4, 1), (4, 1)]


def test_a_layer_without_attention_leaves_the_shift_of_the_others():
    layer, bare = ViTLayer(1, 4, 4, 8), ViTLayer(0, 0, 0, 8)
    spec = SwinSpec(stages=(SwinStage(4, (bare, layer)),), patch=4, resolution=32, window=4)
    assert [b["shift"] for b in spec.blocks() if b.op == "window_attention"] == [2]


def test_uniform_fields_describe_the_stages():
    fields = {"family": "swin", "embed": 96, "depths": [2, 2, 6, 2], "heads": [3, 6, 12, 24]}
    assert Spec.from_dict({"name": "swin-tiny", **fields}) == create_spec("swin-tiny")
    assert Spec.from_dict({**fields, "mlp_ratio": 3}).stages[1].layers[0].mlp == 3 * 192


def test_a_pruned_spec_is_read():
    spec = Spec.from_json(json.dumps(SMALL))
    assert spec.stages[0].layers == (ViTLayer(2, 3, 5, 7), ViTLayer(0, 0, 0, 9))
    assert [block.op for block in spec.blocks()] == [
        "swin_embed",
        "window_attention",
        "mlp",
        "mlp",
        "token_merging",
        "window_attention",
        "pooled_tokens_classifier",
    ]


SHORT = {"family": "swin", "embed": 8, "depths": [2, 2], "heads": [2, 4], "resolution": 56}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"resolution": 58}, ["resolution=58", "patch=4"]),
        ({"resolution": 60}, ["stages[0]", "window=7", "15x15"]),
        ({"resolution": 28}, ["stages[1]", "7x7", "odd", "resolution=28"]),
        ({"resolution": 4096, "patch": 1}, ["tokens", "larger patch"]),
        ({"window": 0}, ["window=0"]),
        ({"window": "7"}, ["window='7'"]),
        ({"window": 6}, ["window=6", "14x14", "stages[0]"]),
        ({"heads": [3, 4]}, ["heads[0]=3", "width 8"]),
        ({"heads": [2]}, ["depths=[2, 2]", "heads=[2]"]),
        ({"heads": 2}, ["heads=2", "list"]),
        ({"depths": [2, 0]}, ["depths[1]=0"]),
        ({"depths": [2, True]}, ["depths[1]=True"]),
        ({"mlp_ratio": 1.5}, ["mlp_ratio=1.5"]),
        ({"embed": 10**9}, ["embed=1000000000"]),
        ({"norm_eps": 0}, ["norm_eps=0"]),
        ({"attention_scale_dim": 0}, ["attention_scale_dim=0"]),
        ({"windw": 7}, ["'windw'", "'window'"]),
        ({"stages": []}, ["'stages' and 'embed'"]),
        ({"classes": -1}, ["classes=-1"]),
        ({"name": ""}, ["name=''"]),
    ],
)
def test_bad_fields_are_refused(refused, change, words):
    with refused(*words):
        Spec.from_dict({**SHORT, **change})


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (3, ["stages=3", "list"]),
        ([], ["the number of stages=0"]),
        ([3], ["stages[0]", '"embed": 96']),
        ([{"embed": 8}], ["stages[0]", "'layers' is missing"]),
        ([{"embed": 8, "layers": 3}], ["stages[0]", "layers=3"]),
        ([{"embed": 8, "layers": []}], ["stages[0]", "depth=0"]),
        ([{"embed": 0, "layers": SMALL["stages"][0]["layers"]}], ["stages[0]", "embed=0"]),
        ([{"embed": 8, "layers": [{"heads": 1}]}], ["stages[0]", "layers[0]", "'qk' is missing"]),
        ([{"embed": 8, "layers": [], "depth": 2}], ["stages[0]", "'depth'"]),
    ],
)
def test_bad_stages_are_refused(refused, stages, words):
    with refused(*words):
        Spec.from_dict({**SMALL, "stages": stages})
    with refused("'stages' is missing"):
        Spec.from_dict({"family": "swin"})

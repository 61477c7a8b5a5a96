"""The spec of EfficientViT: published sizes, the order of blocks, JSON, wrong values. 0.1 s."""

from __future__ import annotations

import dataclasses

import pytest
from vitprof.models import Spec, create_spec
from vitprof.models.families.efficientvit.ops import kernels_code, kernels_of
from vitprof.models.families.efficientvit.spec import EfficientViTSpec
from vitprof.models.families.efficientvit.stage import EfficientViTStage

M4 = create_spec("efficientvit-m4")

# Table 6 and Fig. 7 of the paper, from EfficientViT-M4.
ABLATIONS = [
    {"ffns_before": 0, "ffns_after": 1},
    {"ffns_before": 2, "ffns_after": 2},
    {"ffns_before": 3, "ffns_after": 3},
    {"attention": "mhsa"},
    {"cascade": False},
    {"qk": 4},
    {"qk": 32},
    {"qk": (32, 64, 96)},
    {"v_ratio": 0.4},
    {"v_ratio": 1.2},
    {"ffn_ratio": 4},
    {"dwconv": False},
    {"norm": "layer"},
    {"activation": "hardswish"},
    {"activation": "gelu"},
]


@pytest.mark.parametrize(
    ("name", "macs", "params"),
    [
        ("m0", 79, 2.3),
        ("m1", 167, 3.0),
        ("m2", 201, 4.2),
        ("m3", 263, 6.9),
        ("m4", 299, 8.8),
        ("m5", 522, 12.4),
    ],
)
def test_published_sizes(name, macs, params):
    """Liu et al. 2023, table 2: its FLOPs are MACs; it writes M5's 12.47 M parameters as 12.4."""
    spec = create_spec(f"efficientvit-{name}")
    assert round(spec.macs / 1e6) == macs
    assert abs(spec.params / 1e6 - params) < 0.08


def test_blocks_in_order():
    layer = ["dwconv", "ffn", "cga", "dwconv", "ffn"]
    between = ["dwconv", "ffn", "patch_merging", "dwconv", "ffn"]
    ops = [block.op for block in M4.blocks()]
    assert ops == [
        "conv_stem",
        *layer,
        *between,
        *layer * 2,
        *between,
        *layer * 3,
        "pooled_classifier",
    ]
    attentions = [block for block in M4.blocks() if block.op == "cga"]
    assert [(b["resolution"], b["window"], b["kernels"]) for b in attentions] == [
        (14, 7, 753),
        *[(7, 7, 753)] * 2,
        *[(4, 4, 753)] * 3,
    ]
    assert [b["v"] for b in attentions] == [32, 64, 64, 96, 96, 96]


@pytest.mark.parametrize("fields", ABLATIONS)
def test_every_choice_of_the_paper_is_a_field(fields):
    spec = dataclasses.replace(M4, **{"cascade": None, **fields})
    assert spec.blocks() != M4.blocks()
    again = Spec.from_json(spec.to_json())
    assert again == spec
    assert again.blocks() == spec.blocks()


def test_the_paper_s_choices_move_the_counts():
    more = dataclasses.replace(M4, ffn_ratio=4.0)
    assert more.params > 1.5 * M4.params
    assert dataclasses.replace(M4, cascade=False).macs == M4.macs
    assert dataclasses.replace(M4, norm="layer").params == M4.params
    assert dataclasses.replace(M4, attention="mhsa", cascade=None).cascade is False
    assert not any(b.op == "dwconv" for b in dataclasses.replace(M4, dwconv=False).blocks())
    twice = dataclasses.replace(M4, ffns_before=2, ffns_after=2)
    assert sum(b.op == "ffn" for b in twice.blocks()) == 4 * 6 + 4


def test_queries_have_a_width_of_their_own_in_each_stage():
    spec = dataclasses.replace(M4, qk=[32, 64, 96])
    assert spec.qks == (32, 64, 96)
    assert [b["qk"] for b in spec.blocks() if b.op == "cga"] == [32, 64, 64, 96, 96, 96]
    assert Spec.from_json(spec.to_json()) == spec
    assert hash(spec) != hash(M4)


def test_equal_widths_of_queries_are_one_number():
    assert dataclasses.replace(M4, qk=(16, 16, 16)) == M4
    assert M4.to_dict()["qk"] == 16  # as files have it that were written before


def test_a_larger_image_pads_its_windows():
    spec = dataclasses.replace(M4, resolution=320)
    maps = {(b["resolution"], b["window"]) for b in spec.blocks() if b.op == "cga"}
    assert maps == {(20, 7), (10, 7), (5, 5)}
    assert spec.sides == [20, 10, 5]


@pytest.mark.parametrize(
    ("kernels", "heads", "code"),
    [((5, 5, 5, 5), 4, 5), ((7, 5, 3, 3), 4, 753), ((7, 5), 2, 75), ((3,), 7, 3), ((1,), 2, 1)],
)
def test_kernels_of_heads_are_digits(kernels, heads, code):
    assert kernels_code(kernels) == code
    assert kernels_of(code, heads) == tuple(kernels) + (kernels[-1],) * (heads - len(kernels))


def test_wrong_values_are_refused(refused):
    def with_fields(**fields):
        return dataclasses.replace(M4, **fields)

    with refused("resolution=200", "multiple of 16"):
        with_fields(resolution=200)
    with refused("resolution=32", "stage 3"):
        with_fields(resolution=32)
    with refused("heads=3", "embed=64"):
        EfficientViTStage(64, 1, 3)
    with refused("kernels=7", "3x3"):
        with_fields(resolution=96, kernels=(7,))
    with refused("kernels=4", "even"):
        with_fields(kernels=(4,))
    with refused("kernels", "six"):
        with_fields(
            stages=(EfficientViTStage(64, 1, 8),), window=14, kernels=(3, 5, 7, 3, 5, 7, 9, 3)
        )
    with refused("embed=12", "multiple of 8"):
        with_fields(stages=(EfficientViTStage(12, 1, 2),))
    with refused("cascade", "mhsa"):
        with_fields(attention="mhsa", cascade=True)
    with refused("attention='cgaa'", "'cga'"):
        with_fields(attention="cgaa", cascade=None)
    with refused("activation='tanh'"):
        with_fields(activation="tanh")
    with refused("norm='group'"):
        with_fields(norm="group")
    with refused("v_ratio=0"):
        with_fields(v_ratio=0)
    with refused("ffn_ratio='2'"):
        with_fields(ffn_ratio="2")
    with refused("window=0"):
        with_fields(window=0)
    with refused("qk=[16, 32]", "3 stages"):
        with_fields(qk=(16, 32))
    with refused("qk=0"):
        with_fields(qk=(16, 0, 16))
    with refused("dwconv=1"):
        with_fields(dwconv=1)
    with refused("stages=((64, 1, 4),)"):
        with_fields(stages=((64, 1, 4),))
    with refused("number of stages=0"):
        with_fields(stages=())


def test_wrong_fields_are_refused(refused):
    record = M4.to_dict()
    with refused("'ffn_ration'", "'ffn_ratio'"):
        Spec.from_dict({**record, "ffn_ration": 2})
    with refused("'stages'", "missing"):
        Spec.from_dict({"family": "efficientvit"})
    with refused("stages[1]", "'head'", "'heads'"):
        wrong = {"embed": 64, "depth": 1, "head": 4}
        Spec.from_dict({**record, "stages": [record["stages"][0], wrong]})
    with refused("stages[0]", "heads=5"):
        Spec.from_dict({**record, "stages": [{"embed": 64, "depth": 1, "heads": 5}]})
    with refused("stages=3"):
        Spec.from_dict({**record, "stages": 3})


def test_a_spec_is_its_fields():
    stages = (EfficientViTStage(64, 1, 4),)
    assert EfficientViTSpec(stages=stages) == EfficientViTSpec(stages=list(stages), ffn_ratio=2)
    assert create_spec("efficientvit-m4").family == "efficientvit"

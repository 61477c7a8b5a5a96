"""What a subnet inherits has its model's names and shapes, and is the part it should be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from vitprof.models import (
    AutoViTSpec,
    MBConvStage,
    TransformerStage,
    ViTLayer,
    ViTSpec,
    create_model,
    create_spec,
)
from vitprof.models.inheritance.inherited import inherited
from vitprof.models.inheritance.slices import Slice

LARGEST = ViTSpec(
    embed=24, layers=(ViTLayer(3, 8, 6, 32),) * 2, resolution=8, patch=2, classes=10,
    distilled=True, in_channels=1,
)  # fmt: skip


def shapes(spec) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(t.shape) for name, t in create_model(spec).state_dict().items()}


def check(supernet, subnet) -> None:
    found = inherited(supernet, subnet)
    of = shapes(supernet)
    assert {name: part.shape for name, part in found.items()} == shapes(subnet)
    for part in found.values():
        for ranges, size in zip(part.dims, of[part.source], strict=True):
            assert ranges[-1][1] <= size


def test_names_and_shapes_are_those_of_the_subnets_model(space) -> None:
    candidates = space.sample(np.random.default_rng(0), 12)
    for candidate in (space.smallest(), space.largest(), *candidates):
        check(space.supernet_spec(), space.spec(candidate))


def test_a_supernet_inherits_itself_whole(space) -> None:
    spec = space.supernet_spec()
    sizes = shapes(spec)
    for name, part in inherited(spec, spec).items():
        assert part == Slice(name, tuple(((0, size),) for size in sizes[name]))
        assert part.is_prefix


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


def test_halves_may_be_absent() -> None:
    subnet = replace(LARGEST, layers=(ViTLayer(0, 0, 0, 16), ViTLayer(1, 8, 6, 0)))
    check(LARGEST, subnet)


HYBRID = AutoViTSpec(
    mbconvs=(MBConvStage(8, 2, 2, 1, kernel=5),),
    transformers=(
        TransformerStage(8, 12, 2, 2, 4, 4, 16, stride=2),
        TransformerStage(8, 16, 2, 2, 4, 4, 16, stride=2),
    ),
    pool_width=20, resolution=32, in_channels=1, classes=10,
)  # fmt: skip


def test_fewer_stages_still_end_in_pool_and_classifier() -> None:
    subnet = replace(HYBRID, transformers=HYBRID.transformers[:1])
    check(HYBRID, subnet)
    found = inherited(HYBRID, subnet)
    # Stem, two MBConvs, entry and layers of each stage, MBPool, classifier.
    assert found["blocks.5.mix.weight"].source == "blocks.7.mix.weight"
    assert found["blocks.6.weight"].source == "blocks.8.weight"


def test_depth_leaves_out_the_last_mbconvs_of_a_stage() -> None:
    subnet = replace(HYBRID, mbconvs=(replace(HYBRID.mbconvs[0], depth=1),))
    check(HYBRID, subnet)
    found = inherited(HYBRID, subnet)
    assert found["blocks.2.project.conv.weight"].source == "blocks.3.project.conv.weight"


def test_fusing_sees_the_first_channels_of_both_its_inputs() -> None:
    stages = tuple(replace(stage, channels=6) for stage in HYBRID.transformers)
    found = inherited(HYBRID, replace(HYBRID, transformers=stages))
    dims = found["blocks.4.fuse.conv.conv.weight"].dims
    assert dims == (((0, 6),), ((0, 6), (8, 14)), ((0, 3),), ((0, 3),))


def test_a_smaller_kernel_is_the_middle_of_a_larger_one() -> None:
    subnet = replace(HYBRID, mbconvs=(replace(HYBRID.mbconvs[0], kernel=3),))
    found = inherited(HYBRID, subnet)
    assert found["blocks.1.depthwise.conv.conv.weight"].dims[2:] == (((1, 4),), ((1, 4),))


@pytest.mark.parametrize(("subnet", "words"), [
    (replace(LARGEST, resolution=16), ("resolution=16", "8")),
    (replace(LARGEST, patch=4), ("patch=4",)),
    (replace(LARGEST, classes=9), ("classes=9",)),
    (replace(LARGEST, attention_scale_dim=64), ("attention_scale_dim=64",)),
    (replace(LARGEST, distilled=False, distillation_head=False), ("distilled=False",)),
    (replace(LARGEST, norm_eps=1e-5), ("norm_eps=1e-05", "1e-06")),
    (replace(LARGEST, merges=(2, 2)), ("merged tokens=4",)),
    (replace(LARGEST, embed=25), ("embed=25 is more", "24")),
    (replace(LARGEST, layers=LARGEST.layers * 2), ("depth=4 is more",)),
    (replace(LARGEST, layers=(LARGEST.layers[0], ViTLayer(3, 9, 6, 32))), ("layers[1].qk=9",)),
    (HYBRID, ("'autovit'", "'vit'")),
])  # fmt: skip
def test_a_vit_that_does_not_fit_is_refused(refused, subnet, words) -> None:
    with refused(*words):
        inherited(LARGEST, subnet)


STAGES = HYBRID.transformers


@pytest.mark.parametrize(("subnet", "words"), [
    (replace(HYBRID, stem_width=17), ("stem_width=17",)),
    (replace(HYBRID, activation="relu"), ("activation=relu",)),
    (replace(HYBRID, mbconvs=HYBRID.mbconvs * 2), ("mbconvs=2",)),
    (replace(HYBRID, transformers=(replace(STAGES[0], stride=1), STAGES[1])), ("[0].stride=1",)),
    (replace(HYBRID, mbconvs=(replace(HYBRID.mbconvs[0], depth=3),)), ("mbconvs[0].depth=3",)),
    (replace(HYBRID, transformers=(*STAGES, replace(STAGES[1], stride=1))), ("transformers=3",)),
    (replace(HYBRID, transformers=(STAGES[0], replace(STAGES[1], heads=3))), ("[1].heads=3",)),
])  # fmt: skip
def test_an_autovit_that_does_not_fit_is_refused(refused, subnet, words) -> None:
    with refused(*words):
        inherited(HYBRID, subnet)


def test_a_pool_that_would_see_more_channels_than_the_supernets_is_refused(refused) -> None:
    narrowing = replace(HYBRID, transformers=(STAGES[0], replace(STAGES[1], channels=4)))
    with refused("MBPool", "in_channels=8"):
        inherited(narrowing, replace(narrowing, transformers=narrowing.transformers[:1]))


def test_other_families_are_refused(refused) -> None:
    with refused("'swin'"):
        inherited(create_spec("swin-tiny"), create_spec("swin-tiny"))

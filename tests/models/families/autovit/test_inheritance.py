"""What an AutoViT inherits is the part of the larger one that it should be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vitprof.models import AutoViTSpec, MBConvStage, TransformerStage
from vitprof.models.inheritance.inherited import inherited

HYBRID = AutoViTSpec(
    mbconvs=(MBConvStage(8, 2, 2, 1, kernel=5),),
    transformers=(
        TransformerStage(8, 12, 2, 2, 4, 4, 16, stride=2),
        TransformerStage(8, 16, 2, 2, 4, 4, 16, stride=2),
    ),
    pool_width=20,
    resolution=32,
    in_channels=1,
    classes=10,
)


def test_fewer_stages_still_end_in_pool_and_classifier(check_inheritance) -> None:
    subnet = replace(HYBRID, transformers=HYBRID.transformers[:1])
    check_inheritance(HYBRID, subnet)
    found = inherited(HYBRID, subnet)
    # Stem, two MBConvs, entry and layers of each stage, MBPool, classifier.
    assert found["blocks.5.mix.weight"].source == "blocks.7.mix.weight"
    assert found["blocks.6.weight"].source == "blocks.8.weight"


def test_depth_leaves_out_the_last_mbconvs_of_a_stage(check_inheritance) -> None:
    subnet = replace(HYBRID, mbconvs=(replace(HYBRID.mbconvs[0], depth=1),))
    check_inheritance(HYBRID, subnet)
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


STAGES = HYBRID.transformers


@pytest.mark.parametrize(
    ("subnet", "words"),
    [
        (replace(HYBRID, stem_width=17), ("stem_width=17",)),
        (replace(HYBRID, activation="relu"), ("activation=relu",)),
        (replace(HYBRID, mbconvs=HYBRID.mbconvs * 2), ("mbconvs=2",)),
        (
            replace(HYBRID, transformers=(replace(STAGES[0], stride=1), STAGES[1])),
            ("[0].stride=1",),
        ),
        (replace(HYBRID, mbconvs=(replace(HYBRID.mbconvs[0], depth=3),)), ("mbconvs[0].depth=3",)),
        (
            replace(HYBRID, transformers=(*STAGES, replace(STAGES[1], stride=1))),
            ("transformers=3",),
        ),
        (replace(HYBRID, transformers=(STAGES[0], replace(STAGES[1], heads=3))), ("[1].heads=3",)),
    ],
)
def test_an_autovit_that_does_not_fit_is_refused(refused, subnet, words) -> None:
    with refused(*words):
        inherited(HYBRID, subnet)


def test_a_pool_that_would_see_more_channels_than_the_supernets_is_refused(refused) -> None:
    narrowing = replace(HYBRID, transformers=(STAGES[0], replace(STAGES[1], channels=4)))
    with refused("MBPool", "in_channels=8"):
        inherited(narrowing, replace(narrowing, transformers=narrowing.transformers[:1]))

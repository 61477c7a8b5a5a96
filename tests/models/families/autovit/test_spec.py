"""AutoViT as data: its blocks, its JSON, what it refuses, its sizes. About 1 second."""

from __future__ import annotations

import dataclasses
import json

import pytest
from vitprof.models import Block, Spec, create_spec
from vitprof.models.families.autovit.known import autovit_of_table
from vitprof.models.families.autovit.spec import AutoViTSpec
from vitprof.models.families.autovit.stages import MBConvStage, TransformerStage

MBCONVS = (MBConvStage(4, 2, 3, 2),)
STAGE = TransformerStage(
    channels=5, embed=6, depth=2, heads=3, qk=2, v=4, mlp=9, stride=2, expansion=1, kernel=3
)
SMALL = AutoViTSpec(
    mbconvs=MBCONVS,
    transformers=(STAGE,),
    pool_width=7,
    stem_width=2,
    resolution=32,
    classes=10,
    activation="gelu",
)


def with_fields(**fields: object) -> dict[str, object]:
    return {**SMALL.to_dict(), **fields}


def test_blocks_in_order():
    conv = {"kernel": 3, "activation": 3}
    assert SMALL.blocks() == [
        Block.of("conv", in_channels=3, out_channels=2, stride=2, resolution=32, **conv),
        Block.of(
            "mbconv", in_channels=2, out_channels=4, expansion=3, stride=2, resolution=16, **conv
        ),
        Block.of(
            "mbconv", in_channels=4, out_channels=4, expansion=3, stride=1, resolution=8, **conv
        ),
        Block.of(
            "mbconv", in_channels=4, out_channels=5, expansion=1, stride=2, resolution=8, **conv
        ),
        Block.of(
            "mobilevit",
            in_channels=5,
            embed=6,
            heads=3,
            qk=2,
            v=4,
            mlp=9,
            depth=2,
            patch=2,
            resolution=4,
            **conv,
        ),
        Block.of("mbpool", in_channels=5, mlp=30, out_channels=7, resolution=4, activation=3),
        Block.of("linear_classifier", embed=7, classes=10),
    ]


@pytest.mark.parametrize("name", ["autovit-xxs", "autovit-xs", "autovit-s"])
def test_json_gives_the_same_spec(name):
    spec = create_spec(name)
    again = Spec.from_json(spec.to_json())
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.blocks() == spec.blocks()


def test_qk_and_v_are_embed_over_heads_unless_given(refused):
    stage = {"channels": 5, "embed": 6, "depth": 1, "heads": 3, "mlp": 9, "stride": 2}
    spec = Spec.from_dict(with_fields(transformers=[stage]))
    assert isinstance(spec, AutoViTSpec)
    assert (spec.transformers[0].qk, spec.transformers[0].v) == (2, 2)
    with refused("transformers[0]", "heads=4", "embed=6", "divide"):
        Spec.from_dict(with_fields(transformers=[{**stage, "heads": 4}]))


def test_maps_that_strides_patches_or_kernels_do_not_fit_are_refused(refused):
    with refused("mbconvs[0]", "stride=2", "17×17"):
        dataclasses.replace(SMALL, resolution=34)
    with refused("the stem", "stride=2", "33×33"):
        dataclasses.replace(SMALL, resolution=33)
    with refused("transformers[0]", "patch=3", "4×4"):
        dataclasses.replace(SMALL, patch=3)
    with refused("transformers[0]", "kernel=5", "4×4"):
        dataclasses.replace(SMALL, transformers=(dataclasses.replace(STAGE, kernel=5),))
    with refused("mbconvs[0]", "kernel=17", "16×16"):
        dataclasses.replace(SMALL, mbconvs=(MBConvStage(4, 1, 1, 2, 17),))


def test_wrong_fields_are_refused(refused):
    with refused("'widht'", "'width'"):
        mbconv = {"widht": 4, "depth": 1, "expansion": 1, "stride": 1}
        Spec.from_dict(with_fields(mbconvs=[mbconv]))
    with refused("mbconvs[0]", "'stride'", "missing"):
        Spec.from_dict(with_fields(mbconvs=[{"width": 4, "depth": 1, "expansion": 1}]))
    with refused("unknown field 'pool'", "pool_width"):
        Spec.from_dict(with_fields(pool=3))
    with refused("'transformers'", "missing"):
        record = {k: v for k, v in SMALL.to_dict().items() if k != "transformers"}
        Spec.from_dict(record)
    with refused("transformers=7", "list"):
        Spec.from_dict(with_fields(transformers=7))
    with refused("transformers[0]", "object"):
        Spec.from_dict(with_fields(transformers=[7]))
    with refused("transformers[0]", "'channels'", "missing"):
        Spec.from_dict(with_fields(transformers=[{}]))
    with refused("number of mbconvs"):
        dataclasses.replace(SMALL, mbconvs=())
    with refused("mbconvs=", "MBConvStage"):
        dataclasses.replace(SMALL, mbconvs=(STAGE,))
    with refused("activation='sillu'", "silu"):
        dataclasses.replace(SMALL, activation="sillu")
    with refused("stride=3"):
        MBConvStage(4, 1, 1, 3)
    with refused("kernel=4", "odd"):
        MBConvStage(4, 1, 1, 1, 4)
    with refused("expansion=1.5"):
        Spec.from_json(
            json.dumps(with_fields(mbconvs=[{**dataclasses.asdict(MBCONVS[0]), "expansion": 1.5}]))
        )


# The paper's table 2 (M parameters, GMACs) and how far ours may be from it: docs/autovit.md.
PAPER = {"xxs": (1.8, 0.3), "xs": (2.5, 0.804), "s": (6.3, 1.318)}
DIFFERENCE = {"xxs": (0.05, 0.02), "xs": (0.30, 0.30), "s": (0.01, 0.01)}


@pytest.mark.parametrize("size", PAPER)
def test_sizes_beside_the_papers(size):
    spec = create_spec(f"autovit-{size}")
    ours = (spec.params / 1e6, spec.macs / 1e9)
    for value, paper, difference in zip(ours, PAPER[size], DIFFERENCE[size], strict=True):
        assert abs(value / paper - 1) < difference


def test_known_models_are_rows_of_table_5():
    spec = create_spec("autovit-s")
    assert isinstance(spec, AutoViTSpec)
    assert [stage.depth for stage in spec.transformers] == [5, 4, 4, 5]
    assert [stage.heads for stage in spec.transformers] == [9, 8, 8, 9]
    assert [stage.mlp for stage in spec.transformers] == [192, 352, 448, 408]
    assert [(stage.width, stage.depth) for stage in spec.mbconvs] == [(16, 2), (24, 3), (32, 3)]
    assert spec.resolution == 256


def test_three_transformer_stages_are_a_model_too():
    rows = ((16, 1, 1), (24, 2, 1), (32, 2, 1)), ((48, 2, 2, 1.5),) * 3
    spec = autovit_of_table("three", *rows, 1000)
    assert len(spec.transformers) == 3
    assert spec.blocks()[-2]["resolution"] == 8

"""What the parameters that say what to measure come to, before anything is measured."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
import vitprof
from vitprof.models import Block, create_spec
from vitprof.models.ablations import single_variants
from vitprof.profiler.plan import Plan
from vitprof.spaces.registry import find_search_space
from vitprof.tables import LatencyTable, Row, Setting


@pytest.mark.parametrize(
    ("family", "models"),
    [("vit", 8), ("swin", 8), ("vgg", 8), ("efficientvit", 24), ("autovit", 24)],
)
def test_small_models_are_fitted_on_more_of_them(family: str, models: int) -> None:
    plan = vitprof.plan(family)
    assert len(plan.models) == models
    assert len({spec.name for spec in plan.models}) == models
    assert len(vitprof.plan(family, whole_models=3).models) == 3


def test_every_block_of_a_models_variants_is_measured_as_it_is(setting: Setting) -> None:
    """No block's cost follows from others', and yet single variants cost what their blocks do."""

    def cost(block: Block) -> float:
        return 1 + zlib.crc32(str(block).encode()) / 2**32

    model = create_spec("efficientvit-m4")
    plan = vitprof.plan("efficientvit", ablations=model, whole_models=0)
    assert plan == vitprof.plan("efficientvit", ablations="efficientvit-m4", whole_models=0)
    assert len(set(plan.blocks)) == len(plan.blocks)
    table = LatencyTable([Row(block, latency_ms=cost(block)) for block in plan.blocks], setting)
    variants = list(single_variants(model))
    assert len(variants) > 15
    for variant in variants:
        own = sum(map(cost, variant.spec.blocks()))
        assert table.predict(variant.spec).ms == pytest.approx(own)


def test_levels_and_lengths_are_text_or_numbers() -> None:
    by_text = vitprof.plan(grid="embed=192,384;attention.heads=1,3", tokens="197,99")
    by_number = vitprof.plan(
        grid={"embed": [192, 384], "attention.heads": [1, 3]}, tokens=[197, 99]
    )
    assert by_text == by_number
    assert {block["tokens"] for block in by_text.blocks if block.op == "mlp"} == {197, 99}


def test_points_thin_a_plan_out_or_leave_room_to_refine_it() -> None:
    few = vitprof.plan(space="autovit-xxs", points=200, whole_models=0)
    assert len(few.points) <= 200
    assert few.refinement is None
    more = vitprof.plan(space="autovit-xxs", points=400, whole_models=0)
    assert more.refinement is not None
    assert more.refinement.points == 400
    assert len(more.points) <= 300


def test_a_refined_plan_keeps_what_is_measured_as_it_is_and_the_models() -> None:
    plan = vitprof.plan("efficientvit", ablations="efficientvit-m4", points=600, whole_models=2)
    assert plan.refinement is not None
    probe = Block.of("mlp", embed=8, mlp=16, tokens=2)
    finer = plan.refined(plan.refinement.space, [probe])
    assert set(finer.blocks) == {*plan.blocks, probe}
    assert finer.models == plan.models
    assert finer.seed == plan.seed


def test_a_search_space_is_named_or_given_and_goes_into_the_plan() -> None:
    space = find_search_space("autoformer-tiny")
    plan = vitprof.plan(space=space, grid="mlp.mlp=600,960", whole_models=0)
    assert plan == vitprof.plan(space="autoformer-tiny", grid="mlp.mlp=600,960", whole_models=0)
    assert plan.search_space == space.to_dict()
    assert {block["mlp"] for block in plan.blocks if block.op == "mlp"} == {600, 960}


def test_blocks_in_their_place_are_those_of_one_model() -> None:
    spec = create_spec("vit-micro-8")
    plan = vitprof.plan(in_model="vit-micro-8", seed=4)
    assert plan == replace(Plan.in_model(spec), seed=4)
    assert plan.blocks == list(dict.fromkeys(spec.blocks()))


def test_a_plan_shows_its_points() -> None:
    plan = vitprof.plan(model="vit-micro-8", points=24, whole_models=3, context="in_network")
    frame = plan.to_frame()
    assert len(frame) == len(plan.points) == 27
    assert set(frame["op"]) == {"patch_embed", "attention", "mlp", "classifier", "model"}
    assert set(frame.loc[frame["op"] == "mlp", "context"]) == {"in_network"}
    assert plan.report()["points"] == sum(plan.report()["ops"].values()) == 24
    assert repr(plan).startswith("Plan of 24 blocks")
    assert "<table" in plan._repr_html_()


def test_what_contradicts_itself_is_refused(refused) -> None:
    with refused("`space` says what its models are", "`family`, `tokens`"):
        vitprof.plan("vit", space="autovit-xxs", tokens=[5])
    with refused("`in_model`", "`points`"):
        vitprof.plan(in_model="vit-micro-8", points=9)
    with refused("`family` is 'swin'", "family 'vit'"):
        vitprof.plan("swin", model="vit-micro-8")
    with refused("in_netwrk", "did you mean 'in_network'"):
        vitprof.plan(context="in_netwrk")
    with refused("vitt", "did you mean 'vit'"):
        vitprof.plan("vitt")

"""Which widths between whole tiles a plan probes, and what a table then knows of them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
import vitprof
from vitprof.backends import OnnxRuntimeBackend
from vitprof.models import Block, find_op
from vitprof.profiler.plan import Plan
from vitprof.profiler.step_probes import with_step_probes
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.grids.steps import Steps

TILE = 32


class Tiled:
    """A backend as far as plans look at it."""

    tile_width = TILE


def added(plan: Plan) -> list[Block]:
    before = set(plan.blocks)
    return [block for block in with_step_probes(plan, Tiled()).blocks if block not in before]  # type: ignore[arg-type]


@pytest.mark.parametrize("family", ["vit", "efficientvit", "autovit", "swin"])
def test_probes_are_between_tiles_along_one_axis(family: str) -> None:
    plan = vitprof.plan(family)
    probes = added(plan)
    assert probes
    assert len(probes) < 0.5 * len(plan.blocks)
    for probe in probes:
        fixed = find_op(probe.op).fixed
        alike = [
            block
            for block in plan.blocks
            if block.op == probe.op and all(block[axis] == probe[axis] for axis in fixed)
        ]
        levels = {axis: {block[axis] for block in alike} for axis in find_op(probe.op).axes}
        off = [axis for axis, values in levels.items() if probe[axis] not in values]
        assert len(off) == 1
        low, high = min(levels[off[0]]), max(levels[off[0]])
        assert low < probe[off[0]] < high
        assert probe[off[0]] % 8 == 0
        assert probe[off[0]] % TILE or high - low <= 2 * TILE


def test_each_remainder_is_probed_at_both_ends() -> None:
    probes = [block for block in added(vitprof.plan("vit")) if block.op == "mlp"]
    narrow = [block for block in probes if block["embed"] == 576 and block["mlp"] < 300]
    wide = [block for block in probes if block["embed"] == 576 and block["mlp"] > 700]
    assert [block["mlp"] for block in narrow] == [200, 208, 216]
    assert [block["mlp"] for block in wide] == [776, 784, 792], "wider ones may have no steps"
    of_embed = Counter(block["embed"] % TILE for block in probes if block["mlp"] == 2304)
    assert of_embed == {8: 2, 16: 2, 24: 2}


def test_each_width_of_a_head_is_probed() -> None:
    probes = [block for block in added(vitprof.plan("vit")) if block.op == "attention"]
    for axis, other in (("qk", "v"), ("v", "qk")):
        assert [b[axis] for b in probes if b[axis] < 64 and b[other] == 64] == [24, 32, 40, 48, 56]


def test_a_plan_of_so_many_points_gets_no_more() -> None:
    plan = vitprof.plan("vit", points=40)
    assert with_step_probes(plan, Tiled()) is plan  # type: ignore[arg-type]


def test_a_runtime_without_tiles_leaves_the_plan() -> None:
    plan = vitprof.plan("vit")
    assert with_step_probes(plan, OnnxRuntimeBackend()) is plan


def test_whole_models_and_their_order_stay() -> None:
    plan = vitprof.plan("vit")
    more = with_step_probes(plan, Tiled())  # type: ignore[arg-type]
    assert more.models == plan.models
    assert more.blocks[: len(plan.blocks)] == plan.blocks
    assert more.representatives == plan.representatives


def test_a_table_of_the_plan_knows_a_staircase(setting: Setting) -> None:
    """Random models of a runtime that takes a fifth longer where it has a kernel of half tiles.

    So do heads, but for those of 16 columns.
    """

    def ms(block: Block) -> float:
        dims = {axis: value for axis, value in block.as_dict().items() if value != 16}
        within = sum(takes_longer(dims[axis]) for axis in ("embed", "mlp") if axis in dims)
        within += dims.get("v", 0) % TILE != 0
        return 1e-6 * block.macs * 1.2**within

    def takes_longer(width: int) -> bool:
        """XNNPACK's rule: half tiles waste less, and whole ones more than 1 %."""
        wasted = (TILE - width % TILE) % TILE
        return 0 < width % TILE <= TILE // 2 and wasted * 100 > width

    def rows(plan: Plan) -> list[Row]:
        return [
            Row(b, latency_ms=ms(b), low_ms=0.99 * ms(b), high_ms=1.01 * ms(b), verdict="stable")
            for b in plan.blocks
        ]

    plan = vitprof.plan("vit", whole_models=0)
    without = LatencyTable(rows(plan), setting)
    header = replace(without.header, observed={"tile": TILE})
    table = LatencyTable(rows(with_step_probes(plan, Tiled())), header)  # type: ignore[arg-type]
    rng = random.Random(3)
    specs = [ViTSlabs.create().sample(rng) for _ in range(30)]
    true = [sum(map(ms, spec.blocks())) for spec in specs]

    def worst(by: LatencyTable) -> float:
        return max(
            abs(by.predict(one, calibrated=False).ms / t - 1)
            for one, t in zip(specs, true, strict=True)
        )

    assert worst(without) > 0.1
    assert worst(table) < 0.02
    at_once = table.predict_many(specs)
    assert at_once == pytest.approx([table.predict(one).ms for one in specs])


def test_steps_are_shared_by_all_grids_of_an_op(setting: Setting) -> None:
    plan = vitprof.plan("efficientvit", whole_models=0)
    more = with_step_probes(plan, Tiled())  # type: ignore[arg-type]
    rows = [Row(b, latency_ms=1 + b.macs / 1e6, verdict="stable") for b in more.blocks]
    header = replace(LatencyTable(rows, setting).header, observed={"tile": TILE})
    table = LatencyTable(rows, header)
    found = [Steps.of(table.grids(op).parts, TILE) for op in table.ops]
    assert any(found)

"""Which kernels and blocks a plan of given models has."""

from __future__ import annotations

import pytest
from small_onnx.foreign_spec import residual_spec
from vitprof import plan
from vitprof.errors import UserError
from vitprof.models import create_spec
from vitprof.profiler.kernel_plan import default_kernels, further_kernels, kernels_of_models
from vitprof.profiler.plan import Point, guessed_ms, is_kernel, kernel_repeats
from vitprof.profiler.plan_for import plan_for_models
from vitprof.profiler.sampling.extra_sessions import wanted_sessions
from vitprof.profiler.sampling.protocol import Protocol


def test_a_plan_has_every_kind_of_kernel_of_its_models_and_the_models() -> None:
    models = [residual_spec(16, 2), residual_spec(32, 3)]
    found = plan_for_models(models)
    assert found.models == models
    wanted = {(b.op, *(b[a] for a in b.definition.fixed)) for m in models for b in m.blocks()}
    has = {(b.op, *(b[a] for a in b.definition.fixed)) for b in found.blocks}
    assert has >= wanted
    own = {block for model in models for block in model.blocks()}
    assert set(found.blocks) <= own | set(further_kernels())


def test_near_twins_are_measured_once() -> None:
    models = [residual_spec(64, 2), residual_spec(68, 2)]
    both = kernels_of_models(models)
    assert len(both) < 1.5 * len(kernels_of_models(models[:1]))


def test_the_kernels_that_matter_come_first() -> None:
    found = kernels_of_models([residual_spec(64, 4)])
    counts = dict(residual_spec(64, 4).parts)
    shares = [counts[block] * guessed_ms(block) for block in found]
    assert shares == sorted(shares, reverse=True)
    ops = {block.op for block in found}
    few = kernels_of_models([residual_spec(64, 4)], len(ops) + 1)
    assert {block.op for block in few} == ops and len(few) == len(ops) + 1
    assert found[:2] == few[:2]


def test_twenty_models_of_a_family_cost_little_more_than_one() -> None:
    one = plan_for_models([create_spec("deit-base")], whole_models=0)
    names = ("deit-tiny", "deit-small", "deit-base", "vit-tiny-32", "deit-small-distilled")
    several = plan_for_models([create_spec(name) for name in names], whole_models=0)
    assert len(several.blocks) < 1.3 * len(one.blocks)
    assert {block for name in names for block in create_spec(name).blocks()} <= set(several.blocks)


def test_kernels_are_repeated_until_a_run_is_long_enough_to_time() -> None:
    blocks = [block for block in default_kernels() if is_kernel(block)]
    for block in blocks:
        parts = Point(block).parts
        assert len(parts) == 1
        assert parts[0].subject == (block,) * kernel_repeats(block)
        assert parts[0].weight * kernel_repeats(block) == pytest.approx(1.0)
    assert (
        kernel_repeats(max(blocks, key=guessed_ms))
        == 1
        < kernel_repeats(min(blocks, key=guessed_ms))
    )
    protocol = Protocol()
    assert wanted_sessions(Point(blocks[0]), protocol) == protocol.kernel_sessions


def test_the_default_choice_can_be_made_smaller() -> None:
    assert len(plan(kernels=True).blocks) == len(default_kernels())
    assert plan(space="kernels").blocks == plan(kernels=True).blocks
    few = plan(kernels=True, points=50)
    assert len(few.blocks) == 50 and set(few.blocks) <= set(default_kernels())


def test_a_list_of_models_says_all_there_is_to_say() -> None:
    with pytest.raises(UserError, match="`model`"):
        plan(for_models=["deit-tiny"], model="deit-small")
    with pytest.raises(UserError, match="`grid`"):
        plan(kernels=True, grid="embed=192")

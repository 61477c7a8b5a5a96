"""What the BERT space plans: widths, heads, neurons and sequence lengths that pruning may leave."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from vitprof.models import BertSpec, ViTLayer, create_spec
from vitprof.profiler.refine import find_gaps
from vitprof.profiler.spaces_of_table import spaces_of_table
from vitprof.spaces.bert import BertSlabs
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting

TINY = create_spec("bert-tiny")
Refused = Callable[..., object]


@pytest.fixture(scope="module")
def table_of(row_of: Callable[..., Row], setting: Setting) -> Callable[..., LatencyTable]:
    """Return a table in which a block takes a time that follows from all its dims."""

    def table(*spaces) -> LatencyTable:
        blocks = dict.fromkeys(block for space in spaces for block in space.blocks())
        rows = [row_of(b, 0.01 + b.macs / 1e8 + b.params / 1e9) for b in blocks]
        return LatencyTable(rows, setting)

    return table


def pruned(spec: BertSpec, tokens: int) -> BertSpec:
    """Return the spec with fewer heads and neurons, differently in every layer."""
    layers = tuple(
        ViTLayer(max(layer.heads - n - 1, 1), layer.qk, layer.v, layer.mlp // 2 - 16 * n)
        for n, layer in enumerate(spec.layers)
    )
    return replace(spec, layers=layers, tokens=tokens)


@pytest.mark.parametrize("tokens", [32, 33, 50, 100, 128])
def test_fewer_heads_neurons_and_tokens_are_covered(tokens, table_of) -> None:
    table = table_of(BertSlabs.create(TINY))
    prediction = table.predict(pruned(TINY, tokens))
    assert prediction.extrapolated == []
    assert prediction.ms < table.predict(TINY).ms
    default = table_of(BertSlabs.create())
    assert default.predict(pruned(create_spec("bert-base"), tokens)).extrapolated == []


def test_between_two_lengths_the_table_interpolates(table_of) -> None:
    table = table_of(BertSlabs.create(TINY))
    at = {n: table.predict(replace(TINY, tokens=n)).ms for n in (64, 96, 128)}
    assert at[96] == pytest.approx((at[64] + at[128]) / 2)


def test_lengths_are_those_asked_for() -> None:
    space = BertSlabs.create(TINY).with_levels("tokens=16,48; attention.heads=1,2")
    assert space.lengths == (16, 48)
    assert {block["tokens"] for block in space.blocks()} == {16, 48}
    assert {spec.tokens for spec in space.calibration_models(6)} == {16, 48}


def test_all_lengths_of_an_op_keep_the_same_levels() -> None:
    space = BertSlabs.create()
    fewer = space.limited_to(len(space.blocks()) // 2)
    assert len(fewer.blocks()) <= len(space.blocks()) // 2
    gap = find_gaps(space, random.Random(0))[0]
    slab = next(s for s in space.slabs if s.key == gap.slab)
    wider = space.with_slab(slab.with_levels(gap.axis, [*slab.levels[gap.axis], gap.level]))
    for changed in (fewer, wider):
        for op in changed.ops:
            assert len({str(s.levels) for s in changed.slabs if s.op == op}) == 1


def test_a_table_gives_back_all_its_lengths_and_only_its_own(table_of) -> None:
    space = BertSlabs.create(TINY)
    vit = ViTSlabs.create(create_spec("vit-micro-8"))
    found = {s.name: s for s in spaces_of_table(table_of(space, vit))}
    assert set(found) == {"bert", "vit"}
    bert = found["bert"]
    assert isinstance(bert, BertSlabs)
    assert {s.key: s.levels for s in space.slabs}.items() <= {
        s.key: s.levels for s in bert.slabs
    }.items()
    rng = random.Random(1)
    assert {bert.sample(rng).tokens for _ in range(20)} == set(space.lengths)


def test_a_model_without_attention_has_a_space(table_of) -> None:
    spec = replace(TINY, layers=(ViTLayer(0, 0, 0, 512),) * 2)
    space = BertSlabs.create(spec)
    assert table_of(space).predict(spec).extrapolated == []
    assert all(not layer.heads for layer in space.sample(random.Random(0)).layers)


def test_what_makes_no_sense_is_refused(refused: Refused) -> None:
    with refused("`resolution`", "`tokens`"):
        BertSlabs.create(resolution=224)
    with refused("`patch`"):
        BertSlabs.create(patch=16)
    with refused("513", "512 positions"):
        BertSlabs.create().with_levels("tokens=513")
    with refused("write tokens="):
        BertSlabs.create().with_levels("mlp.tokens=64")
    with refused("not a BERT"):
        BertSlabs.create(create_spec("deit-tiny"))

"""What a space plans is what the models of it need."""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.models import Block, ViTLayer, ViTSpec, create_spec
from vitprof.profiler.plan import Plan
from vitprof.profiler.spaces_of_table import grids_of
from vitprof.spaces.vit import DEFAULT_LEVELS, ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting

TableOf = Callable[[ViTSlabs], LatencyTable]


@pytest.fixture(scope="session")
def table_of(row_of: Callable[..., Row], setting: Setting) -> TableOf:
    """Return a table of every block of a space; a block costs what its MACs and weights are."""

    def table(space: ViTSlabs) -> LatencyTable:
        rows = [row_of(b, 0.01 + b.macs / 1e8 + b.params / 1e9) for b in space.blocks()]
        return LatencyTable(rows, setting)

    return table


def outside(space: ViTSlabs, spec: ViTSpec) -> list[Block]:
    """Return the blocks of the spec that lie outside the ranges that the space measures."""
    measured = space.blocks()
    wrong = []
    for block in spec.blocks():
        of_op = [m for m in measured if m.op == block.op]
        spans = {a: [m[a] for m in of_op] for a, _ in block.dims}
        if not of_op or any(not min(spans[a]) <= v <= max(spans[a]) for a, v in block.dims):
            wrong.append(block)
    return wrong


def test_the_default_plan_is_small_and_has_every_point_once() -> None:
    blocks = ViTSlabs().blocks()
    assert len(blocks) <= 150
    assert len(set(blocks)) == len(blocks) == len(Plan.of_blocks(blocks).points)
    assert list(dict.fromkeys(block.op for block in blocks)) == list(DEFAULT_LEVELS)


@pytest.mark.parametrize("name", ["deit-tiny", "deit-small", "deit-base", "vit-tiny", "vit-base"])
def test_the_default_table_predicts_the_deits_without_extrapolation(
    name: str, table_of: TableOf
) -> None:
    spec = create_spec(name)
    assert outside(ViTSlabs(), spec) == []
    assert table_of(ViTSlabs()).predict(spec).extrapolated == []


def test_the_frame_of_a_distilled_model_covers_it(table_of: TableOf) -> None:
    space = ViTSlabs().with_frame(prefix=2, heads_of_classifier=2, resolution=None)
    table_of(space).predict(create_spec("deit-small-distilled"))
    assert space.resolution == 224
    assert space.own_tokens == 198


def test_a_resolution_that_patches_do_not_fill_is_refused(refused: Callable[..., object]) -> None:
    with refused("resolution 225", "patch 16"):
        ViTSlabs().with_frame(resolution=225).blocks()


# --- with_levels ----------------------------------------------------------------------------------


def test_an_axis_is_replaced_for_every_op_or_for_one() -> None:
    space = ViTSlabs().with_levels("embed=384,192,192; attention.heads = 3 ,6;;")
    for op in DEFAULT_LEVELS:
        assert space.levels[op]["embed"] == (192, 384)
    assert space.levels["attention"]["heads"] == (3, 6)
    assert space.levels["attention"]["qk"] == DEFAULT_LEVELS["attention"]["qk"]
    only_mlp = ViTSlabs().with_levels("mlp.embed=64")
    assert only_mlp.levels["mlp"]["embed"] == (64,)
    assert only_mlp.levels["attention"] == DEFAULT_LEVELS["attention"]
    assert ViTSlabs().levels == DEFAULT_LEVELS, "the space it came from is as before"


def test_an_empty_text_changes_nothing() -> None:
    assert ViTSlabs().with_levels("") == ViTSlabs().with_levels(" ; ") == ViTSlabs()


def test_tokens_are_levels_of_attention_and_mlp_alone() -> None:
    blocks = ViTSlabs().with_levels("tokens=197,99").blocks()
    for op, expected in (("attention", {99, 197}), ("mlp", {99, 197}), ("classifier", {197})):
        assert {block["tokens"] for block in blocks if block.op == op} == expected
    once = [block for block in ViTSlabs().blocks() if block.op in ("attention", "mlp")]
    assert len(blocks) == len(ViTSlabs().blocks()) + len(once)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("embd=1,2", ["embd=1,2", "did you mean 'embed'"]),
        ("heads", ["heads", "AXIS=NUMBER"]),
        ("embed=", ["embed=", "AXIS=NUMBER"]),
        ("embed=a,2", ["embed=a,2"]),
        ("embed=1.5", ["embed=1.5"]),
        ("embed=1,,2", ["embed=1,,2"]),
        ("=1,2", ["=1,2", "unknown axis"]),
        ("embed=0,2", ["0 is not a width"]),
        ("embed=-8", ["-8 is not a width"]),
        ("atention.heads=1", ["atention", "did you mean 'attention'"]),
        ("mlp.heads=1", ["mlp.heads", "unknown axis 'heads'"]),
        ("classifier.tokens=5", ["classifier.tokens", "write tokens="]),
        ("mlp.tokens=99,197", ["mlp.tokens", "share their tokens", "write tokens="]),
        ("op.tokens=5", ["op.tokens"]),
        ("embed=192;nonsense", ["nonsense"]),
        ("embed=" + "9" * 5000, ["AXIS=NUMBER"]),
    ],
)
def test_a_wrong_level_is_named(
    text: str, words: list[str], refused: Callable[..., object]
) -> None:
    with refused(*words):
        ViTSlabs().with_levels(text)


def test_a_level_beyond_any_model_is_refused_by_the_block(refused: Callable[..., object]) -> None:
    with refused("embed=2000000", "1000000"):
        ViTSlabs().with_levels("embed=2000000").blocks()


# --- limited_to -----------------------------------------------------------------------------------


@given(points=st.integers(1, 120))
def test_a_limited_space_keeps_the_ends_of_every_axis(points: int) -> None:
    ends = 2 + 2**4 + 2**2 + 2
    if points < ends:
        with pytest.raises(UserError, match=f"{ends} points"):
            ViTSlabs().limited_to(points)
        return
    space = ViTSlabs().limited_to(points)
    assert len(space.blocks()) <= points
    for op, axes in DEFAULT_LEVELS.items():
        for axis, levels in axes.items():
            assert set(space.levels[op][axis]) <= set(levels)
            assert space.levels[op][axis][0] == levels[0]
            assert space.levels[op][axis][-1] == levels[-1]
    if points >= len(ViTSlabs().blocks()):
        assert space == ViTSlabs()


def test_the_level_closest_to_its_neighbours_goes_first() -> None:
    space = ViTSlabs({"mlp": {"embed": (8, 24, 64), "mlp": (10, 30, 50, 90, 300)}})
    assert space.limited_to(14).levels["mlp"] == {"embed": (8, 24, 64), "mlp": (10, 30, 90, 300)}
    assert space.limited_to(11).levels["mlp"] == {"embed": (8, 64), "mlp": (10, 30, 90, 300)}


# --- covering -------------------------------------------------------------------------------------

SPECS = st.builds(
    lambda embed, layers, prefix, head: ViTSpec(
        embed=embed,
        layers=tuple(layers),
        patch=4,
        resolution=8,
        classes=10,
        distilled=prefix,
        distillation_head=prefix and head,
    ),
    st.integers(1, 1500),
    st.lists(
        st.builds(
            ViTLayer,
            st.integers(0, 24),
            st.integers(1, 99),
            st.integers(1, 99),
            st.just(0) | st.integers(1, 5000),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
    st.booleans(),
)


@given(spec=SPECS)
def test_the_space_covering_a_model_has_all_of_its_blocks(spec: ViTSpec) -> None:
    space = ViTSlabs.covering(spec)
    assert outside(space, spec) == []
    assert len(space.blocks()) <= 150
    for axes in space.levels.values():
        for levels in axes.values():
            assert list(levels) == sorted(set(levels))
            assert levels[0] >= 1


def test_what_pruning_leaves_of_a_model_is_covered(table_of: TableOf) -> None:
    table = table_of(ViTSlabs.covering(create_spec("deit-small")))
    half = ViTSpec.uniform(192, 12, 3, 768, qk=32, v=32)
    least = ViTSpec.uniform(96, 1, 1, 96, qk=16, v=16)
    for spec in (create_spec("deit-small"), half, least):
        assert table.predict(spec).extrapolated == []


# --- of_grids -------------------------------------------------------------------------------------


def test_the_space_of_a_table_is_the_one_it_was_measured_on(table_of: TableOf) -> None:
    space = (
        ViTSlabs()
        .with_levels("embed=64,128;heads=1,2")
        .with_frame(resolution=32, patch=4, classes=10, prefix=2, heads_of_classifier=2)
    )
    assert ViTSlabs.of_grids(grids_of(table_of(space))) == space


def test_a_table_without_an_op_of_vits_has_no_space(
    table_of: TableOf, refused: Callable[..., object]
) -> None:
    table = table_of(ViTSlabs())
    table = LatencyTable([r for r in table.rows if r.subject.op != "mlp"], table.setting)
    with refused("mlp"):
        ViTSlabs.of_grids(grids_of(table))


# --- sample ---------------------------------------------------------------------------------------

LEVELS = st.lists(st.integers(1, 300), min_size=1, max_size=3, unique=True)


@given(data=st.data(), seed=st.integers(0, 10**6))
def test_a_sample_is_inside_whatever_the_levels(data: st.DataObject, seed: int) -> None:
    axes = {axis: data.draw(LEVELS, label=axis) for axis in ("embed", "heads", "qk", "v", "mlp")}
    text = ";".join(f"{axis}={','.join(map(str, levels))}" for axis, levels in axes.items())
    prefix = data.draw(st.integers(1, 2))
    heads = data.draw(st.integers(1, prefix))
    space = ViTSlabs(resolution=32, prefix=prefix, heads_of_classifier=heads).with_levels(text)
    spec = space.sample(random.Random(seed), depth=(1, 3))
    assert outside(space, spec) == []
    assert 1 <= spec.depth <= 3


@given(seed=st.integers(0, 10**6))
def test_samples_of_the_default_space_have_round_widths(seed: int) -> None:
    spec = ViTSlabs().sample(random.Random(seed), name="mine")
    assert outside(ViTSlabs(), spec) == []
    assert spec.name == "mine"
    assert 6 <= spec.depth <= 12
    assert spec.embed % 16 == 0
    for layer in spec.layers:
        assert (layer.qk % 8, layer.v % 8, layer.mlp % 16) == (0, 0, 0)


@given(spec=SPECS, seed=st.integers(0, 10**6))
def test_samples_of_a_covering_space_are_inside(spec: ViTSpec, seed: int) -> None:
    space = ViTSlabs.covering(spec)
    assert outside(space, space.sample(random.Random(seed))) == []


def test_the_seed_decides_the_sample() -> None:
    def specs(seed: int) -> list[ViTSpec]:
        rng = random.Random(seed)
        return [ViTSlabs().sample(rng) for _ in range(3)]

    assert specs(1) == specs(1)
    assert specs(1) != specs(2)
    assert len(set(specs(1))) == 3


def test_samples_reach_the_ends_of_every_axis() -> None:
    rng = random.Random(0)
    specs = [ViTSlabs().sample(rng) for _ in range(300)]
    layers = [layer for spec in specs for layer in spec.layers]
    assert {min(s.embed for s in specs), max(s.embed for s in specs)} == {192, 768}
    assert {layer.heads for layer in layers} == set(range(1, 13))
    assert {layer.qk for layer in layers} == {layer.v for layer in layers} == set(range(16, 65, 8))
    assert {spec.depth for spec in specs} == set(range(6, 13))


def test_ops_without_a_common_width_cannot_be_sampled(refused: Callable[..., object]) -> None:
    space = ViTSlabs().with_levels("mlp.embed=16,32;attention.embed=64,128")
    with refused("embed", "from 192", "to 32"):
        space.sample(random.Random(0))


def test_what_is_no_vit_is_refused(refused: Callable[..., object]) -> None:
    class Other:
        name = "other"

    with refused("other", "not a plain ViT"):
        ViTSlabs.covering(Other())


def test_a_models_layers_are_drawn_from_ranges_of_its_own() -> None:
    """Were each layer's width drawn from the whole range, every model had the same averages."""
    rng = random.Random(0)
    specs = [ViTSlabs().sample(rng, depth=(12, 12)) for _ in range(60)]
    for axis, (low, high) in (("mlp", (192, 3072)), ("heads", (1, 12)), ("qk", (16, 64))):
        means = [sum(getattr(layer, axis) for layer in spec.layers) / 12 for spec in specs]
        of_the_whole_range = (high - low) / 12**0.5 / 12**0.5
        assert statistics.stdev(means) > 2 * of_the_whole_range
        within = [
            max(getattr(x, axis) for x in s.layers) - min(getattr(x, axis) for x in s.layers)
            for s in specs
        ]
        assert min(within) < 0.2 * (high - low)
        assert max(within) > 0.6 * (high - low)


def test_the_slow_width_has_a_level_next_to_it() -> None:
    """A table that goes to 3072 does not interpolate from there to 2304."""
    assert {3040, 3072} <= set(DEFAULT_LEVELS["mlp"]["mlp"])
    assert ViTSlabs().limited_to(60).levels["mlp"]["mlp"][-1] == 3072


# --- calibration models ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_calibration_models_are_inside_spread_and_named(seed: int) -> None:
    models = ViTSlabs().calibration_models(8, seed)
    assert [spec.name for spec in models] == [f"calibration-{seed}-{n}" for n in range(8)]
    assert all(outside(ViTSlabs(), spec) == [] for spec in models)
    macs = [spec.macs for spec in models]
    assert macs == sorted(macs)
    assert macs[-1] > 2.5 * macs[0], "a line needs spread"
    gaps = [b / a for a, b in itertools.pairwise(macs)]
    assert max(gaps) < 1.8, "and no gap that a single model spans"
    rng = random.Random(99)
    any_models = sorted(ViTSlabs().sample(rng).macs for _ in range(200))
    assert macs[0] < any_models[30]
    assert any_models[110] < macs[-1] < any_models[170], "the largest cost most, tell no more"


def test_calibration_models_are_repeatable_and_differ_by_seed() -> None:
    space = ViTSlabs.covering(create_spec("vit-micro-8"))
    assert space.calibration_models(4, 1) == space.calibration_models(4, 1)
    blocks = [{tuple(s.blocks()) for s in space.calibration_models(4, seed)} for seed in (1, 2)]
    assert not blocks[0] & blocks[1]


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_as_many_calibration_models_as_asked_for_and_all_different(count: int) -> None:
    models = ViTSlabs().calibration_models(count)
    assert len(models) == len({tuple(spec.blocks()) for spec in models}) == count


def test_a_table_that_covers_the_space_predicts_its_calibration_models(table_of: TableOf) -> None:
    space = ViTSlabs.covering(create_spec("vit-tiny-32"))
    table = table_of(space)
    for spec in space.calibration_models(5):
        assert table.predict(spec).extrapolated == []
    assert ViTSlabs.of_grids(grids_of(table)).calibration_models(5) == space.calibration_models(5)


MERGING = ViTSlabs.covering(
    ViTSpec.uniform(48, 3, 2, resolution=32, patch=4, classes=10)
).with_merging()


def test_a_space_with_merging_covers_models_down_to_a_quarter_of_the_patches(
    table_of: TableOf,
) -> None:
    rng = random.Random(3)
    specs = [MERGING.sample(rng, depth=(2, 4)) for _ in range(60)]
    table = table_of(MERGING)
    assert all(table.predict(spec).extrapolated == [] for spec in specs)
    left = [spec.tokens - sum(spec.merges) for spec in specs]
    assert min(left) < 24 and max(left) == 65
    # More at once than the shortest sequence has to merge.
    assert max(max(spec.merges) for spec in specs) > 8
    assert 15 < sum(any(spec.merges) for spec in specs) < 45


def test_plain_attention_is_measured_at_the_one_length_it_sees() -> None:
    lengths = {
        op: sorted({block["tokens"] for block in MERGING.blocks() if block.op == op})
        for op in ("attention", "proportional_attention", "mlp", "bipartite_merging")
    }
    assert lengths.pop("attention") == [65]
    assert list(lengths.values()) == [[17, 33, 49, 65]] * 3


@pytest.mark.parametrize("tokens", [(), (20, 40, 65)])
def test_the_space_of_a_table_with_merging_merges_too(tokens, table_of: TableOf) -> None:
    space = MERGING.with_frame(tokens=tokens) if tokens else MERGING
    found = ViTSlabs.of_grids(grids_of(table_of(space)))
    assert found.merging and found.lengths == space.lengths and found.tokens == tokens
    assert found.sample(random.Random(1)) == space.sample(random.Random(1))

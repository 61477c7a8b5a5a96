"""A table of given blocks: every one inside its grids, and not many more points than needed."""

from __future__ import annotations

import random

import pytest
from vitprof.errors import UserError
from vitprof.models import Block, ViTSpec
from vitprof.spaces.around_blocks import BlocksSpace
from vitprof.tables import LatencyTable, Row, Setting


def mlp(embed: int, hidden: int, tokens: int = 17) -> Block:
    return Block.of("mlp", embed=embed, mlp=hidden, tokens=tokens)


def convolution(inner: int, outer: int, side: int = 16, expansion: int = 2) -> Block:
    return Block.of(
        "mbconv",
        in_channels=inner,
        out_channels=outer,
        expansion=expansion,
        kernel=3,
        stride=1,
        resolution=side,
        activation=4,
    )


def drawn(rng: random.Random, name: str) -> ViTSpec:
    return ViTSpec.uniform(8 * rng.randint(1, 8), 2, 1, mlp=32, resolution=16, name=name)


def around(blocks: list[Block], most: int = 300) -> BlocksSpace:
    return BlocksSpace.around(blocks, drawn, 3, most)


def holds(space: BlocksSpace, block: Block) -> bool:
    return any(
        slab.op == block.op
        and all(block[axis] == dim for axis, dim in slab.frame.items())
        and all(levels[0] <= block[axis] <= levels[-1] for axis, levels in slab.levels.items())
        for slab in space.slabs
    )


def test_its_levels_are_the_values_that_occur() -> None:
    space = around([mlp(16, 32), mlp(24, 48), mlp(16, 48)])
    (slab,) = space.slabs
    assert slab.frame == {"tokens": 17}
    assert slab.levels == {"embed": (16, 24), "mlp": (32, 48)}
    assert space.points == len(space.blocks()) == 4


def test_what_is_never_interpolated_between_has_a_slab_of_its_own() -> None:
    space = around([convolution(16, 16), convolution(16, 24, side=8), convolution(16, 24)])
    assert [slab.frame["resolution"] for slab in space.slabs] == [16, 8]
    assert space.slabs[0].levels == {"in_channels": (16,), "out_channels": (16, 24)}
    assert space.slabs[1].levels == {"in_channels": (16,), "out_channels": (24,)}


@pytest.mark.parametrize("most", [300, 60, 20, 1])
def test_thinned_out_it_still_holds_every_block(most: int, setting: Setting) -> None:
    blocks = [
        *(mlp(embed, embed * ratio) for embed in range(16, 80, 8) for ratio in (1, 2, 3, 4)),
        *(convolution(a, b, e) for a in (8, 16, 24) for b in (8, 16, 32) for e in (8, 16)),
    ]
    space = around(blocks, most)
    # The ends of every axis stay, and that is what is left where too few points are allowed.
    assert space.points == len(space.blocks()) <= max(most, 3 * 4)
    assert all(holds(space, block) for block in blocks)
    table = LatencyTable([Row(block, latency_ms=block.macs) for block in space.blocks()], setting)
    for block in blocks:
        # MLPs are bilinear: straight lines give what they cost whatever is left of the levels.
        close = 1e-9 if block.op == "mlp" else 0.3
        assert table.predict_block(block).ms == pytest.approx(block.macs, rel=close)


def test_what_bends_is_kept_before_what_is_straight() -> None:
    """An MBConv's work grows with the square of its inner channels, and evenly with the others."""
    channels = (16, 24, 32, 48)
    blocks = [convolution(inner, outer) for inner in channels for outer in channels]
    (slab,) = around(blocks, 8).slabs
    assert slab.levels == {"in_channels": channels, "out_channels": (16, 48)}


def test_a_large_grid_is_thinned_before_a_small_one() -> None:
    small = [mlp(16, hidden, tokens=9) for hidden in (16, 32, 64)]
    large = [mlp(embed, hidden) for embed in range(16, 96, 8) for hidden in (16, 32, 64)]
    space = around([*small, *large], 15)
    assert space.slabs[0].levels["mlp"] == (16, 32, 64)


def test_fewer_points_than_the_ends_are_refused_where_they_are_asked_for() -> None:
    space = around([mlp(embed, hidden) for embed in (16, 24, 32) for hidden in (16, 32, 64)])
    assert space.limited_to(6).points <= 6
    with pytest.raises(UserError, match="the ends of every axis alone make 4 points"):
        space.limited_to(3)


def test_its_whole_models_are_those_that_are_drawn_each_once() -> None:
    space = around([mlp(16, 32)])
    assert space.models_to_fit == 3
    models = space.calibration_models(20)
    embeds = [model.embed for model in models if isinstance(model, ViTSpec)]
    assert len(embeds) == len(models) == len(set(embeds)) == 8
    assert embeds == sorted(embeds)
    assert space.calibration_models(20) == models

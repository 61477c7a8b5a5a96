"""One op, several grids: which answers, and a kind that was not measured is refused."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.grids.block_arrays import BlockArrays
from vitprof.tables.grids.op_grids import OpGrids

GridRows = Callable[..., list[Row]]


def ffn(embed: int, mlp: int, resolution: int, activation: int = 1) -> Block:
    dims = {"embed": embed, "mlp": mlp, "resolution": resolution, "activation": activation}
    return Block.of("ffn", norm=1, **dims)


def cost(embed: int, mlp: int, resolution: int, **_: int) -> float:
    """What no grid over all three axes could hold: the map's side changes the kind of work."""
    return 0.01 * embed * mlp + 100 * (resolution % 5)


@pytest.fixture
def rows(grid_rows: GridRows) -> list[Row]:
    """Two maps, the widths of which do not overlap."""
    common = {"activation": [1], "norm": [1]}
    return [
        *grid_rows("ffn", cost, embed=[8, 16], mlp=[16, 64], resolution=[14], **common),
        *grid_rows("ffn", cost, embed=[32, 64], mlp=[64, 256], resolution=[7], **common),
    ]


def test_each_kind_is_interpolated_by_itself(rows: list[Row], setting: Setting) -> None:
    table = LatencyTable(rows, setting)
    assert [len(part.rows) for part in table.grids("ffn").parts] == [4, 4]
    for block in (ffn(12, 40, 14), ffn(48, 100, 7)):
        assert table.predict_block(block).ms == pytest.approx(cost(**block.as_dict()))
    assert table.grids("ffn").points == 8
    assert table.grids("ffn").levels["resolution"] == [7, 14]


def test_a_kind_that_was_not_measured_is_named(rows: list[Row], setting: Setting) -> None:
    table = LatencyTable(rows, setting)
    with pytest.raises(UserError, match=r"resolution=28 of op 'ffn' is not in.*7, 14"):
        table.predict_block(ffn(16, 64, 28))
    with pytest.raises(UserError, match=r"activation=2 of op 'ffn'.*activation 1"):
        table.predict_block(ffn(16, 64, 14, activation=2))
    with pytest.raises(UserError, match=r"embed=24 of op 'ffn' is outside.*from 8 to 16"):
        table.predict_block(ffn(24, 64, 14))


def test_a_combination_that_was_not_measured_is_named(
    rows: list[Row], grid_rows: GridRows, setting: Setting
) -> None:
    other = grid_rows("ffn", cost, embed=[8], mlp=[16], resolution=[14], activation=[2], norm=[1])
    table = LatencyTable([*rows, *other], setting)
    with pytest.raises(UserError, match=r"no 'ffn' with resolution=7, activation=2, norm=1"):
        table.predict_block(ffn(32, 64, 7, activation=2))


def test_a_guess_of_another_kind_is_marked_and_in_proportion_to_the_macs(
    rows: list[Row], setting: Setting
) -> None:
    guess = LatencyTable(rows, setting).predict_block(ffn(16, 64, 28), extrapolate=True)
    assert "resolution" in guess.extrapolated
    measured = ffn(16, 64, 14)
    assert guess.ms == pytest.approx(cost(**measured.as_dict()) * 4)


def test_many_at_once_equal_one_by_one(rows: list[Row], setting: Setting) -> None:
    table = LatencyTable(rows, setting)
    rng = random.Random(0)
    models = [
        [
            *(ffn(rng.randint(8, 16), rng.randint(16, 64), 14) for _ in range(rng.randint(0, 3))),
            *(ffn(rng.randint(32, 64), rng.randint(64, 256), 7) for _ in range(rng.randint(1, 3))),
        ]
        for _ in range(20)
    ]
    ms = table.predict_many(BlockArrays.from_blocks(models, "efficientvit"))
    wanted = [sum(table.predict_block(block).ms for block in blocks) for blocks in models]
    np.testing.assert_allclose(ms, wanted, rtol=1e-12)


# --- joined axes ----------------------------------------------------------------------------------


def test_lengths_with_the_same_widths_share_a_grid(grid_rows: GridRows) -> None:
    rows = grid_rows(
        "mlp",
        lambda **d: float(np.prod(list(d.values()))),
        embed=[8, 16],
        mlp=[16, 64],
        tokens=[5, 9],
    )
    grids = OpGrids("mlp", rows)
    assert len(grids.parts) == 1
    assert grids.interpolate(np.array([[12, 40, 7]])) == pytest.approx([12 * 40 * 7])


def test_lengths_with_other_widths_stay_apart(grid_rows: GridRows, setting: Setting) -> None:
    """As of Swin's stages: each has its own widths, and nothing is between two maps."""
    rows = [
        *grid_rows("mlp", lambda **_: 1.0, embed=[8, 16], mlp=[16, 64], tokens=[49]),
        *grid_rows("mlp", lambda **_: 2.0, embed=[32, 64], mlp=[64, 128], tokens=[9]),
    ]
    table = LatencyTable(rows, setting)
    assert len(table.grids("mlp").parts) == 2
    assert table.predict_block(Block.of("mlp", embed=12, mlp=20, tokens=49)).ms == pytest.approx(
        1.0
    )
    assert table.predict_block(Block.of("mlp", embed=40, mlp=80, tokens=9)).ms == pytest.approx(2.0)
    with pytest.raises(UserError, match="outside the table"):
        table.predict_block(Block.of("mlp", embed=40, mlp=80, tokens=20))


def test_a_single_point_inside_anothers_range_answers_exactly(grid_rows: GridRows) -> None:
    rows = [
        *grid_rows("mlp", lambda **_: 1.0, embed=[8, 16], mlp=[16, 64], tokens=[5, 9]),
        *grid_rows("mlp", lambda **_: 7.0, embed=[8], mlp=[16], tokens=[7]),
    ]
    grids = OpGrids("mlp", rows)
    assert list(grids.interpolate(np.array([[8, 16, 7], [8, 17, 7]]))) == [7.0, 1.0]

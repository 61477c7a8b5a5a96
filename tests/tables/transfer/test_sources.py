"""Tables side by side: gaps, what tells them, and sources that have nothing in common."""

from __future__ import annotations

import numpy as np
import pytest
from vitprof.errors import UserError
from vitprof.models import Block, create_spec
from vitprof.tables.transfer.shares import shares_of
from vitprof.tables.transfer.sources import side_by_side


def test_every_point_of_any_table_is_there_with_its_latencies(plain, blocks, models) -> None:
    a, b = plain("a"), plain("b", 3.0)
    found = side_by_side([a.table([*blocks, *models]), b.table([*blocks, *models])])
    assert [key[0] for key in found.keys] == [*blocks, *models]
    assert np.exp(found.logs[:, 1] - found.logs[:, 0]) == pytest.approx(3.0)
    assert found.ops == ["patch_embed", "attention", "mlp", "classifier"]


def test_a_gap_inside_the_grid_is_interpolated(plain, blocks) -> None:
    a, b = plain("a", start=0.0, slow=0.0), plain("b", start=0.0, slow=0.0)
    inner = next(
        block for block in blocks if block.op == "mlp" and block["embed"] not in (192, 768)
    )
    between = Block.of("mlp", embed=inner["embed"], mlp=inner["mlp"] + 8, tokens=197)
    found = side_by_side([a.table([*blocks, between]), b.table(blocks)])
    n = [key[0] for key in found.keys].index(between)
    assert found.logs[n, 1] == pytest.approx(found.logs[n, 0], abs=0.02)


def test_a_gap_outside_is_told_by_the_other_table(plain, blocks) -> None:
    few = [block for block in blocks if block.op != "mlp"]
    found = side_by_side([plain("a").table(blocks), plain("b", 5.0).table(few)])
    assert np.exp(found.logs[:, 1] - found.logs[:, 0]) == pytest.approx(5.0)
    gaps = np.array([key[0].op == "mlp" for key in found.keys])
    assert found.noise_sd[gaps].min() > found.noise_sd[~gaps].max()


def test_a_point_that_failed_in_every_table_is_named(plain, blocks) -> None:
    from vitprof.tables import LatencyTable, Row

    table = plain("a").table(blocks)
    rows = [Row(blocks[0], verdict="failed", error="no"), *table.rows[1:]]
    found = side_by_side([LatencyTable(rows, table.setting)])
    assert found.lacking == [(blocks[0], "alone")]
    assert blocks[0] not in [key[0] for key in found.keys]


def test_tables_that_share_nothing_are_refused(plain, blocks) -> None:
    mlps = [block for block in blocks if block.op == "mlp"]
    others = [block for block in blocks if block.op == "attention"]
    with pytest.raises(UserError, match=r"a\.csv and b\.csv share no point"):
        side_by_side([plain("a").table(mlps), plain("b").table(others)])
    with pytest.raises(UserError, match="no table to transfer from"):
        side_by_side([])


def test_shares_are_what_a_models_blocks_read(plain, blocks, models) -> None:
    """A model of blocks that are all points: the fraction of the sum that each makes up."""
    device = plain("a")
    spec = create_spec("deit-tiny")
    own = list(dict.fromkeys(spec.blocks()))
    found = side_by_side([device.table(own)])
    shares = shares_of([spec], found)[0]
    assert shares.sum() == pytest.approx(1)
    whole = sum(map(device.block_ms, spec.blocks()))
    for n, (block, _) in enumerate(found.keys):
        assert shares[n] == pytest.approx(
            spec.blocks().count(block) * device.block_ms(block) / whole
        )
    assert shares_of([models[-1]], found)[0].sum() in (0, pytest.approx(1))

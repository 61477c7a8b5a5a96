"""Ranking variants: by hand on a table whose law is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vitprof.errors import UserError
from vitprof.models import Block, create_spec
from vitprof.models.ablations import all_variants, single_variants
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.ablations.ablations import rank_variants

M4 = create_spec("efficientvit-m4")


def ms(block: Block) -> float:
    return block.macs / 1e8 + 0.01 * random.Random(str(block)).random()


@pytest.fixture(scope="module")
def table(row_of: Callable[..., Row], setting: Setting) -> LatencyTable:
    """Just the blocks of single variants without another norm: exact points only."""
    kept = [v for v in single_variants(M4) if "norm" not in v.changed]
    blocks = dict.fromkeys(block for variant in kept for block in variant.spec.blocks())
    return LatencyTable([row_of(block, ms(block)) for block in blocks], setting)


def test_single_choices_cost_what_their_blocks_do(table: LatencyTable) -> None:
    found = rank_variants(table, M4, ["qk"])
    assert found.base.ms == pytest.approx(sum(map(ms, M4.blocks())))
    by_words = {each.words: each for each in found.single}
    for variant in single_variants(M4):
        if variant.words in by_words:
            wanted = sum(map(ms, variant.spec.blocks()))
            assert by_words[variant.words].ms == pytest.approx(wanted)
    assert list(found.not_covered) == ["norm=layer"]
    assert "norm=2" in found.not_covered["norm=layer"]


def test_the_ranking_is_the_exhaustive_one(table: LatencyTable) -> None:
    names = ["ffns", "dwconv", "depth"]
    found = rank_variants(table, M4, names)
    options = {
        "ffns": ["swin", "1", "2", "3"],
        "dwconv": ["yes", "no"],
        "depth": ["0.5", "1.0", "2.0"],
    }
    wanted = sorted(sum(map(ms, v.spec.blocks())) for v in all_variants(M4, options))
    assert [each.ms for each in found.ranked] == pytest.approx(wanted)
    limit = wanted[5]
    few = rank_variants(table, M4, names, max_ms=limit)
    assert [each.ms for each in few.ranked] == pytest.approx(wanted[:6])
    by_macs = rank_variants(table, M4, names, sort="macs").ranked
    assert [each.spec.macs for each in by_macs] == sorted(
        (each.spec.macs for each in by_macs), reverse=True
    )


def test_too_many_combinations_are_refused(
    table: LatencyTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitprof.tables.ablations.ablations.MOST_COMBINATIONS", 10)
    with pytest.raises(UserError, match="more than 10; combine fewer"):
        rank_variants(table, M4, ["ffns", "dwconv", "depth"])


def test_a_table_without_the_model_is_refused(table: LatencyTable) -> None:
    with pytest.raises(UserError, match="outside the table"):
        rank_variants(table, create_spec("efficientvit-m5"))


def test_it_is_drawn(table: LatencyTable, tmp_path: Path) -> None:
    found = rank_variants(table, M4, ["qk", "depth"])
    figure: Any = found.plot(tmp_path / "variants.png")
    assert (tmp_path / "variants.png").read_bytes().startswith(b"\x89PNG")
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [v.words for v in found.single]
    assert [bar.get_width() for bar in left.patches] == pytest.approx(
        [each.ms - found.base.ms for each in found.single]
    )
    dots = right.collections[0].get_offsets()
    assert [float(y) for _, y in dots] == pytest.approx([each.ms for each in found.ranked])

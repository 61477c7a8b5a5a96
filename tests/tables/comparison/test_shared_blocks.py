"""Two tables compared by the blocks that both hold."""

from __future__ import annotations

import io
import math
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.comparison.shared_blocks import SharedBlocks, compare_blocks


def ffn(resolution: int, embed: int) -> Block:
    return Block.of("nnmeter_transffn", resolution=resolution, embed=embed, expansion=2)


def attention(resolution: int, embed: int) -> Block:
    return Block.of("nnmeter_transattn", resolution=resolution, embed=embed, expansion=2)


def ms(block: Block) -> float:
    return 0.1 + block["resolution"] ** 2 * block["embed"] / 1000


POINTS = list(product((4, 8, 16), (32, 64, 96)))
FFNS = [ffn(*point) for point in POINTS]
ATTENTIONS = [attention(*point) for point in POINTS]


def table(blocks: list[Block], setting: Setting, scale=lambda _: 1.0, **of_row) -> LatencyTable:
    rows = [Row(b, verdict="imported", latency_ms=scale(b) * ms(b), **of_row) for b in blocks]
    return LatencyTable(rows, setting)


def slower(block: Block) -> float:
    """FFNs take twice as long, attention three times; one block is far off."""
    if block == ffn(8, 64):
        return 9.0
    return 2.0 if block.op == "nnmeter_transffn" else 3.0


@pytest.fixture
def shared(setting: Setting) -> SharedBlocks:
    a = table([*FFNS, *ATTENTIONS], setting)
    b = table([*ATTENTIONS, *FFNS[:-1]], setting, slower)
    return compare_blocks({"a": a, "b": b})


def test_only_what_both_hold_counts(shared: SharedBlocks) -> None:
    assert {each.block for each in shared.blocks} == {*ATTENTIONS, *FFNS[:-1]}
    assert shared.interpolated == 0
    for each in shared.blocks:
        assert each.ratio == pytest.approx(slower(each.block))


def test_ops_have_scales_of_their_own(shared: SharedBlocks) -> None:
    assert shared.by_op["nnmeter_transattn"].scale == pytest.approx(3)
    assert shared.by_op["nnmeter_transffn"].scale == pytest.approx((2**7 * 9) ** (1 / 8))
    counts = [agreement.count for agreement in shared.by_op.values()]
    assert sum(counts) == shared.agreement.count == 17


def test_the_block_that_parts_most_is_first(shared: SharedBlocks) -> None:
    first = shared.parted[0]
    assert first.block == ffn(8, 64)
    assert shared.off_scale(first) == pytest.approx(9 / shared.agreement.scale - 1)


def test_report_csv_and_frame_say_the_same(shared: SharedBlocks, tmp_path: Path) -> None:
    report = shared.report()
    assert report["order"] == ["a", "b"]
    assert report["blocks"] == 17
    assert report["parted"][0]["block"] == str(ffn(8, 64))
    frame = pd.read_csv(io.StringIO(shared.to_csv()))
    assert list(frame.columns) == list(shared.to_frame().columns)
    assert frame["ratio"].to_list() == pytest.approx([each.ratio for each in shared.blocks])
    shared.save(tmp_path / "out")
    assert (tmp_path / "out" / "compare.png").stat().st_size > 10_000
    assert repr(shared).startswith("17 blocks of a and b: Kendall tau")


def test_what_one_can_interpolate_is_labelled(setting: Setting) -> None:
    a = table(FFNS, setting)
    inside, outside = ffn(6, 48), ffn(32, 64)
    b = table([FFNS[0], inside, outside], setting, lambda _: 2.0)
    plain = compare_blocks({"a": a, "b": b})
    assert [each.block for each in plain.blocks] == [FFNS[0]]
    more = compare_blocks({"a": a, "b": b}, interpolated=True)
    by_block = {each.block: each for each in more.blocks}
    assert by_block[FFNS[0]].how == "measured"
    assert by_block[inside].how == "interpolated_a"
    assert by_block[inside].a_ms == pytest.approx(a.predict_block(inside).ms)
    assert outside not in by_block
    for each in more.blocks:
        if each.how == "interpolated_b":
            assert each.b_ms == pytest.approx(b.predict_block(each.block).ms)


def test_kinds_are_not_interpolated(setting: Setting) -> None:
    def conv(kernel: int, resolution: int) -> Block:
        dims = {"in_channels": 16, "out_channels": 16, "expansion": 1, "squeeze_excite": 1}
        return Block.of("nnmeter_conv", resolution=resolution, stride=1, kernel=kernel, **dims)

    def of(kernels, sides) -> LatencyTable:
        rows = [
            Row(conv(k, s), verdict="imported", latency_ms=float(k * s))
            for k in kernels
            for s in sides
        ]
        return LatencyTable(rows, setting)

    found = compare_blocks({"a": of((3, 5), (16, 32)), "b": of((3, 4), (24,))}, interpolated=True)
    assert [(each.block, each.how) for each in found.blocks] == [(conv(3, 24), "interpolated_a")]


def test_contexts_are_not_mixed(setting: Setting) -> None:
    a = table(FFNS, setting, context="in_network")
    b = table(FFNS, setting, context="alone")
    with pytest.raises(UserError, match="same blocks, but measured in different contexts"):
        compare_blocks({"a": a, "b": b})


def test_failed_rows_are_no_latencies(setting: Setting) -> None:
    failed = LatencyTable([Row(block, verdict="failed", error="x") for block in FFNS], setting)
    with pytest.raises(UserError, match="no block was measured on both"):
        compare_blocks({"a": table(FFNS, setting), "b": failed})


def test_none_shared_is_one_sentence(setting: Setting, refused) -> None:
    a, b = table(FFNS, setting), table(ATTENTIONS, setting)
    with refused("share no block", "nnmeter_transffn", "nnmeter_transattn"):
        compare_blocks({"a": a, "b": b})
    with refused("both have nnmeter_transffn", "`interpolated`"):
        compare_blocks({"a": a, "b": table([ffn(6, 40)], setting)})
    with refused("both have nnmeter_transffn", "measure some"):
        compare_blocks({"a": a, "b": table([ffn(60, 40)], setting)}, interpolated=True)


def test_a_single_shared_block_tells_its_ratio(setting: Setting) -> None:
    found = compare_blocks({"a": table(FFNS[:1], setting), "b": table(FFNS, setting, slower)})
    assert found.agreement.scale == pytest.approx(2)
    assert math.isnan(found.agreement.kendall_tau)
    found.figure()

"""Steps of a runtime's tiles: XNNPACK's rule is the truth, and a table of whole tiles misses it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.grids.op_grids import OpGrids
from vitprof.tables.grids.steps import takes_half_tiles
from vitprof.tables.leaning import _leaning

TILE = 32
# With kernels of 32 columns and of 16.
STEP = {0: 1.0, 8: 1.2, 16: 1.15, 24: 1.0}
# With kernels of 16 columns and of 8.
NARROW = {0: 1.0, 8: 1.6, 16: 1.0, 24: 1.5}
LEVELS = {"embed": [192, 384, 576, 768], "mlp": [192, 1536, 3072]}


def step(width: int, steps: dict[int, float]) -> float:
    """What XNNPACK's choice of a kernel makes of so many columns.

    From fully-connected-nc.c: the kernel of half tiles computes fewer columns too many, and the
    other one more than 1 %.
    """
    nr = TILE if steps is STEP else TILE // 2
    overcompute = (nr - width % nr) % nr
    half_overcompute = (nr // 2 - width % (nr // 2)) % (nr // 2)
    switches = half_overcompute < overcompute and overcompute * 100 > width
    return steps[width % TILE] if switches else 1.0


def staircase(embed: int, mlp: int, steps: dict[int, float] = STEP) -> float:
    """What a runtime of tiles takes: the MACs, longer where it takes the kernel of half tiles."""
    return 1e-6 * embed * mlp * step(embed, steps) * step(mlp, steps)


def rows_of(points: list[tuple[int, int]], steps: dict[int, float] = STEP) -> list[Row]:
    return [
        Row(
            Block.of("mlp", embed=embed, mlp=mlp, tokens=197),
            latency_ms=staircase(embed, mlp, steps),
            low_ms=0.999 * staircase(embed, mlp, steps),
            high_ms=1.001 * staircase(embed, mlp, steps),
            verdict="stable",
        )
        for embed, mlp in points
    ]


GRID = [(embed, mlp) for embed in LEVELS["embed"] for mlp in LEVELS["mlp"]]
PROBES = [
    *((192 + r, 1536) for r in (8, 16, 24)),
    *((576 + r, 1536) for r in (8, 16, 24)),
    *((384, 192 + r) for r in (8, 16, 24)),
]


@pytest.fixture
def table(setting: Setting) -> LatencyTable:
    plain = LatencyTable(rows_of(GRID + PROBES), setting)
    header = replace(plain.header, observed={"tile": TILE})
    return LatencyTable(rows_of(GRID + PROBES), header)


@pytest.mark.parametrize("steps", [STEP, NARROW], ids=["32 columns", "16 columns"])
@given(embed=st.integers(24, 96), mlp=st.integers(24, 384))
def test_widths_within_a_tile_take_what_the_staircase_says(
    steps: dict[int, float], embed: int, mlp: int
) -> None:
    grids = OpGrids("mlp", rows_of(GRID + PROBES, steps), TILE)
    embed, mlp = 8 * embed, 8 * mlp
    found = grids.interpolate(np.array([[embed, mlp, 197]]))
    assert found == pytest.approx([staircase(embed, mlp, steps)], rel=1e-4)


@pytest.mark.parametrize(
    ("width", "whole", "half"),
    # 1,544 columns: padding to 1,552 wastes less than 1 %, to 1,568 more.
    [(392, True, True), (408, False, True), (540, False, False), (1544, True, False)],
)
def test_a_kernel_of_half_tiles_is_taken_where_it_saves_columns(
    width: int, whole: bool, half: bool
) -> None:
    assert bool(takes_half_tiles(width, 32)) is whole
    assert bool(takes_half_tiles(width, 16)) is half


HEAD_STEP = {16: 1.0, 24: 1.06, 32: 0.91, 40: 1.13, 48: 0.96, 56: 1.16, 64: 1.0}


def attention(embed: int, heads: int, v: int, tokens: int = 197) -> Row:
    ms = 1e-3 * embed * heads * (100 + v) * HEAD_STEP[v]
    block = Block.of("attention", embed=embed, heads=heads, qk=64, v=v, tokens=tokens)
    return Row(block, latency_ms=ms, low_ms=0.999 * ms, high_ms=1.001 * ms, verdict="stable")


def attentions(*v: int, tokens: int = 197) -> list[Row]:
    widths = [(embed, heads) for embed in (192, 384, 768) for heads in (1, 3, 6)]
    return [attention(*width, one, tokens) for width in widths for one in v]


def test_on_an_axis_of_few_tiles_each_width_has_its_own_step() -> None:
    """Heads of 16 to 64 columns: the levels stand on steps themselves, 32 columns are fastest."""
    probes = [attention(384, 3, v) for v in (24, 32, 40, 48, 56)]
    grids = OpGrids("attention", attentions(16, 64) + probes, TILE)
    asked = [(embed, heads, v) for embed in (192, 500) for heads in (2, 6) for v in HEAD_STEP]
    found = grids.interpolate(np.array([[e, heads, 64, v, 197] for e, heads, v in asked]))
    true = [attention(*one).latency_ms for one in asked]
    assert found == pytest.approx(true, rel=1e-4)
    between = grids.interpolate(np.array([[192, 3, 64, 36, 197]]))
    assert between == pytest.approx([1e-3 * 192 * 3 * 136 * math.sqrt(0.91 * 1.13)], rel=1e-4)


def test_a_grid_of_other_levels_keeps_its_lines() -> None:
    """A step by the width holds beside the levels between which it was probed."""
    rows = [*attentions(16, 64), attention(384, 3, 40), *attentions(24, 56, tokens=50)]
    grids = OpGrids("attention", rows, TILE)
    found = grids.interpolate(np.array([[192, 3, 64, 40, 197], [192, 3, 64, 40, 50]]))
    line = (attention(192, 3, 24).latency_ms + attention(192, 3, 56).latency_ms) / 2
    assert found == pytest.approx([attention(192, 3, 40).latency_ms, line], rel=1e-4)


def test_without_a_tile_probes_answer_for_themselves_alone() -> None:
    grids = OpGrids("mlp", rows_of(GRID + PROBES))
    at_probe, beside = grids.interpolate(np.array([[200, 1536, 197], [200, 192, 197]]))
    assert at_probe == pytest.approx(staircase(200, 1536))
    assert beside == pytest.approx(staircase(200, 192) / 1.2), "the line between whole tiles"


def test_between_measured_remainders_the_step_is_interpolated() -> None:
    """Before the first one it is the same: the kernel is."""
    grids = OpGrids("mlp", rows_of(GRID + PROBES), TILE)
    found = grids.interpolate(np.array([[width, 1536, 197] for width in (196, 204, 212)]))
    line = [1e-6 * width * 1536 for width in (196, 204, 212)]
    assert found == pytest.approx(
        [line[0] * 1.2, line[1] * math.sqrt(1.2 * 1.15), line[2]], rel=1e-4
    )


def test_many_models_at_once_get_the_same_steps(table: LatencyTable) -> None:
    blocks = [Block.of("mlp", embed=e, mlp=m, tokens=197) for e in (200, 208) for m in (200, 3000)]
    one_by_one = [table.predict_block(block).ms for block in blocks]
    grids = table.grids("mlp")
    dims = {
        "embed": np.array([[block["embed"]] for block in blocks]),
        "mlp": np.array([[block["mlp"]] for block in blocks]),
        "tokens": np.full((4, 1), 197),
    }
    at_once = grids.parts[0]._interpolate_columns(
        {axis: values.reshape(-1) for axis, values in dims.items()}, extrapolate=False
    )
    assert at_once == pytest.approx(one_by_one)
    assert one_by_one == pytest.approx([staircase(b["embed"], b["mlp"]) for b in blocks], rel=1e-4)


def test_noise_makes_no_step() -> None:
    """Probes within their own intervals of the line leave predictions as they are."""
    noisy = [
        replace(row, latency_ms=1.02 * ms, low_ms=0.8 * ms, high_ms=1.2 * ms)
        for row, ms in (
            (row, row.latency_ms / STEP[row.subject["embed"] % TILE])  # type: ignore[index]
            for row in rows_of([(200, 1536), (584, 1536)])
        )
    ]
    grids = OpGrids("mlp", [*rows_of(GRID), *noisy], TILE)
    found = grids.interpolate(np.array([[392, 192, 197]]))
    assert found == pytest.approx([1e-6 * 392 * 192], rel=0.002)


def test_an_axis_whose_levels_are_no_whole_tiles_has_no_steps() -> None:
    """There the levels stand on steps themselves."""
    points = [(embed, mlp) for embed in (200, 400) for mlp in LEVELS["mlp"]]
    grids = OpGrids("mlp", [*rows_of(points), *rows_of([(216, 1536)])], TILE)
    assert grids.parts[-1].steps is None


def test_a_failed_probe_is_no_step() -> None:
    failed = [replace(row, verdict="failed", latency_ms=math.nan) for row in rows_of([(200, 1536)])]
    grids = OpGrids("mlp", [*rows_of(GRID), *failed], TILE)
    assert grids.parts[-1].steps is None


def test_steps_survive_the_file(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "lut.csv"
    table.to_csv(path)
    again = LatencyTable.read_csv(path)
    block = Block.of("mlp", embed=392, mlp=400, tokens=197)
    assert again.predict_block(block).ms == pytest.approx(staircase(392, 400), rel=1e-3)


@pytest.mark.parametrize("tile", ["32", 0, 1, 2, 3, 30, -8, True, 1e9, None, 32.5])
def test_a_header_with_another_tile_has_none(tile: object, table: LatencyTable) -> None:
    header = replace(table.header, observed={"tile": tile})
    assert LatencyTable(table.rows, header).header.tile is None


def test_predictions_lean_on_the_probes_of_their_widths(table: LatencyTable) -> None:
    found = _leaning(table, [Block.of("mlp", embed=392, mlp=1536, tokens=197)] * 3)
    ms = staircase(392, 1536)
    probes = [row for row in table.rows if row.subject["embed"] % TILE == 8]  # type: ignore[index]
    assert {row.key: found[row.key] for row in probes} == pytest.approx(
        {row.key: 3 * ms / 2 for row in probes}, rel=1e-4
    )
    of_grid = {key: share for key, share in found.items() if key not in {p.key for p in probes}}
    assert sum(of_grid.values()) == pytest.approx(3 * ms, rel=1e-4)

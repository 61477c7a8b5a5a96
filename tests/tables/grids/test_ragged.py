"""Interpolation on points that span no full grid."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.grids.grid import OutsideTableError, dims_array
from vitprof.tables.grids.op_grids import OpGrids
from vitprof.tables.grids.ragged import RaggedGrid

# Narrow blocks on large maps, wide ones on small maps: they meet at 96 channels on 16 x 16.
BOXES = (((16, 24, 32), (48, 64, 96)), ((2, 4, 8, 16), (96, 160, 320)))
EXPANSIONS = (2, 4)


def ffn(resolution: int, embed: int, expansion: int) -> Block:
    return Block.of("nnmeter_transffn", resolution=resolution, embed=embed, expansion=expansion)


def conv(kernel: int, resolution: int = 16, channels: int = 16, squeeze: int = 1) -> Block:
    return Block.of(
        "nnmeter_conv",
        resolution=resolution,
        in_channels=channels,
        out_channels=channels,
        expansion=4,
        stride=1,
        kernel=kernel,
        squeeze_excite=squeeze,
    )


def cost(resolution: int, embed: int, expansion: int) -> float:
    """A sum of products of areas and widths: what multilinear interpolation meets exactly."""
    return 0.25 + 0.001 * resolution**2 * embed * expansion + 0.01 * embed


def row(block: Block) -> Row:
    return Row(block, verdict="imported", latency_ms=cost(*block.as_dict().values()))


@pytest.fixture
def rows() -> list[Row]:
    points = {p for sides, widths in BOXES for p in product(sides, widths, EXPANSIONS)}
    return [row(ffn(*point)) for point in sorted(points)]


@pytest.fixture
def table(rows: list[Row], setting: Setting) -> LatencyTable:
    return LatencyTable(rows, setting)


def test_every_row_answers_for_itself(table: LatencyTable, rows: list[Row]) -> None:
    blocks = [one.subject for one in rows]
    ms = table.grids("nnmeter_transffn").interpolate(dims_array(blocks))
    assert ms == pytest.approx([one.latency_ms for one in rows], rel=1e-12)


@pytest.mark.parametrize(
    "point", [(20, 50, 3), (3, 200, 2), (16, 130, 3), (28, 96, 4), (12, 96, 3)]
)
def test_between_points_of_either_box_it_is_interpolated(table: LatencyTable, point) -> None:
    assert table.predict_block(ffn(*point)).ms == pytest.approx(cost(*point), rel=1e-9)
    assert table.predict_block(ffn(*point)).extrapolated == ()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_on_a_full_grid_it_is_scipys_multilinear_interpolation_over_areas(
    data: st.DataObject,
) -> None:
    levels = [
        sorted(data.draw(st.sets(st.integers(1, 40), min_size=2, max_size=4))) for _ in range(3)
    ]
    shape = [len(of_axis) for of_axis in levels]
    size = int(np.prod(shape))
    values = np.array(data.draw(st.lists(st.floats(0.1, 9), min_size=size, max_size=size)))
    rows = [
        Row(ffn(*point), verdict="imported", latency_ms=float(ms))
        for point, ms in zip(product(*levels), values, strict=True)
    ]
    point = [data.draw(st.integers(of_axis[0], of_axis[-1])) for of_axis in levels]
    found = RaggedGrid("nnmeter_transffn", rows).interpolate(np.array([point]))
    areas = [[side**2 for side in levels[0]], *levels[1:]]
    wanted = RegularGridInterpolator(areas, values.reshape(shape))([point[0] ** 2, *point[1:]])
    assert found == pytest.approx(wanted, rel=1e-9)


@given(st.sets(st.tuples(*[st.integers(1, 9)] * 3), min_size=1, max_size=40), st.data())
@settings(max_examples=80, deadline=None)
def test_what_answers_is_a_mean_of_points_around_it(points, data) -> None:
    grid = RaggedGrid("nnmeter_transffn", [row(ffn(*point)) for point in sorted(points)])
    asked = np.array([[data.draw(st.integers(1, 9)) for _ in range(3)]])
    corners = grid.corners(asked)
    if any(marked[0] for marked in corners.outside.values()):
        with pytest.raises(OutsideTableError):
            grid.interpolate(asked)
        return
    weights = corners.weights[0]
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    dims = dims_array([grid.rows[i].subject for i in corners.indices[0]])
    areas = np.array([2, 1, 1])
    assert (weights @ dims**areas) == pytest.approx(asked[0] ** areas), "the mean of its corners"


def test_the_message_names_the_files_own_range(table: LatencyTable) -> None:
    with pytest.raises(UserError, match=r"embed=400 .*embed was measured from 48 to 320;"):
        table.predict_block(ffn(16, 400, 2))
    with pytest.raises(
        UserError, match=r"embed=48 .*measured from 96 to 320 at resolution=8, expansion=2"
    ):
        table.predict_block(ffn(8, 48, 2))


def test_a_gap_with_points_on_every_side_is_named(setting: Setting) -> None:
    ring = [(1, 1, 1), (9, 9, 1), (1, 9, 2), (9, 1, 2)]
    table = LatencyTable([row(ffn(*point)) for point in ring], setting)
    with pytest.raises(UserError, match=r"nnmeter_transffn.*outside the table"):
        table.predict_block(ffn(5, 5, 1))


def test_a_guess_outside_is_the_nearest_point_and_marked(table: LatencyTable) -> None:
    guess = table.predict_block(ffn(8, 48, 2), extrapolate=True)
    assert guess.ms == pytest.approx(cost(8, 96, 2))
    assert guess.extrapolated == ("embed",)


def test_no_row_is_left_out_of_interpolation(table: LatencyTable, rows: list[Row]) -> None:
    """Leaving out any inner row, the others still answer near it."""
    grids = table.grids("nnmeter_transffn")
    assert grids.points == len(rows)
    assert [len(part.rows) for part in grids.parts] == [len(rows)]
    used = {
        int(i)
        for sides, widths in BOXES
        for side, width in zip(sides[:-1], widths[:-1], strict=False)
        for i in grids.parts[0].corners(np.array([[side + 1, width + 1, 3]])).indices[0]
    }
    assert len(used) > 8


def test_kinds_are_not_interpolated(setting: Setting) -> None:
    """nn-Meter's kernels are 3 and 5: there is no kernel of 4 between them."""
    rows = [
        Row(conv(kernel, side, squeeze=squeeze), verdict="imported", latency_ms=kernel * side / 10)
        for kernel in (3, 5)
        for side in (16, 32)
        for squeeze in (1, 2)
    ]
    table = LatencyTable(rows, setting)
    share = (24**2 - 16**2) / (32**2 - 16**2)
    assert table.predict_block(conv(3, 24)).ms == pytest.approx(4.8 + 4.8 * share)
    with pytest.raises(UserError, match=r"kernel=4 of op 'nnmeter_conv' is not in.*kernel 3, 5"):
        table.predict_block(conv(4, 16))
    guess = table.predict_block(conv(4, 16), extrapolate=True)
    assert guess.ms in (pytest.approx(4.8), pytest.approx(8.0)), "a kind's own, not between"
    assert "kernel" in guess.extrapolated


def test_stages_of_once_for_all_are_apart(setting: Setting) -> None:
    def block(side: int, expanded: int, hard_swish: int = 1) -> Block:
        kinds = {"kernel": 3, "stride": 1, "skip": 2, "squeeze_excite": 1}
        widths = {"in_channels": 4 * 224 // side, "out_channels": 4 * 224 // side}
        return Block.of(
            "ofa_block",
            resolution=side,
            out_resolution=side,
            expanded=expanded,
            hard_swish=hard_swish,
            **kinds,
            **widths,
        )

    rows = [
        Row(block(side, side * e), verdict="imported", latency_ms=e / side)
        for side in (28, 56)
        for e in (3, 4, 6)
    ]
    table = LatencyTable(rows, setting)
    assert table.predict_block(block(28, 28 * 5)).ms == pytest.approx(5 / 28)
    with pytest.raises(UserError, match="resolution=14 of op 'ofa_block' is not in the table"):
        table.predict_block(block(14, 42))
    with pytest.raises(UserError, match="hard_swish=2"):
        table.predict_block(block(28, 84, hard_swish=2))


def test_scattered_operators_say_that_nothing_lies_between_them(setting: Setting) -> None:
    rows = [
        Row(Block.of("gelu", rows=r, columns=c), verdict="imported", latency_ms=1.0)
        for r, c in ((1, 9), (5, 2), (7, 7))
    ]
    table = LatencyTable(rows, setting)
    assert table.predict_block(Block.of("gelu", rows=5, columns=2)).ms == 1.0
    assert table.grids("gelu").levels == {"rows": [1, 5, 7], "columns": [2, 7, 9]}
    with pytest.raises(UserError, match=r"gelu\(rows=5, columns=3\) is not in .*its 3 rows of op"):
        table.predict_block(Block.of("gelu", rows=5, columns=3))


def test_own_tables_keep_their_probes_apart(setting: Setting) -> None:
    def mlp(embed: int, width: int) -> Row:
        return Row(Block.of("mlp", embed=embed, mlp=width, tokens=5), latency_ms=float(embed))

    rows = [mlp(e, w) for e in (8, 16) for w in (8, 32)] + [mlp(12, 20)]
    grids = OpGrids("mlp", rows)
    assert not isinstance(grids.parts[0], RaggedGrid)
    assert len(grids.parts[0].extra) == 1

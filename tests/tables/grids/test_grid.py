"""Interpolation against scipy, closed forms and itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator
from vitprof.errors import UserError
from vitprof.models import OPS, Block
from vitprof.tables import Row
from vitprof.tables.grids.grid import OpGrid, _complete_levels, dims_array

GridRows = Callable[..., list[Row]]


@st.composite
def levels_of(draw: st.DrawFn, op: str, least: int = 1) -> dict[str, list[int]]:
    level = st.integers(1, 3000)
    # At most half of the tokens can be merged, at every two levels of both.
    own = {"tokens": st.integers(6001, 9000)} if "merged" in OPS[op].axes else {}
    return {
        axis: sorted(draw(st.lists(own.get(axis, level), min_size=least, max_size=3, unique=True)))
        for axis in OPS[op].axes
    }


@st.composite
def points_inside(draw: st.DrawFn, levels: dict[str, list[int]]) -> np.ndarray:
    point = st.tuples(*(st.integers(span[0], span[-1]) for span in levels.values()))
    return np.array(draw(st.lists(point, min_size=1, max_size=8)))


@given(data=st.data(), op=st.sampled_from(["mlp", "attention"]))
def test_inside_it_equals_scipys_interpolator(
    data: st.DataObject, op: str, grid_rows: GridRows
) -> None:
    levels = data.draw(levels_of(op))
    noise = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rows = grid_rows(op, lambda **_: noise.uniform(0.01, 100), **levels)
    dims = data.draw(points_inside(levels))

    ms = OpGrid(op, rows).interpolate(dims)

    wide = [i for i, span in enumerate(levels.values()) if len(span) > 1]
    values = np.array([row.latency_ms for row in rows])
    if not wide:
        assert ms == pytest.approx(values[0])
        return
    spans = list(levels.values())
    grid = values.reshape([len(spans[i]) for i in wide])
    reference = RegularGridInterpolator([spans[i] for i in wide], grid)
    np.testing.assert_allclose(ms, reference(dims[:, wide]), rtol=1e-9, atol=1e-9)


@given(data=st.data(), op=st.sampled_from(sorted(op for op in OPS if not OPS[op].fixed)))
def test_a_measured_point_answers_exactly_itself(
    data: st.DataObject, op: str, grid_rows: GridRows
) -> None:
    noise = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rows = grid_rows(op, lambda **_: noise.uniform(0.01, 100), **data.draw(levels_of(op)))
    rows = data.draw(st.permutations(rows))
    ms = OpGrid(op, rows).interpolate(dims_array([row.subject for row in rows]))
    assert list(ms) == [row.latency_ms for row in rows]


@settings(max_examples=40)
@given(data=st.data(), op=st.sampled_from(["mlp", "attention"]))
def test_a_sum_of_products_of_single_dims_is_reproduced_beyond_the_grid_too(
    data: st.DataObject, op: str, grid_rows: GridRows
) -> None:
    """Multilinear interpolation is exact there, and extrapolation is the same polynomial."""
    axes = OPS[op].axes
    subsets = [s for n in range(len(axes) + 1) for s in itertools.combinations(axes, n)]
    factors = data.draw(
        st.lists(st.floats(0.1, 2), min_size=len(subsets), max_size=len(subsets)), label="factors"
    )

    def cost(**dims: int) -> float:
        return sum(
            factor * np.prod([dims[axis] / 1000 for axis in subset])
            for factor, subset in zip(factors, subsets, strict=True)
        )

    grid = OpGrid(op, grid_rows(op, cost, **data.draw(levels_of(op, least=2))))
    anywhere = st.tuples(*(st.integers(1, 4000) for _ in axes))
    dims = np.array(data.draw(st.lists(anywhere, min_size=1, max_size=5)))
    wanted = [cost(**dict(zip(axes, point, strict=True))) for point in dims]
    # The gap of two levels may be 1 and the point 3000 away: rounding grows by that per axis.
    gap = np.prod([min(np.diff(span)) / 4000 for span in grid.levels])
    np.testing.assert_allclose(
        grid.interpolate(dims, extrapolate=True), wanted, rtol=1e-9, atol=1e-12 / gap
    )


def test_the_macs_of_every_vit_op_are_interpolated_exactly(grid_rows: GridRows) -> None:
    levels = {"embed": [16, 64], "heads": [1, 8], "qk": [4, 32], "v": [4, 32], "tokens": [17]}
    grid = OpGrid(
        "attention", grid_rows("attention", lambda **dims: OPS["attention"].macs(dims), **levels)
    )
    between = Block.of("attention", embed=40, heads=3, qk=9, v=21, tokens=17)
    assert grid.interpolate(dims_array([between]))[0] == pytest.approx(between.macs, rel=1e-12)


@pytest.mark.parametrize(
    ("embed", "hidden", "words"),
    [
        (15, 64, ["embed=15", "from 16 to 32"]),
        (33, 64, ["embed=33", "from 16 to 32"]),
        (20, 300, ["mlp=300", "from 64 to 128"]),
    ],
)
def test_a_dim_outside_names_axis_and_range(
    embed: int,
    hidden: int,
    words: list[str],
    grid_rows: GridRows,
    refused: Callable[..., object],
) -> None:
    rows = grid_rows("mlp", lambda **_: 1.0, embed=[16, 32], mlp=[64, 128], tokens=[5])
    grid = OpGrid("mlp", rows)
    with refused(*words, "`extrapolate`"):
        grid.interpolate(np.array([[20, 64, 5], [embed, hidden, 5]]))
    assert grid.corners(np.array([[embed, hidden, 5]])).outside["tokens"].tolist() == [False]


def test_another_value_of_a_single_level_is_outside(
    grid_rows: GridRows, refused: Callable[..., object]
) -> None:
    rows = grid_rows("mlp", lambda **_: 1.0, embed=[16, 32], mlp=[64, 128], tokens=[5])
    with refused("tokens=6", "only at 5"):
        OpGrid("mlp", rows).interpolate(np.array([[20, 64, 6]]))


def test_a_single_level_axis_is_scaled_by_the_macs(grid_rows: GridRows) -> None:
    levels = {"embed": [16, 32], "heads": [2], "qk": [8], "v": [8], "tokens": [100]}
    rows = grid_rows("attention", lambda embed, **_: embed / 10, **levels)
    measured = Block.of("attention", embed=24, heads=2, qk=8, v=8, tokens=100)
    asked = Block.of("attention", embed=24, heads=2, qk=8, v=8, tokens=200)
    ms = OpGrid("attention", rows).interpolate(dims_array([asked, measured]), extrapolate=True)
    assert ms == pytest.approx([2.4 * asked.macs / measured.macs, 2.4])
    assert asked.macs > 2 * measured.macs  # not merely in proportion to the tokens


def test_several_single_level_axes_are_scaled_together(grid_rows: GridRows) -> None:
    levels = {"embed": [16], "in_channels": [1], "resolution": [8], "kernel": [2], "prefix": [1]}
    rows = grid_rows("patch_embed", lambda **_: 0.5, **levels)
    measured = Block.of("patch_embed", **{axis: level for axis, (level,) in levels.items()})
    sizes = {"in_channels": 3, "resolution": 224, "kernel": 16}
    asked = Block.of("patch_embed", **{**measured.as_dict(), **sizes})
    # A kernel of 16 on an image of 8 pixels, the one axis without the other, would have no MACs.
    ms = OpGrid("patch_embed", rows).interpolate(dims_array([asked, measured]), extrapolate=True)
    assert ms == pytest.approx([0.5 * asked.macs / measured.macs, 0.5])


def test_a_failed_corner_is_an_error_naming_the_point(
    grid_rows: GridRows, failed_row: Callable[..., Row], refused: Callable[..., object]
) -> None:
    rows = grid_rows("mlp", lambda **_: 2.0, embed=[16, 32, 64], mlp=[8, 16], tokens=[5])
    rows[-1] = failed_row(rows[-1].subject, "no kernel for 64.")
    grid = OpGrid("mlp", rows)
    with refused("embed=64", "mlp=16", "no kernel for 64"):
        grid.interpolate(np.array([[20, 9, 5], [40, 9, 5]]))


def test_a_failed_point_of_weight_0_does_not_matter(
    grid_rows: GridRows, failed_row: Callable[..., Row]
) -> None:
    rows = grid_rows(
        "mlp", lambda embed, **_: embed / 16, embed=[16, 32, 64], mlp=[8, 16], tokens=[5]
    )
    rows[-1] = failed_row(rows[-1].subject)
    grid = OpGrid("mlp", rows)
    dims = np.array([[32, 16, 5], [48, 8, 5], [20, 12, 5]])
    assert list(grid.interpolate(dims)) == pytest.approx([2.0, 3.0, 1.25])


def test_points_off_the_grid_are_kept_apart(
    grid_rows: GridRows, row_of: Callable[..., Row], mlp: Callable[..., Block]
) -> None:
    rows = grid_rows("mlp", lambda **_: 1.0, embed=[16, 32], mlp=[64, 128], tokens=[5])
    probe = row_of(mlp(24, 96, 5), 7.0)
    grid = OpGrid("mlp", [probe, *rows])
    assert grid.shape == (2, 2, 1)
    assert grid.extra == {(24, 96, 5): probe}
    assert list(grid.interpolate(np.array([[24, 96, 5], [24, 97, 5]]))) == pytest.approx([7, 1])


@given(
    points=st.integers(1, 4).flatmap(
        lambda axes: st.lists(
            st.tuples(*[st.integers(1, 4)] * axes), min_size=1, max_size=40, unique=True
        )
    )
)
def test_the_levels_always_span_a_full_grid(points: list[tuple[int, ...]]) -> None:
    levels = _complete_levels(points, len(points[0]))
    spanned = set(itertools.product(*(map(int, values) for values in levels)))
    assert spanned
    assert spanned <= set(points)
    assert all(list(values) == sorted(set(values)) for values in levels)


@given(data=st.data())
def test_a_full_grid_survives_a_few_points_beside_it(data: st.DataObject) -> None:
    grid = set(itertools.product([10, 20, 30], [1, 2, 3, 4], [7]))
    beside = st.tuples(st.integers(10, 30), st.integers(1, 4), st.sampled_from([7, 8]))
    probes = data.draw(st.lists(beside, max_size=2))
    levels = _complete_levels(sorted({*grid, *probes}), 3)
    assert [list(values) for values in levels] == [[10, 20, 30], [1, 2, 3, 4], [7]]


def test_rows_of_one_point_do_not_double_it(
    mlp: Callable[..., Block], row_of: Callable[..., Row]
) -> None:
    row = row_of(mlp(), 1.0)
    assert OpGrid("mlp", [row, replace(row, latency_ms=2.0)]).shape == (1, 1, 1)


def test_above_a_linear_axis_the_line_goes_on(grid_rows: GridRows) -> None:
    levels = {"embed": [8, 16], "heads": [1], "qk": [8], "tokens": [40, 80], "merged": [1, 8]}
    rows = grid_rows("bipartite_merging", lambda merged, **_: 0.5 + merged / 10, **levels)
    grid = OpGrid("bipartite_merging", rows)
    dims = np.array([[12, 1, 8, 60, merged] for merged in (1, 5, 8, 20)])
    np.testing.assert_allclose(grid.interpolate(dims), [0.6, 1.0, 1.3, 2.5])
    with pytest.raises(UserError, match="tokens=81"):
        grid.interpolate(np.array([[12, 1, 8, 81, 20]]))

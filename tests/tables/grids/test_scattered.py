"""Interpolation between kernels at scattered dims."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.tables import Row
from vitprof.tables.grids.grid import dims_array
from vitprof.tables.grids.op_grids import OpGrids
from vitprof.tables.grids.scattered import ScatteredPoints, _non_negative_fit


def product(rows: int, columns: int, inner: int) -> Block:
    return Block.of("kernel_matmul", rows=rows, columns=columns, inner=inner, fused=1)


def work_ms(block: Block) -> float:
    """A machine whose latency is the closed form itself: 20 GMAC/s, 10 GB/s, 2 us a run."""
    return block.macs / 2e7 + block.bytes() / 1e7 + 0.002


SIZES = (16, 49, 64, 196, 256, 384, 768)
MEASURED = [product(r, c, i) for r in SIZES[::2] for c in SIZES for i in SIZES[1::2]]


def points_of(blocks: list[Block], scale: float = 1.0) -> ScatteredPoints:
    rows = [Row(block, latency_ms=scale * work_ms(block)) for block in blocks]
    return ScatteredPoints(blocks[0].op, rows)


def test_measured_kernels_are_answered_exactly() -> None:
    points = points_of(MEASURED)
    dims = dims_array(MEASURED)
    corners = points.corners(dims)
    assert points.interpolate(dims) == pytest.approx([work_ms(one) for one in MEASURED], rel=1e-9)
    assert not any(outside.any() for outside in corners.outside.values())


@settings(deadline=None, max_examples=60)
@given(st.integers(16, 768), st.integers(16, 768), st.integers(49, 384))
def test_latencies_of_the_closed_form_are_met(rows: int, columns: int, inner: int) -> None:
    block = product(rows, columns, inner)
    found = points_of(MEASURED).interpolate(dims_array([block]))
    assert found == pytest.approx([work_ms(block)], rel=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 100.0), st.integers(16, 768))
def test_a_slower_machine_is_slower_by_as_much(scale: float, columns: int) -> None:
    dims = dims_array([product(100, columns, 100)])
    slow = points_of(MEASURED, scale).interpolate(dims)
    assert slow == pytest.approx(scale * points_of(MEASURED).interpolate(dims), rel=1e-6)


def test_ratios_are_interpolated_where_the_machine_is_not_the_closed_form() -> None:
    """Efficiency that rises smoothly with the columns is followed between the points."""

    def ms(block: Block) -> float:
        return work_ms(block) * (1 + 0.5 / np.log2(block["columns"]))

    rows = [Row(block, latency_ms=ms(block)) for block in MEASURED]
    points = ScatteredPoints("kernel_matmul", rows)
    unseen = [product(100, 128, 150), product(60, 500, 100), product(300, 90, 300)]
    found = points.interpolate(dims_array(unseen))
    assert found == pytest.approx([ms(block) for block in unseen], rel=0.02)


def test_beyond_the_points_the_nearest_answer_and_the_axis_is_named() -> None:
    points = points_of(MEASURED)
    far = product(196, 4096, 256)
    corners = points.corners(dims_array([far]))
    assert corners.outside["columns"][0] and not corners.outside["inner"][0]
    assert points.weighted(corners) == pytest.approx([work_ms(far)], rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_the_closed_form_is_the_best_without_negative_parts(seed: int) -> None:
    """Against scipy's, which is too slow to import where a table is asked."""
    features = np.random.default_rng(seed).uniform(-0.3, 1.0, (12, 3))
    expected, _ = nnls(features, np.ones(12))
    assert _non_negative_fit(features) == pytest.approx(expected, abs=1e-8)


def conv(**dims: int) -> Block:
    sizes = {"height": 14, "width": 14, "in_channels": 64, "out_channels": 64}
    taps = {"kernel_height": 3, "kernel_width": 3, "stride": 1, "dilation": 1, "groups": 1}
    base = {**sizes, **taps, "fused": 1, "added": 1, "blocked": 2}
    return Block.of("kernel_conv", **(base | dims))


def test_another_kind_is_marked_by_its_axis() -> None:
    blocks = [conv(out_channels=c) for c in (32, 64, 128)]
    corners = points_of(blocks).corners(dims_array([conv(kernel_height=7, kernel_width=7)]))
    assert corners.outside["kernel_height"][0]
    assert not corners.outside["out_channels"][0]


def test_another_function_stands_for_nothing() -> None:
    def resize(function: int, side: int) -> Block:
        sizes = {"height": side, "width": side, "in_channels": 8, "stride": 2, "blocked": 1}
        return Block.of("kernel_resize", **sizes, function=function)

    grids = OpGrids(
        "kernel_resize", [Row(resize(2, side), latency_ms=1.0) for side in (7, 14, 28, 56)]
    )
    part, _ = next(grids.split(dims_array([resize(2, 20)])))
    dims = dims_array([resize(3, 28)])
    with pytest.raises(UserError, match=r"'cubic'.*--kernels"):
        part.check_inside(dims, part.corners(dims), {})


def test_a_kind_with_points_of_its_own_is_not_read_from_another() -> None:
    """A kind whose loop is ten times as slow does not raise what the quick one is answered."""
    quick = [conv(out_channels=c) for c in (32, 48, 64, 96)]
    slow = [conv(out_channels=c, blocked=1) for c in (256, 384, 512)]
    rows = [Row(block, latency_ms=work_ms(block)) for block in quick]
    rows += [Row(block, latency_ms=10 * work_ms(block)) for block in slow]
    points = ScatteredPoints("kernel_conv", rows)
    block = conv(out_channels=256)
    near = points.interpolate(dims_array([conv(out_channels=90), block]))
    ratio = near[1] / near[0] / (work_ms(block) / work_ms(conv(out_channels=90)))
    assert ratio == pytest.approx(1.0, rel=0.2)


def test_points_that_failed_are_passed_over_but_not_hidden() -> None:
    rows = [Row(block, latency_ms=work_ms(block)) for block in MEASURED[:-1]]
    failed = Row(MEASURED[-1], verdict="failed", error="no memory")
    points = ScatteredPoints("kernel_matmul", [*rows, failed])
    near = product(*(value + 1 for axis, value in MEASURED[-1].dims if axis != "fused"))
    assert np.isfinite(points.interpolate(dims_array([near]))).all()
    with pytest.raises(UserError, match="no memory"):
        points.interpolate(dims_array([MEASURED[-1]]))


def test_an_op_of_kernels_is_one_set_of_points() -> None:
    grids = OpGrids("kernel_matmul", [Row(one, latency_ms=work_ms(one)) for one in MEASURED])
    assert grids.points == len(MEASURED)
    unseen = dims_array([product(50, 100, 200), MEASURED[3]])
    expected = [work_ms(product(50, 100, 200)), work_ms(MEASURED[3])]
    assert grids.interpolate(unseen) == pytest.approx(expected, rel=1e-6)

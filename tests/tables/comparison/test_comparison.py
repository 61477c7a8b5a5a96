"""Ranks, Kendall's tau and inversions against scipy and brute force."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau
from vitprof.models import ViTSpec
from vitprof.tables import LatencyTable, Row
from vitprof.tables.comparison.comparison import block_speeds, compare_models, kendall_tau

PAIRS = st.lists(
    st.tuples(st.integers(0, 6) | st.integers(0, 10**12), st.integers(0, 6) | st.floats(1e-3, 1e6)),
    max_size=30,
)


@given(pairs=PAIRS)
def test_kendall_tau_is_scipys(pairs: list[tuple[float, float]]) -> None:
    x, y = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    expected = float(kendalltau(x, y).statistic) if len(pairs) > 1 else math.nan
    assert kendall_tau(x, y) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_kendall_tau_refuses_lists_of_different_length() -> None:
    with pytest.raises(ValueError, match="shorter"):
        kendall_tau([1.0, 2.0], [1.0])


@pytest.fixture(scope="session")
def specs(small_vit: Callable[..., ViTSpec]) -> list[ViTSpec]:
    """Models whose MACs differ, in no order."""
    shapes = [(32, 1, 4, 128), (16, 4, 1, 16), (24, 2, 2, 64), (16, 1, 1, 16), (32, 2, 1, 100)]
    return [small_vit(*shape, name=f"m{i}") for i, shape in enumerate(shapes)]


@settings(max_examples=40)
@given(measured=st.lists(st.sampled_from([1.0, 2.0, 2.5, 7.0]), min_size=5, max_size=5))
def test_the_inversions_are_all_pairs_that_macs_get_wrong(
    measured: list[float], specs: list[ViTSpec], vit_table: LatencyTable
) -> None:
    comparison = compare_models(vit_table, specs, measured)
    cost = dict(zip(specs, measured, strict=True))
    wrong = {
        (a.name, b.name)
        for a, b in itertools.permutations(specs, 2)
        if a.macs < b.macs and cost[a] > cost[b]
    }
    assert {(i.slower, i.faster) for i in comparison.inversions} == wrong
    for inversion in comparison.inversions:
        slower, faster = (
            next(s for s in specs if s.name == name)
            for name in (inversion.slower, inversion.faster)
        )
        assert inversion.macs_ratio == slower.macs / faster.macs < 1
        assert inversion.latency_ratio == cost[slower] / cost[faster] > 1
        predicted = {spec: vit_table.predict(spec) for spec in (slower, faster)}
        apart = predicted[slower].low_ms > predicted[faster].high_ms
        assert inversion.certain is apart
    scores = [(i.certain, i.latency_ratio / i.macs_ratio) for i in comparison.inversions]
    assert scores == sorted(scores, reverse=True)


def test_models_are_compared_in_order_of_macs_by_what_was_measured(
    specs: list[ViTSpec], vit_table: LatencyTable
) -> None:
    measured = [5.0, math.nan, 1.0, 2.0, 3.0]
    comparison = compare_models(vit_table, specs, measured)
    assert [m.macs for m in comparison.models] == sorted(spec.macs for spec in specs)
    assert [m.rank_macs for m in comparison.models] == [1, 2, 3, 4, 5]
    by_name = {m.model: m for m in comparison.models}
    predicted = vit_table.predict(specs[1])
    assert by_name["m1"].latency_ms == predicted.ms
    assert (by_name["m1"].low_ms, by_name["m1"].high_ms) == (predicted.low_ms, predicted.high_ms)
    assert by_name["m0"].latency_ms == 5.0
    assert by_name["m0"].predicted_ms == vit_table.predict(specs[0]).ms
    assert by_name["m0"].params == specs[0].params
    assert by_name["m0"].gmacs_per_s == pytest.approx(specs[0].macs / 1e9 / 5e-3)
    ordered = sorted(comparison.models, key=lambda m: m.latency_ms)
    assert [m.rank_latency for m in ordered] == [1, 2, 3, 4, 5]
    assert comparison.kendall_tau == pytest.approx(
        kendalltau(
            [m.macs for m in comparison.models], [m.latency_ms for m in comparison.models]
        ).statistic
    )


def test_equal_latencies_share_the_smaller_rank(
    specs: list[ViTSpec], vit_table: LatencyTable
) -> None:
    comparison = compare_models(vit_table, specs, [2.0, 2.0, 1.0, 2.0, 3.0])
    assert sorted(m.rank_latency for m in comparison.models) == [1, 2, 2, 2, 5]


def test_throughput_counts_the_images_of_the_batch(
    specs: list[ViTSpec], vit_rows: list[Row], vit_table: LatencyTable
) -> None:
    batched = LatencyTable(vit_rows, replace(vit_table.setting, batch=8))
    one, eight = (compare_models(t, specs[:1], [4.0]).models[0] for t in (vit_table, batched))
    assert eight.gmacs_per_s == pytest.approx(8 * one.gmacs_per_s)
    row = vit_rows[0]
    assert block_speeds(batched)[0].gmacs_per_s == pytest.approx(
        8 * row.subject.macs / 1e9 / (row.latency_ms / 1e3)
    )


def test_the_speed_of_failed_points_and_models_is_left_out(
    vit_rows: list[Row],
    vit_table: LatencyTable,
    specs: list[ViTSpec],
    failed_row: Callable[..., Row],
    row_of: Callable[..., Row],
) -> None:
    rows = [failed_row(vit_rows[0].subject), *vit_rows[1:4], row_of(specs[0], 1.0)]
    speeds = block_speeds(LatencyTable(rows, vit_table.setting))
    assert [speed.block for speed in speeds] == [row.subject for row in vit_rows[1:4]]


def test_a_missing_measurement_is_an_error(specs: list[ViTSpec], vit_table: LatencyTable) -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare_models(vit_table, specs, [1.0])


def test_models_of_equal_macs_or_equal_latency_are_no_inversion(
    small_vit: Callable[..., ViTSpec], vit_table: LatencyTable
) -> None:
    twins = [small_vit(name="a"), small_vit(name="b"), small_vit(32, name="wider")]
    assert compare_models(vit_table, twins, [5.0, 1.0, 5.0]).inversions == []


def test_only_a_model_that_could_not_be_measured_makes_it_doubtful(
    specs: list[ViTSpec], vit_table: LatencyTable
) -> None:
    assert not compare_models(vit_table, specs).is_doubtful
    measured = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert not compare_models(vit_table, specs, measured, stable=False).is_doubtful
    measured[2] = math.nan
    assert compare_models(vit_table, specs, measured, stable=False).is_doubtful

"""Tables against each other: closed forms, brute force, and what must not change anything."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau
from vitprof.models import ViTSpec
from vitprof.tables import LatencyTable
from vitprof.tables.comparison.across import compare_tables

pytestmark = pytest.mark.slow

SPECS = [
    ViTSpec.from_dict(
        {
            "family": "vit",
            "name": f"m{n}",
            "embed": embed,
            "resolution": 8,
            "patch": 4,
            "in_channels": 1,
            "classes": 10,
            "layers": [{"heads": heads, "qk": 6, "v": 7, "mlp": mlp}] * depth,
        }
    )
    for n, (embed, depth, heads, mlp) in enumerate(
        [(16, 1, 1, 100), (20, 2, 4, 20), (32, 1, 2, 60), (24, 3, 1, 90), (28, 2, 3, 40)]
    )
]


@pytest.fixture(scope="module")
def other(vit_table: LatencyTable) -> Callable[..., LatencyTable]:
    """The table with every op's latencies times a factor of its own."""

    def make(**factors: float) -> LatencyTable:
        return vit_table.with_rows(
            replace(
                row,
                **{
                    name: getattr(row, name) * factors.get(row.subject.op, 1.0)
                    for name in ("latency_ms", "low_ms", "high_ms")
                },
            )
            for row in vit_table.rows
        )

    return make


def test_a_table_against_itself_carries_everything_over(vit_table: LatencyTable) -> None:
    across = compare_tables({"a": vit_table, "b": vit_table}, SPECS)
    for pair in across.pairs:
        assert pair.kendall_tau == pytest.approx(1)
        assert pair.scale == pytest.approx(1)
        assert pair.swaps == []
        assert all(d.relative == pytest.approx(0, abs=1e-12) for d in pair.deviations)
        for choice in pair.choices:
            assert choice.by_a == choice.by_b
            assert (choice.over_budget, choice.macs_lost) == (0, 0)


@settings(max_examples=40)
@given(factor=st.floats(1e-3, 1e3))
def test_a_device_that_is_slower_throughout_changes_only_the_scale(
    factor: float, other, vit_table: LatencyTable
) -> None:
    ops = ("patch_embed", "attention", "mlp", "classifier")
    across = compare_tables({"a": vit_table, "b": other(**dict.fromkeys(ops, factor))}, SPECS)
    there = across.pairs[0]
    assert there.scale == pytest.approx(factor)
    assert there.kendall_tau == pytest.approx(1)
    assert there.swaps == []
    assert all(choice.by_a == choice.by_b for choice in there.choices)


@settings(max_examples=40)
@given(attention=st.floats(0.05, 20), mlp=st.floats(0.05, 20))
def test_swaps_and_tau_are_those_of_brute_force(
    attention: float, mlp: float, other, vit_table: LatencyTable
) -> None:
    tables = {"a": vit_table, "b": other(attention=attention, mlp=mlp)}
    across = compare_tables(tables, SPECS)
    pair = across.pairs[0]
    ms = {
        label: {spec.name: table.predict(spec) for spec in SPECS} for label, table in tables.items()
    }
    wanted = {
        (x.name, y.name)
        for x, y in itertools.permutations(SPECS, 2)
        if ms["a"][x.name].ms < ms["a"][y.name].ms and ms["b"][x.name].ms > ms["b"][y.name].ms
    }
    assert {(swap.first, swap.second) for swap in pair.swaps} == wanted
    for swap in pair.swaps:
        a1, a2, b1, b2 = (ms[t][name] for t in ("a", "b") for name in (swap.first, swap.second))
        assert swap.certain == (a1.high_ms < a2.low_ms and b2.high_ms < b1.low_ms)
        assert swap.ratio_a == pytest.approx(a1.ms / a2.ms)
        assert swap.ratio_b == pytest.approx(b1.ms / b2.ms)
    series = [[ms[t][spec.name].ms for spec in SPECS] for t in ("a", "b")]
    assert pair.kendall_tau == pytest.approx(kendalltau(*series).statistic)
    ratios = np.array(series[1]) / np.array(series[0])
    assert pair.scale == pytest.approx(np.exp(np.log(ratios).mean()))


@settings(max_examples=40)
@given(order=st.permutations(range(len(SPECS))))
def test_the_order_in_which_models_are_given_does_not_matter(order, other, vit_table) -> None:
    tables = {"a": vit_table, "b": other(attention=5.0)}
    first = compare_tables(tables, SPECS)
    again = compare_tables(tables, [SPECS[i] for i in order])
    assert [spec.name for spec in first.models] == [spec.name for spec in again.models]
    assert first.pairs == again.pairs


def test_what_does_not_carry_over_is_explained_by_its_op(other, vit_table) -> None:
    pair = compare_tables({"a": vit_table, "b": other(attention=6.0)}, SPECS).pairs[0]
    worst = pair.deviations[0]
    assert abs(worst.relative) == max(abs(d.relative) for d in pair.deviations) > 0.05
    by_name = {d.model: d for d in pair.deviations}
    heavy, light = by_name["m1"], by_name["m0"]  # most and least attention
    assert heavy.relative > 0 > light.relative
    assert heavy.op in ("attention", "mlp")
    assert heavy.share_a != heavy.share_b


@settings(max_examples=40)
@given(attention=st.floats(0.05, 20), mlp=st.floats(0.05, 20))
def test_choices_are_those_of_brute_force(attention, mlp, other, vit_table) -> None:
    across = compare_tables({"a": vit_table, "b": other(attention=attention, mlp=mlp)}, SPECS)
    pair = across.pairs[0]
    a, b = (dict(zip((s.name for s in across.models), each.ms, strict=True)) for each in across.on)
    macs = {spec.name: spec.macs for spec in SPECS}
    for choice in pair.choices:
        own = [name for name in b if b[name] <= choice.budget_ms * (1 + 1e-9)]
        assert choice.by_b == max(own, key=lambda name: macs[name])
        fit = [name for name in a if pair.scale * a[name] <= choice.budget_ms * (1 + 1e-9)]
        wanted = max(fit, key=lambda name: macs[name]) if fit else min(a, key=lambda n: a[n])
        assert choice.by_a == wanted
        assert choice.over_budget == pytest.approx(
            max(b[wanted] / choice.budget_ms - 1, 0), abs=1e-8
        )
        assert choice.macs_lost == pytest.approx(1 - macs[wanted] / macs[choice.by_b])


def test_three_tables_make_six_ordered_pairs(other, vit_table) -> None:
    tables = {"a": vit_table, "b": other(mlp=2.0), "c": other(attention=2.0)}
    across = compare_tables(tables, SPECS)
    assert [(pair.a, pair.b) for pair in across.pairs] == list(itertools.permutations("abc", 2))
    scales = {(pair.a, pair.b): pair.scale for pair in across.pairs}
    assert scales["a", "b"] * scales["b", "a"] == pytest.approx(1)
    assert scales["a", "b"] * scales["b", "c"] == pytest.approx(scales["a", "c"])

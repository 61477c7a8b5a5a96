"""How far a machine's speed wandered, over its undisturbed one."""

from __future__ import annotations

import pytest
from vitprof.models import Block
from vitprof.tables import Setting
from vitprof.tables.header import TableHeader
from vitprof.tables.references import Drift, Readings, References
from vitprof.tables.speed_histogram import SpeedHistogram
from vitprof.tables.unrest import Unrest

MLP = Block.of("mlp", embed=8, mlp=48, tokens=2)


def header(setting: Setting, showed: Readings, seconds: float | None = 100.0) -> TableHeader:
    spent = {"total": seconds} if seconds else None
    references = References(MLP, MLP)
    return TableHeader(setting, references=references, readings={MLP: showed}, seconds=spent)


def test_half_of_the_time_at_half_speed_costs_a_third(setting: Setting) -> None:
    readings = SpeedHistogram.of([10.0] * 50 + [20.0] * 50)
    unrest = Unrest.of(header(setting, Readings(Drift.of(readings), 0.01, readings)))
    assert unrest is not None
    assert (unrest.p10, unrest.p90) == pytest.approx((1.0, 2.0))
    assert unrest.of_undisturbed
    assert not unrest.is_quiet
    assert unrest.cost_s == pytest.approx(100 / 3, rel=1e-3)


def test_a_machine_that_hardly_wavers_is_quiet(setting: Setting) -> None:
    readings = SpeedHistogram.of([10.0, 10.1, 10.2] * 20)
    unrest = Unrest.of(header(setting, Readings(Drift.of(readings), 0.01, readings)))
    assert unrest is not None
    assert unrest.is_quiet
    assert unrest.cost_s == pytest.approx(1.0, abs=1.0)


def test_an_older_table_knows_only_the_median_and_no_cost(setting: Setting) -> None:
    unrest = Unrest.of(header(setting, Readings(Drift(10.0, 8.0, 15.0), 0.01)))
    assert unrest == Unrest(0.8, 1.5, of_undisturbed=False)


def test_without_the_time_the_cost_is_not_known(setting: Setting) -> None:
    readings = SpeedHistogram.of([10.0] * 50 + [20.0] * 50)
    unrest = Unrest.of(header(setting, Readings(Drift.of(readings), 0.01, readings), None))
    assert unrest is not None
    assert unrest.cost_s is None


def test_without_a_reference_nothing_is_known(setting: Setting) -> None:
    assert Unrest.of(TableHeader(setting)) is None

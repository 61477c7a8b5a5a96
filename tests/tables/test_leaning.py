"""How predictions lean on rows: against moving each row and predicting again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from vitprof.models import create_spec
from vitprof.spaces.registry import slabs_class
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.tables.leaning import influences

STEP = 1e-4


@pytest.fixture(scope="module", params=["vit-micro-8", "efficientvit-m0"])
def case(request: pytest.FixtureRequest) -> tuple[LatencyTable, list]:
    spec = create_spec(request.param)
    space = slabs_class(spec.family).create(spec)
    rows = [Row(b, latency_ms=0.01 + b.macs / 1e6) for b in space.blocks()]
    bare = LatencyTable(rows, Setting("toy", "scripted"))
    models = space.calibration_models(5, 0)
    rows += [Row(m, "in_model", latency_ms=1.1 * bare.predict(m).ms) for m in models]
    return LatencyTable(rows, Setting("toy", "scripted")), space.calibration_models(4, 7)


def test_it_is_what_moving_a_row_does(case: tuple[LatencyTable, list]) -> None:
    table, specs = case
    found = influences(table, specs)
    before = table.predict_many(specs)
    rng = np.random.default_rng(0)
    for n in rng.choice(len(table.block_rows), 12, replace=False):
        row = table.rows[n]
        rows = [one.scaled(1 + STEP) if one is row else one for one in table.rows]
        moved = LatencyTable(rows, table.header).predict_many(specs)
        expected = float(np.mean(((moved / before - 1) / STEP) ** 2))
        assert found.get(row.key, 0.0) == pytest.approx(expected, rel=1e-4, abs=1e-12)


def test_a_whole_model_acts_through_the_fitted_line(case: tuple[LatencyTable, list]) -> None:
    table, specs = case
    found = influences(table, specs)
    before = calibrated(table).predict_many(specs)
    for row in table.model_rows[:2]:
        rows = [one.scaled(1.001) if one is row else one for one in table.rows]
        moved = calibrated(LatencyTable(rows, table.header)).predict_many(specs)
        expected = float(np.mean(((moved / before - 1) / 0.001) ** 2))
        # The unit of a parameter, and what is predicted, move with the line: not to the last digit.
        assert found[row.key] == pytest.approx(expected, rel=0.5)


def test_where_no_model_is_covered_all_rows_count_alike(case: tuple[LatencyTable, list]) -> None:
    table, _ = case
    ops = {row.subject.op for row in table.block_rows}
    part = table.with_rows([row for row in table.block_rows if row.subject.op != min(ops)])
    specs = [create_spec("vgg16-bn-cifar")]
    assert set(influences(part, specs).values()) == {1.0}


def test_a_failed_row_takes_no_part(case: tuple[LatencyTable, list]) -> None:
    table, specs = case
    failed = replace(table.model_rows[0], verdict="failed", latency_ms=float("nan"))
    rows = [failed if row.key == failed.key else row for row in table.rows]
    assert failed.key not in influences(LatencyTable(rows, table.header), specs)

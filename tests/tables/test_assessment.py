"""The verdict about a table: how far predictions err, what dominates that, what would help."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.assessment import Remedy, assess
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.tables.header import TableHeader
from vitprof.tables.references import Readings

RowOf = Callable[..., Row]
Mlp = Callable[..., Block]


def with_spread(rows: list[Row], share: float) -> list[Row]:
    """Return the rows with 95 % intervals of so much to both sides."""
    return [
        replace(row, low_ms=(1 - share) * row.latency_ms, high_ms=(1 + share) * row.latency_ms)
        for row in rows
    ]


@pytest.fixture
def fitted(with_models: LatencyTable) -> LatencyTable:
    """A table with a line through six whole models, which took 60 s."""
    table = calibrated(with_models)
    header = replace(table.header, seconds={"total": 60.0}, protocol={"sessions": 3})
    return LatencyTable(table.rows, header, calibrations=table.calibrations)


@pytest.fixture
def erring(fitted: LatencyTable) -> Callable[..., LatencyTable]:
    """Return that table with another held-out error, and other intervals."""

    def table(mape: float, interval: float = 0.02) -> LatencyTable:
        line = replace(fitted.calibrations["vit"], held_out_mape=mape)
        rows = with_spread(fitted.rows, interval)
        return LatencyTable(rows, fitted.header, calibrations={"vit": line})

    return table


def test_the_error_is_that_of_whole_models_held_out(erring) -> None:
    found = assess(erring(0.019))
    assert found.expected_error == 0.019
    assert found.by_family == {"vit": 0.019}
    assert found.is_usable
    assert found.verdict == "usable"
    assert found.report()["verdict"] == "usable"


def test_unstable_points_alone_make_no_table_doubtful(erring) -> None:
    table = erring(0.019)
    table.rows = [replace(row, verdict="unstable") for row in table.rows]
    found = assess(table)
    assert found.unstable == found.points == len(table.rows)
    assert found.is_usable
    assert not table.is_doubtful


@pytest.mark.parametrize(
    ("accept", "verdict"), [(0.05, "usable"), (0.03, "usable"), (0.019, "doubtful")]
)
def test_it_is_doubtful_above_what_is_accepted(accept: float, verdict: str, erring) -> None:
    table = erring(0.03)
    assert assess(table, accept).verdict == verdict
    table.accept = accept
    assert table.is_doubtful is (verdict == "doubtful")


def test_a_failed_point_makes_it_doubtful(erring, mlp: Mlp, failed_row: RowOf) -> None:
    table = erring(0.001)
    table.rows.append(failed_row(mlp(4096)))
    found = assess(table)
    assert found.failed == 1
    assert found.verdict == "doubtful"


def test_without_whole_models_the_error_is_a_blocks_half_interval(vit_table: LatencyTable) -> None:
    rows = with_spread(vit_table.rows[:-1], 0.03) + with_spread(vit_table.rows[-1:], 0.4)
    found = assess(LatencyTable(rows, vit_table.setting))
    assert found.expected_error == pytest.approx(0.03)
    assert found.by_family == {}
    assert found.report()["of"].startswith("blocks")


def test_of_rows_without_intervals_nothing_is_known(mlp: Mlp, setting: Setting) -> None:
    rows = [Row(mlp(), verdict="imported", latency_ms=1.0)]
    found = assess(LatencyTable(rows, TableHeader(setting, imported=({"tool": "nvit"},))))
    assert math.isnan(found.expected_error)
    assert found.verdict == "unknown"
    assert found.is_usable
    assert found.remedy is None


def test_wide_intervals_ask_for_sessions_and_narrow_ones_for_points_or_models(erring) -> None:
    noisy = assess(erring(0.02, interval=0.06))
    assert noisy.cause == "sessions"
    assert noisy.remedy == Remedy("sessions", 5, fresh=True, seconds=100.0)
    misfit = assess(erring(0.04, interval=0.005))
    assert misfit.cause == "fit"
    assert misfit.remedy == Remedy("whole_models", 8, fresh=False)


def test_with_enough_models_a_misfit_asks_for_more_blocks(erring) -> None:
    table = erring(0.04, interval=0.005)
    model = table.model_rows[0]
    for n in range(2):
        again = replace(model.subject, name=f"again-{n}")
        table.rows.append(replace(model, subject=again))
    remedy = assess(table).remedy
    blocks = len(table.block_rows)
    assert remedy is not None
    assert remedy.parameter == "points"
    assert not remedy.fresh
    assert remedy.value == blocks + 10
    assert remedy.seconds == pytest.approx(60 * 10 / len(table.rows))


def test_a_run_cut_short_asks_for_time(erring) -> None:
    table = erring(0.02, interval=0.06)
    table.rows = [replace(row, session_ms=row.session_ms[:1]) for row in table.rows]
    assert assess(table).remedy == Remedy("time", 180, fresh=True, seconds=180.0)


def test_a_good_table_asks_for_nothing(erring) -> None:
    assert assess(erring(0.006)).remedy is None


def test_a_spread_that_no_point_showed_is_not_called_seen(
    vit_table: LatencyTable, setting: Setting
) -> None:
    header = TableHeader(setting, readings={None: Readings(None, 0.015)})
    assert assess(LatencyTable(vit_table.rows, header)).session_sd == 0.015
    single = [replace(row, session_ms=row.session_ms[:1]) for row in vit_table.rows]
    assert assess(LatencyTable(single, header)).session_sd is None
    assert header.likely_session_sd == 0.015
    assert TableHeader(setting).likely_session_sd == 0.015
    assert TableHeader(setting, imported=({"tool": "nvit"},)).likely_session_sd == 0.0

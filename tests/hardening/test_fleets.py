"""The judgement of a fleet's table: what is lost, doubled, measured anew or unfinished is seen."""

from __future__ import annotations

import fcntl
from dataclasses import replace
from pathlib import Path

import pytest
from hardening_parts import fleets
from hardening_parts.comparing import whole_table
from hardening_parts.fleets import finished_points, held_locks, judged
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting

SETTING = Setting("cpu", "onnxruntime", "CPUExecutionProvider")


def row_of(width: int) -> Row:
    ms = 0.1 * width
    quantiles = dict.fromkeys(("min_ms", "p10_ms", "p90_ms", "p99_ms"), ms)
    block = Block.of("mlp", embed=width, mlp=4 * width, tokens=16)
    interval = {"low_ms": 0.99 * ms, "high_ms": 1.01 * ms}
    return Row(block, latency_ms=ms, session_ms=(ms,) * 3, samples=9, **interval, **quantiles)


@pytest.fixture
def table(tmp_path: Path) -> tuple[Path, list[Row]]:
    rows = [row_of(width) for width in (8, 16, 24)]
    path = tmp_path / "fleet.csv"
    LatencyTable(rows, SETTING).to_csv(path)
    return path, rows


def keys_of(rows: list[Row]) -> frozenset[object]:
    return frozenset(row.key for row in rows)


def test_a_whole_table_has_no_fault(table) -> None:
    path, rows = table
    assert whole_table(path)
    assert judged(path, keys_of(rows), finished_points(path)) == []


def test_a_lost_point_and_one_of_another_plan_are_seen(table) -> None:
    path, rows = table
    (told,) = judged(path, keys_of(rows) | {"another"}, {})
    assert told == "lost: another"
    (told,) = judged(path, keys_of(rows[1:]), {})
    assert told.startswith("not in the plan: ")


def test_a_point_that_is_measured_anew_is_seen_and_one_with_more_sessions_is_not(table) -> None:
    path, rows = table
    before = finished_points(path)
    more = replace(rows[0], session_ms=(*rows[0].session_ms, 7.0))
    LatencyTable([more, *rows[1:]], SETTING).to_csv(path)
    assert judged(path, keys_of(rows), before) == []
    anew = replace(rows[0], session_ms=tuple(2 * ms for ms in rows[0].session_ms))
    LatencyTable([anew, *rows[1:]], SETTING).to_csv(path)
    (told,) = judged(path, keys_of(rows), before)
    assert told.startswith("sessions are lost or doubled: ")


def test_no_table_at_all_is_seen(tmp_path: Path) -> None:
    assert not whole_table(tmp_path / "none.csv")
    assert judged(tmp_path / "none.csv", frozenset(), {}) == ["there is no table that can be read"]


def test_a_lock_that_is_held_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "SECONDS_TO_UNLOCK", 0.3)
    (tmp_path / "a").mkdir()
    lock = tmp_path / "a" / "host.lock"
    lock.touch()
    assert held_locks(tmp_path) == []
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert held_locks(tmp_path) == ["a still holds its device"]

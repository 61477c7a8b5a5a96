"""A killed process and a full disk lose nothing that was reported done."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vitprof.profiler.measure import measure_table
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Row, Setting

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("measure_in_a_child.py")
WIDTHS = (8, 16, 24, 32, 40, 48)


def in_a_child(out: Path, run_s: float, most_bytes: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-B", SCRIPT, out, str(run_s), str(most_bytes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def finish(
    widths: Callable[..., Any],
    new_backend: Callable[..., Any],
    quick: Callable[..., Any],
    toy_setting: Setting,
) -> Callable[[Path], tuple[LatencyTable, int]]:
    """Go on with a child's table here; return it and how many sessions that took."""

    def run(out: Path) -> tuple[LatencyTable, int]:
        backend = new_backend()
        table = measure_table(
            widths(*WIDTHS),
            Target(backend, toy_setting),
            out,
            protocol=quick(sessions=2, group=2),
            clock=backend.clock,
        )
        return table, len(backend.opened)

    return run


def measured(row: Row) -> Row:
    """Return the row without what the spread of all points adds when the table is finished."""
    nan = float("nan")
    return replace(row, low_ms=nan, high_ms=nan, verdict="stable", error="")


def assert_finished_with(table: LatencyTable, before: list[Row], out: Path) -> None:
    assert [row.subject["mlp"] for row in table.rows] == list(WIDTHS)
    assert all(row.sessions == 2 and row.verdict != "failed" for row in table.rows)
    read = LatencyTable.read_csv(out)
    assert not read.unfinished
    assert max(Counter(row.key for row in read.rows).values()) == 1
    after = {row.key: repr(measured(row)) for row in read.rows}
    for row in before:
        assert after[row.key] == repr(measured(row))


def sessions_in(path: Path) -> int:
    return path.read_text().count(",partial,")


def test_killed_at_any_moment_it_goes_on_from_what_was_reported(
    out: Path, finish: Callable[[Path], tuple[LatencyTable, int]]
) -> None:
    before: list[Row] = []
    for kill_at in (1, 4):
        child = in_a_child(out, run_s=0.01)
        assert child.stdout is not None
        reported = 0
        for line in child.stdout:
            reported = int(line)
            if reported >= kill_at:
                break
        child.kill()  # in the middle of the next group's runs
        assert child.wait() == -signal.SIGKILL
        child.communicate()
        table = LatencyTable.read_csv(out)
        assert table.unfinished
        assert kill_at <= reported <= len(table.rows) < len(WIDTHS)
        kept = {row.key: repr(row) for row in table.rows}
        assert all(kept[row.key] == repr(row) for row in before)
        before = table.rows
    sessions_left = 2 * len(WIDTHS) - sessions_in(out)
    finished, sessions = finish(out)
    assert sessions == sessions_left
    assert_finished_with(finished, before, out)


@pytest.mark.parametrize(
    "lines", [10.5, 11.5], ids=["before-a-session", "between-last-session-and-point"]
)
def test_a_full_disk_is_said_and_what_is_done_is_kept(
    lines: float, out: Path, finish: Callable[[Path], tuple[LatencyTable, int]]
) -> None:
    """A first session of each of 6 points, then both rows of 2 more, and one session or none."""
    finish(out)
    header, rows = out.read_text().split("\nop,")
    out.unlink()
    room = len(header.encode()) + round(lines * len(rows.encode()) / 7)

    child = in_a_child(out, run_s=0, most_bytes=room)
    _, errors = child.communicate()
    assert child.returncode == 2, errors
    assert errors.count("\n") == 1
    assert str(out) in errors
    assert "cannot be written" in errors
    assert out.read_bytes().endswith(b"\n"), "the half line was taken off again"
    table = LatencyTable.read_csv(out)
    assert table.unfinished
    assert 0 < len(table.rows) < len(WIDTHS)
    assert f"{len(table.rows)} points" in errors

    sessions_left = 2 * len(WIDTHS) - sessions_in(out)
    finished, sessions = finish(out)
    assert sessions == sessions_left
    assert_finished_with(finished, table.rows, out)


def test_a_process_that_measures_keeps_others_off_until_it_is_gone_however_it_ends(
    out: Path,
    finish: Callable[[Path], tuple[LatencyTable, int]],
    refused: Callable[..., Any],
) -> None:
    child = in_a_child(out, run_s=0.01)
    try:
        assert child.stdout is not None
        assert child.stdout.readline()
        child.send_signal(signal.SIGSTOP)  # so that every change of the file is ours
        before = out.read_bytes()
        with refused(str(out), "another vitprof is measuring"):
            finish(out)
        assert out.read_bytes() == before
    finally:
        child.kill()
        child.communicate()
    table, _ = finish(out)
    assert_finished_with(table, [], out)

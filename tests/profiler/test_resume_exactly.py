"""Killed after any line that it wrote, a run ends with the sessions of one that was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from vitprof.profiler import journal
from vitprof.profiler.measure import measure_table
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Setting

LINES = 14  # two points: two sessions and two extra ones each, and a row from the second on


@pytest.fixture
def measure(
    new_backend: Callable[..., Any],
    widths: Callable[..., Any],
    quick: Callable[..., Any],
    run_of: Any,
    toy_setting: Setting,
) -> Callable[[Path], LatencyTable]:
    """Measure two points whose sessions never agree."""
    opened: Counter[int] = Counter()

    def runs(artifact: dict[str, int], _: Any) -> list[Any]:
        opened[artifact["params"]] += 1
        return [run_of(1.0 + opened[artifact["params"]] * 0.618 % 1)]

    def run(out: Path) -> LatencyTable:
        backend = new_backend(runs_of=runs)
        protocol = quick(sessions=2, extra_sessions=2, group=2)
        target = Target(backend, toy_setting)
        return measure_table(widths(8, 16), target, out, protocol=protocol, clock=backend.clock)

    return run


def test_killed_after_any_line_it_ends_with_the_same_sessions(
    measure: Callable[[Path], LatencyTable], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure(tmp_path / "whole.csv")
    assert [row.sessions for row in whole.rows] == [4, 4]
    assert not whole.header.resumed
    write = journal.write_line
    for kill_after in range(1, LINES + 1):
        out = tmp_path / f"{kill_after}.csv"
        written = 0

        def write_line(file: FileIO, line: bytes, last: int = kill_after) -> None:
            nonlocal written
            write(file, line)
            written += 1
            if written == last:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(journal, "write_line", write_line)
            with pytest.raises(KeyboardInterrupt):
                measure(out)
        table = measure(out)
        assert [row.sessions for row in table.rows] == [4, 4], kill_after
        assert [len(row.session_ms) for row in table.rows] == [4, 4], kill_after
        assert table.header.protocol == whole.header.protocol
        assert table.header.resumed
        assert LatencyTable.read_csv(out).header.resumed


def test_killed_again_and_again_it_gets_no_more_sessions(
    measure: Callable[[Path], LatencyTable], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, kills = journal.write_line, 0

    def write_line(file: FileIO, line: bytes) -> None:
        nonlocal kills
        write(file, line)
        kills += 1
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(journal, "write_line", write_line)
        while kills < 3 * LINES:
            before = kills
            try:
                table = measure(tmp_path / "lut.csv")
            except KeyboardInterrupt:
                continue
            assert kills == before, "nothing was left to write"
            break
    assert kills <= LINES
    assert [row.sessions for row in table.rows] == [4, 4]

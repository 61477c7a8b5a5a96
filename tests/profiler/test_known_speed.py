"""What a run says beside earlier runs of the machine: scripted clock, scripted speeds."""

from __future__ import annotations

import json
import logging
import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from vitprof.profiler.measure import measure_table
from vitprof.profiler.place.known_machines import KnownSpeed, state_folder
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Setting

Measure = Callable[..., LatencyTable]


@pytest.fixture
def measure(
    tmp_path: Path,
    toy_setting: Setting,
    widths: Any,
    quick: Any,
    new_backend: Any,
    run_of: Any,
    caplog: pytest.LogCaptureFixture,
) -> Measure:
    """Measure three blocks on a machine that is `factor` times as slow as it can be."""
    caplog.set_level(logging.INFO, logger="vitprof")

    def run(
        factor: float = 1.0,
        wander: float = 0.0,
        version: str = "1.0",
        mlps: Iterable[int] = (8, 16, 48),
    ) -> LatencyTable:
        caplog.clear()

        def runs(artifact: dict[str, int], _: object) -> list[Any]:
            return [run_of(artifact["params"] / 1e3)]

        backend = new_backend(runs_of=runs, version=version)
        advance = backend.clock.advance

        def at_speed(ms: float, *others: Any) -> None:
            """Take another speed every 20 ms; slow ones are more frequent."""
            moment = random.Random(backend.clock.wall() // 20_000_000)
            slower = wander * moment.random() ** 0.5
            advance(ms * factor * (1 + slower), *others)

        backend.clock.advance = at_speed
        out = tmp_path / f"{len(list(tmp_path.glob('*.csv')))}.csv"
        target = Target(backend, toy_setting)
        protocol = quick(correct_drift=True)
        return measure_table(widths(*mlps), target, out, protocol=protocol, clock=backend.clock)

    return run


def entries(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "machines.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def test_a_run_goes_on_file(measure: Measure, state_of_this_test: Path) -> None:
    table = measure()
    (entry,) = entries(state_of_this_test)
    drift = table.header.of_blocks.drift
    assert entry["undisturbed_ms"] == pytest.approx(drift.undisturbed_ms, abs=1e-5)
    assert entry["runtime"]["version"] == "1.0"
    assert entry["setting"]["backend"] == "scripted"
    assert entry["share"] == 1.0


def test_a_disturbed_run_is_stated_at_the_known_speed(
    measure: Measure, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Two tables of a restless machine agree."""
    quiet, disturbed = measure(), measure(1.11)
    assert "never undisturbed: the reference took at least" in caplog.text
    assert "stop other programs and measure again" in caplog.text
    for row, other in zip(quiet.rows, disturbed.rows, strict=True):
        assert other.latency_ms == pytest.approx(row.latency_ms, rel=5e-3)
        assert other.session_ms[0] == pytest.approx(1.11 * row.session_ms[0]), "raw"
    said = disturbed.header.of_blocks.undisturbed_from
    assert said is not None
    assert said.seen_ms == pytest.approx(1.11 * said.known_ms, rel=1e-4)
    assert said.runs == 1
    read = LatencyTable.read_csv(tmp_path / "1.csv")
    assert read.header.of_blocks.undisturbed_from == said
    assert read.header.of_blocks.drift.undisturbed_ms == pytest.approx(said.known_ms)
    typical = read.at("typical")
    assert typical.rows[0].latency_ms == pytest.approx(1.11 * quiet.rows[0].latency_ms, rel=1e-4)


def test_runs_that_agree_are_stated_at_one_speed_and_say_nothing(
    measure: Measure, caplog: pytest.LogCaptureFixture
) -> None:
    first, table = measure(), measure(1.02)
    for row, other in zip(first.rows, table.rows, strict=True):
        assert other.latency_ms == pytest.approx(row.latency_ms, rel=2e-3)
    said = table.header.of_blocks.undisturbed_from
    assert said is not None
    assert said.seen_ms == pytest.approx(1.02 * said.known_ms, rel=1e-3)
    assert not [r for r in caplog.records if "undisturbed" in r.message or "faster" in r.message]


def test_a_faster_machine_is_said(measure: Measure, caplog: pytest.LogCaptureFixture) -> None:
    measure()
    faster = measure(0.9)
    assert "this machine has become faster since 20" in caplog.text
    assert faster.header.of_blocks.undisturbed_from is None
    measure(0.9)
    assert "faster" not in caplog.text


def test_another_version_of_the_runtime_is_another_machine(
    measure: Measure, caplog: pytest.LogCaptureFixture
) -> None:
    measure()
    table = measure(1.2, version="2.0")
    assert table.header.of_blocks.undisturbed_from is None
    assert caplog.text.count("of another version of the runtime, and is not used") == 1
    measure(1.2, version="2.0")
    assert "another version" not in caplog.text


def test_a_first_run_without_a_fast_mode_is_marked(
    measure: Measure, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    table = measure(wander=1.5, mlps=range(8, 200, 4))
    assert "may never have been undisturbed" in caplog.text
    assert "stop other programs" in caplog.text
    assert table.header.of_blocks.never_undisturbed
    assert LatencyTable.read_csv(tmp_path / "0.csv").header.of_blocks.never_undisturbed
    assert not measure().header.of_blocks.never_undisturbed


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        '{"vitprof-machines": 2}\n',
        '{"vitprof-machines": 1}\nnonsense\n',
        '{"vitprof-machines": 1}\n{"undisturbed_ms": NaN, "date": "2026-01-01"}\n',
        '{"vitprof-machines": 1}\n{"undisturbed_ms": 1.0}\n',
        '{"vitprof-machines": 1}\n' + "[" * 100_000 + "\n",
    ],
)
def test_a_damaged_file_is_one_note_and_left_as_it_is(
    text: str, measure: Measure, state_of_this_test: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state_of_this_test.mkdir()
    path = state_of_this_test / "machines.jsonl"
    path.write_text(text)
    table = measure()
    assert len(table.rows) == 3
    assert caplog.text.count("speeds of earlier runs are not compared") == 1
    assert path.read_text() == text


def test_a_torn_last_line_is_dropped(measure: Measure, state_of_this_test: Path) -> None:
    measure()
    with (state_of_this_test / "machines.jsonl").open("a") as file:
        file.write('{"machine": {"cpu"')
    assert measure(1.11).header.of_blocks.undisturbed_from is not None
    assert len(entries(state_of_this_test)) == 2


def test_a_file_that_is_too_large_is_not_read(
    measure: Measure, state_of_this_test: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state_of_this_test.mkdir()
    path = state_of_this_test / "machines.jsonl"
    path.write_text('{"vitprof-machines": 1}\n')
    os.truncate(path, 20_000_001)
    measure()
    assert "larger than 20 MB" in caplog.text


def test_a_folder_that_cannot_be_written_is_one_note(
    measure: Measure,
    state_of_this_test: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    state_of_this_test.write_text("a file")
    assert len(measure().rows) == 3
    assert caplog.text.count("speeds of earlier runs are not compared") == 1


def test_a_table_measured_already_is_not_on_file_twice(
    tmp_path: Path, backend: Any, widths: Any, quick: Any, toy_setting: Setting, state_of_this_test
) -> None:
    for _ in range(2):
        measure_table(
            widths(8, 48),
            Target(backend, toy_setting),
            tmp_path / "lut.csv",
            protocol=quick(correct_drift=True),
            clock=backend.clock,
        )
    assert len(entries(state_of_this_test)) == 1


def test_a_run_killed_before_its_last_write_ends_as_one_that_was_not(
    tmp_path: Path,
    new_backend: Any,
    widths: Any,
    quick: Any,
    toy_setting: Setting,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured(name: str) -> LatencyTable:
        backend = new_backend()
        target, out = Target(backend, toy_setting), tmp_path / f"{name}.csv"
        protocol = quick(correct_drift=True)
        return measure_table(widths(8, 48), target, out, protocol=protocol, clock=backend.clock)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    tables = []
    for name in ("whole", "killed"):
        monkeypatch.setenv("VITPROF_STATE", str(tmp_path / name))
        if name == "killed":
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(LatencyTable, "to_csv", killed)
                measured(name)
        tables.append(measured(name))
        assert len(entries(tmp_path / name)) == 1
    whole, resumed = tables
    assert resumed.header.resumed and not whole.header.resumed
    assert resumed.header.readings == whole.header.readings
    for row, other in zip(whole.rows, resumed.rows, strict=True):
        assert (other.latency_ms, other.low_ms) == (row.latency_ms, row.low_ms)


def test_the_known_speed_is_the_fast_mode_of_the_latest_runs() -> None:
    seen = [(1.0, "2025-01-01")] + [(ms, "2026-01-01") for ms in [2.0, 2.02, 2.04, 2.5] * 5]
    known = KnownSpeed.of(seen)
    assert known == KnownSpeed(2.02, 15, "2026-01-01")


def test_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert state_folder() == Path(os.environ["VITPROF_STATE"])
    monkeypatch.delenv("VITPROF_STATE")
    assert state_folder() == Path("/somewhere/vitprof")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == Path.home() / ".local/state/vitprof"

"""A table measured on a scripted runtime: its rows, its failures, and what a second call adds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vitprof.backends import Backend, BackendOptions, Executable
from vitprof.models import ViTSpec
from vitprof.profiler.measure import measure_models, measure_table
from vitprof.profiler.plan import Plan
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Row, Setting

Widths = Callable[..., Plan]
NewBackend = Callable[..., Any]
WidthOf = Callable[[Row], int]


@pytest.fixture
def measure(out: Path, toy_setting: Setting, quick: Callable[..., Protocol]) -> Callable[..., Any]:
    """Measure a plan into `out` on a scripted runtime, on its clock."""

    def run(plan: Plan, backend: Any, **others: Any) -> LatencyTable:
        arguments = {"protocol": quick(), "clock": backend.clock} | others
        return measure_table(plan, Target(backend, toy_setting), out, **arguments)

    return run


@pytest.fixture
def params_of(widths: Widths) -> dict[int, int]:
    """Width -> number of parameters, by which the scripted runtime knows a point."""
    points = widths(8, 16, 24, 32, 40, 48).points
    return {point.subject["mlp"]: point.subject.params for point in points}


def test_the_scripted_runtime_is_a_backend(backend: Any) -> None:
    assert isinstance(backend, Backend)
    assert isinstance(backend.load(b'{"params": 1}', BackendOptions()), Executable)


def test_rows_stand_in_the_order_of_the_plan_with_the_time_each_takes(
    measure: Callable[..., LatencyTable],
    backend: Any,
    widths: Widths,
    width_of: WidthOf,
    out: Path,
) -> None:
    table = measure(widths(48, 8, 32, 16, 40), backend)
    assert [width_of(row) for row in table.rows] == [48, 8, 32, 16, 40]
    for row in table.rows:
        truth = backend.true_ms(row.subject.params)
        assert row.verdict == "stable"
        assert row.low_ms < row.latency_ms < row.high_ms
        assert row.latency_ms == pytest.approx(truth, rel=0.011)
        assert row.min_ms <= row.p10_ms <= row.p90_ms <= row.p99_ms
        assert row.sessions == 3
        assert row.samples == 3 * 5
        assert row.set_aside == 0
        assert row.latency_ms == sorted(row.session_ms)[1]
    read = LatencyTable.read_csv(out)
    assert not read.unfinished
    assert [row.key for row in read.rows] == [row.key for row in table.rows]
    assert read.protocol["sessions"] == 3
    assert read.environment["runtime"]["version"] == "1.0"


def test_every_point_is_built_once_and_loaded_afresh_for_every_session(
    measure: Callable[..., LatencyTable], backend: Any, widths: Widths
) -> None:
    measure(widths(8, 16, 24, 32, 40), backend)
    assert len(backend.built) == 5
    assert len(backend.opened) == 15
    assert all(executable.closed for executable in backend.opened)


def test_sessions_of_a_point_are_passes_apart_and_a_group_is_alive_at_a_time(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Callable[..., Protocol],
) -> None:
    alive: set[int] = set()
    loads: list[int] = []
    backend = new_backend()
    load = backend.load

    def watched(artifact: bytes, options: BackendOptions) -> Any:
        loads.append(backend.built.index(json.loads(artifact)))
        alive.add(sum(not e.closed for e in backend.opened))
        return load(artifact, options)

    backend.load = watched
    measure(widths(8, 16, 24, 32, 40), backend, protocol=quick(sessions=3, group=2))
    passes = [loads[i : i + 5] for i in (0, 5, 10)]
    assert [sorted(one) for one in passes] == [[0, 1, 2, 3, 4]] * 3
    assert max(alive) == 1, "when one is loaded, at most one other of its group is open"
    assert len({tuple(one) for one in passes}) > 1


@pytest.mark.parametrize("stage", ["build_fault", "load_fault", "run_fault"])
def test_a_point_that_breaks_is_a_failed_row_and_the_others_are_measured(
    stage: str,
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    width_of: WidthOf,
    params_of: dict[int, int],
    out: Path,
) -> None:
    def fault(artifact: dict[str, int]) -> str:
        return "no kernel\nfor this" if artifact["params"] == params_of[24] else ""

    backend = new_backend(**{stage: fault})
    table = measure(widths(8, 16, 24, 32, 40), backend)
    assert [width_of(row) for row in table.rows] == [8, 16, 24, 32, 40]
    failed = table.rows[2]
    assert (failed.verdict, failed.error) == ("failed", "no kernel for this")
    assert failed.latency_ms != failed.latency_ms
    for row in table.rows[:2] + table.rows[3:]:
        assert row.verdict == "stable"
        assert row.sessions == 3
        assert row.latency_ms == pytest.approx(backend.true_ms(row.subject.params), rel=0.011)
    assert all(executable.closed for executable in backend.opened)
    read = LatencyTable.read_csv(out)
    assert [row.verdict for row in read.rows].count("failed") == 1
    # It is tried once, not once a session.
    assert sum(a["params"] == params_of[24] for a in backend.built) == 1


def test_a_point_that_breaks_in_its_last_session_is_failed_not_half_measured(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    params_of: dict[int, int],
) -> None:
    count = 0

    def fault(artifact: dict[str, int]) -> str:
        nonlocal count
        count += artifact["params"] == params_of[16]
        return "the device is lost" if artifact["params"] == params_of[16] and count == 3 else ""

    table = measure(widths(8, 16, 24), new_backend(load_fault=fault))
    assert [row.verdict for row in table.rows] == ["stable", "failed", "stable"]
    assert table.rows[1].session_ms == ()


def test_when_everything_breaks_the_table_says_so(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths, out: Path
) -> None:
    table = measure(widths(8, 16), new_backend(build_fault=lambda _: "broken"))
    assert [row.error for row in table.rows] == ["broken", "broken"]
    assert [row.verdict for row in LatencyTable.read_csv(out).rows] == ["failed", "failed"]


def test_a_finished_table_measured_again_measures_nothing(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths, out: Path
) -> None:
    measure(widths(8, 16, 24), new_backend())
    before = out.read_text().splitlines()[2:]
    again = new_backend()
    measure(widths(8, 16, 24), again)
    assert again.opened == []
    assert again.built == []
    assert out.read_text().splitlines()[2:] == before


def test_a_finished_table_opened_with_more_points_measures_only_those(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    width_of: WidthOf,
    params_of: dict[int, int],
    out: Path,
) -> None:
    first = measure(widths(16, 8, 48), new_backend())
    more = new_backend()
    table = measure(widths(8, 24, 16, 40), more)
    assert {a["params"] for a in more.built} == {params_of[24], params_of[40]}
    assert len(more.opened) == 2 * 3
    # The plan's order first; what it does not name is kept behind.
    assert [width_of(row) for row in table.rows] == [8, 24, 16, 40, 48]
    old = {row.key: row for row in first.rows}
    for row in LatencyTable.read_csv(out).rows:
        if row.key in old:
            assert row.latency_ms == pytest.approx(old[row.key].latency_ms, rel=1e-6)
            assert row.session_ms == pytest.approx(old[row.key].session_ms, rel=1e-6)
            assert row.measured_at == old[row.key].measured_at


def test_an_interrupted_table_goes_on_with_the_sessions_that_lack(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Callable[..., Protocol],
    out: Path,
) -> None:
    def stop(_stage: str, begun: int, _total: int, _detail: str) -> None:
        if begun >= 7:
            raise KeyboardInterrupt

    first = new_backend()
    with pytest.raises(KeyboardInterrupt):
        measure(widths(8, 16, 24, 32), first, protocol=quick(group=1), on_progress=stop)
    assert LatencyTable.read_csv(out).unfinished
    assert len(first.opened) == 7
    assert all(executable.closed for executable in first.opened)
    second = new_backend()
    table = measure(widths(8, 16, 24, 32), second, protocol=quick(group=1))
    assert len(second.opened) == 4 * 3 - 7
    assert [row.sessions for row in table.rows] == [3] * 4


def test_failed_points_are_not_tried_again_unless_fresh(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths
) -> None:
    measure(widths(8), new_backend(build_fault=lambda _: "broken"))
    whole = new_backend()
    assert measure(widths(8), whole).rows[0].verdict == "failed"
    assert whole.built == []
    assert measure(widths(8), whole, fresh=True).rows[0].verdict == "stable"


def test_another_runtime_version_is_refused_before_anything_is_measured(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    out: Path,
    refused: Callable[..., object],
) -> None:
    measure(widths(8), new_backend())
    before = out.read_bytes()
    newer = new_backend(version="2.0")
    with refused("runtime.version", "'1.0' and '2.0'"):
        measure(widths(8, 16), newer)
    assert out.read_bytes() == before
    assert newer.built == []


def test_progress_counts_sessions_and_points(
    measure: Callable[..., LatencyTable],
    backend: Any,
    widths: Widths,
    quick: Callable[..., Protocol],
) -> None:
    seen: list[tuple[object, ...]] = []
    measure(
        widths(8, 16, 24),
        backend,
        protocol=quick(sessions=2, group=1),
        on_progress=lambda *counts: seen.append(counts),
    )
    assert seen == [
        ("measuring", sessions, 6, f"{points}/3 points")
        for sessions, points in enumerate((0, 0, 0, 0, 1, 2, 3))
    ]


def test_sessions_that_differ_make_a_point_unstable(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths, run_of: Any
) -> None:
    def moody(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(rng.choice([1.0, 1.6, 2.4]))]

    table = measure(widths(8, 16, 24, 32, 40), new_backend(runs_of=moody))
    unstable = [row for row in table.rows if row.verdict == "unstable"]
    assert unstable
    assert all("sessions differ by" in row.error for row in unstable)


def test_runs_disturbed_now_and_then_do_not_change_the_latency(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths, run_of: Any
) -> None:
    def busy(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(1.0), run_of(1.0), run_of(9.0, cpu_ms=1.0, switches=1), *[run_of(1.0)] * 9]

    row = measure(widths(8), new_backend(runs_of=busy)).rows[0]
    assert row.verdict == "stable"
    assert row.latency_ms == 1.0
    assert row.p99_ms == 1.0
    assert (row.samples, row.set_aside) == (15, 3)


def test_a_point_disturbed_throughout_is_unstable(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths, run_of: Any
) -> None:
    def busy(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(1.0, cpu_ms=0.5, switches=1)]

    row = measure(widths(8), new_backend(runs_of=busy)).rows[0]
    assert row.set_aside == 3 * 10
    assert row.verdict == "unstable"
    assert "each of its 30 runs was disturbed by other work" in row.error


def test_the_seconds_of_the_header_add_up_over_calls(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths
) -> None:
    first = measure(widths(8, 16), new_backend()).header.seconds
    second = measure(widths(8, 16, 24), new_backend()).header.seconds
    for part in ("warmup", "timed"):
        assert second[part] >= first[part]
    assert second["timed"] == pytest.approx(1.5 * first["timed"], rel=0.3)


def test_models_are_measured_without_a_file_in_the_order_given(
    new_backend: NewBackend, toy_setting: Setting, quick: Callable[..., Protocol], tmp_path: Path
) -> None:
    specs = [
        ViTSpec.uniform(8, depth, 1, resolution=4, patch=2, in_channels=1, classes=2, name=name)
        for depth, name in ((2, "deep"), (1, "shallow"))
    ]
    backend = new_backend()
    measured = measure_models(
        [specs[0], specs[1], specs[0]],
        Target(backend, replace(toy_setting, batch=3)),
        protocol=quick(),
        clock=backend.clock,
    )
    rows = measured.rows
    assert measured.drift is None
    assert [row.subject for row in rows] == [specs[0], specs[1], specs[0]]
    assert {row.context for row in rows} == {"in_model"}
    assert {artifact["batch"] for artifact in backend.built} == {3}
    assert len(backend.built) == 2
    for row in rows:
        assert row.latency_ms == pytest.approx(backend.true_ms(row.subject.params), rel=0.011)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("threads", "set_aside"), [(1, 10), (2, 0)])
def test_samples_are_judged_by_the_threads_of_the_setting(
    threads: int,
    set_aside: int,
    new_backend: NewBackend,
    widths: Widths,
    quick: Callable[..., Protocol],
    toy_setting: Setting,
    run_of: Any,
    out: Path,
) -> None:
    """On several threads less CPU than wall time is no sign of waiting, whatever the protocol."""
    backend = new_backend(runs_of=lambda artifact, _: [run_of(1.0, cpu_ms=0.5)])
    setting, protocol = replace(toy_setting, threads=threads), quick(sessions=1, model_sessions=1)
    target = Target(backend, setting)
    table = measure_table(widths(8), target, out, protocol=protocol, clock=backend.clock)
    assert table.rows[0].set_aside == set_aside
    assert table.protocol["sampling"]["threads"] == threads
    spec = ViTSpec.uniform(8, 1, 1, resolution=4, patch=2, in_channels=1, classes=2, name="one")
    assert target.options.threads == threads
    models = measure_models([spec], target, protocol=protocol, clock=backend.clock)
    assert models.rows[0].set_aside == set_aside

"""Extra sessions, the reference and its failures, and the time a run may take."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from vitprof.models import Block, ViTSpec
from vitprof.profiler.measure import measure_models, measure_table
from vitprof.profiler.plan import Plan, Point
from vitprof.profiler.sampling import passes
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Setting
from vitprof.tables.references import References

Widths = Callable[..., Plan]
NewBackend = Callable[..., Any]
Quick = Callable[..., Protocol]


@pytest.fixture
def measure(out: Path, toy_setting: Setting) -> Callable[..., LatencyTable]:
    def run(plan: Plan, backend: Any, protocol: Protocol, **others: Any) -> LatencyTable:
        arguments = {"protocol": protocol, "clock": backend.clock} | others
        return measure_table(plan, Target(backend, toy_setting), out, **arguments)

    return run


def test_only_what_is_unstable_gets_extra_sessions(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    moody = widths(16).points[0].subject

    def runs(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(rng.uniform(1, 3) if artifact["params"] == moody.params else 1.0)]

    protocol = quick(sessions=3, extra_sessions=2)
    table = measure(widths(8, 16, 24, 32, 40), new_backend(runs_of=runs), protocol)
    assert [row.sessions for row in table.rows] == [3, 5, 3, 3, 3]
    assert [row.verdict for row in table.rows].count("unstable") == 1


def test_what_an_extra_session_steadies_gets_no_further_one(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    lengths = iter([1.0, 1.0, 1.25, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])

    def runs(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(next(lengths))]

    table = measure(widths(8), new_backend(runs_of=runs), quick(sessions=3, extra_sessions=6))
    assert 3 < table.rows[0].sessions < 9
    assert table.rows[0].verdict == "stable"


def test_a_wandering_speed_is_corrected_by_the_reference(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    """In each of three passes through six points the machine has another speed."""
    plan = widths(8, 16, 24, 32, 40, 48)

    def wandering(correct_drift: bool) -> LatencyTable:
        backend = new_backend(runs_of=lambda artifact, _: [run_of(artifact["params"] / 1e3)])
        advance = backend.clock.advance

        def at_speed(ms: float, *others: Any) -> None:
            loaded = len(backend.opened) - (3 if correct_drift else 0)
            advance(ms * (1.0, 1.2, 0.8)[max(loaded - 1, 0) // 6], *others)

        backend.clock.advance = at_speed
        return measure(plan, backend, quick(correct_drift=correct_drift), fresh=True)

    raw, corrected = wandering(correct_drift=False), wandering(correct_drift=True)
    assert {row.verdict for row in raw.rows} == {"unstable"}
    assert {row.verdict for row in corrected.rows} == {"stable"}
    for row, point in zip(corrected.rows, plan.points, strict=True):
        ms = point.subject.params / 1e3
        assert row.latency_ms == pytest.approx(0.8 * ms, rel=5e-3), "as on the undisturbed machine"
        assert sorted(row.session_ms) == pytest.approx([f * ms for f in (0.8, 1, 1.2)])
        assert len(row.reference_ms) == 3
    assert all(row.reference_ms == () for row in raw.rows)
    assert corrected.references.blocks == Block.of("mlp", embed=8, mlp=48, tokens=2)
    drift = corrected.header.of_blocks.drift
    assert drift.undisturbed_ms == drift.p10_ms < drift.typical_ms < drift.p90_ms
    typical, slow = corrected.at("typical"), corrected.at("p90")
    for row, as_typical, as_slow in zip(corrected.rows, typical.rows, slow.rows, strict=True):
        assert as_typical.latency_ms == pytest.approx(row.latency_ms / 0.8, rel=5e-3)
        assert as_slow.latency_ms == pytest.approx(row.latency_ms * 1.5, rel=5e-3)
        assert as_typical.session_ms == row.session_ms
    assert raw.header.of_blocks.drift is None


@pytest.mark.parametrize("stage", ["build_fault", "load_fault", "run_fault"])
def test_a_reference_that_breaks_does_not_end_the_run(
    stage: str,
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reference is the largest block here; what cannot be measured is that one alone."""
    plan = widths(8, 16, 48)
    largest = plan.points[-1].subject.params
    fault = {stage: lambda artifact: "broken" if artifact["params"] == largest else ""}
    table = measure(plan, new_backend(**fault), quick(correct_drift=True))
    assert [row.verdict for row in table.rows] == ["stable", "stable", "failed"]
    assert "cannot be run here (broken); latencies beside it are not corrected" in caplog.text


def test_a_clock_that_goes_back_is_said_where_no_run_is_left(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    once = new_backend(runs_of=lambda *_: [run_of(2.0), run_of(-9.0), run_of(2.0)])
    row = measure(widths(8), once, quick()).rows[0]
    assert (row.latency_ms, row.verdict) == (2.0, "stable")
    always = new_backend(runs_of=lambda *_: [run_of(2.0), run_of(-9.0)])
    row = measure(widths(8), always, quick(), fresh=True).rows[0]
    assert row.verdict == "failed"
    assert "the clock went back while it ran" in row.error


def test_a_plan_of_whole_models_alone_can_be_measured(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, quick: Quick
) -> None:
    spec = ViTSpec.uniform(8, 1, 1, resolution=4, patch=2, in_channels=1, classes=2, name="one")
    table = measure(Plan([Point(spec, "in_model")]), new_backend(), quick(correct_drift=True))
    assert [row.subject for row in table.rows] == [spec]


def test_over_its_budget_a_run_still_gives_every_point_a_session(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths, quick: Quick
) -> None:
    seen: list[tuple[object, ...]] = []
    table = measure(
        widths(8, 16, 24),
        new_backend(),
        quick(sessions=5),
        budget_s=0.0,
        on_progress=lambda *counts: seen.append(counts),
    )
    over = "3/3 points, 3 of 15 sessions in the time given"
    assert seen[-1] == ("measuring", 15, 15, over), "a finished run does not end at 20 %"
    assert [row.sessions for row in table.rows] == [1, 1, 1]


def test_models_are_brought_to_the_speed_of_the_reference(
    new_backend: NewBackend, toy_setting: Setting, quick: Quick, run_of: Any, widths: Widths
) -> None:
    spec = ViTSpec.uniform(8, 1, 1, resolution=4, patch=2, in_channels=1, classes=2, name="one")
    reference = widths(8).points[0].subject
    assert isinstance(reference, Block)

    def runs(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(2.0 if artifact["params"] == reference.params else 10.0)]

    backend = new_backend(runs_of=runs)
    measured = measure_models(
        [spec],
        Target(backend, toy_setting),
        protocol=quick(),
        references=References(reference, reference),
        speed_ms={reference: 1.0},
        clock=backend.clock,
    )
    assert measured.rows[0].session_ms == (10.0,) * 3
    row = measured.rows[0]
    assert row.latency_ms == pytest.approx(10.0 * 0.5**row.exponent)
    assert measured.drift is not None
    assert measured.drift.typical_ms == 2.0


# --- the reference's own sessions -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("lucks", "middle"),
    [([1.0], 1.0), ([3.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 3.0, 2.0, 9.0], 3.0), ([2.0, 1.0], 2.0)],
)
def test_of_several_sessions_of_the_reference_the_middling_is_kept(
    lucks: list[float],
    middle: float,
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    """Its luck is a factor of every correction; the point of the same block has its own luck."""
    lengths = iter(lucks)

    def runs(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(next(lengths, 7.0))]

    backend = new_backend(runs_of=runs)
    open_sessions: list[list[float]] = []
    backend.on_run = lambda: open_sessions.append(
        [e.runs[0].ms for e in backend.opened if not e.closed]
    )
    protocol = quick(correct_drift=True, reference_sessions=len(lucks))
    table = measure(widths(8), backend, protocol)
    assert open_sessions[0] == lucks
    assert open_sessions[-1] == [middle, 7.0]
    assert table.rows[0].reference_ms == pytest.approx((middle,) * 3)
    assert table.rows[0].latency_ms == pytest.approx(7.0)
    assert all(executable.closed for executable in backend.opened)


def test_a_disturbed_run_does_not_decide_which_session_is_middling(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    """Every other run of the first session waits for the machine; without them it is middling."""
    waits = run_of(50.0, cpu_ms=2.0, switches=1)
    scripts = iter([[2.0] + [2.0, waits, 2.0] * 20, [1.0], [3.0]])

    def runs(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        script = next(scripts, [7.0])
        return [run_of(run) if isinstance(run, float) else run for run in script]

    table = measure(widths(8), new_backend(runs_of=runs), quick(correct_drift=True))
    assert table.header.of_blocks.drift.p10_ms == 2.0


@pytest.mark.parametrize("stage", ["load_fault", "run_fault"])
def test_a_session_of_the_reference_that_breaks_closes_them_all(
    stage: str,
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
) -> None:
    count = 0

    def third(artifact: dict[str, int]) -> str:
        nonlocal count
        count += 1
        return "out of memory" if count == 3 else ""

    backend = new_backend(**{stage: third})
    table = measure(widths(8, 16), backend, quick(correct_drift=True, reference_sessions=5))
    assert all(executable.closed for executable in backend.opened)
    assert [row.verdict for row in table.rows] == ["stable", "stable"]
    assert [row.reference_ms for row in table.rows] == [(), ()]
    assert table.header.of_blocks.drift is None


def test_a_reference_that_breaks_later_leaves_sessions_uncorrected(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
) -> None:
    backend = new_backend()

    def lose_the_reference() -> None:
        if len(backend.opened) == 2 + 3:
            backend.opened[0].closed = True  # what a lost device looks like: running it fails

    backend.on_run = lose_the_reference
    table = measure(widths(8), backend, quick(correct_drift=True, reference_sessions=1, sessions=5))
    row = table.rows[0]
    assert row.verdict == "stable"
    assert row.sessions == 5
    assert 0 < len(row.reference_ms) < 5
    assert row.latency_ms == sorted(row.session_ms)[2], "all raw, rather than some of each"


# --- how many sessions ----------------------------------------------------------------------------


def tiny_vit(name: str, depth: int = 1) -> ViTSpec:
    return ViTSpec.uniform(8, depth, 1, resolution=4, patch=2, in_channels=1, classes=2, name=name)


@pytest.mark.parametrize(("sessions", "model_sessions"), [(2, 4), (3, 1), (2, 2)])
def test_whole_models_get_sessions_of_their_own_number(
    sessions: int,
    model_sessions: int,
    measure: Callable[..., LatencyTable],
    backend: Any,
    widths: Widths,
    quick: Quick,
) -> None:
    seen: list[tuple[object, ...]] = []
    points = [*widths(8, 16).points, Point(tiny_vit("one"), "in_model")]
    table = measure(
        Plan(points),
        backend,
        quick(sessions=sessions, model_sessions=model_sessions),
        on_progress=lambda *counts: seen.append(counts),
    )
    assert [row.sessions for row in table.rows] == [sessions, sessions, model_sessions]
    in_all = 2 * sessions + model_sessions
    assert len(backend.opened) == in_all
    assert seen[0] == ("measuring", 0, in_all, "0/3 points")
    assert seen[-1] == ("measuring", in_all, in_all, "3/3 points")


@pytest.mark.parametrize(("factor", "expected"), [(1.0, range(5, 6)), (1.2, range(11, 12))])
def test_whole_models_whose_sessions_differ_get_more(
    factor: float,
    expected: range,
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    quick: Quick,
    run_of: Any,
) -> None:
    lengths = itertools.cycle([1.0, factor])
    backend = new_backend(runs_of=lambda *_: [run_of(next(lengths))])
    protocol = quick(model_sessions=5, model_extra_sessions=6)
    table = measure(Plan([Point(tiny_vit("one"), "in_model")]), backend, protocol)
    assert table.rows[0].sessions in expected


def test_a_later_session_that_fails_does_not_undo_a_measured_point(
    measure: Callable[..., LatencyTable],
    new_backend: NewBackend,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    loads = 0

    def fault(_: dict[str, int]) -> str:
        nonlocal loads
        loads += 1
        return "the device is lost" if loads > 3 else ""

    def moody(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        return [run_of(float(loads))]

    backend = new_backend(load_fault=fault, runs_of=moody)
    row = measure(widths(8), backend, quick(extra_sessions=2)).rows[0]
    assert loads == 3 + 2, "it was tried"
    assert row.verdict == "unstable"
    assert row.session_ms == (1.0, 2.0, 3.0)
    assert "sessions differ" in row.error


# --- the budget -----------------------------------------------------------------------------------


@pytest.fixture
def on_the_scripted_clock(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the budget be spent by scripted runs too."""
    now = SimpleNamespace(perf_counter=lambda: clock.wall() / 1e9)
    monkeypatch.setattr(passes, "time", now)


@pytest.mark.parametrize(
    ("budget_ms", "sessions"),
    [
        (0.0, [1, 1, 1, 1, 1]),
        (59.0, [1, 1, 1, 1, 1]),
        (61.0, [1, 1, 1, 1, 2]),
        (97.0, [1, 2, 2, 2, 2]),
        (119.0, [2, 2, 2, 2, 2]),
        (1e6, [4, 4, 4, 4, 4]),
    ],
)
def test_a_budget_ends_the_passes_but_for_the_first(
    budget_ms: float,
    sessions: list[int],
    on_the_scripted_clock: None,
    measure: Callable[..., LatencyTable],
    backend: Any,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    """A session is a run to warm up and two turns, 6 runs of 2 ms; a pass through five is 60 ms."""
    backend.runs_of = lambda artifact, _: [run_of(2.0)]
    started = backend.clock.wall()
    protocol = quick(sessions=4, group=1)
    table = measure(widths(8, 16, 24, 32, 40), backend, protocol, budget_s=budget_ms / 1e3)
    assert sorted(row.sessions for row in table.rows) == sessions
    assert backend.clock.wall() - started == sum(sessions) * 12_000_000
    assert {row.verdict for row in table.rows} == {"stable"}


def test_over_its_budget_nothing_unstable_gets_extra_sessions(
    on_the_scripted_clock: None,
    measure: Callable[..., LatencyTable],
    backend: Any,
    widths: Widths,
    quick: Quick,
    run_of: Any,
) -> None:
    backend.runs_of = lambda artifact, rng: [run_of(rng.uniform(1, 3))]
    protocol = quick(sessions=2, extra_sessions=5)
    table = measure(widths(8, 16, 24), backend, protocol, budget_s=1e-3)
    assert [row.sessions for row in table.rows] == [1, 1, 1]
    table = measure(widths(8, 16, 24), backend, protocol, fresh=True)
    assert max(row.sessions for row in table.rows) > 2


def test_what_a_throttled_device_did_is_set_aside(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths, quick: Quick
) -> None:
    backend = new_backend()
    backend.throttled = lambda: "the GPU was held back by heat"
    row = measure(widths(8), backend, quick(sessions=3)).rows[0]
    assert (row.samples, row.verdict) == (0, "unstable")
    assert row.set_aside > 0
    assert "was disturbed" in row.error


def test_only_what_happened_during_the_runs_counts_as_throttled(
    measure: Callable[..., LatencyTable], new_backend: NewBackend, widths: Widths, quick: Quick
) -> None:
    """The first asking of each group is about the time before it."""
    answers = iter(["heat", None] * 100)
    backend = new_backend()
    backend.throttled = lambda: next(answers)
    row = measure(widths(8), backend, quick(sessions=3)).rows[0]
    assert (row.set_aside, row.verdict) == (0, "stable")

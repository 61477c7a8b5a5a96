"""A run without pause on a scripted clock: what is kept of it, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vitprof.backends import BackendError
from vitprof.errors import UserError
from vitprof.profiler.sustained.interval import LONGEST_S, MOST_INTERVALS, interval_seconds
from vitprof.profiler.sustained.loop import run_without_pause
from vitprof.profiler.sustained.sensors import Sensors, Untold
from vitprof.profiler.sustained.throttling import WINDOW, find_throttling

Clock = Any  # ScriptedClock of tests/profiler/conftest.py
NewModel = Callable[..., Any]
NOTHING = Untold("nobody tells")


def test_the_first_run_stands_apart(
    clock: Clock, executable: Callable[..., Any], untold: Sensors
) -> None:
    trace = run_without_pause(executable(80.0, 20.0), 10, clock, untold)
    assert trace.first_ms == 80
    assert {one.median_ms for one in trace.intervals} == {20.0}
    assert max(one.max_ms for one in trace.intervals) == 20
    assert trace.runs == 500
    assert trace.seconds == pytest.approx(10)
    assert trace.working_s == pytest.approx(10)


def test_intervals_follow_each_other_and_hold_all_runs(
    clock: Clock, model: NewModel, untold: Sensors
) -> None:
    thing = model(lambda s: 7 + s)
    trace = run_without_pause(thing, 30, clock, untold)
    assert trace.intervals[0].start_s == 0
    for one, following in zip(trace.intervals, trace.intervals[1:], strict=False):
        assert one.end_s == following.start_s
        assert interval_seconds(30) <= one.seconds < interval_seconds(30) + 0.05
        assert one.min_ms <= one.median_ms <= one.p90_ms <= one.max_ms
        assert one.median_ms <= following.median_ms
    assert thing.count == 1 + trace.runs
    assert trace.runs == sum(one.runs for one in trace.intervals)
    assert 30 <= trace.seconds < 30.05


@pytest.mark.parametrize(
    ("seconds", "each"),
    [(0.1, 0.25), (30, 0.25), (150, 0.25), (600, 1.0), (3600, 6.0), (36_000, LONGEST_S)],
)
def test_longer_runs_have_longer_intervals(seconds: float, each: float) -> None:
    assert interval_seconds(seconds) == each


def test_what_is_kept_is_bounded(clock: Clock, model: NewModel, untold: Sensors) -> None:
    """An hour of runs of 100 ms: 36,000 of them."""
    trace = run_without_pause(model(lambda s: 100), 3600, clock, untold)
    assert trace.runs == 36_000
    assert len(trace.intervals) <= MOST_INTERVALS


def test_a_run_longer_than_all_of_the_time_is_one_interval(
    clock: Clock, model: NewModel, untold: Sensors
) -> None:
    trace = run_without_pause(model(lambda s: 5000), 0.5, clock, untold)
    assert [(one.runs, one.median_ms) for one in trace.intervals] == [(1, 5000)]


def test_interrupted_runs_are_counted_and_left_out_of_the_times(
    clock: Clock, executable: Callable[..., Any], run_of: Callable[..., Any], untold: Sensors
) -> None:
    waited = [run_of(100.0, cpu_ms=10.0, switches=2)]
    thing = executable(10.0, 10.0, *waited, 10.0)
    trace = run_without_pause(thing, 2, clock, untold)
    assert trace.set_aside == 1
    assert max(one.max_ms for one in trace.intervals) == 10
    only = run_without_pause(executable(*waited), 1, clock, untold)
    assert only.set_aside == only.runs == 10
    assert {one.median_ms for one in only.intervals} == {100.0}


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None
)
@given(
    begins=st.integers(20, 80),
    ramp=st.integers(0, 10),
    rise=st.floats(0.15, 1.0),
    ms=st.floats(15, 60),
)
def test_a_thermal_ramp_is_found_where_it_begins(
    begins: int, ramp: int, rise: float, ms: float, clock: Clock, model: NewModel, untold: Sensors
) -> None:
    """Two minutes; the beginning is told within a window of 9 intervals, here 2.25 s."""

    def heated(seconds: float) -> float:
        return ms * (1 + rise * float(np.clip((seconds - begins) / max(ramp, 1e-9), 0, 1)))

    trace = run_without_pause(model(heated), 120, clock, untold)
    found = find_throttling([one.median_ms for one in trace.intervals])
    assert found is not None
    tolerance = WINDOW * interval_seconds(120)
    assert trace.intervals[found.begins_at].start_s == pytest.approx(begins, abs=tolerance)
    assert found.rise == pytest.approx(rise, rel=0.02)


def test_sensors_are_read_once_an_interval_and_never_within_a_run(
    clock: Clock, model: NewModel, gauge: Callable[..., Any]
) -> None:
    within: list[bool] = []
    thing = model(lambda s: 20, called=lambda: within.append(True))
    clocks = gauge(lambda s: 3000 - s)
    sensors = Sensors(clocks, gauge(lambda s: 50 + s), gauge(lambda s: 40 * s), NOTHING)
    trace = run_without_pause(thing, 10, clock, sensors)
    assert clocks.asked == len(trace.intervals)
    for one in trace.intervals:
        assert one.mhz == pytest.approx(3000 - one.end_s, abs=0.05)
        assert one.celsius == pytest.approx(50 + one.end_s, abs=0.05)
        assert one.joules == pytest.approx(40 * one.seconds)
    assert trace.joules == pytest.approx(40 * 10)
    assert trace.throttled is None
    assert len(within) == 1 + trace.runs


def test_energy_that_is_lost_on_the_way_is_unknown(
    clock: Clock, model: NewModel, gauge: Callable[..., Any]
) -> None:
    energy = gauge(lambda s: 10 * s if s < 5 else None)
    trace = run_without_pause(
        model(lambda s: 20), 10, clock, Sensors(NOTHING, NOTHING, energy, NOTHING)
    )
    assert trace.joules is None
    assert trace.intervals[0].joules is not None
    assert trace.intervals[-1].joules is None


def test_what_held_the_device_back_is_told_with_its_first_time(
    clock: Clock, model: NewModel, gauge: Callable[..., Any]
) -> None:
    began = clock.wall()
    sensors = Sensors(NOTHING, NOTHING, NOTHING, gauge(lambda s: 7 if s < 6 else 12))

    def trouble() -> str | None:
        return "the GPU was held back by heat" if clock.wall() - began > 4e9 else None

    trace = run_without_pause(model(lambda s: 20), 10, clock, sensors, trouble=trouble)
    assert trace.throttled == 5
    assert trace.held_back is not None
    assert trace.held_back[1] == "the GPU was held back by heat"
    assert trace.held_back[0] == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize("after", [3, 200])
def test_an_interruption_keeps_what_was_seen(
    after: int, clock: Clock, model: NewModel, untold: Sensors
) -> None:
    def called() -> None:
        if thing.count == after:
            raise KeyboardInterrupt

    thing = model(lambda s: 20, called)
    trace = run_without_pause(thing, 60, clock, untold)
    assert trace.interrupted
    assert trace.runs == after - 1  # all but the first, which is apart
    assert trace.seconds == pytest.approx(0.02 * trace.runs)


def test_an_interruption_before_the_first_warm_run_has_seen_none(
    clock: Clock, model: NewModel, untold: Sensors
) -> None:
    def called() -> None:
        if thing.count == 1:
            raise KeyboardInterrupt

    thing = model(lambda s: 20, called)
    trace = run_without_pause(thing, 60, clock, untold)
    assert trace.intervals == []
    assert trace.interrupted


def test_a_model_that_fails_says_after_which_time(
    clock: Clock, model: NewModel, untold: Sensors
) -> None:
    def called() -> None:
        if thing.count == 500:
            raise BackendError("out of memory")

    thing = model(lambda s: 20, called)
    with pytest.raises(BackendError, match=r"it ran for 10 s, then: out of memory"):
        run_without_pause(thing, 60, clock, untold)


def test_a_clock_that_goes_backwards_is_refused(
    clock: Clock, model: NewModel, untold: Sensors
) -> None:
    def called() -> None:
        if thing.count == 50:
            clock.wall_ns -= 10_000_000_000

    thing = model(lambda s: 20, called)
    with pytest.raises(UserError, match="clock went backwards"):
        run_without_pause(thing, 60, clock, untold)


def test_progress_is_in_seconds_and_ends_where_it_should(
    clock: Clock, model: NewModel, gauge: Callable[..., Any]
) -> None:
    told: list[tuple[str, int, int, str]] = []
    sensors = Sensors(gauge(lambda s: 2900), gauge(lambda s: 61.4), NOTHING, NOTHING)
    run_without_pause(
        model(lambda s: 30), 12, clock, sensors, on_progress=lambda *one: told.append(one)
    )
    assert {(stage, total) for stage, _, total, _ in told} == {("running, s", 12)}
    done = [one[1] for one in told]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 12)
    assert told[-1][3] == "30 ms, 2900 MHz, 61 °C"

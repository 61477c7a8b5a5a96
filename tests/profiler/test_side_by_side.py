"""Different things measured side by side, on a scripted clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from vitprof.closing import Closing
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.profiler.side_by_side import measure_side_by_side

from .conftest import ScriptedClock

PLAN = SamplingPlan(warmup_runs=1, warmup_ms=0.0, timed_ms=50.0, min_runs=5, max_runs=5)


class Scripted(Closing):
    """Takes so many ms of wall and CPU time a run; counts those that are open."""

    open_now = 0

    def __init__(self, clock: ScriptedClock, ms: float, cpu_ms: float, switches: int) -> None:
        self.clock, self.ms, self.cpu_ms, self.switches = clock, ms, cpu_ms, switches
        Scripted.open_now += 1

    def run(self) -> None:
        self.clock.advance(self.ms, self.cpu_ms, self.switches)

    def outputs(self) -> list:
        return []

    def close(self) -> None:
        Scripted.open_now -= 1


def opening(
    clock: ScriptedClock, session_ms: list[float], cpu: float = 1.0, switches: int = 0
) -> Callable[[], Scripted]:
    """Return what opens a session after the other, each with its own speed."""
    left = list(session_ms)

    def open_one() -> Scripted:
        ms = left.pop(0)
        return Scripted(clock, ms, cpu * ms, switches)

    return open_one


def test_a_latency_is_the_median_over_fresh_sessions() -> None:
    clock = ScriptedClock()
    found = measure_side_by_side(
        {"a": opening(clock, [2.0, 4.0, 3.0]), "b": opening(clock, [1.0, 1.0, 1.0], cpu=1.9)},
        threads=2,
        sessions=3,
        plan=PLAN,
        clock=clock,
    )
    assert found["a"].latency_ms == pytest.approx(3.0)
    assert found["a"].low_ms < 3.0 < found["a"].high_ms
    assert (found["a"].sessions, found["a"].samples) == (3, 15)
    assert found["b"].cpu_percent == pytest.approx(190)
    assert not found["a"].disturbed
    assert Scripted.open_now == 0


def test_samples_that_were_all_disturbed_are_used_and_said_to_be() -> None:
    clock = ScriptedClock()
    found = measure_side_by_side(
        {"a": opening(clock, [2.0], cpu=0.5, switches=1)}, sessions=1, plan=PLAN, clock=clock
    )
    assert found["a"].disturbed
    assert found["a"].latency_ms == pytest.approx(2.0)


def test_progress_is_told_a_session() -> None:
    clock = ScriptedClock()
    told: list[tuple[int, int]] = []
    measure_side_by_side(
        {"a": opening(clock, [1.0, 1.0])},
        sessions=2,
        plan=PLAN,
        clock=clock,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize("seed", range(4))
def test_a_session_that_is_slower_because_it_was_opened_first_changes_no_ratio(seed: int) -> None:
    clock = ScriptedClock()

    def open_one() -> Scripted:
        return Scripted(clock, 1.0 if Scripted.open_now else 1.1, 1.0, 0)

    found = measure_side_by_side(
        dict.fromkeys("ab", open_one), sessions=2, plan=PLAN, clock=clock, seed=seed
    )
    assert found["a"].latency_ms == pytest.approx(found["b"].latency_ms)

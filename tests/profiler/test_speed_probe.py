"""The probe of a machine's speed, on a clock that passes only when told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vitprof.backends.machine.core_seconds import CoreSeconds
from vitprof.profiler.speed_probe import SpeedProbe, fixed_loop, probe_speed

from .conftest import ScriptedClock


def probed(
    times_ms: Iterator[float],
    seconds: float = 1.0,
    counted: tuple[CoreSeconds | None, CoreSeconds | None] = (None, None),
) -> SpeedProbe:
    clock, both = ScriptedClock(), iter(counted)
    return probe_speed(clock, seconds, lambda: clock.advance(next(times_ms)), lambda: next(both))


def steady(ms: float) -> Iterator[float]:
    while True:
        yield ms


def in_turns(*ms: float) -> Iterator[float]:
    while True:
        yield from ms


def test_a_steady_machine_has_nothing_to_say() -> None:
    found = probed(steady(2.0))
    assert (found.runs, found.seconds, found.median_ms, found.wander) == (500, 1.0, 2.0, 0.0)
    assert found.hazards() == []


def test_a_restless_one_is_told_by_how_much() -> None:
    found = probed(in_turns(2.0, 3.0))
    assert found.wander == pytest.approx(0.5)
    (hazard,) = found.hazards()
    assert "takes 50% longer" in hazard


def test_a_slow_machine_runs_ten_times_at_least() -> None:
    assert probed(steady(400.0)).runs == 10


def test_what_others_compute_is_what_is_beyond_the_own_time() -> None:
    found = probed(steady(2.0), 10.0, (CoreSeconds(100.0, 5.0), CoreSeconds(125.0, 6.0)))
    assert found.others_busy == pytest.approx(1.5)
    assert found.stolen == pytest.approx(0.1)
    busy, stolen = found.hazards()
    assert "other programs keep 1.5 cores busy" in busy
    assert "takes 0.10 cores away" in stolen


def test_a_system_that_counts_nothing_is_not_judged_by_it() -> None:
    assert (probed(steady(2.0)).others_busy, probed(steady(2.0)).stolen) == (None, None)


def test_a_clock_that_stands_still_ends_it() -> None:
    clock = ScriptedClock()
    found = probe_speed(clock, 1.0, lambda: None, lambda: None)
    assert (found.runs, found.wander, found.hazards()) == (100_000, 0.0, [])


def test_the_loop_computes() -> None:
    fixed_loop()

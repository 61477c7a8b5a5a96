"""Pairs of sessions until it is decided, on a machine whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from simulated.machine import Machine
from simulated.trace_machine import factors_of
from simulated.two_models import MS, PLAN, gate_on, gate_on_trace, opening
from simulated.weather import QUIET, RESTLESS, WEATHERS
from vitprof.profiler.regression.confidence_sequence import fewest_values
from vitprof.profiler.regression.measure import Regression, measure_regression
from vitprof.profiler.regression.outcome import Outcome


def test_a_model_against_itself_passes_with_few_sessions() -> None:
    found = gate_on(QUIET, 0.0, seed=1)
    assert found.outcome is Outcome.PASSED
    assert fewest_values() <= len(found.pairs) <= 15
    low, high = found.interval
    assert low < found.change < high < 0.05
    assert found.base_ms == pytest.approx(MS, rel=0.03)


def test_a_model_that_is_slower_has_regressed() -> None:
    found = gate_on(QUIET, 0.10, seed=2)
    assert found.outcome is Outcome.FAILED
    assert 0.05 < found.interval[0] < 0.10 < found.interval[1]
    assert found.head_ms == pytest.approx(1.1 * MS, rel=0.03)


def test_a_model_at_the_limit_is_undecided_when_sessions_end() -> None:
    found = gate_on(QUIET, 0.05, seed=3, sessions=20)
    assert found.outcome is Outcome.UNDECIDED
    assert len(found.pairs) == 20
    assert found.interval[0] < 0.05 < found.interval[1]


@pytest.mark.parametrize("weather", WEATHERS)
def test_no_weather_makes_it_wrong(weather: str) -> None:
    wrong = {0.0: Outcome.FAILED, 0.07: Outcome.PASSED}
    for slower, outcome in wrong.items():
        for seed in range(4):
            found = gate_on(WEATHERS[weather], slower, seed)
            assert found.outcome is not outcome, (slower, seed, found.interval)


@pytest.mark.parametrize("trace", ["xeon_quiet", "xeon_restless"])
def test_machines_that_traces_were_taken_of_do_not_make_it_wrong(trace: str) -> None:
    runs = factors_of(trace)
    for seed in range(4):
        assert gate_on_trace(runs, 0.0, seed).outcome is not Outcome.FAILED
        assert gate_on_trace(runs, 0.07, seed).outcome is not Outcome.PASSED


def test_a_machine_that_is_never_left_alone_decides_nothing() -> None:
    busy = replace(RESTLESS, preemptions_per_s=400.0)
    found = gate_on(busy, 0.07, seed=4, sessions=8)
    assert found.outcome is Outcome.UNDECIDED
    assert len(found.pairs) == 8
    assert found.calm == []
    assert math.isnan(found.change)
    assert math.isnan(found.base_ms)
    assert found.interval == (-math.inf, math.inf)


def test_no_session_begins_when_the_time_is_up() -> None:
    machine = Machine(QUIET, seed=5)
    told: list[tuple[str, int, int, str]] = []
    found = measure_regression(
        opening(machine, MS),
        opening(machine, 1.05 * MS),
        0.05,
        seconds=1.0,
        plan=PLAN,
        clock=machine,
        seed=5,
        on_progress=lambda *one: told.append(one),
    )
    assert found.outcome is Outcome.UNDECIDED
    assert 1 < len(found.pairs) < 20
    assert [one[1] for one in told[:-1]] == list(range(len(found.pairs)))
    assert told[-1][1] == told[-1][2]


def test_the_same_seed_gives_the_same_sessions() -> None:
    assert gate_on(RESTLESS, 0.0, seed=6).pairs == gate_on(RESTLESS, 0.0, seed=6).pairs


def test_nothing_is_known_without_sessions() -> None:
    found = Regression(0.05, ())
    assert math.isnan(found.session_sd)
    assert found.outcome is Outcome.UNDECIDED

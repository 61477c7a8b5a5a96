"""The simulated machine does what its weather says; else no test on it would mean anything."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import replace

import pytest

from simulated.experiment import SUBJECTS, sampled_group
from simulated.machine import Machine
from simulated.runtime import exponent_of
from simulated.weather import DRIFTING, PREEMPTED, QUIET, RESTLESS, SPELLS, WARMING, WEATHERS


def times_of(machine: Machine, ms: float, runs: int, exponent: float = 1.0) -> list[float]:
    found = []
    for _ in range(runs):
        before = machine.wall()
        machine.run(ms, exponent)
        found.append((machine.wall() - before) / 1e6)
    return found


@pytest.mark.parametrize("weather", WEATHERS)
def test_a_seed_gives_the_same_runs_again(weather: str) -> None:
    first, again = (sampled_group(WEATHERS[weather], seed=5).log for _ in range(2))
    assert first == again
    assert first != sampled_group(WEATHERS[weather], seed=6).log


def test_undisturbed_a_run_takes_what_it_costs() -> None:
    machine = Machine(replace(QUIET, preemptions_per_s=0.0), 0)
    assert times_of(machine, 7.0, 50) == pytest.approx([7.0] * 50)
    assert machine.cpu() == machine.wall() - 99 * 10**9


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_a_state_slows_a_run_by_its_factor_to_the_exponent(exponent: float) -> None:
    weather = replace(RESTLESS, spells_per_s=0.0, preemptions_per_s=0.0)
    times = times_of(Machine(weather, 3), 1.0, 60_000, exponent)
    states = [slowdown**exponent for slowdown in weather.slowdowns]
    # Only runs across the border of two states lie in between.
    between = [ms for ms in times if min(abs(ms - state) for state in states) > 1e-5]
    assert len(between) < 60
    for state in states:
        assert any(abs(ms - state) <= 1e-5 for ms in times)


def test_states_last_as_long_as_they_should() -> None:
    weather = replace(RESTLESS, slowdowns=(1.0, 2.0), weights=(0.5, 0.5), spells_per_s=0.0)
    machine = Machine(weather, 4)
    ends = set()
    for _ in range(20_000):
        machine.run(10.0, 1.0)
        ends.add(machine._until_s)
    ordered = sorted(ends)
    dwells = [after - before for before, after in itertools.pairwise(ordered)]
    assert len(dwells) > 50
    assert min(dwells) >= 1.0
    assert max(dwells) <= 10.0


def test_spells_are_short_and_come_as_often_as_they_should() -> None:
    weather = replace(SPELLS, preemptions_per_s=0.0)
    times = times_of(Machine(weather, 1), 1.0, 100_000)
    slow = sum(ms for ms in times if ms > 1.39)
    # 1.5 spells a second of 175 ms in the mean and the time between them: 21 % of the time.
    assert slow / sum(times) == pytest.approx(0.175 / (1 / 1.5 + 0.175), rel=0.1)


def test_preempted_runs_take_wall_time_without_cpu_time() -> None:
    log = [run for seed in range(3) for run in sampled_group(PREEMPTED, seed).log]
    waited = [run for run in log if run.preemptions]
    assert len(waited) > 20
    assert all(run.wall_ns - run.cpu_ns > 1e6 * run.preemptions for run in waited)
    assert all(abs(run.wall_ns - run.cpu_ns) <= 1 for run in log if not run.preemptions)


def test_drift_and_ramp_are_slow() -> None:
    calm = {"luck_sd": 0.0, "preemptions_per_s": 0.0}
    drifting = times_of(Machine(replace(DRIFTING, **calm), 0), 10.0, 12_000)
    assert max(drifting) / 10 == pytest.approx(1.0513, rel=1e-3)
    assert min(drifting) / 10 == pytest.approx(0.9512, rel=1e-3)
    warming = times_of(Machine(replace(WARMING, **calm), 0), 10.0, 30_000)
    # A nanosecond is lost to rounding now and then.
    assert all(after > before - 2e-6 for before, after in itertools.pairwise(warming))
    assert warming[-1] / 10 == pytest.approx(1.1275, rel=1e-3)


def test_sessions_are_lucky_by_a_lognormal() -> None:
    lucks = [
        session.ms / statistics.fmean(s.sessions[subject].ms for s in groups)
        for groups in [[sampled_group(QUIET, seed) for seed in range(30)]]
        for group in groups
        for subject, session in group.sessions.items()
    ]
    # 210 sessions: the standard deviation is known within 5 %, three of which are allowed.
    assert statistics.stdev(lucks) == pytest.approx(QUIET.luck_sd, rel=0.15)


def test_exponents_are_those_of_the_ops() -> None:
    exponents = [exponent_of(subject) for subject in SUBJECTS]
    assert all(0.85 < exponent < 1.06 for exponent in exponents)
    assert len(set(exponents)) > 4

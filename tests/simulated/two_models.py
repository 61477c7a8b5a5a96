"""Two models on a simulated machine, one of them slower by a known factor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from vitprof.closing import Closing
from vitprof.profiler.regression.measure import MOST_SESSIONS, Regression, measure_regression
from vitprof.profiler.sampling.sampling_plan import SamplingPlan

from .machine import Machine
from .trace_machine import TraceMachine
from .weather import Weather

MS = 4.0
PLAN = SamplingPlan(warmup_runs=2, warmup_ms=10.0, timed_ms=30.0, min_runs=4, max_runs=20)


class ModelSession(Closing):
    """A fresh session of a model of `ms`: lucky or not, and every run a little different."""

    def __init__(self, machine: Machine, ms: float) -> None:
        self.machine = machine
        self.ms = ms * math.exp(machine.rng.gauss(0.0, machine.weather.luck_sd))
        machine.idle(0.01)

    def run(self) -> None:
        machine, weather = self.machine, self.machine.weather
        noise = math.exp(machine.rng.gauss(0.0, weather.noise_sd))
        if machine.rng.random() < weather.tail:
            noise += machine.rng.expovariate(1 / 0.04)
        machine.run(self.ms * noise, 0.95)

    def close(self) -> None:
        pass


def opening(machine: Machine, ms: float) -> Callable[[], ModelSession]:
    """Return what opens a fresh session of a model of `ms`."""
    return lambda: ModelSession(machine, ms)


class TracedSession(Closing):
    """A fresh session on a machine of a trace."""

    def __init__(self, machine: TraceMachine, ms: float) -> None:
        self.machine = machine
        self.ms = ms * math.exp(machine.rng.gauss(0.0, machine.luck_sd))

    def run(self) -> None:
        self.machine.run(self.ms)

    def close(self) -> None:
        pass


def gate_on_trace(
    runs: Sequence[tuple[float, float, int]],
    slower: float,
    seed: int,
    limit: float = 0.05,
    luck_sd: float = 0.015,
    sessions: int = MOST_SESSIONS,
) -> Regression:
    """Return what a gate finds on the machine that a trace was taken of (`factors_of`)."""
    machine = TraceMachine(runs, seed, luck_sd)
    return measure_regression(
        lambda: TracedSession(machine, MS),
        lambda: TracedSession(machine, MS * (1 + slower)),
        limit,
        most_sessions=sessions,
        seconds=math.inf,
        plan=PLAN,
        clock=machine,
        seed=seed,
    )


def gate_on(
    weather: Weather, slower: float, seed: int, limit: float = 0.05, sessions: int = MOST_SESSIONS
) -> Regression:
    """Return what a gate finds of a head that is slower by a fraction, in that weather."""
    machine = Machine(weather, seed)
    machine.idle(machine.rng.uniform(0.0, 120.0))
    return measure_regression(
        opening(machine, MS),
        opening(machine, MS * (1 + slower)),
        limit,
        most_sessions=sessions,
        seconds=math.inf,
        plan=PLAN,
        clock=machine,
        seed=seed,
    )

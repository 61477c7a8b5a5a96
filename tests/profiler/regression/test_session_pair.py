"""Fresh sessions of base and head, run in turns on a scripted clock."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from vitprof.closing import Closing
from vitprof.profiler.regression.session_pair import SessionPair, measure_pair
from vitprof.profiler.sampling.sampling_plan import SamplingPlan

from ..conftest import ScriptedClock

PLAN = SamplingPlan(warmup_runs=1, warmup_ms=0.0, timed_ms=1000.0, min_runs=20, max_runs=20)


@dataclass
class Machine:
    """Runs take their time, times the speed of the moment, which changes as it is told."""

    clock: ScriptedClock = field(default_factory=ScriptedClock)
    factor: Callable[[float], float] = lambda s: 1.0
    disturbed: Callable[[str, int], bool] = lambda name, nth: False
    first_is_slower_by: float = 0.0
    opened: list[str] = field(default_factory=list)
    open_now: int = 0

    def opening(self, name: str, ms: float) -> Callable[[], Session]:
        def fresh() -> Session:
            self.opened.append(name)
            self.open_now += 1
            slower = 1 + self.first_is_slower_by if self.open_now == 1 else 1
            return Session(self, name, ms * slower)

        return fresh

    def pair(self, base_ms: float, head_ms: float, seed: int = 0) -> SessionPair:
        base, head = self.opening("base", base_ms), self.opening("head", head_ms)
        return measure_pair(base, head, PLAN, self.clock, random.Random(seed))


class Session(Closing):
    def __init__(self, machine: Machine, name: str, ms: float) -> None:
        self.machine, self.name, self.ms, self.runs = machine, name, ms, 0

    def run(self) -> None:
        clock = self.machine.clock
        self.runs += 1
        ms = self.ms * self.machine.factor(clock.wall() / 1e9)
        held_up = self.machine.disturbed(self.name, self.runs)
        clock.advance(3 * ms if held_up else ms, ms, int(held_up))

    def close(self) -> None:
        self.machine.open_now -= 1


def test_the_ratio_is_of_head_to_base() -> None:
    machine = Machine()
    pair = machine.pair(2.0, 2.2)
    assert pair.log_ratio == pytest.approx(math.log(1.1))
    assert (pair.base_ms, pair.head_ms) == (pytest.approx(2.0), pytest.approx(2.2))
    assert (pair.turns, pair.disturbed, pair.is_calm) == (40, 0, True)
    assert machine.open_now == 0


def test_a_machine_that_changes_its_speed_in_between_does_not_change_the_ratio() -> None:
    # Half of the time it is twice as slow: 5 ms of either, so that whole turns fall into one state.
    machine = Machine(factor=lambda s: 1.0 if int(s * 20) % 2 else 2.0)
    pair = machine.pair(1.0, 1.1)
    assert pair.log_ratio == pytest.approx(math.log(1.1), abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_a_session_that_is_slower_because_it_was_opened_first_does_not_change_it(seed) -> None:
    pair = Machine(first_is_slower_by=0.09).pair(1.0, 1.07, seed)
    assert pair.log_ratio == pytest.approx(math.log(1.07))
    assert pair.head_ms / pair.base_ms == pytest.approx(1.07)


def test_each_is_opened_first_once_and_which_of_them_before_is_drawn() -> None:
    machine = Machine()
    for seed in range(20):
        machine.pair(1.0, 1.0, seed)
    pairs = [machine.opened[n : n + 4] for n in range(0, 80, 4)]
    assert all(
        one in (["base", "head", "head", "base"], ["head", "base", "base", "head"]) for one in pairs
    )
    assert 3 < [one[0] for one in pairs].count("base") < 17


def test_both_openings_have_to_be_calm() -> None:
    machine = Machine(disturbed=lambda name, nth: len(machine.opened) > 2)
    pair = machine.pair(1.0, 1.0)
    assert (pair.turns, pair.disturbed) == (40, 20)
    assert not pair.is_calm


def test_turns_in_which_one_was_held_up_are_left_out() -> None:
    machine = Machine(disturbed=lambda name, nth: name == "head" and nth % 3 == 0)
    pair = machine.pair(1.0, 1.0)
    assert pair.log_ratio == pytest.approx(0.0, abs=1e-6)
    assert 0 < pair.disturbed < pair.turns
    assert pair.is_calm


def test_a_session_that_was_disturbed_throughout_does_not_count() -> None:
    pair = Machine(disturbed=lambda name, nth: True).pair(1.0, 1.0)
    assert pair.disturbed == pair.turns
    assert not pair.is_calm
    assert math.isfinite(pair.log_ratio)


def test_a_session_that_breaks_leaves_none_open() -> None:
    machine = Machine()

    def broken() -> Session:
        raise RuntimeError("no such file")

    with pytest.raises(RuntimeError):
        measure_pair(machine.opening("base", 1.0), broken, PLAN, machine.clock, random.Random(1))
    assert machine.open_now == 0

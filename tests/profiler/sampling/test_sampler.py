"""What is run how often, in which order, and which runs count: on a clock that is told the time."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.profiler.sampling.sampler import (
    SessionSamples,
    groups_of,
    sample_group,
)
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.profiler.sampling.timed_run import Sample, TimeSpent

Clock = Any  # ScriptedClock of conftest.py
NewExecutable = Callable[..., Any]
ONE_WARM_UP = SamplingPlan(warmup_runs=1, warmup_ms=0, timed_ms=10, min_runs=5, max_runs=5)
# The same, with turns of one untimed and one timed run.
SINGLE_RUNS = replace(ONE_WARM_UP, runs_per_turn=1)


@pytest.mark.parametrize(
    ("run_ms", "warm_ups"),
    [(1.0, 5), (2.0, 3), (2.4, 3), (2.5, 2), (5.0, 2), (100.0, 2), (0.0, 1000), (0.004, 1000)],
)
def test_it_warms_up_by_count_and_by_time(
    run_ms: float, warm_ups: int, clock: Clock, executable: NewExecutable
) -> None:
    thing = executable(run_ms)
    plan = SamplingPlan(warmup_runs=2, warmup_ms=5, min_runs=8, max_runs=8)
    samples = sample_group({"a": thing}, plan, clock, random.Random(0))
    assert len(samples["a"].kept) == 8
    assert thing.count == warm_ups + 4 * 3, "four turns: one run untimed, two timed"


@pytest.mark.parametrize(
    ("run_ms", "runs"),
    [(0.0, 30), (0.1, 30), (5.0, 30), (5.1, 29), (10.0, 15), (18.0, 8), (40.0, 8), (1e4, 8)],
)
def test_a_longer_run_is_repeated_less(
    run_ms: float, runs: int, clock: Clock, executable: NewExecutable
) -> None:
    plan = SamplingPlan(1, 5, timed_ms=150, min_runs=8, max_runs=30)
    assert plan.runs_for(run_ms) == runs
    samples = sample_group({"a": executable(run_ms)}, plan, clock, random.Random(0))["a"]
    assert len(samples.kept) == runs
    assert samples.set_aside == []


def test_the_fastest_warm_up_run_decides_how_often(clock: Clock, executable: NewExecutable) -> None:
    """The first run is slow for its own reasons."""
    plan = SamplingPlan(warmup_runs=2, warmup_ms=0, timed_ms=100, min_runs=1, max_runs=99)
    thing = executable(80, 10)
    assert len(sample_group({"a": thing}, plan, clock, random.Random(0))["a"].kept) == 10


def test_a_sample_is_what_the_clocks_say(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    thing = executable(1.0, run_of(2.5, cpu_ms=2.4))
    samples = sample_group({"a": thing}, ONE_WARM_UP, clock, random.Random(0))["a"]
    assert samples.kept == [Sample(2.5, 2.4, 0)] * 5


def test_every_round_gives_every_executable_a_turn_in_an_order_of_its_own(
    clock: Clock, executable: NewExecutable
) -> None:
    calls: list[str] = []
    names = "abcdef"
    group = {n: executable(2.0, called=lambda n=n: calls.append(n)) for n in names}
    plan = SamplingPlan(
        warmup_runs=1, warmup_ms=0, timed_ms=40, min_runs=20, max_runs=20, runs_per_turn=1
    )
    sample_group(group, plan, clock, random.Random(3))
    assert calls[:6] == list(names), "each is warmed up alone, before anything is timed"
    untimed, timed = calls[6::2], calls[7::2]
    assert untimed == timed
    rounds = [timed[i : i + 6] for i in range(0, len(timed), 6)]
    assert len(rounds) == 20
    assert all(sorted(order) == list(names) for order in rounds)
    assert len({tuple(order) for order in rounds}) > 15
    assert {order[0] for order in rounds} == set(names)


def test_the_seed_decides_the_order(clock: Clock, executable: NewExecutable) -> None:
    orders = []
    for seed in (1, 1, 2):
        calls: list[str] = []
        group = {n: executable(2.0, called=lambda n=n, c=calls: c.append(n)) for n in "abcd"}
        sample_group(group, ONE_WARM_UP, clock, random.Random(seed))
        orders.append(calls)
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_one_that_needs_fewer_runs_drops_out_early(clock: Clock, executable: NewExecutable) -> None:
    calls: list[str] = []
    group = {
        "short": executable(1.0, called=lambda: calls.append("short")),
        "long": executable(5.0, called=lambda: calls.append("long")),
    }
    plan = SamplingPlan(
        warmup_runs=1, warmup_ms=0, timed_ms=10, min_runs=1, max_runs=99, runs_per_turn=1
    )
    samples = sample_group(group, plan, clock, random.Random(0))
    assert {name: len(s.kept) for name, s in samples.items()} == {"short": 10, "long": 2}
    for start in (2, 6):
        assert sorted(calls[start : start + 4]) == ["long", "long", "short", "short"]
    assert calls[10:] == ["short"] * 2 * 8


def test_disturbed_samples_are_set_aside_and_made_up_for(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    timed = [2.0, run_of(9.0, cpu_ms=2.0), 2.0, run_of(2.5, cpu_ms=2.2, switches=1), *[2.0] * 3]
    thing = executable(1.0, *(run for one in timed for run in (7.0, one)))
    samples = sample_group({"a": thing}, SINGLE_RUNS, clock, random.Random(0))["a"]
    assert [sample.wall_ms for sample in samples.kept] == [2.0] * 5
    assert samples.set_aside == [Sample(9.0, 2.0, 0), Sample(2.5, 2.2, 1)]
    assert samples.all == samples.kept + samples.set_aside
    assert thing.count == 1 + 2 * (5 + 2)


def test_disturbed_throughout_it_stops_at_twice_the_runs(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    calm, busy = executable(2.0), executable(1.0, run_of(2.0, cpu_ms=1.0, switches=2))
    group = {"calm": calm, "busy": busy}
    samples = sample_group(group, ONE_WARM_UP, clock, random.Random(0))
    assert samples["busy"].kept == []
    assert len(samples["busy"].set_aside) == 10
    assert (len(samples["calm"].kept), calm.count) == (5, 1 + 3 + 5)


@given(pattern=st.lists(st.booleans(), min_size=1, max_size=40))
def test_whatever_is_disturbed_runs_are_from_n_to_2n(pattern: list[bool]) -> None:
    class Clock:
        now = stolen = switches = 0

        def wall(self) -> int:
            return self.now

        def cpu(self) -> int:
            return self.now - self.stolen

        def preemptions(self) -> int:
            return self.switches

        def others(self) -> int:
            return 0

        def run(self) -> None:
            index = (self.now // 1_000_000) % len(pattern)
            self.now += 1_000_000
            self.stolen += 500_000 * pattern[index]
            self.switches += pattern[index]

    clock = Clock()
    samples = sample_group({0: clock}, ONE_WARM_UP, clock, random.Random(0))[0]
    assert len(samples.kept) <= 5
    assert 5 <= len(samples.all) <= 10
    assert len(samples.kept) == 5 or len(samples.all) == 10
    assert all(sample.preemptions == 0 for sample in samples.kept)
    assert all(sample.preemptions for sample in samples.set_aside)


@pytest.mark.parametrize(
    ("sample", "one_thread", "many_threads"),
    [
        (Sample(10.0, 10.0, 0), False, False),
        (Sample(10.0, 10.0, 1), False, True),
        (Sample(10.21, 10.0, 1), False, True),
        (Sample(10.23, 10.0, 1), True, True),
        (Sample(12.04, 10.0, 0), False, False),
        (Sample(12.06, 10.0, 0), True, False),
        (Sample(10.0, 40.0, 0), False, False),
        (Sample(10.0, 40.0, 2), False, True),
        (Sample(0.05, 0.0, 0), False, False),
        (Sample(0.06, 0.0, 0), True, False),
    ],
)
def test_standing_still_counts_on_one_thread_and_switches_on_several(
    sample: Sample, one_thread: bool, many_threads: bool
) -> None:
    assert sample.disturbed() is one_thread
    assert sample.disturbed(threads=4) is many_threads


def test_with_several_threads_only_switches_set_a_sample_aside(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    waits = run_of(9.0, cpu_ms=2.0)
    plan = SamplingPlan(1, 0, timed_ms=10, min_runs=5, max_runs=5, threads=2)
    samples = sample_group({"a": executable(1.0, waits)}, plan, clock, random.Random(0))["a"]
    assert len(samples.kept) == 5
    assert samples.set_aside == []


def test_the_time_spent_is_that_of_warm_up_and_of_all_timed_runs(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    group = {"a": executable(3.0, 2.0), "b": executable(1.0, run_of(4.0, cpu_ms=2.0, switches=1))}
    spent = TimeSpent(warmup_s=1.0, timed_s=2.0)
    sample_group(group, ONE_WARM_UP, clock, random.Random(0), spent)
    # "a" has three turns, of two timed runs and one; "b" five, since all its runs are disturbed.
    assert spent.warmup_s == pytest.approx(1.0 + (3 + 1 + 3 * 2 + 5 * 4) / 1e3)
    assert spent.timed_s == pytest.approx(2.0 + (5 * 2 + 10 * 4) / 1e3)


def test_an_empty_group_has_no_samples(clock: Clock) -> None:
    assert sample_group({}, ONE_WARM_UP, clock, random.Random(0)) == {}


@given(count=st.integers(0, 60), size=st.integers(1, 20))
def test_groups_hold_everything_once_and_evenly(count: int, size: int) -> None:
    groups = groups_of(list(range(count)), size)
    assert sorted(key for group in groups for key in group) == list(range(count))
    if groups:
        lengths = [len(group) for group in groups]
        assert max(lengths) <= size
        assert max(lengths) - min(lengths) <= 1
        assert len(groups) == -(-count // size)


# --- turns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("runs_per_turn", "turns"), [(1, 5), (2, 3), (3, 2), (5, 1), (9, 1)])
def test_a_point_runs_once_untimed_at_each_turn_and_then_timed(
    runs_per_turn: int, turns: int, clock: Clock, executable: NewExecutable
) -> None:
    """Only the first run of a turn is slow: other points have driven its weights out."""
    calls: list[str] = []
    plan = replace(ONE_WARM_UP, runs_per_turn=runs_per_turn)
    turn = [9.0, *[2.0] * runs_per_turn]
    group = {
        name: executable(2.0, *turn * turns, called=lambda name=name: calls.append(name))
        for name in "ab"
    }
    samples = sample_group(group, plan, clock, random.Random(0))
    for name, thing in group.items():
        assert [sample.wall_ms for sample in samples[name].kept] == [2.0] * 5
        assert thing.count == 1 + turns + 5
    first_round = calls[2 : 2 + 2 * (1 + min(runs_per_turn, 5))]
    assert first_round in (sorted(first_round), sorted(first_round, reverse=True))


def test_the_default_turn_is_one_untimed_run_and_two_timed_ones() -> None:
    plan = SamplingPlan()
    assert plan.runs_per_turn == 2
    assert plan.min_runs % plan.runs_per_turn == plan.max_runs % plan.runs_per_turn == 0


def test_points_of_any_length_take_turns(clock: Clock, executable: NewExecutable) -> None:
    calls: list[str] = []
    group = {
        "short": executable(2.0, called=lambda: calls.append("short")),
        "long": executable(300.0, called=lambda: calls.append("long")),
    }
    plan = SamplingPlan(warmup_runs=1, warmup_ms=0, timed_ms=10, min_runs=4, max_runs=5)
    sample_group(group, plan, clock, random.Random(1))
    assert calls[:2] == ["short", "long"]
    turns = [calls[i : i + 3] for i in range(2, 14, 3)]
    assert all(len(set(turn)) == 1 for turn in turns)
    assert [{turns[0][0], turns[1][0]}, {turns[2][0], turns[3][0]}] == [set(group)] * 2
    assert calls[14:] == ["short", "short"], "its fifth run has a turn of its own"


def test_a_disturbed_untimed_run_is_neither_kept_nor_counted(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    waits = run_of(50.0, cpu_ms=1.0, switches=3)
    thing = executable(2.0, *[waits, 2.0, 2.0] * 3)
    samples = sample_group({"a": thing}, ONE_WARM_UP, clock, random.Random(0))["a"]
    assert samples == SessionSamples([Sample(2.0, 2.0, 0)] * 5)


def test_a_run_set_aside_is_made_up_for_within_the_same_turn_or_the_next(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    waits = run_of(9.0, cpu_ms=2.0)
    thing = executable(2.0, *[2.0, waits, 2.0] * 9)
    samples = sample_group({"a": thing}, ONE_WARM_UP, clock, random.Random(0))["a"]
    assert (len(samples.kept), len(samples.set_aside)) == (5, 5)
    assert thing.count == 1 + 5 * 3


# --- the garbage collector ------------------------------------------------------------------------


@pytest.fixture
def collector() -> Iterator[Callable[[bool], None]]:
    """Switch the collector on or off for a test, and back to what it was."""
    was_enabled = gc.isenabled()
    yield lambda on: gc.enable() if on else gc.disable()
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_the_collector_rests_while_runs_are_timed_and_is_then_as_before(
    on: bool,
    fails: bool,
    collector: Callable[[bool], None],
    clock: Clock,
    executable: NewExecutable,
) -> None:
    seen: list[bool] = []

    def called() -> None:
        seen.append(gc.isenabled())
        if fails and len(seen) == 4:
            raise RuntimeError("the device is lost")

    collector(on)
    thing = executable(2.0, called=called)
    if fails:
        with pytest.raises(RuntimeError, match="lost"):
            sample_group({"a": thing}, ONE_WARM_UP, clock, random.Random(0))
    else:
        sample_group({"a": thing}, ONE_WARM_UP, clock, random.Random(0))
    assert gc.isenabled() is on
    assert seen[0] is on, "warming up is not timed"
    assert not any(seen[1:])


def test_a_device_with_a_clock_of_its_own_is_believed(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    """Wall time passes while the host waits; the device worked for half of it."""

    class OnADevice:
        def __init__(self) -> None:
            self.inner = executable(run_of(4.0, cpu_ms=0.1))

        def run(self) -> None:
            self.inner.run()

        def device_ms(self) -> float:
            return 2.0

    plan = SamplingPlan(warmup_runs=1, warmup_ms=0.0, min_runs=5, max_runs=5)
    samples = sample_group({"on": OnADevice()}, plan, clock, random.Random(0))["on"]
    assert [sample.wall_ms for sample in samples.kept] == [2.0] * 5
    assert samples.set_aside == []  # waiting for the device is not a disturbance
    alone = {"off": executable(run_of(4.0, cpu_ms=0.1))}
    host = sample_group(alone, plan, clock, random.Random(0))["off"]
    assert len(host.set_aside) == 10
    assert host.kept == []


def test_the_device_clock_decides_how_often_it_is_run(
    clock: Clock, executable: NewExecutable
) -> None:
    class Quick:
        def __init__(self) -> None:
            self.inner = executable(50.0)

        def run(self) -> None:
            self.inner.run()

        def device_ms(self) -> float:
            return 1.0

    plan = SamplingPlan(warmup_runs=1, warmup_ms=0.0, timed_ms=12.0, min_runs=2, max_runs=99)
    assert len(sample_group({0: Quick()}, plan, clock, random.Random(0))[0].kept) == 12


class OnAPhone:
    """Each call starts a program that takes half a second and times twenty runs of 0.05 ms."""

    def __init__(self, executable: NewExecutable, run_of: Callable[..., Any]) -> None:
        self.inner = executable(run_of(500.0, cpu_ms=0.1))
        self.calls = 0

    def run(self) -> None:
        self.calls += 1
        self.inner.run()

    def device_ms(self) -> float:
        return 0.05

    def runs_timed(self) -> int:
        return 20


def test_a_call_that_times_many_runs_is_made_three_times_a_session(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    phone = {name: OnAPhone(executable, run_of) for name in "abc"}
    reference = OnAPhone(executable, run_of)
    plan = SamplingPlan(timed_ms=100.0, max_runs=32, runs_per_turn=4, readings=16)
    found = sample_group(phone, plan, clock, random.Random(0), reference=reference)
    assert [len(samples.kept) for samples in found.values()] == [3, 3, 3]
    assert [one.calls for one in phone.values()] == [3, 3, 3]
    assert 2 <= reference.calls <= 10
    assert all(sample.reference_ms == 0.05 for one in found.values() for sample in one.kept)


def test_as_many_calls_as_were_asked_for(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    phone = OnAPhone(executable, run_of)
    plan = SamplingPlan(min_runs=7, max_runs=7)
    assert len(sample_group({0: phone}, plan, clock, random.Random(0))[0].kept) == 7

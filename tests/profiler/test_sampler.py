"""What is run how often, in which order, and which runs count: on a clock that is told the time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.profiler.sampler import Sample, SamplingPlan, TimeSpent, groups_of, sample_group

Clock = Any  # ScriptedClock of conftest.py
NewExecutable = Callable[..., Any]
ONE_WARM_UP = SamplingPlan(warmup_runs=1, warmup_ms=0, timed_ms=10, min_runs=5, max_runs=5)


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
    assert thing.count == warm_ups + 8


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


def rounds_of(calls: list[str], things: Mapping[str, Any]) -> list[list[str]]:
    """Cut the calls after warm-up into rounds of as many as there are things."""
    timed = calls[len(things) :]
    return [timed[i : i + len(things)] for i in range(0, len(timed), len(things))]


def test_every_round_runs_every_executable_once_in_an_order_of_its_own(
    clock: Clock, executable: NewExecutable
) -> None:
    calls: list[str] = []
    names = "abcdef"
    group = {n: executable(2.0, called=lambda n=n: calls.append(n)) for n in names}
    plan = SamplingPlan(warmup_runs=1, warmup_ms=0, timed_ms=40, min_runs=20, max_runs=20)
    sample_group(group, plan, clock, random.Random(3))
    assert calls[:6] == list(names), "each is warmed up alone, before anything is timed"
    rounds = rounds_of(calls, group)
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
    plan = SamplingPlan(warmup_runs=1, warmup_ms=0, timed_ms=10, min_runs=1, max_runs=99)
    samples = sample_group(group, plan, clock, random.Random(0))
    assert {name: len(s.kept) for name, s in samples.items()} == {"short": 10, "long": 2}
    assert set(calls[2:6]) == {"short", "long"}
    assert set(calls[6:]) == {"short"}


def test_disturbed_samples_are_set_aside_and_made_up_for(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    thing = executable(
        1.0,
        2.0,
        run_of(9.0, cpu_ms=2.0),
        2.0,
        run_of(2.5, cpu_ms=2.2, switches=1),
        2.0,
        2.0,
        2.0,
        2.0,
    )
    samples = sample_group({"a": thing}, ONE_WARM_UP, clock, random.Random(0))["a"]
    assert [sample.wall_ms for sample in samples.kept] == [2.0] * 5
    assert samples.set_aside == [Sample(9.0, 2.0, 0), Sample(2.5, 2.2, 1)]
    assert samples.all == samples.kept + samples.set_aside
    assert thing.count == 1 + 5 + 2


def test_disturbed_throughout_it_stops_at_twice_the_runs(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    calm, busy = executable(2.0), executable(1.0, run_of(2.0, cpu_ms=1.0, switches=2))
    group = {"calm": calm, "busy": busy}
    samples = sample_group(group, ONE_WARM_UP, clock, random.Random(0))
    assert samples["busy"].kept == []
    assert len(samples["busy"].set_aside) == 10
    assert (len(samples["calm"].kept), calm.count) == (5, 6)


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
    assert spent.warmup_s == pytest.approx(1.0 + (3 + 1) / 1e3)
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


def test_the_reference_is_run_again_when_its_time_has_grown_old(
    clock: Clock, executable: NewExecutable
) -> None:
    calls: list[str] = []
    thing = executable(1.0, 5.0, called=lambda: calls.append("thing"))
    reference = executable(*(float(n) for n in range(1, 30)), called=lambda: calls.append("ref"))
    plan = SamplingPlan(1, 0, timed_ms=10, min_runs=5, max_runs=5, reference_every_ms=10)
    samples = sample_group({"a": thing}, plan, clock, random.Random(0), reference=reference)["a"]
    # Once to warm its weights, once timed: before the first run and after every 10 ms of work.
    pair, run = ["ref", "ref"], ["thing"]
    assert calls == run + pair + 2 * run + pair + 2 * run + pair + run
    assert [sample.reference_ms for sample in samples.kept] == [2.0, 2.0, 4.0, 4.0, 6.0]


def test_a_disturbed_run_of_the_reference_is_taken_once_more(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    reference = executable(1.0, run_of(9.0, cpu_ms=1.0), 2.0)
    plan = SamplingPlan(1, 0, timed_ms=10, min_runs=2, max_runs=2, reference_every_ms=1000)
    thing = executable(5.0)
    samples = sample_group({"a": thing}, plan, clock, random.Random(0), reference=reference)["a"]
    assert [sample.reference_ms for sample in samples.kept] == [2.0, 2.0]
    assert reference.count == 3

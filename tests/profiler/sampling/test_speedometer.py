"""The reference block's readings: when one is taken, what it is made of, and what if it fails."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from vitprof.backends import BackendError
from vitprof.profiler.sampling.sampler import sample_group
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.profiler.sampling.speedometer import Speedometer
from vitprof.profiler.sampling.timed_run import Sample, TimeSpent

Clock = Any  # ScriptedClock of conftest.py
NewExecutable = Callable[..., Any]
# Every reference is long enough for one run to say something, unless a test says otherwise.
EVERY_10_MS = SamplingPlan(
    1, 0, timed_ms=10, min_runs=5, max_runs=5, reference_every_ms=10, reading_ms=0
)


@pytest.fixture
def speedometer(clock: Clock) -> Callable[..., Speedometer]:
    def make(reference: Any, plan: SamplingPlan = EVERY_10_MS) -> Speedometer:
        return Speedometer(reference, plan, clock, TimeSpent())

    return make


def test_without_a_reference_it_reads_0(speedometer: Callable[..., Speedometer]) -> None:
    meter = speedometer(None)
    meter.worked(1e6)
    assert meter.read() == 0.0


def test_the_reference_is_run_again_when_its_time_has_grown_old(
    clock: Clock, executable: NewExecutable
) -> None:
    calls: list[str] = []
    thing = executable(1.0, 5.0, called=lambda: calls.append("thing"))
    reference = executable(*(float(n) for n in range(1, 30)), called=lambda: calls.append("ref"))
    group = {"a": thing}
    samples = sample_group(group, EVERY_10_MS, clock, random.Random(0), reference=reference)["a"]
    # Once to warm its weights, once timed: before every turn, for each takes 15 ms, and in the end.
    pair, turn = ["ref", "ref"], ["thing"] * 3
    assert calls == ["thing", *pair, *turn, *pair, *turn, *pair, *turn[:2], *pair]
    read = [sample.reference_ms for sample in samples.kept]
    assert 2.0 < read[0] < read[1] < 4.0 < read[2] < read[3] < 6.0 < read[4] < 8.0
    # The first is halfway between the readings at 1 + 2/2 and at 2 + 15 + 3 + 4/2 ms, to the ns.
    start, end, middle = 1 + 1 + 2 / 2, 1 + 1 + 2 + 15 + 3 + 4 / 2, 1 + 1 + 2 + 5 + 5 / 2
    assert read[0] == pytest.approx(2.0 * 2.0 ** ((middle - start) / (end - start)))
    assert samples.kept[0].reading_gap == pytest.approx(math.log(2.0))


@pytest.mark.parametrize(
    ("worked_ms", "timed_runs"),
    [(9.999, 0), (10.0, 1), (19.0, 1), (20.0, 2), (29.0, 2), (30.0, 3), (1000.0, 3)],
)
def test_the_longer_the_work_the_more_runs_a_reading_takes(
    worked_ms: float,
    timed_runs: int,
    speedometer: Callable[..., Speedometer],
    executable: NewExecutable,
) -> None:
    reference = executable(7.0, 1.0, 7.0, 2.0, 4.0, 9.0)
    meter = speedometer(reference)
    assert meter.read() == 1.0, "the first reading is one run after the one that warms"
    meter.worked(worked_ms / 2)
    meter.worked(worked_ms / 2)
    expected = {0: 1.0, 1: 2.0, 2: 3.0, 3: 5.0}[timed_runs]
    assert meter.read() == pytest.approx(expected)
    assert reference.count == 2 + (1 + timed_runs if timed_runs else 0)
    assert meter.read() == pytest.approx(expected), "a young reading is remembered"
    assert reference.count == 2 + (1 + timed_runs if timed_runs else 0)


def test_a_disturbed_run_of_the_reference_is_taken_once_more(
    clock: Clock, executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    reference = executable(1.0, run_of(9.0, cpu_ms=1.0), 2.0)
    plan = replace(EVERY_10_MS, min_runs=2, max_runs=2, reference_every_ms=1000)
    thing = executable(5.0)
    samples = sample_group({"a": thing}, plan, clock, random.Random(0), reference=reference)["a"]
    assert [sample.reference_ms for sample in samples.kept] == pytest.approx([2.0, 2.0])
    assert reference.count == 3 + 2


def test_of_several_runs_the_disturbed_are_left_out(
    speedometer: Callable[..., Speedometer], executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    waits = run_of(90.0, cpu_ms=1.0, switches=1)
    reference = executable(1.0, 2.0, 1.0, 3.0, waits, 4.0, 5.0)
    meter = speedometer(reference)
    meter.read()
    meter.worked(30.0)
    assert meter.read() == pytest.approx((3 + 4 + 5) / 3)
    assert reference.count == 2 + 1 + 4


def test_where_all_runs_are_disturbed_the_one_that_was_least_has_to_do(
    speedometer: Callable[..., Speedometer], executable: NewExecutable, run_of: Callable[..., Any]
) -> None:
    waits = [run_of(6.0, cpu_ms=1.0), run_of(5.0, cpu_ms=3.0)]
    reference = executable(1.0, *waits)
    assert speedometer(reference).read() == 5.0
    assert reference.count == 3


@pytest.mark.parametrize(("run_ms", "runs"), [(0.001, 16), (0.5, 8), (1.5, 3), (3.9, 2), (4.0, 1)])
def test_a_reading_of_a_short_reference_is_of_more_runs(
    run_ms: float,
    runs: int,
    speedometer: Callable[..., Speedometer],
    executable: NewExecutable,
) -> None:
    reference = executable(run_ms)
    meter = speedometer(reference, replace(EVERY_10_MS, reference_every_ms=125, reading_ms=4.0))
    assert meter.read() == pytest.approx(run_ms)
    assert reference.count == 1 + runs


def test_it_is_the_median_of_many_and_is_taken_sooner(
    speedometer: Callable[..., Speedometer], executable: NewExecutable
) -> None:
    times = [1.0, 9.0, 1.2, 1.1, 1.3]
    reference = executable(1.0, *times, 1.0, *times)
    meter = speedometer(reference, replace(EVERY_10_MS, reference_every_ms=125, reading_ms=5.0))
    assert meter.read() == 1.2, "five fill 5 ms"
    meter.worked(7 * 5 * 1.2 - 0.1)
    assert (meter.read(), reference.count) == (1.2, 6)
    meter.worked(0.2)
    meter.read()
    assert reference.count == 12


def test_untimed_runs_age_a_reading_too_and_its_own_runs_do_not(
    clock: Clock, executable: NewExecutable
) -> None:
    reference = executable(500.0)
    sample_group({"a": executable(4.0)}, EVERY_10_MS, clock, random.Random(0), reference=reference)
    # Turns of 4 + 8 ms: a reading before each of the three and in the end, each warmed and timed.
    assert reference.count == 8


@pytest.mark.parametrize(("run_ms", "long"), [(9.999, False), (10.0, True), (12.0, True)])
def test_next_to_every_run_of_a_long_point_the_reference_is_read(
    run_ms: float, long: bool, clock: Clock, executable: NewExecutable
) -> None:
    """Within a long point's turn a reading grows old; a short point would lose its cache to it."""
    calls: list[str] = []
    thing = executable(run_ms, called=lambda: calls.append("thing"))
    reference = executable(1.0, called=lambda: calls.append("ref"))
    plan = replace(EVERY_10_MS, min_runs=4, max_runs=4)
    sample_group({"a": thing}, plan, clock, random.Random(0), reference=reference)
    read, run = ["ref", "ref"], ["thing"]
    twice = ["ref"] * 3  # after two runs (20 ms) a reading is worth two
    if long:
        assert calls == [
            *run,
            *run,
            *read,
            *run,
            *read,
            *run,
            *run,
            *twice,
            *run,
            *read,
            *run,
            *read,
        ]
    else:
        assert calls == [*run, *read, *run, *run, *run, *twice, *run, *run, *run, *twice]


def test_the_time_of_readings_is_spent_as_timed(clock: Clock, executable: NewExecutable) -> None:
    spent = TimeSpent()
    group, reference = {"a": executable(4.0)}, executable(100.0)
    sample_group(group, EVERY_10_MS, clock, random.Random(0), spent, reference)
    assert spent.timed_s == pytest.approx((5 * 4 + 4 * 100) / 1e3)


@pytest.mark.parametrize("failing_run", [1, 2, 3, 4])
def test_a_reference_that_breaks_is_dropped_and_sampling_goes_on(
    failing_run: int, clock: Clock, executable: NewExecutable
) -> None:
    runs = 0

    def called() -> None:
        nonlocal runs
        runs += 1
        if runs >= failing_run:
            raise BackendError("the device is lost")

    reference = executable(3.0, called=called)
    samples = sample_group(
        {"a": executable(5.0)}, EVERY_10_MS, clock, random.Random(0), reference=reference
    )["a"]
    assert [sample.wall_ms for sample in samples.kept] == [5.0] * 5
    assert [s.reference_ms for s in samples.kept] == [0.0] * 5, "none lies between two readings"
    assert runs == failing_run, "it is not tried again"


def test_the_error_of_a_point_is_not_taken_for_the_references(
    clock: Clock, executable: NewExecutable
) -> None:
    def broken() -> None:
        raise BackendError("no kernel")

    group = {"a": executable(5.0, called=broken)}
    with pytest.raises(BackendError, match="no kernel"):
        sample_group(group, EVERY_10_MS, clock, random.Random(0), reference=executable(3.0))


def test_a_clock_that_goes_back_takes_the_reading_before(
    clock: Clock, speedometer: Callable[..., Speedometer], executable: NewExecutable
) -> None:
    meter = speedometer(executable(2.0, 2.0, 2.0, 3.0))
    meter.read()
    middle = clock.wall()
    meter.worked(20.0)
    clock.advance(-5.0)
    meter.read()
    assert meter.readings == [2.0, 3.0]
    assert meter.beside(Sample(1.0, 1.0, 0, middle_ns=middle)).reference_ms in (2.0, 3.0)


def test_a_sample_after_the_last_reading_has_that_one(
    clock: Clock, speedometer: Callable[..., Speedometer], executable: NewExecutable
) -> None:
    meter = speedometer(executable(2.0))
    assert meter.beside(Sample(1.0, 1.0, 0, middle_ns=clock.wall())).reference_ms == 0.0
    meter.read()
    assert meter.beside(Sample(1.0, 1.0, 0, middle_ns=clock.wall())).reference_ms == 2.0


@pytest.mark.parametrize(("run_ms", "most"), [(0.1, 20), (1.0, 20), (40.0, 90)])
def test_a_quick_group_reads_its_reference_as_often_as_a_slow_one(
    run_ms: float, most: int, clock: Clock, executable: NewExecutable
) -> None:
    """Without that, blocks of a tenth of a millisecond would be read beside one or two readings."""
    plan = SamplingPlan(1, 0, timed_ms=10, min_runs=32, max_runs=32, readings=16, reading_ms=0)
    group = {n: executable(run_ms) for n in "abcdefgh"}
    readings: list[float] = []
    sample_group(
        group, plan, clock, random.Random(0), reference=executable(14.0), readings=readings
    )
    assert 14 <= len(readings) <= most


def test_a_slow_group_is_read_after_so_much_work(clock: Clock) -> None:
    plan = SamplingPlan(readings=16, reference_every_ms=125.0)
    assert plan.every_ms(160.0) == 10.0
    assert plan.every_ms(1e6) == 125.0
    assert SamplingPlan().every_ms(160.0) == 125.0

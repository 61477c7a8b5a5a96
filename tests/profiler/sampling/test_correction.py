"""A machine whose speed wanders, seen through its reference block."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from vitprof.models import Block
from vitprof.profiler.plan import Point, Subject
from vitprof.profiler.sampling.correction import (
    EXPONENT_SD,
    corrected_sessions,
    correction_sd,
    drifts,
    histograms,
    readings_row,
)
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.sampling.sampler import SessionSamples, sample_group
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.profiler.sampling.verdict import point_row, session_row
from vitprof.tables import Row
from vitprof.tables.references import Drift, Readings
from vitprof.tables.speed_histogram import SpeedHistogram

Mlp = Callable[..., Block]


def test_the_drift_is_the_middle_and_the_spread_of_the_reference() -> None:
    drift = Drift.over([0.0, *(1 + n / 100 for n in range(101))])
    assert drift is not None
    assert (drift.typical_ms, drift.p10_ms, drift.p90_ms) == pytest.approx((1.5, 1.1, 1.9))
    assert drift.spread == pytest.approx(0.8 / 1.5)
    assert Drift.over([]) is None
    assert Drift.over([0.0]) is None


def test_a_session_is_brought_to_the_typical_speed(mlp: Mlp, row_of: Callable[..., Row]) -> None:
    row = row_of(mlp(), 4.0, session_ms=(4.0, 8.0, 3.0), reference_ms=(1.0, 2.0, 0.5))
    assert corrected_sessions(row, 1.0) == [4.0, 4.0, 6.0]
    assert corrected_sessions(row, 2.0) == [8.0, 8.0, 12.0]
    assert corrected_sessions(row, None) == [4.0, 8.0, 3.0]
    assert corrected_sessions(replace(row, reference_ms=()), 1.0) == [4.0, 8.0, 3.0]
    half = replace(row, exponent=0.5)
    assert corrected_sessions(half, 1.0) == pytest.approx([4.0, 8 / 2**0.5, 3 * 2**0.5])


class Machine:
    """Runs take their milliseconds times the slowness of the moment: exp(rate · time), in steps."""

    def __init__(self, clock: Any, per_ms: float) -> None:
        self.clock, self.per_ms, self.began = clock, per_ms, clock.wall()

    def block(self, ms: float, exponent: float = 1.0) -> Any:
        return _Block(self, ms, exponent)


class _Block:
    def __init__(self, machine: Machine, ms: float, exponent: float) -> None:
        self.machine, self.ms, self.exponent = machine, ms, exponent

    def run(self) -> None:
        clock = self.machine.clock
        passed_ms = (clock.wall() - self.machine.began) / 1e6
        # The slowness halfway through the run, near enough.
        slowness = math.exp(self.machine.per_ms * (passed_ms + self.ms / 2))
        clock.advance(self.ms * slowness**self.exponent)


PAIRED = SamplingPlan(1, 0, timed_ms=80, min_runs=9, max_runs=9, reference_every_ms=12)
Wandering = tuple[Point, dict[Subject, SessionSamples]]


@pytest.fixture(params=[8.0, 16.0], ids=["short", "long"])
def wandering(clock: Any, mlp: Mlp, request: pytest.FixtureRequest) -> Wandering:
    """A point and its samples on a machine that slows down, beside a reference of half its time."""
    machine = Machine(clock, per_ms=0.0005)
    point = Point(mlp())
    group = {point.parts[0].subject: machine.block(request.param)}
    reference = machine.block(request.param / 2)
    samples = sample_group(group, PAIRED, clock, random.Random(0), reference=reference)
    kept = samples[point.parts[0].subject].kept
    kept[:] = [
        replace(
            s,
            reference_ms=s.reference_ms * 8.0 / request.param,
            wall_ms=s.wall_ms * 8.0 / request.param,
        )
        for s in kept
    ]
    return point, samples


def test_a_sample_is_compared_with_the_reference_of_its_own_moment(wandering: Wandering) -> None:
    """Each lies between two readings; the line between them is exact for a steady change."""
    point, samples = wandering
    kept = samples[point.parts[0].subject].kept
    assert max(s.wall_ms for s in kept) > 1.05 * min(s.wall_ms for s in kept)
    for sample in kept:
        assert sample.wall_ms / sample.reference_ms == pytest.approx(2.0, rel=2e-3)
        assert sample.reading_gap > 0


def test_a_speed_that_wanders_inside_a_session_is_corrected_by_pairs(
    wandering: Wandering, quick: Callable[..., Protocol]
) -> None:
    """Medians of both apart would not do: the point's median is of another moment."""
    point, samples = wandering
    kept = samples[point.parts[0].subject].kept
    session = session_row(point, samples)
    assert session.latency_ms == float(np.median([sample.wall_ms for sample in kept]))
    assert session.reference_ms == pytest.approx((session.latency_ms / 2,), rel=2e-3)
    row = point_row(point, [session], quick(), shared_sd=0.01, speed_ms=4.0)
    assert row.latency_ms == pytest.approx(8.0, rel=2e-3)
    assert row.session_ms == (session.latency_ms,), "raw medians stay in the table"
    raw = point_row(point, [session], quick(), shared_sd=0.01)
    assert raw.latency_ms > 1.02 * row.latency_ms


def test_the_correction_is_the_median_of_ratios_not_the_ratio_of_medians(
    wandering: Wandering, quick: Callable[..., Protocol]
) -> None:
    """One reading in nine is wrong by half: the median of ratios forgives it."""
    point, samples = wandering
    kept = samples[point.parts[0].subject].kept
    kept[0] = replace(kept[0], reference_ms=1.5 * kept[0].reference_ms)
    row = point_row(point, [session_row(point, samples)], quick(), 0.01, speed_ms=4.0)
    assert row.latency_ms == pytest.approx(8.0, rel=2e-3)


def test_samples_without_a_reading_do_not_enter_the_ratios(
    wandering: Wandering, quick: Callable[..., Protocol]
) -> None:
    point, samples = wandering
    kept = samples[point.parts[0].subject].kept
    kept[5:] = [replace(sample, reference_ms=0.0) for sample in kept[5:]]
    row = point_row(point, [session_row(point, samples)], quick(), 0.01, speed_ms=4.0)
    assert row.latency_ms == pytest.approx(8.0, rel=2e-3)
    kept[:] = [replace(sample, reference_ms=0.0) for sample in kept]
    assert session_row(point, samples).reference_ms == ()


# --- readings -------------------------------------------------------------------------------------


def test_readings_of_a_journal_add_to_those_of_the_table_before(mlp: Mlp) -> None:
    reference = mlp()
    before = {reference: Readings(histogram=SpeedHistogram.of([1.0, 1.0]))}
    rows = [readings_row(reference, [2.0, 4.0]), readings_row(reference, [3.0])]
    counted = histograms([*rows, replace(rows[0], context="alone")], before)
    assert counted[reference].total == 5
    drift = drifts([], counted)[reference]
    assert (drift.undisturbed_ms, drift.typical_ms, drift.p90_ms) == (1.0, 2.0, 4.0)


def test_a_table_without_readings_goes_by_its_rows(mlp: Mlp, row_of: Callable[..., Row]) -> None:
    row = row_of(mlp(), 4.0, session_ms=(4.0,) * 3, reference_ms=(1.0, 2.0, 3.0))
    drift = drifts([replace(row, reference=mlp())], {})[mlp()]
    assert (drift.typical_ms, drift.undisturbed_ms) == (2.0, None)


def test_a_correction_is_the_less_sure_the_further_it_reaches(mlp: Mlp) -> None:
    def sd(*reference_ms: float, speed_ms: float | None = 2.0) -> float:
        row = Row(mlp(), session_ms=(1.0,) * len(reference_ms), reference_ms=reference_ms)
        return correction_sd(row, speed_ms)

    assert sd(2.0, 2.0, 9.0) == 0.0
    assert sd(3.0, 2.0, 4.0) == pytest.approx(EXPONENT_SD * math.log(1.5))
    assert sd(1.0) == pytest.approx(EXPONENT_SD * math.log(2.0)), "up as well as down"
    assert sd(3.0, speed_ms=None) == 0.0, "raw medians are not corrected"
    assert correction_sd(Row(mlp(), session_ms=(1.0,)), 2.0) == 0.0

"""A machine whose speed wanders, seen through its reference block."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from vitprof.models import Block
from vitprof.profiler.plan import Point, Subject
from vitprof.profiler.sampling.drift import corrected_sessions
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.sampling.sampler import SamplingPlan, SessionSamples, sample_group
from vitprof.profiler.sampling.verdict import point_row, session_row
from vitprof.tables import Row
from vitprof.tables.references import Drift

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


class Machine:
    """Runs take their milliseconds times the slowness of the moment, which each reading changes.

    All times are whole numbers of nanoseconds, so that nothing is lost to rounding.
    """

    def __init__(self, clock: Any, slowness: Iterable[float]) -> None:
        self.clock = clock
        self.slowness = itertools.cycle(slowness)
        self.now = next(self.slowness)
        self.worked = False

    def block(self, ms: float) -> Any:
        return _Block(self, ms)

    def reference(self, ms: float) -> Any:
        return _Block(self, ms, wanders=True)


class _Block:
    def __init__(self, machine: Machine, ms: float, wanders: bool = False) -> None:
        self.machine, self.ms, self.wanders = machine, ms, wanders

    def run(self) -> None:
        if self.wanders and self.machine.worked:
            self.machine.now = next(self.machine.slowness)
        self.machine.worked = not self.wanders
        self.machine.clock.advance(self.ms * self.machine.now)


WANDERING = (1.0, 1.25, 0.875, 1.5, 1.125, 2.0, 0.75)
# A reading before every turn of a short point, and before every timed run of a long one.
PAIRED = SamplingPlan(1, 0, timed_ms=80, min_runs=9, max_runs=9, reference_every_ms=12)
Wandering = tuple[Point, dict[Subject, SessionSamples]]


@pytest.fixture(params=[8.0, 16.0], ids=["short", "long"])
def wandering(clock: Any, mlp: Mlp, request: pytest.FixtureRequest) -> Wandering:
    """A point and its samples on a wandering machine, beside a reference of half its length."""
    machine = Machine(clock, WANDERING)
    point = Point(mlp())
    group = {point.parts[0].subject: machine.block(request.param)}
    reference = machine.reference(request.param / 2)
    return point, sample_group(group, PAIRED, clock, random.Random(0), reference=reference)


def test_a_speed_that_wanders_inside_a_session_is_corrected_by_pairs(
    wandering: Wandering, quick: Callable[..., Protocol]
) -> None:
    """Medians of both apart would not do: the point's median is of another moment."""
    point, samples = wandering
    kept = samples[point.parts[0].subject].kept
    assert len({sample.wall_ms for sample in kept}) >= 5
    assert {sample.wall_ms / sample.reference_ms for sample in kept} == {2.0}

    session = session_row(point, samples)
    assert session.latency_ms == float(np.median([sample.wall_ms for sample in kept]))
    assert session.reference_ms == pytest.approx((session.latency_ms / 2,), rel=1e-12)
    row = point_row(point, [session], quick(), shared_sd=0.01, typical_ms=4.0)
    assert abs(row.latency_ms - 8.0) < 1e-9
    assert row.session_ms == (session.latency_ms,), "raw medians stay in the table"
    raw = point_row(point, [session], quick(), shared_sd=0.01)
    assert abs(raw.latency_ms - 8.0) > 0.5


def test_the_correction_is_the_median_of_ratios_not_the_ratio_of_medians(
    wandering: Wandering, quick: Callable[..., Protocol]
) -> None:
    """One reading in seven is wrong by half: the median of ratios forgives it."""
    point, samples = wandering
    kept = samples[point.parts[0].subject].kept
    kept[0] = replace(kept[0], reference_ms=1.5 * kept[0].reference_ms)
    row = point_row(point, [session_row(point, samples)], quick(), 0.01, typical_ms=4.0)
    assert abs(row.latency_ms - 8.0) < 1e-9


def test_samples_without_a_reading_do_not_enter_the_ratios(
    wandering: Wandering, quick: Callable[..., Protocol]
) -> None:
    point, samples = wandering
    kept = samples[point.parts[0].subject].kept
    kept[5:] = [replace(sample, reference_ms=0.0) for sample in kept[5:]]
    row = point_row(point, [session_row(point, samples)], quick(), 0.01, typical_ms=4.0)
    assert abs(row.latency_ms - 8.0) < 1e-9
    kept[:] = [replace(sample, reference_ms=0.0) for sample in kept]
    assert session_row(point, samples).reference_ms == ()

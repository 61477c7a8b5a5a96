"""Tables measured on a simulated machine, beside what was true there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from vitprof.models import Spec
from vitprof.profiler.measure import measure_models, measure_table
from vitprof.profiler.plan import Plan, Subject
from vitprof.profiler.sampling.reference import STANDARD
from vitprof.tables import LatencyTable, Row

from .runtime import SimulatedRuntime, exponent_of, truth_ms
from .weather import Weather


@dataclass(frozen=True)
class Measured:
    """A table, and its machine at the speed that the table is stated at.

    `slowdown` is how many times as long the reference takes at that speed as it would on the
    undisturbed machine: 1 where the table is right about what that is.
    """

    table: LatencyTable
    slowdown: float

    def truth_ms(self, row: Row) -> float:
        """Return what the row's subject takes at that speed."""
        subject: Subject = row.subject if isinstance(row.subject, Spec) else (row.subject,)
        return truth_ms(subject) * self.slowdown ** exponent_of(subject)

    def errors(self) -> np.ndarray:
        """Return ln(latency / truth) of every row."""
        return np.array([math.log(row.latency_ms / self.truth_ms(row)) for row in self.table.rows])

    def raw_errors(self) -> np.ndarray:
        """Return the same of raw medians."""
        medians = [(row, float(np.median(row.session_ms))) for row in self.table.rows]
        return np.array([math.log(raw / self.truth_ms(row)) for row, raw in medians])

    def covers(self) -> np.ndarray:
        """Tell of every row whether its 95 % interval holds the truth."""
        rows = self.table.rows
        return np.array([row.low_ms <= self.truth_ms(row) <= row.high_ms for row in rows])


def measured_table(plan: Plan, weather: Weather, seed: int, folder: Path) -> Measured:
    """Measure a plan on a new machine of this weather."""
    runtime = SimulatedRuntime(weather, seed)
    out = folder / f"{seed}.csv"
    table = measure_table(
        plan, runtime.target, out, fresh=True, clock=runtime.machine, artifacts=runtime
    )
    stated_ms = table.header.reference_ms()[STANDARD]
    return Measured(table, stated_ms / runtime.reference_session().ms)


def measured_models(
    specs: list[Spec], table: LatencyTable, weather: Weather, seed: int
) -> list[Row]:
    """Measure whole models on a new machine, at the speed that the table is stated at."""
    runtime = SimulatedRuntime(weather, seed)
    with runtime.workshop() as workshop:
        measured = measure_models(
            specs,
            runtime.target,
            references=table.references,
            speed_ms=table.header.reference_ms(),
            clock=runtime.machine,
            workshop=workshop,
        )
    return measured.rows

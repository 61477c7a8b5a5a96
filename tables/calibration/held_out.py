"""The whole models of a table, each predicted by a line fitted on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...models import Spec
from ..row import NORMAL_95, Row
from ..table import LatencyTable
from .calibrate import OfFamily, of_families
from .calibration import FEWEST_MODELS, fit_calibration


@dataclass(frozen=True)
class HeldOut:
    """A measured model (`row`) and what the line of the others says: ms and a 95 % interval."""

    row: Row
    spec: Spec
    ms: float
    low_ms: float
    high_ms: float

    @property
    def error(self) -> float:
        """How far the prediction is off, relative to the measurement; negative: too low."""
        return self.ms / self.row.latency_ms - 1

    @property
    def is_inside(self) -> bool:
        """Whether the measurement lies in the interval of the prediction."""
        return self.low_ms <= self.row.latency_ms <= self.high_ms


def held_out(table: LatencyTable) -> list[HeldOut]:
    """Return every measured model that others of its family predict, in the table's order.

    Empty where there are too few. A model that the table's blocks do not cover is left out.
    """
    found: list[HeldOut] = []
    for of_family in of_families(table).values():
        if len(of_family.rows) > FEWEST_MODELS:
            found += [_predicted(table, of_family, n) for n in range(len(of_family.rows))]
    return found


def _predicted(table: LatencyTable, of: OfFamily, n: int) -> HeldOut:
    def others(values: Sequence[Any]) -> list[Any]:
        return [*values[:n], *values[n + 1 :]]

    line = fit_calibration(others(of.lone), others(of.measured_ms), of.noise_sd(table))
    row, lone = of.rows[n], of.lone[n]
    assert isinstance(row.subject, Spec)
    alone = table.predict(row.subject, calibrated=False)
    half = (alone.high_ms - alone.low_ms) / 2
    known = half if half == half else 0.0  # noqa: PLR0124 - NaN: nobody knows
    ms, width = line.latency(lone), line.half_width(lone, known / NORMAL_95)
    return HeldOut(row, row.subject, ms, max(ms - width, 0.0), ms + width)

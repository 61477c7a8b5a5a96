"""Bring sessions to one speed of the machine, by a reference run again and again.

A shared machine's speed wanders by tens of per cent within seconds (clock, neighbours), and most of
that hits every block alike. Each sample knows what the reference took at its moment
(`speedometer.py`); the median of their ratios is the session's. Raw medians stay in the table,
beside the reference time and the exponent that lead from one to the other.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping

from ...tables import Row
from ...tables.references import Drift, Readings, Reference
from ...tables.row import READINGS
from ...tables.speed_histogram import SpeedHistogram

# How far a row's own exponent is from the one it is corrected with: that of its kind, which is not
# known exactly, and from which rows of a kind deviate.
EXPONENT_SD = 0.03


def readings_row(reference: Reference, readings_ms: list[float]) -> Row:
    """Return what a journal keeps of some readings, in ms (at least one)."""
    middle = sorted(readings_ms)[len(readings_ms) // 2]
    return Row(
        reference,
        READINGS,
        "partial",
        latency_ms=middle,
        low_ms=min(readings_ms),
        high_ms=max(readings_ms),
        session_ms=tuple(readings_ms),
        samples=len(readings_ms),
        reference=reference,
    )


def histograms(
    sessions: Iterable[Row], before: Mapping[Reference | None, Readings]
) -> dict[Reference | None, SpeedHistogram]:
    """Return all readings of each reference: a journal's, and those of the table `before` it."""
    found = {ref: showed.histogram for ref, showed in before.items() if showed.histogram}
    read: dict[Reference | None, list[float]] = {}
    for row in sessions:
        if row.context == READINGS:
            read.setdefault(row.subject, []).extend(row.session_ms)
    for reference, readings_ms in read.items():
        counted = SpeedHistogram.of(readings_ms)
        found[reference] = found.get(reference, SpeedHistogram()) + counted
    return {reference: counted.rounded() for reference, counted in found.items()}


def drifts(
    rows: Iterable[Row], counted: Mapping[Reference | None, SpeedHistogram]
) -> dict[Reference | None, Drift]:
    """Return the drift that each reference showed.

    Where its readings were not kept (an older table), that of the rows it belongs to.
    """
    of_rows: dict[Reference | None, list[float]] = {}
    for row in rows:
        of_rows.setdefault(row.reference, []).extend(row.reference_ms)
    found: dict[Reference | None, Drift] = {}
    for reference in dict.fromkeys([*of_rows, *counted]):
        histogram = counted.get(reference)
        drift = Drift.of(histogram) if histogram else Drift.over(of_rows.get(reference, []))
        if drift is not None:
            found[reference] = drift
    return found


def corrected_sessions(row: Row, speed_ms: float | None) -> list[float]:
    """Return the row's session medians at the speed at which the reference takes `speed_ms`.

    Each is raw · (speed_ms / reference then)^exponent: raw where the row or the run has no
    reference.
    """
    if speed_ms is None or len(row.reference_ms) != len(row.session_ms):
        return list(row.session_ms)
    return [
        ms * (speed_ms / reference) ** row.exponent
        for ms, reference in zip(row.session_ms, row.reference_ms, strict=True)
    ]


def correction_sd(row: Row, speed_ms: float | None) -> float:
    """Return how far off the row's correction may be as a whole, as a relative deviation.

    The exponent of its kind is not quite the row's own. All its sessions share what that does: the
    more, the further the machine was from `speed_ms`.
    """
    if speed_ms is None or len(row.reference_ms) != len(row.session_ms) or not row.session_ms:
        return 0.0
    slower = [math.log(reference / speed_ms) for reference in row.reference_ms]
    return EXPONENT_SD * abs(statistics.median(slower))

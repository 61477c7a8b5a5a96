"""How fast the machine is just now, by a reference run again and again (`reference.py`).

A shared machine's speed wanders by several per cent within seconds (clock, neighbours), and most
of that hits every block alike. Each sample remembers the latest reading of the reference; the
median of their ratios, times the reference's typical time in the run, is the session's median at
typical speed. Raw medians stay in the table, beside the reference time that leads from one to the
other, and the correction is named in its header.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...tables import Row
from ...tables.references import Drift, Reference


def drifts(rows: Iterable[Row]) -> dict[Reference | None, Drift]:
    """Return the drift that each reference showed over the rows it belongs to."""
    read: dict[Reference | None, list[float]] = {}
    for row in rows:
        read.setdefault(row.reference, []).extend(row.reference_ms)
    found = {reference: Drift.over(ms) for reference, ms in read.items()}
    return {reference: drift for reference, drift in found.items() if drift is not None}


def corrected_sessions(row: Row, typical_ms: float | None) -> list[float]:
    """Return the row's session medians at the typical speed: raw · typical / reference then.

    Raw where the row or the run has no reference.
    """
    if typical_ms is None or len(row.reference_ms) != len(row.session_ms):
        return list(row.session_ms)
    return [
        ms * typical_ms / reference
        for ms, reference in zip(row.session_ms, row.reference_ms, strict=True)
    ]

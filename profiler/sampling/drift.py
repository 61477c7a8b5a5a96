"""How fast the machine is just now, by a reference run again and again (`reference.py`).

A shared machine's speed wanders by several per cent within seconds (clock, neighbours), and most
of that hits every block alike. Each sample remembers the latest reading of the reference; the
median of their ratios, times the reference's typical time in the run, is the session's median at
typical speed. Raw medians stay in the table, beside the reference time that leads from one to the
other, and the correction is named in its header.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...tables import Row
from ..plan import Subject
from .reference import References


@dataclass(frozen=True)
class Drift:
    """The reference over a run: its typical time, and how far its 10th to 90th percentiles lie."""

    typical_ms: float
    p10_ms: float
    p90_ms: float

    @classmethod
    def over(cls, reference_ms: Sequence[float]) -> Drift | None:
        """Return the drift over all sessions' reference times; None without any."""
        known = [ms for ms in reference_ms if ms > 0]
        if not known:
            return None
        p10, typical, p90 = np.percentile(known, [10, 50, 90])
        return cls(float(typical), float(p10), float(p90))

    @property
    def spread(self) -> float:
        """(p90 - p10) / typical, as a fraction."""
        return (self.p90_ms - self.p10_ms) / self.typical_ms

    def as_dict(self) -> dict[str, Any]:
        return {
            "typical_ms": round(self.typical_ms, 6),
            "p10_ms": round(self.p10_ms, 6),
            "p90_ms": round(self.p90_ms, 6),
        }


def drifts(rows: Iterable[Row], references: References) -> dict[Subject | None, Drift]:
    """Return the drift that each reference showed over the rows it belongs to."""
    read: dict[Subject | None, list[float]] = {}
    for row in rows:
        read.setdefault(references.of(row.subject), []).extend(row.reference_ms)
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

"""The rows of a run as judged once all of it is known: its speeds, exponents and common spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...tables import Row
from ...tables.references import Drift, Readings, Reference
from ...tables.speed_histogram import SpeedHistogram
from ..journal import MemoryJournal
from .correction import corrected_sessions, drifts, histograms
from .exponents import with_exponents
from .protocol import Protocol
from .statistics import pooled_session_sd
from .verdict import judged


@dataclass(frozen=True)
class Sharpened:
    """The rows as judged in the end; by reference its readings, drift, and rows' shared spread."""

    rows: dict[object, Row]
    histograms: dict[Reference | None, SpeedHistogram]
    drifts: dict[Reference | None, Drift]
    spreads: dict[Reference | None, float | None]

    def readings(self, reference: Reference | None) -> Readings:
        """Return the header's words on what one reference showed."""
        drift = self.drifts.get(reference)
        spread = self.spreads.get(reference)
        drift = drift.rounded() if drift else None
        spread = None if spread is None else round(spread, 5)
        return Readings(drift, spread, self.histograms.get(reference))


def sharpened(
    journal: MemoryJournal,
    protocol: Protocol,
    speed_ms: Mapping[Reference | None, float],
    before: Mapping[Reference | None, Readings] | None = None,
    exponents: Mapping[str, float] | None = None,
) -> Sharpened:
    """Judge every row again, now that the machine's speed and the common spread are known.

    `speed_ms` is what each reference takes at the speed that rows are brought to; by default at
    that of the undisturbed machine. `before` is what references showed in earlier runs, and
    `exponents` how kinds of rows are believed to follow them.
    """
    sessions = (row for rows in journal.partial.values() for row in rows)
    counted = histograms(sessions, before or {})
    drift_of = drifts(journal.done.values(), counted)

    def speed(row: Row) -> float | None:
        drift = drift_of.get(row.reference)
        own = (drift.undisturbed_ms or drift.typical_ms) if drift else None
        return speed_ms.get(row.reference, own)

    done = {key: row for key, row in journal.done.items() if row.verdict != "failed"}
    done = with_exponents(done, exponents)
    medians: dict[Reference | None, list[Sequence[float]]] = {}
    for row in done.values():
        medians.setdefault(row.reference, []).append(corrected_sessions(row, speed(row)))
    spreads = {reference: pooled_session_sd(alike) for reference, alike in medians.items()}
    rows: dict[object, Row] = {
        key: judged(done[key], protocol, spreads[row.reference], speed(row)) if key in done else row
        for key, row in journal.done.items()
    }
    return Sharpened(rows, counted, drift_of, spreads)

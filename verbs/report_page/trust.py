"""How far a table can be trusted, as the page shows it."""

from __future__ import annotations

from typing import Any

from ...tables import LatencyTable
from ...tables.calibration.held_out import held_out
from .grid_record import number


def trust_record(table: LatencyTable) -> dict[str, Any]:
    """Return the table's assessment and its held-out models as JSON values; shares are fractions.

    `coverage` is the share of held-out models whose measurement lies in its prediction's 95 %
    interval; None without any.
    """
    found = held_out(table)
    assessment = table.assessment
    inside = [one.is_inside for one in found]
    return {
        "verdict": assessment.verdict,
        "expected_error": number(assessment.expected_error),
        "accept": assessment.accept,
        "points": assessment.points,
        "unstable": assessment.unstable,
        "failed": assessment.failed,
        "transferred": assessment.transferred,
        "session_sd": number(assessment.session_sd),
        "assumed_session_sd": table.header.likely_session_sd,
        "coverage": sum(inside) / len(inside) if inside else None,
        "held_out": [
            {
                "name": one.spec.name,
                "family": one.spec.line_family,
                "measured": one.row.latency_ms,
                "measured_low": number(one.row.low_ms),
                "measured_high": number(one.row.high_ms),
                "ms": one.ms,
                "low": one.low_ms,
                "high": one.high_ms,
            }
            for one in found
        ],
    }

"""Join tables of one device and one setting into one."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UserError
from .calibration.calibrate import calibrated
from .difference import first_difference
from .row import Row
from .table import LatencyTable


def merge_tables(tables: Sequence[LatencyTable]) -> LatencyTable:
    """Return one table with the rows of all.

    Raises UserError without tables, when settings or machines differ, or one is unfinished. A point
    that several tables hold is taken from the one with most sessions, then the latest.
    """
    if not tables:
        raise UserError("there is no table to merge; give some.")
    first = tables[0]
    for other in tables:
        if other.unfinished:
            raise UserError(f"{other.source} is unfinished; finish measuring it before merging.")
        difference = first.setting.difference(other.setting)
        if difference:
            raise UserError(
                f"{first.source} and {other.source} differ in their setting ({difference}); "
                "latencies of two settings cannot stand in one table."
            )
        difference = first_difference(first.environment, other.environment)
        if difference:
            raise UserError(
                f"{first.source} and {other.source} were measured on different machines or "
                f"runtime versions ({difference}); keep them apart."
            )
    best: dict[object, Row] = {}
    for row in (row for table in tables for row in table.rows):
        known = best.get(row.key)
        if known is None or _worth(row) > _worth(known):
            best[row.key] = row
    merged = LatencyTable(
        best.values(), first.setting, first.environment, first.protocol, source="the merged table"
    )
    return calibrated(merged)


def _worth(row: Row) -> tuple[bool, int, str]:
    return (row.verdict != "failed", row.sessions, row.measured_at)

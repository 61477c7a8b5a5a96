"""Join tables of one device and one setting into one."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from ..errors import UserError
from ..notes import warn
from .calibration.calibrate import calibrated
from .difference import first_difference
from .header import TableHeader
from .references import Drift, Readings, Reference, References
from .row import Row
from .table import LatencyTable

# A held-out error that grows by more than this, and doubles, is worth a warning.
WORSE_BY = 0.02
T = TypeVar("T")


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
    rows = list(best.values())
    header = _merged_header([table.header for table in tables], rows)
    merged = calibrated(LatencyTable(rows, header, source="the merged table"))
    _warn_of_worse_lines(tables, merged)
    return merged


def _merged_header(parts: Sequence[TableHeader], rows: Sequence[Row]) -> TableHeader:
    """Return what all parts say; where they differ, what the first does.

    Rows keep their references. What a reference showed in several parts is read from all its rows.
    """
    first = parts[0]
    told = [part.references for part in parts if part.references is not None]
    readings = dict.fromkeys(reference for part in parts for reference in part.readings)
    spaces = [part.search_space for part in parts if part.search_space is not None]
    if any(space != spaces[0] for space in spaces):
        warn("the tables were measured for different search spaces; the first one's is kept.")
    fleet = {json.dumps(share): share for part in parts for share in part.fleet}
    imported = {json.dumps(origin): origin for part in parts for origin in part.imported}
    seconds = Counter[str]()
    for part in parts:
        seconds.update(part.seconds or {})
    return TableHeader(
        first.setting,
        first.environment,
        first.protocol,
        observed=_first(part.observed for part in parts),
        vitprof=_first(part.vitprof for part in parts),
        references=_merged_references(told, rows),
        readings={one: _merged_readings(one, parts, rows) for one in readings},
        seconds=dict(seconds) if any(part.seconds is not None for part in parts) else None,
        built=_first(part.built for part in parts),
        search_space=_first(spaces),
        fleet=tuple(fleet.values()),
        imported=tuple(imported.values()),
        unknown={name: part.unknown[name] for part in reversed(parts) for name in part.unknown},
    )


def _merged_references(told: Sequence[References], rows: Sequence[Row]) -> References | None:
    """Return the first part's; a part without whole models tells nothing of theirs."""
    if not told:
        return None
    blocks = told[0].blocks
    models = next((row.reference for row in rows if row.is_model), told[0].models)
    return References(blocks, models)


def _merged_readings(
    reference: Reference | None, parts: Sequence[TableHeader], rows: Sequence[Row]
) -> Readings:
    """Return what a reference showed: in its one part, or over the rows of several.

    The spread between sessions is pooled as variances are.
    """
    showed = [part.readings[reference] for part in parts if reference in part.readings]
    if all(one == showed[0] for one in showed):
        return showed[0]
    drift = Drift.over(ms for row in rows if row.reference == reference for ms in row.reference_ms)
    spreads = [one.session_sd for one in showed if one.session_sd is not None]
    pooled = math.sqrt(sum(sd**2 for sd in spreads) / len(spreads)) if spreads else None
    return Readings(
        drift.rounded() if drift else None, None if pooled is None else round(pooled, 5)
    )


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _warn_of_worse_lines(tables: Sequence[LatencyTable], merged: LatencyTable) -> None:
    """Warn where the merged table predicts whole models of a family far worse than its parts."""
    for family, line in merged.calibrations.items():
        before = [t.calibrations[family] for t in tables if family in t.calibrations]
        worst = max((each.held_out_mape for each in before), default=math.inf)
        if line.held_out_mape > max(2 * worst, worst + WORSE_BY):
            warn(
                f"merged, whole {family} models err by {line.held_out_mape:.1%} held out, where "
                f"the tables by themselves erred by at most {worst:.1%}: their models are too "
                "unlike for one line (other image sizes, say); keep the tables apart."
            )


def _worth(row: Row) -> tuple[bool, int, str]:
    return (row.verdict != "failed", row.sessions, row.measured_at)

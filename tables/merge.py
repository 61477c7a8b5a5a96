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
from .header import Json, TableHeader
from .references import Drift, Readings, Reference, References
from .row import Row
from .speed_histogram import SpeedHistogram
from .table import LatencyTable

# A held-out error that grows by more than this, and by half, is not the luck of eight models.
WORSE_BY = 0.01
WORSE_TIMES = 1.5
T = TypeVar("T")


def merge_tables(tables: Sequence[LatencyTable], force: bool = False) -> LatencyTable:
    """Return one table with the rows of all.

    Raises UserError without tables, when settings or machines differ, one is unfinished, or whole
    models of a family err far more by the merged table than by its parts (`force` accepts that). A
    point that several tables hold is taken from the one with most sessions, then the latest. Tables
    that state latencies at different speeds of the machine are all brought to the typical one.
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
    if len({table.header.stated_at for table in tables}) > 1:
        tables = [table.at("typical") for table in tables]
    best: dict[object, Row] = {}
    for row in (row for table in tables for row in table.rows):
        known = best.get(row.key)
        if known is None or _worth(row) > _worth(known):
            best[row.key] = row
    rows = list(best.values())
    header = _merged_header([table.header for table in tables], rows)
    merged = calibrated(LatencyTable(rows, header, source="the merged table"))
    if not force:
        _check_lines(tables, merged)
    return merged


def fits(table: LatencyTable) -> dict[str, float]:
    """Return by family how far whole models err held out (mean relative error)."""
    return {family: line.held_out_mape for family, line in table.calibrations.items()}


def _merged_header(parts: Sequence[TableHeader], rows: Sequence[Row]) -> TableHeader:
    """Return what all parts say; where they differ, what the first does.

    Rows keep their references. What a reference showed in several parts is counted together, or
    read from all its rows where a part lacks its readings.
    """
    first = parts[0]
    references = [part.references for part in parts if part.references is not None]
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
        references=_merged_references(references, rows),
        readings={one: _merged_readings(one, parts, rows) for one in readings},
        seconds=dict(seconds) if any(part.seconds is not None for part in parts) else None,
        built=_first(part.built for part in parts),
        search_space=_first(spaces),
        fleet=tuple(fleet.values()),
        imported=tuple(imported.values()),
        transfer=_transfer_left(parts, rows),
        stated_at=first.stated_at,
        unknown={name: part.unknown[name] for part in reversed(parts) for name in part.unknown},
    )


def _transfer_left(parts: Sequence[TableHeader], rows: Sequence[Row]) -> Json | None:
    """Return what the first part says of its transferred rows; None where all were measured."""
    if not any(row.verdict == "transferred" for row in rows):
        return None
    return _first(part.transfer for part in parts)


def _merged_references(references: Sequence[References], rows: Sequence[Row]) -> References | None:
    """Return the first part's; a part without whole models tells nothing of theirs."""
    if not references:
        return None
    blocks = references[0].blocks
    models = next((row.reference for row in rows if row.is_model), references[0].models)
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
    counted = [one.histogram for one in showed if one.histogram is not None]
    if len(counted) == len(showed):
        histogram = sum(counted, SpeedHistogram())
        drift = Drift.of(histogram)
    else:
        histogram = None
        of_rows = (row for row in rows if row.reference == reference)
        drift = Drift.over(ms for row in of_rows for ms in row.reference_ms)
    spreads = [one.session_sd for one in showed if one.session_sd is not None]
    pooled = math.sqrt(sum(sd**2 for sd in spreads) / len(spreads)) if spreads else None
    spread = None if pooled is None else round(pooled, 5)
    return Readings(drift.rounded() if drift else None, spread, histogram)


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _check_lines(tables: Sequence[LatencyTable], merged: LatencyTable) -> None:
    """Raise UserError where whole models of a family err far more than by each of the parts."""
    for family, error in fits(merged).items():
        before = {t.source: fits(t)[family] for t in tables if family in t.calibrations}
        worst = max(before.values(), default=math.inf)
        if error > max(WORSE_TIMES * worst, worst + WORSE_BY):
            parts = " and ".join(f"{mape:.1%} by {source}" for source, mape in before.items())
            raise UserError(
                f"merged, whole {family} models err by {error:.1%} held out, where they erred by "
                f"{parts}: the models are too unlike for one line (other image sizes, say); keep "
                "the tables apart, or accept it with `force`."
            )


def _worth(row: Row) -> tuple[bool, int, str]:
    return (row.verdict != "failed", row.sessions, row.measured_at)

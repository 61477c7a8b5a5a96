"""What a table holds, in a few lines: for a terminal, a notebook and `vitprof table info`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from ..models import Block
from .picture import setting_in_words
from .told_by_runtime import ToldByRuntime

if TYPE_CHECKING:
    from .table import LatencyTable


@dataclass(frozen=True)
class OpLine:
    """One op: how many points, in how many grids, the levels of its axes, its least and most ms.

    The latencies are NaN where all points failed.
    """

    op: str
    points: int
    grids: int
    axes: dict[str, list[int]]
    least_ms: float
    most_ms: float


def op_lines(table: LatencyTable) -> Iterator[OpLine]:
    """Yield a line an op, in the table's order."""
    for op in table.ops:
        grids = table.grids(op)
        times = [
            row.latency_ms
            for row in table.block_rows
            if isinstance(row.subject, Block) and row.subject.op == op and row.verdict != "failed"
        ]
        ends = (min(times), max(times)) if times else (float("nan"), float("nan"))
        yield OpLine(op, grids.points, len(grids.parts), grids.levels, *ends)


def verdicts(table: LatencyTable) -> dict[str, int]:
    """Return how many rows have each verdict."""
    return dict(Counter(str(row.verdict) for row in table.rows))


def overview(table: LatencyTable) -> dict[str, Any]:
    """Return what `vitprof table info --json` prints."""
    return {
        "table": table.source,
        "setting": table.setting.as_dict(),
        "environment": table.environment,
        "protocol": table.protocol,
        "rows": len(table.rows),
        "verdicts": verdicts(table),
        "unfinished": table.unfinished,
        "assessment": table.assessment.report(),
        "runtime": ToldByRuntime.of(table.rows, table.setting).report(),
        "ops": {
            line.op: {"points": line.points, "grids": line.grids, "axes": line.axes}
            for line in op_lines(table)
        },
        **table.header.entries(table.rows),
    }


def unstable_points(table: LatencyTable) -> list[dict[str, Any]]:
    """Return every unstable point with its interval in ms, its sessions and the cause."""
    return [
        {
            "point": row.name,
            "latency_ms": row.latency_ms,
            "low_ms": row.low_ms,
            "high_ms": row.high_ms,
            "sessions": row.sessions,
            "cause": row.error,
        }
        for row in sorted(table.rows, key=lambda row: -(row.high_ms - row.low_ms) / row.latency_ms)
        if row.verdict == "unstable"
    ]


def title(table: LatencyTable) -> str:
    """Return one line: how many rows, of what, and whether it is finished."""
    state = " (unfinished)" if table.unfinished else ""
    return f"{table.source}: {len(table.rows)} rows of {setting_in_words(table.setting)}{state}"


def as_text(table: LatencyTable) -> str:
    """Return the title, a line an op, and one on whole models."""
    lines = [(line.op, f"{line.points} points", _range(line)) for line in op_lines(table)]
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(2)]
    point_lines = [f"  {op:{widths[0]}}  {points:>{widths[1]}}  {ms}" for op, points, ms in lines]
    return "\n".join([title(table), *point_lines, *(f"  {line}" for line in _model_lines(table))])


def as_html(table: LatencyTable) -> str:
    """Return the same as HTML."""
    rows = "".join(
        f"<tr><td>{escape(line.op)}</td><td>{line.points}</td><td>{_range(line)}</td></tr>"
        for line in op_lines(table)
    )
    head = "<tr><th>op</th><th>points</th><th>ms</th></tr>"
    models = "".join(f"<p>{escape(line)}</p>" for line in _model_lines(table))
    return f"<p><b>{escape(title(table))}</b></p><table>{head}{rows}</table>{models}"


def _range(line: OpLine) -> str:
    if line.least_ms != line.least_ms:
        return "failed"
    return f"{line.least_ms:.4g} .. {line.most_ms:.4g} ms"


def _model_lines(table: LatencyTable) -> list[str]:
    transferred = verdicts(table).get("transferred", 0)
    if transferred:
        return [f"{transferred} rows are transferred, not measured", *_lines_of_models(table)]
    return _lines_of_models(table)


def _lines_of_models(table: LatencyTable) -> list[str]:
    if not table.model_rows:
        return ["no whole models: predictions are sums of blocks"]
    return [
        f"whole {family} models: line fitted on {line.models}, held-out error "
        f"{line.held_out_mape:.1%}"
        for family, line in table.calibrations.items()
    ] or [f"{len(table.model_rows)} whole models, too few or too unlike to fit a line"]

"""A table in other formats than its own."""

from __future__ import annotations

import json

from ..errors import UserError, did_you_mean
from .table import LatencyTable

FORMATS = ("csv", "json", "markdown")


def exported(table: LatencyTable, file_format: str = "csv") -> str:
    """Return the table as CSV without comment lines, as JSON or as a table of markdown.

    Raises UserError for another format.
    """
    check_format(file_format)
    if file_format == "json":
        return _as_json(table)
    if file_format == "markdown":
        return _as_markdown(table)
    return "".join(line + "\n" for line in table.to_text().splitlines() if line[:1] != "#")


def check_format(name: str) -> None:
    """Raise UserError unless a table can be written in the format of this name."""
    if name not in FORMATS:
        raise UserError(f"unknown format '{name}'{did_you_mean(name, FORMATS)}.")


def _as_json(table: LatencyTable) -> str:
    frame = json.loads(table.to_frame().to_json(orient="records"))
    rows = [{k: v for k, v in row.items() if v is not None} for row in frame]
    header = table.header.as_dict(table.rows)
    return json.dumps({**header, "rows": rows}, indent=1) + "\n"


def _as_markdown(table: LatencyTable) -> str:
    lines = ["| block | ms | 95 % interval | MMACs | verdict |", "|---|---|---|---|---|"]
    for row in table.rows:
        lines.append(
            f"| {row.name} | {in_digits(row.latency_ms)} | {in_digits(row.low_ms)} .. "
            f"{in_digits(row.high_ms)} | {row.subject.macs / 1e6:.4g} | {row.verdict} |"
        )
    return "\n".join(lines) + "\n"


def in_digits(ms: float) -> str:
    """Return a latency with about four significant digits, "-" for NaN."""
    if ms != ms:  # noqa: PLR0124 - NaN
        return "-"
    return f"{ms:.4g}" if ms < 1000 else f"{ms:.0f}"

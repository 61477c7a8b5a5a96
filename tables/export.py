"""A table in other formats than its own."""

from __future__ import annotations

import json
import math

from ..errors import UserError, did_you_mean
from ..models import Spec
from .markup import as_latex, as_markdown
from .row import Row
from .table import LatencyTable

FORMATS = ("csv", "json", "markdown", "latex")
OF_MODELS = ("Model", "Params (M)", "MACs (G)", "Latency (ms)", "95 % interval", "Images/s")
OF_BLOCKS = ("Block", "Latency (ms)", "95 % interval", "MACs (M)", "GMAC/s")


def exported(table: LatencyTable, file_format: str = "csv") -> str:
    """Return the table as CSV without comment lines, as JSON, or as markdown's or LaTeX's tables.

    LaTeX has one of whole models, with the columns of the papers, before that of the blocks; both
    need the package booktabs.

    Raises UserError for another format.
    """
    check_format(file_format)
    if file_format == "json":
        return _as_json(table)
    if file_format == "markdown":
        return _as_markdown(table)
    if file_format == "latex":
        return _as_latex(table)
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
    rows = [
        (
            row.name,
            in_digits(row.latency_ms),
            f"{in_digits(row.low_ms)} .. {in_digits(row.high_ms)}",
            f"{row.subject.macs / 1e6:.4g}",
            row.verdict,
        )
        for row in table.rows
    ]
    return as_markdown(("block", "ms", "95 % interval", "MMACs", "verdict"), rows)


def _as_latex(table: LatencyTable) -> str:
    batch = table.setting.batch
    models = [
        (
            row.subject.name,
            f"{row.subject.params / 1e6:.3g}",
            f"{row.subject.macs / 1e9:.3g}",
            in_digits(row.latency_ms),
            _interval(row),
            in_digits(1e3 * batch / row.latency_ms),
        )
        for row in table.model_rows
        if isinstance(row.subject, Spec)
    ]
    blocks = [
        (
            row.name,
            in_digits(row.latency_ms),
            _interval(row),
            f"{row.subject.macs / 1e6:.4g}",
            in_digits(batch * row.subject.macs / row.latency_ms / 1e6),
        )
        for row in table.block_rows
    ]
    of_models = as_latex(OF_MODELS, models) if models else ""
    return of_models + as_latex(OF_BLOCKS, blocks)


def _interval(row: Row) -> str:
    if math.isnan(row.low_ms):
        return "-"
    return f"{in_digits(row.low_ms)} to {in_digits(row.high_ms)}"


def in_digits(ms: float) -> str:
    """Return a latency with about four significant digits, "-" for NaN."""
    if ms != ms:  # noqa: PLR0124 - NaN
        return "-"
    return f"{ms:.4g}" if ms < 1000 else f"{ms:.0f}"

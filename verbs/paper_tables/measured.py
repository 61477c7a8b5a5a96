"""Whole models side by side, as compare and bench have them: size, FLOPs, latency, throughput."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import UserError
from ..report_page.from_json import number_in, objects_in, text_in
from .paper_table import PaperTable, billions, in_ms, millions

MOST_MODELS = 5_000


def measured_table(report: Mapping[str, Any], source: str) -> PaperTable:
    """Return a row a model; raises UserError where none has a latency."""
    batch = number_in(report.get("setting"), "batch")
    models = objects_in(report, "results", MOST_MODELS) or objects_in(report, "models", MOST_MODELS)
    known = [one for one in models if number_in(one, "latency_ms", "predicted_ms") is not None]
    if not known:
        raise UserError(f"{source} has no model with a latency; measure or predict one first.")
    rows = []
    for one in known:
        ms, images = number_in(one, "latency_ms", "predicted_ms"), number_in(one, "batch") or batch
        low, high = in_ms(one, "low_ms"), in_ms(one, "high_ms")
        rows.append(
            (
                text_in(one, "model"),
                millions(one, "params"),
                billions(one, "macs"),
                in_ms(one, "latency_ms", "predicted_ms"),
                "-" if "-" in (low, high) else f"{low} to {high}",
                "-" if not ms or not images else f"{1e3 * images / ms:.4g}",
            )
        )
    columns = (
        "Model",
        "Params (M)",
        "FLOPs (G)",
        "Latency (ms)",
        "95 % interval",
        "Throughput (images/s)",
    )
    return PaperTable(columns, rows).without_unknown()

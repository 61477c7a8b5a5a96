"""What search and choose found, as AutoViT's Table 2 has models: size, FLOPs, top-1, latency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..report_page.from_json import number_in, objects_in, text_in
from .paper_table import PaperTable, billions, in_ms, mebibytes, millions, percent

MOST_MODELS = 5_000
_COLUMNS = ("Model", "Params (M)", "FLOPs (G)")


def searched_table(report: Mapping[str, Any]) -> PaperTable:
    """Return a row for the best model, and for each of the front that is another one."""
    best = report.get("best")
    first: dict[str, Any] = dict(best) if isinstance(best, dict) else {}
    front = [
        one
        for one in objects_in(report, "front", MOST_MODELS)
        if one.get("values") is None or one.get("values") != first.get("values")
    ]
    figure = text_in(report, "proxy")
    top1 = "Top-1 on held-out images (%)"
    rows = [
        (
            "best" if place == 0 else text_in(one, "name"),
            millions(one, "params"),
            billions(one, "macs"),
            _proxy(one) if figure else percent(one, "figure"),
            in_ms(one, "predicted_ms"),
            in_ms(one, "measured_ms"),
            mebibytes(one, "peak_bytes"),
        )
        for place, one in enumerate([first, *front])
    ]
    columns = (
        *_COLUMNS,
        f"{figure} (M, proxy)" if figure else top1,
        "Latency predicted (ms)",
        "Latency measured (ms)",
        "Peak memory (MiB)",
    )
    return PaperTable(columns, rows).without_unknown()


def chosen_table(report: Mapping[str, Any]) -> PaperTable:
    """Return a row for each deployment that was measured, the best first."""
    rows = [
        (
            text_in(one, "name", "model"),
            millions(one, "params"),
            billions(one, "macs"),
            percent(one, "top1"),
            percent(one, "top3"),
            in_ms(one, "latency_ms", "measured_ms"),
            mebibytes(one, "peak_bytes"),
            mebibytes(one, "file_bytes"),
            _score(one),
        )
        for one in objects_in(report, "measured", MOST_MODELS)
    ]
    columns = (
        *_COLUMNS,
        "Top-1 (%)",
        "Top-3 (%)",
        "Latency (ms)",
        "Peak memory (MiB)",
        "File (MiB)",
        "Score",
    )
    return PaperTable(columns, rows).without_unknown()


def _proxy(one: Mapping[str, Any]) -> str:
    value = number_in(one, "figure")
    return "-" if value is None else f"{value:.4g}"


def _score(one: Mapping[str, Any]) -> str:
    value = number_in(one, "score")
    return "-" if value is None else f"{value:.2f}"

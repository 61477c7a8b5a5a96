"""Variants of a model as EfficientViT's Table 6 has them: a change a row, its throughput."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..report_page.from_json import number_in, objects_in, text_in
from .paper_table import PaperTable, billions, in_ms, millions

MOST_ROWS = 200_000


def published_rows(report: Mapping[str, Any]) -> PaperTable:
    """Return the paper's rows with the throughput here, over the first row's, and the paper's."""
    batch = number_in(report.get("setting"), "batch")
    rows = []
    for one in objects_in(report, "rows", MOST_ROWS):
        top1 = number_in(one, "paper_top1")
        rows.append(
            (
                f"{text_in(one, 'number')} {text_in(one, 'ablation')}".strip(),
                "-" if top1 is None else f"{top1:.1f}",
                _throughput(batch, number_in(one, "measured_ms", "predicted_ms")),
                *(_ratio(one, name) for name in ("speed", "paper_speed", "paper_gpu_speed")),
                in_ms(one, "predicted_ms"),
                in_ms(one, "measured_ms"),
                billions(one, "macs"),
                millions(one, "params"),
            )
        )
    columns = (
        "# Ablation",
        "Top-1 in the paper (%)",
        "Throughput (images/s)",
        "Throughput (x)",
        "ONNX in the paper (x)",
        "GPU in the paper (x)",
        "Latency predicted (ms)",
        "Latency measured (ms)",
        "FLOPs (G)",
        "Params (M)",
    )
    return PaperTable(columns, rows).without_unknown()


def variants_table(report: Mapping[str, Any]) -> PaperTable:
    """Return the model, and a row for each choice by itself."""
    batch, base_ms = number_in(report.get("setting"), "batch"), number_in(report, "latency_ms")
    choices = objects_in(report, "choices", MOST_ROWS)
    first = {**report, "variant": text_in(report, "model")}
    rows = []
    for one in [first, *choices]:
        ms = number_in(one, "latency_ms")
        rows.append(
            (
                text_in(one, "variant"),
                _throughput(batch, ms),
                "-" if not ms or not base_ms else f"{base_ms / ms:.2f}",
                in_ms(one, "latency_ms"),
                billions(one, "macs"),
                millions(one, "params"),
            )
        )
    columns = (
        "Ablation",
        "Throughput (images/s)",
        "Throughput (x)",
        "Latency (ms)",
        "FLOPs (G)",
        "Params (M)",
    )
    return PaperTable(columns, rows).without_unknown()


def _throughput(batch: float | None, ms: float | None) -> str:
    return "-" if not ms or not batch else f"{1e3 * batch / ms:.4g}"


def _ratio(one: Mapping[str, Any], name: str) -> str:
    value = number_in(one, name)
    return "-" if value is None else f"{value:.2f}"

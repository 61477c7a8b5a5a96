"""The table of `vitprof bench`: the columns of EfficientViT's Table 2, as CSV or markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic_write import write_atomically
from ...errors import UserError
from ...shown import csv_line
from ...tables.references import PRIOR_SESSION_SD
from ...tables.told_by_runtime import ToldByRuntime
from ..options.table_and_setting import check_writable
from ..output import giga, mebibytes, milliseconds, print_table, say

if TYPE_CHECKING:
    from ...verbs.bench import BenchResult

TABLE_ENDINGS = (".csv", ".md")


def check_table(path: Path) -> None:
    """Raise UserError for a file that is neither CSV nor markdown, or cannot be written."""
    if path.suffix.lower() not in TABLE_ENDINGS:
        raise UserError(f"{path} is not a table we write; end it in {' or '.join(TABLE_ENDINGS)}.")
    check_writable(path)


def write_table(path: Path, results: Sequence[dict[str, Any]], device: str) -> None:
    """Write a line a model. Throughput is images/s on `device`; FLOPs are 2 x MACs."""
    header = (
        "Model",
        f"Throughput on {device} (images/s)",
        f"x {results[0]['model']}",
        "Latency (ms)",
        "MACs (M)",
        "FLOPs (M)",
        "Params (M)",
        "Input",
        "Batch",
    )
    lines = [
        (
            result["model"],
            f"{result['images_per_s']:.1f}",
            f"{result['images_per_s'] / results[0]['images_per_s']:.2f}",
            f"{result['latency_ms']:.4g}",
            f"{result['macs'] / 1e6:.0f}",
            f"{2 * result['macs'] / 1e6:.0f}",
            f"{result['params'] / 1e6:.1f}",
            str(result["input"]),
            str(result["batch"]),
        )
        for result in results
    ]
    as_text = _markdown if path.suffix.lower() == ".md" else _csv
    write_atomically(path, as_text(header, lines))


def _csv(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(map(csv_line, [header, *lines]))
    return text.getvalue()


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (header, *lines)]
    rows = [f"| {' | '.join(line)} |" for line in cells]
    rows.insert(1, "|---" + "|---:" * (len(header) - 1) + "|")
    return "\n".join(rows) + "\n"


def print_bench(result: BenchResult) -> None:
    """Print a line a model."""
    print_table(
        (
            "model",
            "ms",
            "95 % interval",
            "p90",
            "p99",
            "images/s",
            "GMAC/s",
            "load ms",
            "peak MiB",
            "of it model",
            "verdict",
        ),
        [
            (
                one["model"],
                milliseconds(one["latency_ms"]),
                f"{milliseconds(one['low_ms'])} .. {milliseconds(one['high_ms'])}",
                milliseconds(one["p90_ms"]),
                milliseconds(one["p99_ms"]),
                f"{one['images_per_s']:.1f}",
                giga(one["images_per_s"] * one["macs"]),
                "-" if one["load_ms"] is None else milliseconds(one["load_ms"]),
                mebibytes(one["peak_bytes"]),
                mebibytes(one["model_bytes"]),
                one["verdict"],
            )
            for one in result.models
        ],
    )
    for sentence in ToldByRuntime.of(result.rows, result.setting).sentences():
        say(sentence.replace("`threads`", "--threads"))
    if any(one["interval_assumed"] for one in result.models):
        say(
            "With one session the interval is not measured: sessions are assumed to differ by "
            f"{100 * PRIOR_SESSION_SD:.1f} % (standard deviation); give --sessions 3 to see it."
        )

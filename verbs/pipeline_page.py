"""The one page of a pipeline: every stage's table and picture, in the paper's order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic_write import write_atomically

MEBI = 2**20


def write_report(out: Path, stages: Sequence[Mapping[str, Any]]) -> Path:
    """Write report.md from the reports of the stages, and return its path."""
    parts = ["# Trained once\n"]
    for stage in stages:
        folder = out / str(stage["stage"])
        path = folder / "report.json"
        report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        parts.append(f"\n## {stage['stage']}\n\n```\n{stage['command']}\n```\n")
        parts.append(_of_stage(folder, report))
        parts += [
            f"\n![{picture.stem}]({picture.relative_to(out)})\n"
            for picture in sorted(folder.glob("*.png"))
        ]
    page = out / "report.md"
    write_atomically(page, "\n".join(parts))
    return page


def _of_stage(folder: Path, report: Mapping[str, Any]) -> str:
    if (folder / "attention.md").is_file():
        found = (folder / "attention.md").read_text(encoding="utf-8")
        return found + "".join(f"\n- {line}" for line in report.get("where_it_pays", ())) + "\n"
    if "measured" in report:
        return _choice(report)
    if "models" in report:
        lines = "".join(f"\n- {line}" for line in report.get("remarks", ()))
        return _facts(report["models"], report.get("levels")) + (f"{lines}\n" if lines else "")
    if "top1" in report:
        return f"top-1 {_percent(report['top1'])}, top-3 {_percent(report.get('top3'))}.\n"
    return ""


def _facts(models: Sequence[Mapping[str, Any]], levels: Any) -> str:
    """Return the columns of tables III, IV and V of the paper (Efficient-ViT)."""
    first = models[0]
    heads = [f" {level['heads_in_all']} |" for level in levels] if levels else [""] * len(models)
    lines = [
        "| model |" + (" heads |" if levels else "") + " M params | MiB file | ms | x | "
        "MiB process | CPU % | top-1 | top-3 | test, s |",
        "|---|" + "---:|" * (10 if levels else 9),
    ]
    lines += [
        f"| {one['name']} |{count} {one['params'] / 1e6:.3g} | {one['file_bytes'] / MEBI:.2f} | "
        f"{one['latency_ms']:.4g} | {one['latency_ms'] / first['latency_ms']:.2f} | "
        f"{one['peak_bytes'] / MEBI:.0f} | {one['cpu_percent']:.0f} | {_percent(one['top1'])} | "
        f"{_percent(one['top3'])} | {_seconds(one['test_s'])} |"
        for one, count in zip(models, heads, strict=True)
    ]
    return "\n".join(lines) + "\n"


def _choice(report: Mapping[str, Any]) -> str:
    limits = ", ".join(f"{name} {value:.4g}" for name, value in report["limits"].items())
    best = report["best"]
    tested = (
        f" On {report['test_images']} other test images: top-1 {_percent(report['top1'])}, top-3 "
        f"{_percent(report['top3'])}."
        if report["test_images"]
        else ""
    )
    return (
        f"Limits: {limits or 'those of the command'}. Chosen: **{report['model']}**, "
        f"{report['evaluated']} of {report['variants']} variants measured; score "
        f"{report['score']:.2f}, {best['latency_ms']:.4g} ms, {best['peak_bytes'] / MEBI:.0f} MiB, "
        f"{best['params'] / 1e6:.3g} M parameters.{tested}\n\n" + _best_of(report["measured"])
    )


def _best_of(rows: Sequence[Mapping[str, Any]], most: int = 8) -> str:
    """Return the columns of table VI of the paper, of the variants with the best scores."""
    lines = [
        "| variant | score | top-1 | top-3 | ms | MiB process | CPU % | M params | MiB file |",
        "|---|" + "---:|" * 8,
    ]
    lines += [
        f"| {row['name']} | {_score(row['score'])} | {_percent(row['top1'])} | "
        f"{_percent(row['top3'])} | {row['latency_ms']:.4g} | "
        f"{row['peak_bytes'] / MEBI:.0f} | {row['cpu_percent']:.0f} | {row['params'] / 1e6:.3g} | "
        f"{row['file_bytes'] / MEBI:.2f} |"
        for row in rows[:most]
    ]
    return "\n".join(lines) + "\n"


def _score(value: float | None) -> str:
    return "over a limit" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"

"""A latency table of DeiT-S and everything narrower, which the part `unseen` judges."""

from __future__ import annotations

from collections import Counter

import vitprof

from ..findings import Findings
from ..rig import Rig


def run(rig: Rig, findings: Findings) -> None:
    points, models = (26, 3) if rig.rehearse else (30, 5)
    table = vitprof.measure(
        vitprof.plan(model=rig.small_model, points=points, whole_models=models),
        out=rig.folder / "table.csv",
        device=rig.device.name,
        backend=rig.backend,
        dtype=rig.best_dtype,
        graph=rig.graph,
        sessions=2,
        time=0.4 * rig.seconds,  # for further sessions; the first ones are not cut short
    )
    verdicts = Counter(row.verdict for row in table.rows)
    findings.say(
        f"{len(table.rows)} rows in {rig.best_dtype}, graph {rig.graph}: "
        + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
        + "."
    )
    columns = ("row", "median, µs", "95 % interval, µs", "sessions", "verdict", "error")
    for row in table.rows:
        failed = row.verdict == "failed"
        middle = "" if failed else f"{1e3 * row.latency_ms:.1f}"
        ends = "" if failed else f"{1e3 * row.low_ms:.1f} to {1e3 * row.high_ms:.1f}"
        cells = (row.name, middle, ends, row.sessions, row.verdict, row.error)
        findings.row("Rows", columns, cells)

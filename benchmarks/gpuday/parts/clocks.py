"""One model without pause, beside what the driver tells: clock, temperature, energy, throttling."""

from __future__ import annotations

import vitprof

from ..findings import Findings
from ..rig import Rig


def run(rig: Rig, findings: Findings) -> None:
    result = vitprof.bench(
        rig.large_model,
        device=rig.device.name,
        backend=rig.backend,
        dtype=rig.best_dtype,
        graph=rig.graph,
        sustained="3s" if rig.rehearse else "15s",
    )
    report = result.report()
    findings.say(f"{result.title}. Throttling: {report['throttling_in_words']}.")
    for name in ("clock", "temperature", "energy"):
        findings.say(f"{name.capitalize()}: {report[name]}.")
    columns = ("what", "value")
    for name in ("runs", "first_ms", "fast_ms", "steady_ms", "energy_per_run_j", "images_per_s"):
        value = report[name]
        shown = f"{value:.4g}" if isinstance(value, float) else value
        findings.row("Without pause", columns, (name, shown))
    for one in result.trace.intervals:
        cells = (f"{one.start_s:.1f}", f"{one.median_ms:.4g}", _told(one.mhz), _told(one.celsius))
        findings.row("Over time", ("second", "median, ms", "MHz", "°C"), cells)


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"

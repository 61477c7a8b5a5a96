"""The table of the part `table` against models that it never saw."""

from __future__ import annotations

import vitprof

from ..findings import Findings
from ..rig import Rig


def run(rig: Rig, findings: Findings) -> None:
    rig.device  # noqa: B018 - a GPU that only its device file knows is known from here on
    result = vitprof.validate(
        rig.folder / "table.csv",
        samples=4 if rig.rehearse else 30,
        sessions=2 if rig.rehearse else 3,
        time=0.7 * rig.seconds,
    )
    findings.say(f"{result.title}.")
    if len(result.models) < result.asked:
        findings.say(f"The time was enough for {len(result.models)} of {result.asked} models.")
    errors, floor, (low, high) = result.errors, result.noise_floor, result.interval
    columns = ("what", "reach", "measured")
    for what, reach, measured in (
        ("unseen models", "30", str(len(result.models))),
        ("rounds", "", str(result.rounds)),
        ("MAPE", "≤ 3 %", f"{errors.mape:.2%} ({low:.2%} to {high:.2%})"),
        ("within ±10 %", "100 %", f"{errors.within_10:.0%}"),
        ("noise floor", "", f"{floor.mape:.2%}"),
        ("in the table's 95 % interval", "", f"{result.coverage:.0%}"),
    ):
        findings.row("Errors of prediction", columns, (what, reach, measured))
    models = zip(result.models, result.measured_ms, result.predicted_ms, strict=True)
    for model, measured_ms, predicted_ms in models:
        cells = (model, f"{measured_ms:.4f}", f"{predicted_ms:.4f}")
        findings.row("Models", ("model", "measured, ms", "predicted, ms"), cells)

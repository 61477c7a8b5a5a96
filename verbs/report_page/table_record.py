"""A table as data: what the page needs to answer as the table does, and to say what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models import OPS, Spec, create_spec, find_op
from ...models.names import spec_names
from ...tables import LatencyTable
from ...tables.calibration.calibration import Calibration
from ...tables.calibration.student import student_quantile
from .closed_forms import forms_of
from .grid_record import number, op_record
from .trust import trust_record

# Whole models that a page lists of one table: the measured ones first.
MOST_MODELS = 1_000
# Families whose blocks, sliders and rules stand in web-assets/families.
FAMILIES = ("vit", "efficientvit", "autovit", "swin", "bert", "vgg")


def table_record(table: LatencyTable) -> dict[str, Any]:
    """Return the table's setting, machine, grids, lines and models as JSON values."""
    ops = [op for op in table.ops if find_op(op).scattered is None]
    transfer = table.header.transfer
    return {
        "name": Path(table.source).name,
        "setting": table.setting.as_dict(),
        "machine": _flat(table.environment),
        "protocol": _flat(table.protocol),
        "vitprof": table.header.vitprof,
        "measured_at": max((row.measured_at for row in table.rows), default=""),
        "stated_at": table.stated_at,
        "unfinished": table.unfinished,
        "imported": sorted({str(one.get("tool")) for one in table.header.imported}),
        "whole_sd": number(float(transfer["whole_sd"])) if transfer else None,
        "kernels": [op for op in table.ops if op not in ops],
        "ops": [op_record(table, op) for op in ops],
        "counted": _counted(ops),
        "lines": {family: _line(line) for family, line in table.calibrations.items()},
        "trust": trust_record(table),
        "models": _models(table),
    }


def _counted(ops: Sequence[str]) -> list[dict[str, Any]]:
    """Return the closed forms of ops that the table lacks, where these have no kinds.

    So that MACs and parameters are known of models that the table holds as other blocks.
    """
    return [
        {"name": op.name, "fixed": [], "forms": {"": forms_of(op, {})}}
        for op in OPS.values()
        if op.name not in ops and not op.fixed
    ]


def _line(line: Calibration) -> dict[str, Any]:
    return {**line.as_dict(), "student": student_quantile(0.975, line.dof)}


def _models(table: LatencyTable) -> list[dict[str, Any]]:
    """Return the models measured beside the blocks, and all named ones that the table covers."""
    found: list[dict[str, Any]] = []
    for row in table.model_rows:
        spec = row.subject
        if isinstance(spec, Spec) and row.verdict != "failed" and spec.family in FAMILIES:
            measured = {
                "ms": row.latency_ms,
                "low": number(row.low_ms),
                "high": number(row.high_ms),
            }
            found.append({"name": spec.name, "spec": spec.to_dict(), "measured": measured})
    for name in spec_names():
        spec = create_spec(name)
        if spec.family in FAMILIES and covers(table, spec):
            found.append({"name": name, "spec": spec.to_dict(), "measured": None})
    return found[:MOST_MODELS]


def covers(table: LatencyTable, spec: Spec) -> bool:
    """Tell whether the table predicts a model."""
    try:
        table.predict(spec)
    except UserError:
        return False
    return True


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Return nested JSON values as texts by dotted names, the longest ones cut."""
    found: dict[str, str] = {}
    for name, value in values.items():
        full = f"{before}{name}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{full}.")
        elif value is not None:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            found[full] = text if len(text) <= 300 else f"{text[:300]}…"
    return found

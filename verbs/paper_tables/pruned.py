"""Pruned models as NViT's Table 1 has them: sizes with their compression, speed-ups, accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models import Spec
from ...models.checks import shown
from ...tables import LatencyTable
from ..pruned import BASE
from ..report_page.from_json import number_in, objects_in, text_in
from .paper_table import PaperTable, billions, in_ms, millions, percent, times

MOST_MODELS = 5_000
_COLUMNS = ("Model", "Params (M)", "Params (x)", "FLOPs (G)", "FLOPs (x)", "Latency (ms)")
# A figure's key, and its heading: NViT and OPTIN give top-1, OPTIN's segmentation mIoU, its texts
# F1.
_FIGURES = {
    "top1": "Top-1 (%)",
    "f1": "F1 (%)",
    "miou": "mIoU (%)",
    "agreement_miou": "Same mIoU (%)",
}


def pruned_table(
    report: Mapping[str, Any], folder: Path | None, tables: Sequence[LatencyTable]
) -> PaperTable:
    """Return a row for the unpruned model and for each target's.

    report: what `prune` or `optin` wrote or printed. folder: the run's, which has the specs. Each
    of `tables` adds a column with the speed-up that it predicts: of another batch or device.

    Raises UserError for tables where the run's specs are not known.
    """
    given = report.get("base")
    base: dict[str, Any] = given if isinstance(given, dict) else {}
    models = objects_in(report, "models", MOST_MODELS) or [dict(report)]
    every = [base, *models]
    # One kind of latency for all rows: measured where all were.
    both = all(number_in(one, "measured_ms") is not None for one in every)
    by = ("measured_ms",) if both else ("predicted_ms", "latency_ms")
    base_ms = number_in(base, *by)
    name = text_in(base, "model")
    rows = [
        [
            name if place == 0 else f"{name} {text_in(one, 'target')}".strip(),
            millions(one, "params"),
            times(number_in(base, "params"), number_in(one, "params")),
            billions(one, "macs"),
            times(number_in(base, "macs"), number_in(one, "macs")),
            in_ms(one, *by),
            times(base_ms, number_in(one, *by)),
            *(percent(one, figure) for figure in _FIGURES),
        ]
        for place, one in enumerate(every)
    ]
    columns = [*_COLUMNS, _speedup(report.get("setting")), *_FIGURES.values()]
    if tables:
        if folder is None:
            raise UserError("`speed_up` needs the run's folder, which has the models' specs.")
        specs = _specs(folder, models)
        for table in tables:
            ms = [table.predict(spec).ms for spec in specs]
            columns.insert(7, _speedup(table.setting.as_dict()))
            for row, its in zip(rows, ms, strict=True):
                row.insert(7, times(ms[0], its))
    return PaperTable(columns, rows).without_unknown()


def _speedup(setting: Any) -> str:
    device, batch = text_in(setting, "device"), text_in(setting, "batch")
    where = ", ".join(filter(None, (device, batch and f"batch {batch}")))
    return f"Speed-up (x), {where}" if where else "Speed-up (x)"


def _specs(folder: Path, models: Sequence[Mapping[str, Any]]) -> list[Spec]:
    """Return the unpruned model's spec and each target's; UserError where one is not there."""
    found = [folder / BASE]
    for one in models:
        target = text_in(one, "target")
        if len(models) == 1:
            found.append(folder / "spec.json")
        elif target and Path(target).name == target and target != "..":
            found.append(folder / target / "spec.json")
        else:
            raise UserError(f"{shown(str(folder))}: {shown(target)} is not a target's folder.")
    for path in found:
        if not path.is_file():
            raise UserError(
                f"{path.name} is missing in {shown(str(path.parent))}, and `speed_up` needs the "
                "specs of all models; give the folder of a run as vitprof prune wrote it."
            )
    return [Spec.from_json(path) for path in found]

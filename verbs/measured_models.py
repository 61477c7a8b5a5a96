"""`LatencyTable.measure`: whole models on the table's machine, beside what the table predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..notes import warn
from ..progress import ProgressOption, shown_progress
from ..quantities import Quantity, seconds
from ..results import Result
from .inputs import Path, specs_of

if TYPE_CHECKING:
    import pandas as pd

    from ..models import Spec
    from ..tables import LatencyTable, Prediction, Row


@dataclass(frozen=True)
class MeasuredModels(Result):
    """Models as predicted by a table and as measured under its setting, at its speed."""

    predictions: Sequence[Prediction]
    rows: Sequence[Row]
    source: str

    @property
    def title(self) -> str:
        """What was measured, and beside which table."""
        return f"{len(self.rows)} models measured as {self.source} was"

    def report(self) -> dict[str, Any]:
        """Return the models' lines; `error` is of the prediction, a fraction."""
        return {"table": self.source, "models": self.to_frame().to_dict("records")}

    def to_frame(self) -> pd.DataFrame:
        """Return a line a model: ms predicted and measured (95 % interval), and the error."""
        import pandas as pd

        return pd.DataFrame(
            {
                "model": predicted.model,
                "predicted_ms": predicted.ms,
                "measured_ms": row.latency_ms,
                "low_ms": row.low_ms,
                "high_ms": row.high_ms,
                "error": predicted.ms / row.latency_ms - 1,
                "verdict": row.verdict,
            }
            for predicted, row in zip(self.predictions, self.rows, strict=True)
        )


def measure_models(
    table: LatencyTable,
    models: Path | Spec | Sequence[Path | Spec],
    *,
    time: Quantity | None = None,
    progress: ProgressOption = False,
) -> MeasuredModels:
    """Measure whole models, interleaved, under the table's setting and brought to its speed.

    After `time` (seconds, or "60s", "3m") no further session begins, but for each model's first.
    Raises UserError where the table does not cover a model, and on another machine than its own.
    """
    from ..profiler.remeasure import measure_like
    from ..profiler.target import open_target_of

    time_s = None if time is None else seconds(time)
    specs = specs_of(models)
    predictions = [table.predict(spec) for spec in specs]  # refused before anything is measured
    with (
        open_target_of(table, f"measuring models as {table.source} was") as target,
        shown_progress(progress) as on_progress,
    ):
        rows = measure_like(table, specs, target, on_progress, time_s).rows
    for row in rows:
        if row.verdict != "stable":
            warn(f"{row.verdict}: {row.name}: {row.error}")
    return MeasuredModels(predictions, rows, table.source)

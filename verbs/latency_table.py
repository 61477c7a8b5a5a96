"""`vitprof.LatencyTable`: a table that can also measure on its machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from .. import tables
from ..progress import ProgressOption
from ..quantities import Quantity
from .inputs import Path

if TYPE_CHECKING:
    from ..models import Spec
    from .measured_models import MeasuredModels
    from .validate import ValidationResult


class LatencyTable(tables.LatencyTable):
    """What blocks cost on one device, with the verbs that need that device."""

    @classmethod
    def of(cls, table: tables.LatencyTable) -> Self:
        """Return the same table, which can measure."""
        made = cls.__new__(cls)
        made.__dict__.update(table.__dict__)
        return made

    def measure(
        self,
        models: Path | Spec | Sequence[Path | Spec],
        *,
        time: Quantity | None = None,
        progress: ProgressOption = False,
    ) -> MeasuredModels:
        """Measure whole models on this machine, beside what the table predicts of them.

        They are interleaved, under the table's setting, and brought to the machine's speed that
        the table is stated at. After `time` (seconds, or "60s", "3m") no further session begins,
        but for each model's first. Raises UserError where the table does not cover one of them, and
        on another machine than the table's.
        """
        from .measured_models import measure_models

        return measure_models(self, models, time=time, progress=progress)

    def validate(self, **options: Any) -> ValidationResult:
        """Measure random models that the table never saw: `vitprof.validate(table, ...)`."""
        from .validate import validate

        return validate(self, **options)

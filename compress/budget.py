"""What a model costs, in the unit that pruning has to save: table's milliseconds, MACs, weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..models import Spec
from ..tables import LatencyTable

Unit = Literal["latency", "macs", "params"]
UNITS: tuple[Unit, ...] = ("latency", "macs", "params")


@dataclass(frozen=True)
class Budget:
    """What specs cost in `unit`; latency is the table's, stem and classifier and all."""

    table: LatencyTable
    unit: Unit = "latency"

    def of(self, specs: Sequence[Spec]) -> np.ndarray:
        """Return one number a spec; UserError for what the table does not cover."""
        if self.unit == "latency":
            return self.table.predict_many(specs)
        return np.array([getattr(spec, self.unit) for spec in specs], dtype=float)

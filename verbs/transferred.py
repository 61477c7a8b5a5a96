"""What `vitprof.transfer` returns: the table, its probes, and a picture of both."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..tables.transfer.transferred import Probe
    from .latency_table import LatencyTable


@dataclass(frozen=True)
class Transfer(Result):
    """A table predicted from the tables of others and by `probes` measured on its own device.

    `weights` are the sources' shares of the answer, which add up to 1. `expected_error` is the mean
    relative error that predictions of whole models are expected to have. `left_out` names points
    that nothing can predict.
    """

    table: LatencyTable
    probes: Sequence[Probe]
    weights: Mapping[str, float]
    expected_error: float
    left_out: Sequence[str] = ()

    @property
    def title(self) -> str:
        """How many rows come from how many probes, and how far they are expected to err."""
        return (
            f"{self.table.source}: {self.transferred} rows transferred by {len(self.probes)} "
            f"probes; whole models are expected to err by {self.expected_error:.1%}"
        )

    @property
    def transferred(self) -> int:
        """How many rows were not measured."""
        return sum(row.verdict == "transferred" for row in self.table.rows)

    @property
    def held_out_error(self) -> float:
        """The mean relative error of the probes, each predicted without itself."""
        return float(np.mean([abs(probe.error) for probe in self.probes]))

    @property
    def held_out_covered(self) -> float:
        """The share of probes inside the 95 % interval of what is predicted without them."""
        return float(np.mean([probe.is_covered for probe in self.probes]))

    @property
    def is_doubtful(self) -> bool:
        return self.table.is_doubtful

    def report(self) -> dict[str, Any]:
        """Return the answer as JSON values, with the keys of `vitprof transfer --json`."""
        return {
            "table": self.table.source,
            "setting": self.table.setting.as_dict(),
            "rows": len(self.table.rows),
            "transferred": self.transferred,
            "measured": len(self.table.rows) - self.transferred,
            "sources": dict(self.weights),
            "probes": self.to_frame().to_dict("records"),
            "expected_error": self.expected_error,
            "held_out_error": self.held_out_error,
            "held_out_covered": self.held_out_covered,
            "left_out": list(self.left_out),
            "seconds": self.table.header.seconds,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a probe: ms measured, and predicted without it with the 95 % interval."""
        import pandas as pd

        return pd.DataFrame(
            {
                "probe": probe.name,
                "measured_ms": probe.measured_ms,
                "predicted_ms": probe.predicted_ms,
                "low_ms": probe.low_ms,
                "high_ms": probe.high_ms,
                "error": probe.error,
            }
            for probe in self.probes
        )

    def figure(self) -> Figure:
        """Return the probes as predicted without themselves, and the widths of all intervals."""
        from ..tables.transfer.picture import transfer_figure

        return transfer_figure(self.probes, self.table.rows, self.title)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table (CSV)."""
        self.table.to_csv(path)

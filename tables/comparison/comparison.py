"""FLOPs against latency: what MACs promise for a set of models, and what the device does."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...models import Block, Spec
from ..saved import LinesResult, csv_text
from ..setting import Setting
from ..speed import Speed
from ..table import LatencyTable
from .compared import BlockSpeed, ComparedModel, Inversion

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLUMNS = (
    "model",
    "macs",
    "params",
    "predicted_ms",
    "low_ms",
    "high_ms",
    "measured_ms",
    "gmacs_per_s",
    "rank_macs",
    "rank_latency",
)


@dataclass(frozen=True)
class Comparison(LinesResult):
    """Models in order of MACs, the rank correlation of MACs and latency, and the inversions.

    `speeds` are of the table's blocks. `stable` is False where a measured model wavered or failed.
    `at` is the speed of the machine that latencies are at, None where the table does not know.
    """

    file_name: ClassVar[str] = "compare"

    models: Sequence[ComparedModel]
    kendall_tau: float
    inversions: Sequence[Inversion]
    setting: Setting
    speeds: Sequence[BlockSpeed]
    stable: bool = True
    at: Speed | None = None

    @property
    def title(self) -> str:
        """How many models, and how well MACs order them."""
        return (
            f"{len(self.models)} models on {self.setting.device}: Kendall tau of MACs and latency "
            f"{self.kendall_tau:.3f}, {len(self.inversions)} pairs that MACs get wrong"
        )

    @property
    def is_doubtful(self) -> bool:
        """Whether a model could not be measured; that one wavered is noted, and `stable` False."""
        return not self.stable and any(math.isnan(one.measured_ms) for one in self.models)

    def report(self) -> dict[str, Any]:
        """Return the comparison as JSON values, with the keys of `vitprof compare --json`."""
        return {
            "models": [
                {"latency_ms": model.latency_ms}
                | {column: getattr(model, column) for column in COLUMNS}
                for model in self.models
            ],
            "by_op": self._extremes(),
            "kendall_tau": self.kendall_tau,
            "inversions": [vars(inversion) for inversion in self.inversions],
            "setting": self.setting.as_dict(),
            "at": self.at,
        }

    def _extremes(self) -> dict[str, dict[str, Any]]:
        """Return each op's slowest and fastest block of the table, by MACs a second."""
        by_op: dict[str, list[BlockSpeed]] = {}
        for speed in self.speeds:
            by_op.setdefault(speed.block.op, []).append(speed)
        found = {}
        for op, speeds in by_op.items():
            ends = sorted(speeds, key=lambda speed: speed.gmacs_per_s)
            found[op] = {
                name: {
                    "block": str(end.block),
                    "ms": end.latency_ms,
                    "gmacs_per_s": end.gmacs_per_s,
                }
                for name, end in (("least", ends[0]), ("most", ends[-1]))
            }
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return a line a model, in order of MACs."""
        import pandas as pd

        return pd.DataFrame(
            [[getattr(model, column) for column in COLUMNS] for model in self.models],
            columns=list(COLUMNS),
        )

    def to_csv(self) -> str:
        """Return a line a model as CSV, numbers with six digits."""
        lines = ([getattr(model, column) for column in COLUMNS] for model in self.models)
        return csv_text(COLUMNS, lines)

    def figure(self) -> Figure:
        """Return latency over MACs of the models, and attained GMAC/s of the blocks."""
        from .plot import comparison_figure

        return comparison_figure(
            self.models, self.speeds, self.inversions, self.kendall_tau, self.setting
        )


def compare_models(
    table: LatencyTable,
    specs: Sequence[Spec],
    measured_ms: Sequence[float] | None = None,
    extrapolate: bool = False,
    stable: bool = True,
) -> Comparison:
    """Compare what `table` predicts (or what was measured, one value a spec) with the MACs."""
    predictions = [table.predict(spec, extrapolate) for spec in specs]
    measured = list(measured_ms) if measured_ms is not None else [math.nan] * len(specs)
    models = [
        ComparedModel(
            p.model, spec.macs, spec.params, p.ms, p.low_ms, p.high_ms, ms, table.setting.batch
        )
        for spec, p, ms in zip(specs, predictions, measured, strict=True)
    ]
    rank_macs = _ranks([m.macs for m in models])
    rank_latency = _ranks([m.latency_ms for m in models])
    ranked = [
        ComparedModel(
            m.model,
            m.macs,
            m.params,
            m.predicted_ms,
            m.low_ms,
            m.high_ms,
            m.measured_ms,
            m.batch,
            rank_macs[i],
            rank_latency[i],
        )
        for i, m in enumerate(models)
    ]
    ranked.sort(key=lambda m: (m.macs, m.latency_ms))
    return Comparison(
        ranked,
        kendall_tau([float(m.macs) for m in ranked], [m.latency_ms for m in ranked]),
        _inversions(ranked),
        table.setting,
        block_speeds(table),
        stable,
        table.stated_at,
    )


def _ranks(values: Sequence[float]) -> list[int]:
    """Return 1 for the smallest; equal values share the smaller rank."""
    return [1 + sum(other < value for other in values) for value in values]


def _inversions(models: Sequence[ComparedModel]) -> list[Inversion]:
    found = [
        Inversion(
            a.model, b.model, a.macs / b.macs, a.latency_ms / b.latency_ms, a.low_ms > b.high_ms
        )
        for a, b in itertools.permutations(models, 2)
        if a.macs < b.macs and a.latency_ms > b.latency_ms
    ]
    return sorted(found, key=lambda i: (not i.certain, -i.latency_ratio / i.macs_ratio))


def kendall_tau(x: Sequence[float], y: Sequence[float]) -> float:
    """Return Kendall's tau-b of two equally long sequences; NaN for fewer than two values.

    tau-b = (concordant - discordant) / sqrt((n0 - ties in x) (n0 - ties in y)), n0 = n(n-1)/2
    (Kendall 1945).
    """
    concordant = discordant = ties_x = ties_y = 0
    pairs = list(itertools.combinations(zip(x, y, strict=True), 2))
    for (x1, y1), (x2, y2) in pairs:
        ties_x += x1 == x2
        ties_y += y1 == y2
        sign = (x1 - x2) * (y1 - y2)
        concordant += sign > 0
        discordant += sign < 0
    scale = math.sqrt((len(pairs) - ties_x) * (len(pairs) - ties_y))
    return (concordant - discordant) / scale if scale else math.nan


def block_speeds(table: LatencyTable) -> list[BlockSpeed]:
    """Return what every measured block of the table attains, in the table's order."""
    return [
        BlockSpeed(
            row.subject,
            row.latency_ms,
            table.setting.batch * row.subject.macs / row.latency_ms / 1e6,
        )
        for row in table.block_rows
        if isinstance(row.subject, Block) and row.verdict != "failed"
    ]

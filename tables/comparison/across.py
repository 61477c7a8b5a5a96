"""The same models on several tables: what carries over from one device to another, and what not.

A latency table of one device is often used for another, and often only the order of models is
wanted. So: how alike are the orders, which pairs of models change places for certain, by which
factor do latencies scale and which models do not keep to it, and what does choosing by the wrong
table cost.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...models import Spec
from ..saved import LinesResult, csv_text
from ..table import LatencyTable
from .comparison import kendall_tau
from .pair_of_tables import Choice, Deviation, OnTable, PairOfTables, Swap

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Where choosing by the wrong table is tried: at these quantiles of the latencies on the right one.
BUDGETS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Across(LinesResult):
    """Models in order of MACs, on every table, and every ordered pair of tables."""

    file_name: ClassVar[str] = "compare"

    models: Sequence[Spec]
    on: Sequence[OnTable]
    macs_tau: Mapping[str, float]
    pairs: Sequence[PairOfTables]

    @property
    def title(self) -> str:
        """How many models and tables, and how many pairs of models change places."""
        swaps = sum(len(pair.swaps) for pair in self.pairs) // 2
        labels = ", ".join(each.label for each in self.on)
        return f"{len(self.models)} models on {labels}: {swaps} pairs change places"

    def report(self) -> dict[str, Any]:
        """Return it as JSON values, with the keys of `vitprof compare --json` of several tables."""
        return {
            "tables": {
                each.label: {
                    "path": each.table.source,
                    "at": each.table.stated_at,
                    **each.table.setting.as_dict(),
                }
                for each in self.on
            },
            "models": [
                {
                    "model": spec.name,
                    "macs": spec.macs,
                    "latency_ms": {each.label: float(each.ms[i]) for each in self.on},
                    "low_ms": {each.label: float(each.low_ms[i]) for each in self.on},
                    "high_ms": {each.label: float(each.high_ms[i]) for each in self.on},
                    "rank": {"macs": i + 1, **{each.label: each.rank[i] for each in self.on}},
                }
                for i, spec in enumerate(self.models)
            ],
            "macs_kendall_tau": dict(self.macs_tau),
            "pairs": [
                {
                    "a": pair.a,
                    "b": pair.b,
                    "kendall_tau": pair.kendall_tau,
                    "scale": pair.scale,
                    "inversions": [vars(swap) for swap in pair.swaps],
                    "certain_inversions": sum(swap.certain for swap in pair.swaps),
                    "deviations": [vars(deviation) for deviation in pair.deviations],
                    "choices": [vars(choice) for choice in pair.choices],
                }
                for pair in self.pairs
            ],
            "order": [each.label for each in self.on],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a model: MACs, and by table ms, its interval and the rank."""
        import pandas as pd

        return pd.DataFrame(self._lines(), columns=self._columns())

    def to_csv(self) -> str:
        """Return a line a model as CSV, numbers with six digits."""
        return csv_text(self._columns(), self._lines())

    def figure(self) -> Figure:
        """Return ranks from table to table, and each table's latencies over the first one's."""
        from .across_plot import across_figure

        return across_figure(self.models, self.on, self.pairs)

    def _columns(self) -> list[str]:
        names = ("ms", "low_ms", "high_ms", "rank")
        of_tables = [f"{each.label}_{name}" for each in self.on for name in names]
        return ["model", "macs", "rank_macs", *of_tables]

    def _lines(self) -> list[list[object]]:
        return [
            [
                spec.name,
                spec.macs,
                i + 1,
                *(
                    value
                    for on in self.on
                    for value in (
                        float(on.ms[i]),
                        float(on.low_ms[i]),
                        float(on.high_ms[i]),
                        on.rank[i],
                    )
                ),
            ]
            for i, spec in enumerate(self.models)
        ]


def compare_tables(
    tables: Mapping[str, LatencyTable], specs: Sequence[Spec], extrapolate: bool = False
) -> Across:
    """Predict every spec on every table (label -> table) and compare the tables pair by pair."""
    models = sorted(specs, key=lambda spec: spec.macs)
    on = [_on(label, table, models, extrapolate) for label, table in tables.items()]
    macs = [float(spec.macs) for spec in models]
    return Across(
        models,
        on,
        {each.label: kendall_tau(macs, each.ms.tolist()) for each in on},
        [_pair(models, a, b) for a, b in itertools.permutations(on, 2)],
    )


def _on(label: str, table: LatencyTable, models: Sequence[Spec], extrapolate: bool) -> OnTable:
    answers = [table.predict(spec, extrapolate) for spec in models]
    ms = np.array([answer.ms for answer in answers])
    return OnTable(
        label,
        table,
        ms,
        np.array([answer.low_ms for answer in answers]),
        np.array([answer.high_ms for answer in answers]),
        [1 + int((ms < each).sum()) for each in ms],
        [{op: of_op / answer.ms for op, of_op in answer.by_op.items()} for answer in answers],
    )


def _pair(models: Sequence[Spec], a: OnTable, b: OnTable) -> PairOfTables:
    ratios = b.ms / a.ms
    scale = float(np.exp(np.log(ratios).mean())) if len(ratios) else math.nan
    return PairOfTables(
        a.label,
        b.label,
        kendall_tau(a.ms.tolist(), b.ms.tolist()),
        scale,
        _deviations(models, a, b, ratios / scale - 1),
        _swaps(models, a, b),
        [_choice(models, a, b, scale, float(np.quantile(b.ms, q))) for q in BUDGETS],
    )


def _deviations(
    models: Sequence[Spec], a: OnTable, b: OnTable, relative: np.ndarray
) -> list[Deviation]:
    found = []
    for i, spec in enumerate(models):
        in_a, in_b = a.shares[i], b.shares[i]
        ops = dict.fromkeys([*in_a, *in_b])
        op = max(ops, key=lambda op: abs(in_b.get(op, 0.0) - in_a.get(op, 0.0)))
        found.append(
            Deviation(spec.name, float(relative[i]), op, in_a.get(op, 0.0), in_b.get(op, 0.0))
        )
    return sorted(found, key=lambda deviation: -abs(deviation.relative))


def _swaps(models: Sequence[Spec], a: OnTable, b: OnTable) -> list[Swap]:
    found = [
        Swap(
            models[i].name,
            models[j].name,
            float(a.ms[i] / a.ms[j]),
            float(b.ms[i] / b.ms[j]),
            bool(a.high_ms[i] < a.low_ms[j] and b.low_ms[i] > b.high_ms[j]),
        )
        for i, j in itertools.permutations(range(len(models)), 2)
        if a.ms[i] < a.ms[j] and b.ms[i] > b.ms[j]
    ]
    return sorted(found, key=lambda swap: (not swap.certain, -swap.ratio_b / swap.ratio_a))


def _choice(
    models: Sequence[Spec], a: OnTable, b: OnTable, scale: float, budget_ms: float
) -> Choice:
    """Choose by a's latencies times `scale`, and by b's own, the most MACs within the budget."""
    # A hair more than the budget: a quantile may round below the very latency it is.
    within = budget_ms * (1 + 1e-9)
    own = int(np.flatnonzero(b.ms <= within)[-1])
    fitting = np.flatnonzero(scale * a.ms <= within)
    chosen = int(fitting[-1]) if len(fitting) else int(np.argmin(a.ms))
    return Choice(
        budget_ms,
        models[chosen].name,
        models[own].name,
        max(float(b.ms[chosen]) / within - 1, 0.0),
        1 - models[chosen].macs / models[own].macs,
    )

"""Models that a search found, with what they cost and how good they are; and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..models import Spec
from ..spaces.gene import Value
from .costs import CostModel
from .problem import SearchProblem


@dataclass(frozen=True)
class Found:
    """One model: `figure` is the evaluator's, `latency_ms` has one value a table.

    values: the choice of each gene. accuracy: from 0 to 1, where that is what was judged.
    measured_ms: as `latency_ms`, where it was measured; NaN where not.
    """

    name: str
    spec: Spec
    values: dict[str, Value]
    figure: float
    latency_ms: tuple[float, ...]
    peak_bytes: int
    accuracy: float | None = None
    measured_ms: tuple[float, ...] = field(default=())

    @property
    def table(self) -> int:
        """The number of the table by which it is fastest: as measured, where all were."""
        measured = self.measured_ms
        known = bool(measured) and not np.isnan(measured).any()
        return int(np.argmin(measured if known else self.latency_ms)) if self.latency_ms else 0

    @property
    def params(self) -> int:
        return self.spec.params

    @property
    def macs(self) -> int:
        return self.spec.macs

    def named(self, name: str) -> Found:
        """Return the same under another name."""
        return replace(self, name=name, spec=replace(self.spec, name=name))

    def with_measured(self, table: int, ms: float) -> Found:
        """Return the same with what it took on the device of that table."""
        measured = list(self.measured_ms or [float("nan")] * len(self.latency_ms))
        measured[table] = ms
        return replace(self, measured_ms=tuple(measured))

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values; what was not measured is None."""
        measured = self.measured_ms or [float("nan")] * len(self.latency_ms)
        return {
            "name": self.name,
            "figure": self.figure,
            "predicted_ms": list(self.latency_ms),
            "measured_ms": [None if np.isnan(ms) else ms for ms in measured],
            "params": self.spec.params,
            "macs": self.spec.macs,
            "peak_bytes": self.peak_bytes,
            "values": self.values,
        }


def found_models(
    problem: SearchProblem, costs: CostModel, population: np.ndarray, prefix: str
) -> list[Found]:
    """Return the models of candidates that the problem has evaluated, named prefix-1, -2, …"""
    latencies = costs.of(population).latency_ms
    peaks = costs.peak_bytes(population)
    figures = problem.evaluate(population)
    made = []
    for i, candidate in enumerate(population):
        name = f"{prefix}-{i + 1}"
        figure = float(figures[i])
        made.append(
            Found(
                name,
                problem.space.spec(candidate, name),
                problem.space.values_of(candidate),
                figure,
                tuple(latencies[i].tolist()),
                int(peaks[i]),
                figure if problem.evaluator.is_accuracy else None,
            )
        )
    return made


def to_csv(models: Sequence[Found], tables: Sequence[str], genes: Sequence[str]) -> str:
    """Return one line a model: figure, costs, and the value of every gene (empty: not there).

    tables: what the columns of latencies are called by.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    several = len(tables) > 1
    suffixes = [f"_{name}" if several else "" for name in tables]
    writer.writerow(
        [
            "model",
            "figure",
            *(f"predicted_ms{s}" for s in suffixes),
            *(f"measured_ms{s}" for s in suffixes),
            "params",
            "macs",
            "peak_bytes",
            *genes,
        ]
    )
    for model in models:
        measured = model.measured_ms or (float("nan"),) * len(tables)
        writer.writerow(
            [
                model.name,
                f"{model.figure:.6g}",
                *(f"{ms:.6g}" for ms in model.latency_ms),
                *("" if np.isnan(ms) else f"{ms:.6g}" for ms in measured),
                model.spec.params,
                model.spec.macs,
                model.peak_bytes,
                *(model.values.get(gene, "") for gene in genes),
            ]
        )
    return text.getvalue()

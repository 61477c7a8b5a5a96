"""Models by runtimes, side by side: figures, advice, and how far runtimes agree on the order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

from ...tables.comparison.comparison import kendall_tau
from ...tables.saved import LinesResult, csv_text
from .facts import RuntimeFacts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLUMNS = tuple(one.name for one in fields(RuntimeFacts))
# Fewer models are in no order that could agree or not.
FEWEST_FOR_TAU = 3
# What others are rounded to.
EXACT = "fp32"


@dataclass(frozen=True)
class Choice:
    """Of one model: the fastest, the others that no measurement tells from it, and the next.

    `dtype` is the one that was chosen among, "" for all. `next_one` is the fastest of the rest;
    None where there is no rest.
    """

    model: str
    dtype: str
    fastest: RuntimeFacts
    ties: Sequence[RuntimeFacts]
    next_one: RuntimeFacts | None

    def sentence(self) -> str:
        """Return the advice."""
        best = self.fastest
        among = f" in {self.dtype}" if self.dtype else ""
        text = f"{self.model}{among}: {best.name} ({best.latency_ms:.4g} ms)"
        if self.ties:
            names = " or ".join(f"{one.name} ({one.latency_ms:.4g} ms)" for one in self.ties)
            text += f" or {names}: the intervals overlap"
        if self.next_one is not None:
            less = 1 - best.latency_ms / self.next_one.latency_ms
            text += f"; {less:.0%} less than the next, {self.next_one.name}"
        return text + "."


@dataclass(frozen=True, repr=False)
class RuntimeComparison(LinesResult):
    """Every model by every runtime, in the order measured; `missing` says what is not compared."""

    file_name: ClassVar[str] = "runtimes"

    facts: Sequence[RuntimeFacts]
    missing: Sequence[str]
    batch: int
    threads: int

    @property
    def title(self) -> str:
        """How many models, by how many runtimes, in which dtypes."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        models = "1 model" if len(self.models) == 1 else f"{len(self.models)} models"
        runtimes = len({one.runtime for one in self.facts})
        by = "1 runtime" if runtimes == 1 else f"{runtimes} runtimes"
        dtypes = ", ".join(dict.fromkeys(one.dtype for one in self.facts))
        return f"{models} by {by} on this CPU ({dtypes}), batch {self.batch}, {threads}"

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(one.model for one in self.facts))

    @property
    def names(self) -> list[str]:
        """The runtimes with their dtypes, in the order compared."""
        return list(dict.fromkeys(one.name for one in self.facts))

    @property
    def is_doubtful(self) -> bool:
        """Whether one failed."""
        return any(not one.is_measured for one in self.facts)

    @property
    def choices(self) -> list[Choice]:
        """Of every model that something runs: among all, and in fp32 where a coarser one wins."""
        found = []
        for model in self.models:
            of_model = [one for one in self.facts if one.model == model and one.is_measured]
            exact = [one for one in of_model if one.dtype == EXACT]
            if not of_model:
                continue
            found.append(_choice(model, of_model))
            if exact and found[-1].fastest.dtype != EXACT:
                found.append(_choice(model, exact, EXACT))
        return found

    @property
    def advice(self) -> list[str]:
        """A sentence a choice: which to take, and whether that is more than noise."""
        return [choice.sentence() for choice in self.choices]

    def of(self, model: str, name: str) -> RuntimeFacts | None:
        """Return a model by a runtime, such as "openvino, fp32"; None where it is not there."""
        of_it = (one for one in self.facts if one.model == model and one.name == name)
        return next(of_it, None)

    @property
    def kendall_taus(self) -> dict[tuple[str, str], float]:
        """How far two runtimes agree on the order of the models, 1: wholly.

        Kendall's tau-b over the models that both run; only where they are three or more.
        """
        found = {}
        for one, other in combinations(self.names, 2):
            pairs = [(self.of(model, one), self.of(model, other)) for model in self.models]
            both = [
                (a.latency_ms, b.latency_ms)
                for a, b in pairs
                if a is not None and b is not None and a.is_measured and b.is_measured
            ]
            if len(both) >= FEWEST_FOR_TAU:
                found[one, other] = kendall_tau([a for a, _ in both], [b for _, b in both])
        return found

    def report(self) -> dict[str, Any]:
        """Return all as JSON values, with the keys of `vitprof compare --runtimes --json`."""
        return {
            "batch": self.batch,
            "threads": self.threads,
            "results": [
                {name: _without_nan(value) for name, value in asdict(one).items()}
                for one in self.facts
            ],
            "choices": [
                {
                    "model": choice.model,
                    "dtype": choice.dtype or None,
                    "fastest": choice.fastest.name,
                    "ties": [one.name for one in choice.ties],
                    "next": choice.next_one.name if choice.next_one else None,
                }
                for choice in self.choices
            ],
            "kendall_tau": [
                {"one": one, "other": other, "tau": tau}
                for (one, other), tau in self.kendall_taus.items()
            ],
            "not_compared": list(self.missing),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a model and runtime."""
        import pandas as pd

        return pd.DataFrame([asdict(one) for one in self.facts], columns=list(COLUMNS))

    def to_csv(self) -> str:
        """Return the same as CSV."""
        lines = ([getattr(one, column) for column in COLUMNS] for one in self.facts)
        return csv_text(COLUMNS, lines)

    def figure(self) -> Figure:
        """Return the latencies with their intervals, a group a model."""
        from .plot import runtimes_figure

        return runtimes_figure(self)


def _choice(model: str, measured: Sequence[RuntimeFacts], dtype: str = "") -> Choice:
    fastest, *others = sorted(measured, key=lambda one: one.latency_ms)
    ties = [one for one in others if not fastest.apart_from(one)]
    rest = [one for one in others if fastest.apart_from(one)]
    return Choice(model, dtype, fastest, ties, rest[0] if rest else None)


def _without_nan(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Options of `vitprof search`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...errors import UserError
from .common import grouped_options

if TYPE_CHECKING:
    from ...search.algorithms.algorithms import SearchPlan
    from ...search.limits import Limit
    from ...search.objective import Objective
    from ...tables import LatencyTable

F = TypeVar("F", bound=Callable[..., Any])
ALGORITHMS = ("coarse-to-fine", "random", "nsga2", "exhaustive")
OBJECTIVES = ("accuracy", "cost", "accuracy-size")


@dataclass(frozen=True)
class LimitOptions:
    """What the model may cost at most."""

    max_latency: tuple[str, ...]
    max_params: str | None
    max_macs: str | None
    max_memory: str | None

    def limits(self, tables: int) -> tuple[Limit, ...]:
        """Return every limit; raises UserError unless there is a latency for each table or none."""
        from ...search.limits import Limit

        if self.max_latency and len(self.max_latency) != tables:
            raise UserError(
                f"{len(self.max_latency)} --max-latency for {tables} --table; give one for each, "
                "in the same order."
            )
        found = [Limit.of("ms", text, n) for n, text in enumerate(self.max_latency)]
        for unit, text in (
            ("params", self.max_params), ("macs", self.max_macs), ("bytes", self.max_memory)
        ):  # fmt: skip
            if text is not None:
                found.append(Limit.of(unit, text))
        return tuple(found)


@dataclass(frozen=True)
class AlgorithmOptions:
    """How to search."""

    algorithm: str
    objective: Any
    cost: Any
    cost_weight: float
    min_top1: float
    seed: int
    candidates: int
    rank: str
    population: int
    generations: int
    parents: int
    depth_mutation: float
    mutation: float

    def plan(self, proxy: str | None) -> SearchPlan:
        from ...search.algorithms.algorithms import SearchPlan
        from ...search.algorithms.evolution import EvolutionPlan

        return SearchPlan(
            self.candidates,
            (proxy or "limit") if self.rank == "auto" else self.rank,
            EvolutionPlan(
                self.population,
                self.generations,
                self.parents,
                self.depth_mutation,
                self.mutation,
            ),
        )

    def goal(self) -> Objective:
        from ...search.objective import Objective

        return Objective(self.objective, self.cost_weight, self.cost, self.min_top1)

    def check(self, limits: tuple[Limit, ...], proxy: str | None) -> None:
        """Raise UserError for options that do not go together."""
        if self.objective != "cost" and (self.cost_weight or self.min_top1):
            raise UserError("--cost-weight and --min-top1 are of --objective cost; add it.")
        if proxy and self.min_top1:
            raise UserError("--min-top1 needs accuracies, and --proxy measures none.")
        needs_limit = self.objective == "accuracy" and self.algorithm != "nsga2"
        if needs_limit and not limits:
            raise UserError(
                "nothing limits the model, so the largest would win; give --max-latency, or "
                "another of the limits."
            )


def limit_options(function: F) -> F:
    """Add --max-latency and the other limits, as `limits`."""
    return grouped_options(function, "limits", LimitOptions, (
        click.option("--max-latency", multiple=True,
                     help="Milliseconds by the table: 10ms; with several --table one for each."),
        click.option("--max-params", help="Parameters: 1.8M."),
        click.option("--max-macs", help="Multiply-accumulates of an image: 300M."),
        click.option("--max-memory",
                     help="Weights and what one block needs beside them, in fp32: 64MiB."),
    ))  # fmt: skip


def algorithm_options(function: F) -> F:
    """Add the options of how to search, as `how`."""
    return grouped_options(function, "how", AlgorithmOptions, (
        click.option("--algorithm", default="coarse-to-fine", show_default=True,
                     type=click.Choice(ALGORITHMS),
                     help="coarse-to-fine: the table's best of many, then evolution on accuracy "
                     "(Kong et al. 2025); nsga2 spreads over the whole front."),
        click.option("--objective", default="accuracy", show_default=True,
                     type=click.Choice(OBJECTIVES),
                     help="The most accurate; the least latency + weight x cost; or accuracy "
                     "against size."),
        click.option("--cost", default="params", show_default=True,
                     type=click.Choice(("params", "macs")), help="C of --objective cost."),
        click.option("--cost-weight", default=0.0, show_default=True, type=click.FloatRange(0),
                     help="Milliseconds that a million of C is worth."),
        click.option("--min-top1", default=0.0, show_default=True, type=click.FloatRange(0, 1),
                     help="Least accuracy for --objective cost."),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0),
                     help="Seed of everything drawn."),
        click.option("--candidates", default=100_000, show_default=True,
                     type=click.IntRange(1, 1_000_000_000),
                     help="Models that the coarse stage draws."),
        click.option("--rank", default="auto", show_default=True,
                     type=click.Choice(("auto", "limit", "macs", "params", "latency", "none")),
                     help="By what the coarse stage ranks those that keep the limits; auto: by the "
                     "proxy, or how much of their tightest limit they use."),
        click.option("--population", default=50, show_default=True,
                     type=click.IntRange(1, 100_000), help="Models of a generation."),
        click.option("--generations", default=20, show_default=True,
                     type=click.IntRange(1, 100_000), help="Generations of the evolution."),
        click.option("--parents", default=10, show_default=True, type=click.IntRange(1),
                     help="The best so many have children."),
        click.option("--depth-mutation", default=0.2, show_default=True,
                     type=click.FloatRange(0, 1), help="Chance that depths change (P_d)."),
        click.option("--mutation", default=0.4, show_default=True, type=click.FloatRange(0, 1),
                     help="Chance of each block to change (P_m)."),
    ))  # fmt: skip


def check_tables(tables: list[LatencyTable]) -> None:
    """Raise UserError for a table that is not finished."""
    for table in tables:
        if table.unfinished:
            raise UserError(
                f"{table.source} is unfinished; finish measuring it first (vitprof measure)."
            )

"""What a model may cost: every limit that is given is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..quantities import Quantity
from .limit import Limit

if TYPE_CHECKING:
    from .costs import KnownCosts


@dataclass(frozen=True)
class Limits:
    """Several limits; of none, everything is kept."""

    each: tuple[Limit, ...] = ()

    @classmethod
    def of(
        cls,
        max_latency: Quantity | Sequence[Quantity] | None = None,
        max_params: Quantity | None = None,
        max_macs: Quantity | None = None,
        max_memory: Quantity | None = None,
        *,
        tables: int = 1,
    ) -> Limits:
        """Return what is limited, from amounts as they are written; None: no limit.

        max_latency: one, or one for each of so many `tables`. UserError names the wrong one.
        """
        if max_latency is None:
            latencies: list[Quantity] = []
        elif isinstance(max_latency, str | int | float):
            latencies = [max_latency]
        else:
            latencies = list(max_latency)
        if latencies and len(latencies) != tables:
            raise UserError(
                f"{len(latencies)} `max_latency` for {tables} `tables`; give one for each, in the "
                "same order (or one, with `any_table`, where one of the tables is enough)."
            )
        asked = [("max_latency", "ms", amount, n) for n, amount in enumerate(latencies)]
        asked += [
            (name, unit, amount, 0)
            for name, unit, amount in (
                ("max_params", "params", max_params),
                ("max_macs", "macs", max_macs),
                ("max_memory", "bytes", max_memory),
            )
            if amount is not None
        ]
        found = []
        for name, unit, amount, table in asked:
            try:
                found.append(Limit.of(unit, amount, table))
            except UserError as error:
                raise UserError(f"`{name}`: {error}") from None
        return cls(tuple(found))

    def __bool__(self) -> bool:
        return bool(self.each)

    def amounts(self, costs: KnownCosts, population: np.ndarray) -> np.ndarray:
        """Return what n candidates cost, n x limits, each in its limit's unit."""
        return costs.amounts(population, self.each)

    def excess(self, costs: KnownCosts, population: np.ndarray) -> np.ndarray:
        """Return by what share of it each candidate exceeds its worst limit; 0 where none."""
        if not self.each:
            return np.zeros(len(population))
        return np.maximum(self.amounts(costs, population) / self._most - 1.0, 0.0).max(axis=1)

    def used(self, costs: KnownCosts, population: np.ndarray) -> np.ndarray:
        """Return what share of its tightest limit each candidate takes; there is one at least."""
        return np.max(self.amounts(costs, population) / self._most, axis=1)

    def kept(self, costs: KnownCosts, population: np.ndarray) -> np.ndarray:
        """Tell of each candidate whether it keeps every limit."""
        if not self.each:
            return np.ones(len(population), dtype=bool)
        return np.all(self.amounts(costs, population) <= self._most, axis=1)

    @property
    def _most(self) -> np.ndarray:
        return np.array([limit.most for limit in self.each])

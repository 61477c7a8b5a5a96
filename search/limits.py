"""What a model may cost: every limit that is given is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..models.checks import shown
from .costs import KnownCosts

MEBI = 2**20
LARGEST = 1e18  # in any unit; what lies above is a slip
_UNITS: dict[str, Mapping[str, float]] = {
    "ms": {"ms": 1.0, "s": 1e3, "us": 1e-3},
    "params": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
    "macs": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
    "bytes": {"KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": MEBI, "GiB": 2**30},
}
_EXAMPLES = {"ms": "10ms", "params": "1.8M", "macs": "300M", "bytes": "64MiB"}


@dataclass(frozen=True)
class Limit:
    """At most `most` of a cost; what it is of: "ms" by table number `table`, or another unit."""

    unit: str
    most: float
    table: int = 0

    @classmethod
    def of(cls, unit: str, text: str, table: int = 0) -> Limit:
        """Return the limit that "10ms", "1.8M" or "64MiB" says; UserError for anything else."""
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-zA-Z]*)\s*", text)
        units = _UNITS[unit]
        if match is None or match[2] not in units or not 0 < float(match[1]) < LARGEST:
            raise UserError(
                f"{shown(text)} is no limit; write it as {_EXAMPLES[unit]}, above 0, in "
                f"{', '.join(filter(None, units))}."
            )
        return cls(unit, float(match[1]) * units[match[2]], table)

    def in_words(self, cost: float | None = None) -> str:
        """Return an amount of what is limited, the limit itself unless given: "9.8 ms"."""
        value = self.most if cost is None else cost
        if self.unit == "ms":
            return f"{value:.4g} ms"
        if self.unit == "bytes":
            return f"{value / MEBI:.4g} MiB of memory"
        factor, prefix = next(
            (f, p) for f, p in ((1e9, " G"), (1e6, " M"), (1e3, " k"), (1, " ")) if value >= f
            or f == 1
        )  # fmt: skip
        words = {"params": "parameters", "macs": "MACs"}
        return f"{value / factor:.4g}{prefix} {words[self.unit]}".replace("  ", " ")


class Limits:
    """Several limits on a space's candidates, by its cost model.

    batch: images that are in memory at once.
    """

    def __init__(self, limits: tuple[Limit, ...], costs: KnownCosts, batch: int = 1) -> None:
        self.limits = limits
        self.model = costs
        self.batch = batch

    def costs(self, population: np.ndarray) -> np.ndarray:
        """Return what n candidates cost, n x limits, each in its limit's unit."""
        found = self.model.of(population)
        columns = [
            self.model.peak_bytes(population, self.batch)
            if limit.unit == "bytes"
            else found.latency_ms[:, limit.table]
            if limit.unit == "ms"
            else getattr(found, limit.unit)
            for limit in self.limits
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(population), 0))

    def excess(self, population: np.ndarray) -> np.ndarray:
        """Return by what share of it each candidate exceeds its worst limit; 0 where none."""
        if not self.limits:
            return np.zeros(len(population))
        most = np.array([limit.most for limit in self.limits])
        return np.maximum(self.costs(population) / most - 1.0, 0.0).max(axis=1)

    def used(self, population: np.ndarray) -> np.ndarray:
        """Return what share of its tightest limit each candidate takes; there is one at least."""
        most = np.array([limit.most for limit in self.limits])
        return np.max(self.costs(population) / most, axis=1)

    def kept(self, population: np.ndarray) -> np.ndarray:
        """Tell of each candidate whether it keeps every limit."""
        if not self.limits:
            return np.ones(len(population), dtype=bool)
        most = np.array([limit.most for limit in self.limits])
        return np.all(self.costs(population) <= most, axis=1)

    def check_feasible(self, rng: np.random.Generator) -> np.ndarray:
        """Return a candidate that keeps every limit.

        Raises UserError where none is found, saying by how much the nearest one exceeds them.
        """
        nearest = self.nearest(rng)
        if self.kept(nearest[None])[0]:
            return nearest
        costs = self.costs(nearest[None])[0]
        words = [
            f"{limit.in_words(cost)} ({cost / limit.most - 1:.1%} over {limit.in_words()})"
            if cost > limit.most
            else f"{limit.in_words(cost)} (within {limit.in_words()})"
            for limit, cost in zip(self.limits, costs, strict=True)
        ]
        raise UserError(
            f"no model of the space {self.model.space.name} keeps the limits; the nearest that was "
            f"found takes {', '.join(words)}: allow that much, or search another space."
        )

    def nearest(
        self, rng: np.random.Generator, starts: int = 64, draws: int = 20_000
    ) -> np.ndarray:
        """Return the candidate that exceeds its limits least.

        Of the smallest model and many random ones the best are improved, one gene at a time, until
        no other choice of any gene helps.
        """
        space = self.model.space
        drawn = np.concatenate([space.smallest()[None], space.sample(rng, draws)])
        best = drawn[np.argsort(self.excess(drawn), kind="stable")[:starts]]
        excess = self.excess(best)
        while excess.min() > 0:
            neighbours = np.unique(
                np.concatenate([best, *(self._neighbours(row) for row in best)]), axis=0
            )
            order = np.argsort(self.excess(neighbours), kind="stable")[:starts]
            if self.excess(neighbours[order[:1]])[0] >= excess.min():
                break
            best, excess = neighbours[order], self.excess(neighbours[order])
        return best[np.argmin(excess)]

    def _neighbours(self, candidate: np.ndarray) -> np.ndarray:
        """Return every allowed candidate that differs in one gene."""
        space = self.model.space
        rows = [
            np.where(np.arange(len(candidate)) == gene, choice, candidate)
            for gene, size in enumerate(space.sizes)
            for choice in range(int(size))
            if choice != candidate[gene]
        ]
        made = space.canonical(np.array(rows, dtype=np.int16).reshape(-1, len(candidate)))
        return made[space.allowed(made)]

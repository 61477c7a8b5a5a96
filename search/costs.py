"""What every candidate of a space costs: latencies by tables, parameters, MACs, peak memory.

A model's cost is a sum over its sites (its peak memory the largest), and what a site costs depends
on a few genes alone. So each site is asked for once, with every choice of its genes; a candidate is
then a few lookups, which numpy does for a hundred thousand at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import UserError
from ..models import Block
from ..spaces.space import SearchSpace, Site
from ..tables import LatencyTable
from ..tables.grids.grid import OutsideTableError

if TYPE_CHECKING:
    from .limit import Limit


@dataclass(frozen=True)
class Costs:
    """Of n candidates: `latency_ms` is n x tables, the others are n.

    alternatives: whether the tables are of settings of which one is chosen for each model: then its
    latency is the least of them.
    """

    latency_ms: np.ndarray
    params: np.ndarray
    macs: np.ndarray
    alternatives: bool = False

    def __len__(self) -> int:
        return len(self.params)

    def __getitem__(self, chosen: np.ndarray | slice) -> Costs:
        return Costs(
            self.latency_ms[chosen], self.params[chosen], self.macs[chosen], self.alternatives
        )

    def by_table(self, table: int = 0) -> np.ndarray:
        """Return n milliseconds by a table, or by each model's best one of alternatives."""
        return self.latency_ms.min(axis=1) if self.alternatives else self.latency_ms[:, table]

    def amount(self, limit: Limit) -> np.ndarray:
        """Return what is limited: a table's milliseconds, parameters or MACs."""
        if limit.unit == "ms":
            return self.by_table(limit.table)
        return {"params": self.params, "macs": self.macs}[limit.unit]


class KnownCosts(Protocol):
    """What says what candidates cost before any is evaluated."""

    def of(self, population: np.ndarray) -> Costs:
        """Return what n candidates cost."""
        ...

    def amounts(self, population: np.ndarray, limits: Sequence[Limit]) -> np.ndarray:
        """Return how much of each limited thing n candidates cost, n x limits."""
        ...


@dataclass(frozen=True)
class _SiteCosts:
    """A site's costs by the flat index of its genes' choices."""

    site: Site
    positions: np.ndarray  # of its genes
    strides: np.ndarray
    optional: list[int]  # positions of genes without which it is absent
    columns: np.ndarray  # combinations x (tables, params, macs)
    models: list[list[Block]]  # the blocks of each combination


class CostModel:
    """The costs of a space's candidates under some tables (which may be none).

    batch: images that are in memory at once; by default the first table's. alternatives: as in
    Costs. Raises UserError where a table does not cover the space.
    """

    def __init__(
        self,
        space: SearchSpace,
        tables: Sequence[LatencyTable] = (),
        batch: int | None = None,
        alternatives: bool = False,
    ) -> None:
        self.alternatives = alternatives
        self.space = space
        self.tables = list(tables)
        self.batch = batch or (self.tables[0].setting.batch if self.tables else 1)
        self._offsets = [table.offset_ms(space.family) for table in self.tables]
        self._sites = [self._site(site) for site in space.sites()]

    def _site(self, site: Site) -> _SiteCosts:
        space = self.space
        positions = np.array([space.index[name] for name in site.genes])
        sizes = [int(space.sizes[position]) for position in positions]
        models = space.blocks_of_site(site)
        strides = np.array([prod(sizes[i + 1 :]) for i in range(len(sizes))], dtype=np.int64)
        there = [number for number, blocks in enumerate(models) if blocks]
        columns = np.zeros((len(models), len(self.tables) + 2))
        columns[there] = self._columns([models[number] for number in there])
        optional = [int(p) for p in positions if space.genes[p].needs is not None]
        return _SiteCosts(site, positions, strides, optional, columns, models)

    def _columns(self, parts: Sequence[Sequence[Block]]) -> np.ndarray:
        """Return latencies, parameters and MACs of parts of models, parts x (tables + 2)."""
        columns = np.zeros((len(parts), len(self.tables) + 2))
        for number, table in enumerate(self.tables):
            columns[:, number] = self._ask(table, parts)
        columns[:, -2] = [sum(block.params for block in blocks) for blocks in parts]
        columns[:, -1] = [sum(block.macs for block in blocks) for blocks in parts]
        return columns

    def _ask(self, table: LatencyTable, parts: Sequence[Sequence[Block]]) -> np.ndarray:
        try:
            return table.parts_ms(parts, self.space.family)
        except UserError as error:
            # Nothing is searched for by a guess, so that remedy is not named.
            reason = f"{error.fact}." if isinstance(error, OutsideTableError) else str(error)
            raise UserError(
                f"the search space {self.space.name} is not covered: {reason} Measure it as a "
                f"whole: vitprof measure `space` {self.space.name} (or the file it is from)."
            ) from None

    def of(self, population: np.ndarray) -> Costs:
        """Return what n candidates cost."""
        total = np.zeros((len(population), len(self.tables) + 2))
        total[:, : len(self.tables)] = self._offsets
        if not self._sites:
            total += self._of_whole_models(population)
        for site in self._sites:
            found = site.columns[self._combination(site, population)]
            if site.optional:
                found[self._absent(site, population)] = 0.0
            total += found
        # Sums of whole numbers below 2^53: exact as floats.
        return Costs(
            total[:, : len(self.tables)],
            total[:, -2].astype(np.int64),
            total[:, -1].astype(np.int64),
            self.alternatives,
        )

    def amounts(self, population: np.ndarray, limits: Sequence[Limit]) -> np.ndarray:
        """Return how much of each limited thing n candidates cost, n x limits."""
        found = self.of(population)
        columns = [
            self.peak_bytes(population) if limit.unit == "bytes" else found.amount(limit)
            for limit in limits
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(population), 0))

    def _of_whole_models(self, population: np.ndarray) -> np.ndarray:
        keys = [row.tobytes() for row in population]
        new = {key: row for key, row in zip(keys, population, strict=True) if key not in self._seen}
        if new:
            found = self._columns([self.space.spec(row).blocks() for row in new.values()])
            self._seen.update(zip(new, found, strict=True))
        return np.array([self._seen[key] for key in keys]).reshape(len(keys), len(self.tables) + 2)

    @cached_property
    def _seen(self) -> dict[bytes, np.ndarray]:
        return {}

    def _combination(self, site: _SiteCosts, population: np.ndarray) -> np.ndarray:
        number = np.zeros(len(population), dtype=np.int64)
        for position, stride in zip(site.positions, site.strides, strict=True):
            number += population[:, position].astype(np.int64) * stride
        return number

    def _absent(self, site: _SiteCosts, population: np.ndarray) -> np.ndarray:
        absent = np.zeros(len(population), dtype=bool)
        for position, other, least in self.space.needs:
            if position in site.optional:
                absent |= population[:, other] < least
        return absent

    def peak_bytes(self, population: np.ndarray) -> np.ndarray:
        """Return the peak memory of n candidates in bytes: all weights, and what one block needs.

        See models/peak_memory.py for what that is.
        """
        peak = np.zeros(len(population), dtype=np.int64)
        if not self._sites:
            peak[:] = [self._most_alive(self.space.spec(row).blocks()) for row in population]
        for site, columns in zip(self._sites, self._peaks, strict=True):
            found = columns[self._combination(site, population)]
            if site.optional:
                found[self._absent(site, population)] = 0
            np.maximum(peak, found, out=peak)
        return peak + 4 * self.of(population).params

    @cached_property
    def _peaks(self) -> list[np.ndarray]:
        return [
            np.array([self._most_alive(blocks) for blocks in site.models], dtype=np.int64)
            for site in self._sites
        ]

    def _most_alive(self, blocks: Sequence[Block]) -> int:
        """Return the bytes that the worst of the blocks needs; 0 where there is none."""
        return max(map(self._alive, dict.fromkeys(blocks)), default=0)

    def _alive(self, block: Block) -> int:
        from ..models.peak_memory import activation_bytes

        if block not in self._bytes_of:
            self._bytes_of[block] = activation_bytes(block, self.batch)
        return self._bytes_of[block]

    @cached_property
    def _bytes_of(self) -> dict[Block, int]:
        return {}

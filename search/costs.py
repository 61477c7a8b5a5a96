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
from typing import Protocol

import numpy as np

from ..errors import UserError
from ..models import Block
from ..spaces.candidates import Candidates
from ..spaces.space import SearchSpace, Site
from ..tables import LatencyTable


@dataclass(frozen=True)
class Costs:
    """Of n candidates: `latency_ms` is n x tables, the others are n."""

    latency_ms: np.ndarray
    params: np.ndarray
    macs: np.ndarray

    def __len__(self) -> int:
        return len(self.params)

    def __getitem__(self, chosen: np.ndarray | slice) -> Costs:
        return Costs(self.latency_ms[chosen], self.params[chosen], self.macs[chosen])


class KnownCosts(Protocol):
    """What says what candidates cost before any is evaluated."""

    @property
    def space(self) -> Candidates:
        """What candidates are of."""
        ...

    def of(self, population: np.ndarray) -> Costs:
        """Return what n candidates cost."""
        ...

    def peak_bytes(self, population: np.ndarray, batch: int = 1) -> np.ndarray:
        """Return the bytes that each of n candidates holds at most."""
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

    Raises UserError where a table does not cover the space.
    """

    def __init__(self, space: SearchSpace, tables: Sequence[LatencyTable] = ()) -> None:
        self.space = space
        self.tables = list(tables)
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
            # Nothing is searched for by a guess.
            reason = str(error).replace(", or accept a guess with --extrapolate", "")
            raise UserError(
                f"the search space {self.space.name} is not covered: {reason} Or measure it as a "
                f"whole: vitprof measure --search-space {self.space.name} (or the file it is from)."
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
        )

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

    def peak_bytes(self, population: np.ndarray, batch: int = 1) -> np.ndarray:
        """Return the peak memory of n candidates in bytes: all weights, and what one block needs.

        See models/peak_memory.py for what that is.
        """
        peak = np.zeros(len(population), dtype=np.int64)
        if not self._sites:
            from ..models.peak_memory import activation_bytes

            for number, row in enumerate(population):
                blocks = dict.fromkeys(self.space.spec(row).blocks())
                peak[number] = max(activation_bytes(block, batch) for block in blocks)
        for site, columns in zip(self._sites, self._peaks(batch), strict=True):
            found = columns[self._combination(site, population)]
            if site.optional:
                found[self._absent(site, population)] = 0
            np.maximum(peak, found, out=peak)
        return peak + 4 * self.of(population).params

    def _peaks(self, batch: int) -> list[np.ndarray]:
        if batch not in self._peaks_by_batch:
            from ..models.peak_memory import activation_bytes

            blocks = {b for site in self._sites for blocks in site.models for b in blocks}
            bytes_of = {block: activation_bytes(block, batch) for block in blocks}
            self._peaks_by_batch[batch] = [
                np.array(
                    [max((bytes_of[b] for b in blocks), default=0) for blocks in site.models],
                    dtype=np.int64,
                )
                for site in self._sites
            ]
        return self._peaks_by_batch[batch]

    @cached_property
    def _peaks_by_batch(self) -> dict[int, list[np.ndarray]]:
        return {}

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
from ..spaces.search_space import SearchSpace, Site
from ..tables import LatencyTable

# Choices of one site's genes; each costs about a millisecond, once.
LARGEST_SITE = 200_000


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

    space: SearchSpace

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
        if prod(sizes) > LARGEST_SITE:
            raise UserError(
                f"{site.name} of the space {space.name} has {prod(sizes)} choices, more than "
                f"{LARGEST_SITE}; give fewer values for {', '.join(site.genes)}."
            )
        strides = np.array([prod(sizes[i + 1 :]) for i in range(len(sizes))], dtype=np.int64)
        models = self._blocks_of(site, positions, sizes)
        there = [number for number, blocks in enumerate(models) if blocks]
        columns = np.zeros((len(models), len(self.tables) + 2))
        parts = [models[number] for number in there]
        for number, table in enumerate(self.tables):
            columns[there, number] = self._ask(table, parts)
        columns[there, -2] = [sum(block.params for block in blocks) for blocks in parts]
        columns[there, -1] = [sum(block.macs for block in blocks) for blocks in parts]
        optional = [int(p) for p in positions if space.genes[p].needs is not None]
        return _SiteCosts(site, positions, strides, optional, columns, models)

    def _blocks_of(
        self, site: Site, positions: np.ndarray, sizes: Sequence[int]
    ) -> list[list[Block]]:
        """Return the site's blocks for every choice of its genes; [] for choices no model has.

        The other genes have the most of everything, so that the site is there.
        """
        space = self.space
        found: list[list[Block]] = []
        for choices in np.ndindex(*sizes):
            candidate = (space.sizes - 1).copy()
            candidate[positions] = choices
            for (width, by), divides in space.divisions.items():
                if by not in positions and not divides[candidate[width], candidate[by]]:
                    candidate[by] = int(np.argmax(divides[candidate[width]]))
                if width not in positions and not divides[candidate[width], candidate[by]]:
                    candidate[width] = int(np.argmax(divides[:, candidate[by]]))
            if not all(d[candidate[w], candidate[by]] for (w, by), d in space.divisions.items()):
                found.append([])  # no candidate has such heads
                continue
            spec = space.spec(candidate)
            found.append(space.blocks_by_site(spec).get(site.name, []))
        return found

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

    def blocks(self) -> list[Block]:
        """Return every block that a candidate may have, each once, in the order they run."""
        return list(dict.fromkeys(b for site in self._sites for part in site.models for b in part))

    def of(self, population: np.ndarray) -> Costs:
        """Return what n candidates cost."""
        total = np.zeros((len(population), len(self.tables) + 2))
        total[:, : len(self.tables)] = self._offsets
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

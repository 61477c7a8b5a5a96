"""Every combination of choices: genes, the rules that join them, and rows of their indices."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ..errors import UserError
from ..models import Spec
from ..models.checks import shown
from .gene import Gene, Value
from .never_shrinking import NeverShrinking

# A changed candidate that breaks a rule is changed anew, so often at most.
MOST_TRIES = 50


@dataclass(frozen=True)
class Candidates(ABC):
    """What a search chooses from: a value for each gene, and the spec that these stand for.

    A candidate is a row of indices into the genes' values, in the order of `genes`; populations
    are arrays of n such rows, int16. Genes that have no meaning in a candidate (of a layer that it
    has not) are 0, so that equal rows are equal models.
    never_shrink: names of genes whose values may not fall along this row, where they are used.
    shared_out: pairs of a gene of `never_shrink` and one whose value has to divide its value, as
    the number of heads that share the channels.
    """

    name: str
    genes: tuple[Gene, ...]
    never_shrink: tuple[str, ...] = ()
    shared_out: tuple[tuple[str, str], ...] = ()

    # --- candidates and specs --------------------------------------------------------------------

    @cached_property
    def index(self) -> dict[str, int]:
        """The position of each gene."""
        return {gene.name: position for position, gene in enumerate(self.genes)}

    @cached_property
    def sizes(self) -> np.ndarray:
        """The number of choices of each gene."""
        return np.array([len(gene.values) for gene in self.genes], dtype=np.int16)

    def values_of(self, candidate: np.ndarray) -> dict[str, Value]:
        """Return the value of each gene that has a meaning in the candidate."""
        used = self.used(candidate[None])[0]
        return {
            gene.name: gene.values[int(choice)]
            for gene, choice, there in zip(self.genes, candidate, used, strict=True)
            if there
        }

    def candidate_of(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the candidate of such values; raises UserError for what is not of the space."""
        candidate = np.zeros(len(self.genes), dtype=np.int16)
        for name, value in values.items():
            position = self.index.get(name)
            if position is None or value not in self.genes[position].values:
                raise UserError(f"{name}={shown(value)} is not a choice of the space {self.name}.")
            candidate[position] = self.genes[position].values.index(value)
        used = self.used(candidate[None])[0]
        named = np.array([gene.name in values for gene in self.genes])
        if (used != named).any():
            name = self.genes[int((used != named).argmax())].name
            raise UserError(f"{name} is missing or has no meaning in {shown(dict(values))}.")
        if not self.allowed(candidate[None])[0]:
            raise UserError(f"{shown(dict(values))} breaks the rule of {self.name} on widths.")
        return candidate

    @abstractmethod
    def spec(self, candidate: np.ndarray, name: str = "subnet") -> Spec:
        """Return the model of a candidate."""

    def all_values(self, candidate: np.ndarray) -> dict[str, Value]:
        """Return the value of each gene, also of those that have no meaning in the candidate."""
        return {
            gene.name: gene.values[int(choice)]
            for gene, choice in zip(self.genes, candidate, strict=True)
        }

    def largest(self) -> np.ndarray:
        """Return the candidate with the most of everything that the rule on widths allows."""
        return self._extreme(-1)

    def smallest(self) -> np.ndarray:
        """Return the candidate with the least of everything that the rule on widths allows."""
        return self._extreme(0)

    def _extreme(self, end: int) -> np.ndarray:
        candidate = (self.sizes - 1 if end else np.zeros_like(self.sizes)).copy()
        row = [self.index[name] for name in self.never_shrink]
        levels = [self.genes[position].values for position in row]
        # From the end whose neighbours decide: the widest from the back, the narrowest from the
        # front.
        bound = max(values[-1] for values in levels) if levels and end else 0
        order = range(len(row) - 1, -1, -1) if end else range(len(row))
        for place in order:
            ways = self._weights(row[place])
            fitting = [
                i
                for i, value in enumerate(levels[place])
                if ways[i] and (value <= bound if end else value >= bound)
            ]
            if not fitting:
                heads = ", or no choice of heads divides one" if self.shared_out else ""
                raise UserError(
                    f"the space {self.name} has no model: its widths shrink along the stages"
                    f"{heads}."
                )
            choice = fitting[end]
            candidate[row[place]] = choice
            bound = levels[place][choice]
        for (width, by), divides in self.divisions.items():
            candidate[by] = np.flatnonzero(divides[candidate[width]])[end]
        return self.canonical(candidate[None])[0]

    # --- what is used, and what is allowed -------------------------------------------------------

    @cached_property
    def needs(self) -> list[tuple[int, int, int]]:
        """Position of each gene that needs another one, that one's, and the least choice of it."""
        found = []
        for position, gene in enumerate(self.genes):
            if gene.needs is not None:
                other = self.index[gene.needs.gene]
                values = np.asarray(self.genes[other].values)
                found.append((position, other, int(np.searchsorted(values, gene.needs.least))))
        return found

    def used(self, population: np.ndarray) -> np.ndarray:
        """Tell of each gene of each candidate, n x genes, whether it has a meaning."""
        used = np.ones(population.shape, dtype=bool)
        for position, other, least in self.needs:
            used[:, position] = population[:, other] >= least
        return used

    def canonical(self, population: np.ndarray) -> np.ndarray:
        """Return the population with genes that have no meaning at 0."""
        made = population.copy()
        for position, other, least in self.needs:
            made[population[:, other] < least, position] = 0
        return made

    @cached_property
    def _rule(self) -> tuple[list[int], NeverShrinking]:
        row = [self.index[name] for name in self.never_shrink]
        return row, self._rule_of(row)

    def _rule_of(self, row: Sequence[int]) -> NeverShrinking:
        return NeverShrinking(
            [self.genes[position].values for position in row],
            [self._weights(position) for position in row],
        )

    def _weights(self, position: int) -> list[int]:
        """Return, for each choice of a gene, how many choices of those that share it out fit."""
        fitting = [1] * len(self.genes[position].values)
        for (width, _), divides in self.divisions.items():
            if width == position:
                fitting = [n * int(d) for n, d in zip(fitting, divides.sum(axis=1), strict=True)]
        return fitting

    @cached_property
    def divisions(self) -> dict[tuple[int, int], np.ndarray]:
        """By positions of `shared_out`: whether a choice of the one is divided by the other's."""
        return {
            (self.index[width], self.index[by]): np.array(
                [
                    [a % b == 0 for b in self.genes[self.index[by]].values]
                    for a in self.genes[self.index[width]].values
                ]
            )
            for width, by in self.shared_out
        }

    def allowed(self, population: np.ndarray) -> np.ndarray:
        """Tell of each candidate whether it is of the space: widths never shrink, heads divide."""
        fine = np.ones(len(population), dtype=bool)
        row, rule = self._rule
        if row:
            fine &= rule.allows(population[:, row], self.used(population)[:, row])
        for (width, by), divides in self.divisions.items():
            fine &= divides[population[:, width], population[:, by]]
        return fine

    # --- drawing ---------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` candidates; every choice, and every allowed row of widths, as likely."""
        return self.canonical(self._drawn(rng, count))

    def _drawn(self, rng: np.random.Generator, count: int) -> np.ndarray:
        # One call for all genes; single precision is fine enough to choose among a few values.
        drawn = (rng.random((count, len(self.genes)), dtype=np.float32) * self.sizes).astype(
            np.int16
        )
        # A product may be rounded up to the number of choices.
        np.minimum(drawn, self.sizes - 1, out=drawn)
        row, rule = self._rule
        if row:
            drawn[:, row] = rule.draw(rng, count)
            self._redraw_shorter_rows(drawn, rng)
        for (width, by), divides in self.divisions.items():
            fitting = divides[drawn[:, width]]
            nth = rng.integers(0, fitting.sum(axis=1))
            drawn[:, by] = (np.cumsum(fitting, axis=1) <= nth[:, None]).sum(axis=1)
        return drawn

    def _redraw_shorter_rows(self, drawn: np.ndarray, rng: np.random.Generator) -> None:
        """Draw the widths anew where not all are used: those that are not must not narrow them."""
        row, _ = self._rule
        used = self.used(drawn)[:, row]
        for pattern in np.unique(used[~used.all(axis=1)], axis=0):
            here = np.flatnonzero((used == pattern).all(axis=1))
            places = [p for p, there in zip(row, pattern, strict=True) if there]
            drawn[here[:, None], places] = self._rule_of(places).draw(rng, len(here))

    def mutated(
        self,
        population: np.ndarray,
        rng: np.random.Generator,
        depth_chance: float = 0.2,
        block_chance: float = 0.4,
    ) -> np.ndarray:
        """Return one changed candidate for each (Kong et al. 2025, section 3.5).

        With `depth_chance` (P_d) its depths are drawn anew, then each block's other genes with
        `block_chance` (P_m). What had no meaning before is drawn; what breaks the rule on widths
        is changed anew.
        """
        groups = list(dict.fromkeys(gene.block for gene in self.genes))
        of_group = np.array([groups.index(gene.block) for gene in self.genes])
        deepens = np.array([gene.deepens for gene in self.genes])

        def change(parents: np.ndarray) -> np.ndarray:
            fresh = self._drawn(rng, len(parents))
            anew = rng.random((len(parents), len(groups)))[:, of_group] < block_chance
            deeper = rng.random((len(parents), 1)) < depth_chance
            anew = np.where(deepens, deeper, anew) | ~self.used(parents)
            return np.where(anew, fresh, parents)

        return self._until_allowed(population, change)

    def crossed(
        self, first: np.ndarray, second: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return one child for each pair: each gene is either parent's, by chance.

        A gene that has a meaning in one of them only is that one's.
        """
        pairs = np.concatenate([first, second], axis=1)
        width = first.shape[1]

        def mix(parents: np.ndarray) -> np.ndarray:
            one, other = parents[:, :width], parents[:, width:]
            there, too = self.used(one), self.used(other)
            take = np.where(there == too, rng.random(one.shape) < 0.5, there)
            return np.where(take, one, other)

        return self._until_allowed(pairs, mix, first)

    def _until_allowed(
        self, parents: np.ndarray, change: Any, otherwise: np.ndarray | None = None
    ) -> np.ndarray:
        """Return what `change` makes of each parent, once that is allowed; else the parent."""
        children = (parents if otherwise is None else otherwise).copy()
        left = np.arange(len(parents))
        for _ in range(MOST_TRIES):
            made = self.canonical(change(parents[left]))
            fine = self.allowed(made)
            children[left[fine]] = made[fine]
            left = left[~fine]
            if not len(left):
                break
        return children

    # --- counting --------------------------------------------------------------------------------

    @cached_property
    def _deciding(self) -> list[int]:
        """Positions of the genes that others need."""
        return sorted({other for _, other, _ in self.needs})

    def count(self) -> int:
        """Return how many different models the space has."""
        return sum(self._count_with(candidate) for candidate in self._deciding_candidates())

    def _deciding_candidates(self) -> Iterator[np.ndarray]:
        choices = [range(len(self.genes[position].values)) for position in self._deciding]
        for chosen in itertools.product(*choices):
            candidate = np.zeros(len(self.genes), dtype=np.int16)
            candidate[self._deciding] = chosen
            # A gene that others need may itself be without meaning: count it once.
            if (self.canonical(candidate[None])[0] == candidate).all():
                yield candidate

    def _count_with(self, deciding: np.ndarray) -> int:
        used = self.used(deciding[None])[0]
        row = [self.index[name] for name in self.never_shrink]
        counted = {*row, *self._deciding, *(by for _, by in self.divisions)}
        free = [
            len(gene.values)
            for position, gene in enumerate(self.genes)
            if used[position] and position not in counted
        ]
        return prod(free) * self._rule_of([p for p in row if used[p]]).count

    def enumerate(self, at_a_time: int = 4096) -> Iterator[np.ndarray]:
        """Yield every model of the space once, as populations of at most `at_a_time`."""
        for deciding in self._deciding_candidates():
            used = self.used(deciding[None])[0]
            choices = [
                range(len(gene.values)) if used[p] and p not in self._deciding else (deciding[p],)
                for p, gene in enumerate(self.genes)
            ]
            rows: Iterator[Sequence[int]] = itertools.product(*choices)
            while batch := list(itertools.islice(rows, at_a_time)):
                population = np.array(batch, dtype=np.int16)
                yield population[self.allowed(population)]

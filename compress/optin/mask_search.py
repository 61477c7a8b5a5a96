"""Which units stay, so that the model costs no more than it may (Kwon et al. 2022, section 4.2).

Units are ranked by their score. With the best n heads, as many of the best neurons stay as can be
paid; that is tried for every n, and the n of the highest total score is taken. Where every head
costs the same and so does every neuron, no other choice scores higher. Under a table's latency that
is not so, and the table itself is asked at every try.

Of a CNN there are channels alone. What one costs depends on its map and on its neighbours' widths,
for the MACs of a convolution are a product of both. So they are ranked by taking out, one after
another, the group of the least score for what the model then costs less: a heuristic, and another
choice may score higher in all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...models import Spec
from ...models.structures.structure import Kind, Structure
from ..groups import Groups

# Numbers of units by structure, and what models of such widths cost.
Widths = Mapping[str, int]
CostOf = Callable[[Sequence[Spec]], np.ndarray]
Order = Literal["heads", "neurons", "both"]
# By a table a smaller model may take no less; then a group counts as saving this share.
LEAST_SAVING = 1e-6


@dataclass(frozen=True)
class Entry:
    """A group of units that stay or go together, and the sum of their scores."""

    structure: str
    units: Tensor
    score: float


@dataclass(frozen=True)
class Ranked:
    """The groups of one kind: first those that always stay, then the others, best first."""

    entries: Sequence[Entry]
    fixed: int

    @classmethod
    def of(
        cls,
        structures: Sequence[Structure],
        scores: Mapping[str, Tensor],
        size: int,
        floors: Mapping[str, int],
    ) -> Ranked:
        """Return the groups of `size` units: in each structure the best, the next best and so on.

        The best group of every structure stays, and as many as `floors` says.
        """
        fixed, free = [], []
        for structure in structures:
            score = scores[structure.name]
            order = torch.argsort(score, descending=True, stable=True)
            groups = [
                Entry(structure.name, units, float(score[units].sum()))
                for units in order.split(size)
            ]
            staying = max(-(-floors.get(structure.name, 1) // size), 1)
            fixed += groups[:staying]
            free += groups[staying:]
        # Within a structure a better group has a higher sum, but for the last one, of fewer units.
        free.sort(key=lambda entry: -entry.score / len(entry.units))
        return cls((*fixed, *free), len(fixed))

    def by_saving(self, spec_of: Callable[[Widths], Spec], cost_of: CostOf) -> Ranked:
        """Return them in another order: last the group of the least score for what it saves.

        What is saved counts from the model without those ranked below.
        """
        left: dict[str, list[Entry]] = {}
        for entry in self.entries[self.fixed :]:
            left.setdefault(entry.structure, []).append(entry)
        widths, found = self.widths(len(self.entries)), []
        while left:
            # Within a structure the order stays: the last group there is the next to go.
            last = {name: entries[-1] for name, entries in left.items()}
            without = [{**widths, n: widths[n] - len(e.units)} for n, e in last.items()]
            whole, *costs = cost_of([spec_of(each) for each in (widths, *without)])
            worth = [
                entry.score / max(whole - cost, LEAST_SAVING * whole)
                for entry, cost in zip(last.values(), costs, strict=True)
            ]
            name = list(last)[int(np.argmin(worth))]
            found.append(left[name].pop())
            widths[name] -= len(last[name].units)
            if not left[name]:
                del left[name]
        return Ranked((*self.entries[: self.fixed], *reversed(found)), self.fixed)

    def widths(self, count: int) -> dict[str, int]:
        """Return how many units of each structure stay if the first `count` groups do."""
        found: dict[str, int] = {}
        for entry in self.entries[:count]:
            found[entry.structure] = found.get(entry.structure, 0) + len(entry.units)
        return found


@dataclass(frozen=True)
class MaskSearch:
    """Heads and neurons of a model, ranked; `choose` finds which of them stay.

    Channels stand in the neurons' place, without heads beside them.
    spec_of gives the model of widths, cost_of what models cost.
    """

    heads: Ranked
    neurons: Ranked
    spec_of: Callable[[Widths], Spec]
    cost_of: CostOf

    @classmethod
    def of(
        cls,
        structures: Sequence[Structure],
        scores: Mapping[str, Tensor],
        groups: Groups,
        spec_of: Callable[[Widths], Spec],
        cost_of: CostOf,
        floors: Mapping[str, int] | None = None,
    ) -> MaskSearch:
        """Return the search over these structures; floors: the widths that always stay."""

        def ranked(kind: Kind) -> Ranked:
            of_kind = [s for s in structures if s.kind == kind]
            return Ranked.of(of_kind, scores, groups.sizes[kind], floors or {})

        if any(s.kind == "channels" for s in structures):
            others = ranked("channels").by_saving(spec_of, cost_of)
        else:
            others = ranked("mlp")
        return cls(ranked("heads"), others, spec_of, cost_of)

    def choose(self, budget: float, order: Order = "both") -> dict[str, Tensor]:
        """Return the units that stay, by structure, at a cost of at most `budget`.

        order: "heads" fills up with neurons for every number of heads, "neurons" the other way
        round; "both" takes the better. Raises UserError where one head and one group of neurons a
        layer (or one group of channels) cost more already.
        """
        if not self.heads.entries:
            order = "heads"  # none, and as many of the others as can be paid
        least = self._cost([(self.heads.fixed, self.neurons.fixed)])[0]
        if least > budget:
            few = "one head and one group of neurons" if self.heads.entries else "one group"
            raise UserError(
                f"{few} a layer cost {least:.4g} already, more than the budget of {budget:.4g}."
            )
        tried = []
        if order in ("heads", "both"):
            counts = range(self.heads.fixed, len(self.heads.entries) + 1)
            most = self._most([(n, None) for n in counts], budget)
            tried += [(n, k) for n, k in zip(counts, most, strict=True) if k is not None]
        if order in ("neurons", "both"):
            counts = range(self.neurons.fixed, len(self.neurons.entries) + 1)
            most = self._most([(None, k) for k in counts], budget)
            tried += [(n, k) for k, n in zip(counts, most, strict=True) if n is not None]
        heads, neurons = (
            np.cumsum([0.0, *(entry.score for entry in ranked.entries)])
            for ranked in (self.heads, self.neurons)
        )
        best = max(tried, key=lambda pair: heads[pair[0]] + neurons[pair[1]])
        return self._staying(*best)

    def _most(
        self, pairs: Sequence[tuple[int | None, int | None]], budget: float
    ) -> list[int | None]:
        """Return for each pair the most groups in place of its None that can be paid, if any.

        All pairs halve their ranges together, so that the table is asked once a halving.
        """
        ranked = self.heads if pairs[0][0] is None else self.neurons
        payable = np.full(len(pairs), ranked.fixed - 1)  # or one too few
        too_many = np.full(len(pairs), len(ranked.entries) + 1)
        while (open_ := np.flatnonzero(too_many - payable > 1)).size:
            middle = (payable[open_] + too_many[open_]) // 2
            given = [pairs[int(place)] for place in open_]
            costs = self._cost(
                [
                    (int(m) if n is None else n, int(m) if k is None else k)
                    for (n, k), m in zip(given, middle, strict=True)
                ]
            )
            fits = costs <= budget
            payable[open_[fits]] = middle[fits]
            too_many[open_[~fits]] = middle[~fits]
        return [int(count) if count >= ranked.fixed else None for count in payable]

    def _cost(self, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
        return self.cost_of(
            [self.spec_of({**self.heads.widths(n), **self.neurons.widths(k)}) for n, k in pairs]
        )

    def _staying(self, heads: int, neurons: int) -> dict[str, Tensor]:
        found: dict[str, list[Tensor]] = {}
        for entry in (*self.heads.entries[:heads], *self.neurons.entries[:neurons]):
            found.setdefault(entry.structure, []).append(entry.units)
        return {name: torch.cat(units).sort().values for name, units in found.items()}

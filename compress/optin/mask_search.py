"""Which units stay, so that the model costs no more than it may.

Of a structure (the heads of a layer, its neurons, a convolution's channels) the best units stay,
as many as its width. So the question is a width of every structure, of the highest total score at
a cost within the budget. Where what a model costs is a sum over structures, as under MACs and under
a table of attention and MLP blocks, that is a multiple-choice knapsack, and it is solved: a unit
stays for what it scores per millisecond (per MAC) that it costs.

Where the cost is no such sum (a convolution's is a product of two widths; a table of whole layers
has heads and neurons in one block), it is taken for one near a model, within a radius that shrinks
until nothing better is found. The table itself is asked about every result, so none is ever above
the budget; but another choice may score higher.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from torch import Tensor

from ...errors import UserError
from ...models import Spec
from ...models.structures.structure import Structure
from ..groups import Groups
from .ladder import Ladder
from .multiple_choice import best_choice
from .score_order import ScoreOrder, widths_by_score

# Numbers of units by structure, and what models of such widths cost.
Widths = Mapping[str, int]
CostOf = Callable[[Sequence[Spec]], np.ndarray]
Order = Literal["best", "heads", "neurons", "both"]
# Costs whose sums differ by less, as a share, are the same: they are sums of doubles.
ROUNDING = 1e-9
# How often a budget is lowered by what a choice cost more than the sum predicted.
CORRECTIONS = 6
# Models around which the cost is taken for a sum; each round asks for every width once.
ROUNDS = 40


@dataclass(frozen=True)
class MaskSearch:
    """The widths of a model's structures and their scores; `choose` finds which units stay.

    spec_of gives the model of widths, cost_of what models cost. A choice is a number a ladder: of
    its width.
    """

    ladders: Sequence[Ladder]
    kinds: Sequence[str]
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
        ladders = [
            Ladder.of(s, scores[s.name], groups.sizes[s.kind], (floors or {}).get(s.name, 1))
            for s in structures
        ]
        return cls(ladders, [s.kind for s in structures], spec_of, cost_of)

    def choose(self, budget: float, order: Order = "best") -> dict[str, Tensor]:
        """Return the units that stay, by structure, at a cost of at most `budget`.

        order: "best" looks for the highest total score; "heads", "neurons" and "both" keep to the
        order of scores, without its cost, as the paper does (`widths_by_score`); of channels
        there is only "best". Raises UserError where one head and one group of neurons a layer (or
        one group of channels) cost more already.
        """
        least = np.zeros(len(self.ladders), int)
        cost = self._cost([least])[0]
        if cost > budget:
            few = "one head and one group of neurons" if "heads" in self.kinds else "one group"
            raise UserError(
                f"{few} a layer cost {cost:.4g} already, more than the budget of {budget:.4g}."
            )
        if order != "best" and "channels" not in self.kinds:
            widths = self._by_score(budget, order)
            return {x.name: x.order[: widths[x.name]].sort().values for x in self.ladders}
        chosen = self._best(budget)
        return {x.name: x.staying(int(n)) for x, n in zip(self.ladders, chosen, strict=True)}

    def _by_score(self, budget: float, order: ScoreOrder) -> dict[str, int]:
        heads, neurons = (
            [x for x, kind in zip(self.ladders, self.kinds, strict=True) if (kind == "heads") is it]
            for it in (True, False)
        )
        return widths_by_score(
            heads,
            neurons,
            lambda many: self.cost_of([self.spec_of(widths) for widths in many]),
            budget,
            order,
        )

    def _best(self, budget: float) -> np.ndarray:
        found = self._near(self._full, self._curves_of_full, budget)
        if found is not None and self._is_sum(found):
            return found
        starts = [self._alike(budget), *([] if found is None else [found])]
        best = max(starts, key=self._score)
        radius = max(len(x.widths) for x in self.ladders)
        for _ in range(ROUNDS):
            found = self._near(best, self._curves(best), budget, radius)
            if found is not None and self._score(found) > self._score(best):
                best = found
            elif radius > 1:
                radius //= 2
            else:
                break
        return best

    def _near(
        self,
        around: np.ndarray,
        curves: Sequence[np.ndarray],
        budget: float,
        radius: int | None = None,
    ) -> np.ndarray | None:
        """Return the best choice, if the cost is a sum, no width further off than the radius.

        curves: `_curves(around)`. None where no such choice is within the budget.
        """
        reach = max(len(x.widths) for x in self.ladders) if radius is None else radius
        lows = np.maximum(around - reach, 0)
        parts = [slice(low, n + reach + 1) for low, n in zip(lows, around, strict=True)]
        values = [x.scores[part] for x, part in zip(self.ladders, parts, strict=True)]
        costs = [curve[part] for curve, part in zip(curves, parts, strict=True)]
        allowed = budget - self._cost([around])[0]
        for _ in range(CORRECTIONS):
            numbers = best_choice(values, costs, allowed)
            if numbers is None:
                return None
            chosen = lows + numbers
            over = self._cost([chosen])[0] - budget
            if over <= 0:
                return chosen
            allowed -= over + ROUNDING * abs(budget)
        return None

    def _alike(self, budget: float) -> np.ndarray:
        """Return the choice within the budget whose widths are all about the same share."""
        low, high = 0.0, 1.0
        steps = np.array([len(x.widths) - 1 for x in self.ladders])
        while high - low > 0.5 / max(steps.max(), 1):
            share = (low + high) / 2
            if self._cost([np.round(share * steps).astype(int)])[0] <= budget:
                low = share
            else:
                high = share
        return np.round(low * steps).astype(int)

    def _curves(self, around: np.ndarray) -> list[np.ndarray]:
        """Return for every ladder what the model costs more with each of its widths."""
        choices = []
        for place, ladder in enumerate(self.ladders):
            for number in range(len(ladder.widths)):
                choice = around.copy()
                choice[place] = number
                choices.append(choice)
        costs = self._cost(choices) - self._cost([around])[0]
        return np.split(costs, np.cumsum([len(x.widths) for x in self.ladders])[:-1])

    @cached_property
    def _full(self) -> np.ndarray:
        return np.array([len(x.widths) - 1 for x in self.ladders])

    @cached_property
    def _curves_of_full(self) -> list[np.ndarray]:
        return self._curves(self._full)

    def _is_sum(self, chosen: np.ndarray) -> bool:
        """Tell whether a choice costs what the structures cost more than in the whole model."""
        full, cost = self._cost([self._full, chosen])
        parts = sum(float(c[n]) for c, n in zip(self._curves_of_full, chosen, strict=True))
        return bool(abs(full + parts - cost) <= ROUNDING * full)

    def _score(self, chosen: np.ndarray) -> float:
        return sum(float(x.scores[n]) for x, n in zip(self.ladders, chosen, strict=True))

    def _cost(self, choices: Sequence[np.ndarray]) -> np.ndarray:
        return self.cost_of(
            [
                self.spec_of(
                    {x.name: int(x.widths[n]) for x, n in zip(self.ladders, chosen, strict=True)}
                )
                for chosen in choices
            ]
        )

"""Heads and neurons in the order of their scores, without regard to their costs.

This is the search of Kwon et al. 2022, section 4.2 ("A Fast Post-Training Pruning Framework for
Transformers"): with the best n heads, as many of the best neurons stay as can be paid; that is
tried for every n, and the n of the highest total score is taken. Where every head costs the same
and so does every neuron, no other choice scores higher. Elsewhere many do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .ladder import Ladder

# What every number of is tried.
ScoreOrder = Literal["heads", "neurons", "both"]
CostOfWidths = Callable[[Sequence[Mapping[str, int]]], np.ndarray]


@dataclass(frozen=True)
class Ranked:
    """The groups of one kind that may go, best first.

    least: the widths without any of them; names, widths, scores: of each group its structure, the
    structure's width with it, and what it adds to the total score.
    """

    least: Mapping[str, int]
    names: Sequence[str]
    widths: Sequence[int]
    scores: np.ndarray

    @classmethod
    def of(cls, ladders: Sequence[Ladder]) -> Ranked:
        found = [
            (gain / (width - before), ladder.name, int(width), gain)
            for ladder in ladders
            for before, width, gain in zip(
                ladder.widths, ladder.widths[1:], np.diff(ladder.scores), strict=False
            )
        ]
        # Within a structure a better group has a higher mean, so a stable sort keeps the order.
        found.sort(key=lambda group: -group[0])
        return cls(
            {ladder.name: int(ladder.widths[0]) for ladder in ladders},
            [name for _, name, _, _ in found],
            [width for _, _, width, _ in found],
            np.cumsum([0.0, *(gain for _, _, _, gain in found)]),
        )

    def __len__(self) -> int:
        return len(self.names)

    def with_best(self, count: int) -> dict[str, int]:
        """Return the widths with the best `count` groups."""
        pairs = zip(self.names[:count], self.widths[:count], strict=True)
        return {**self.least, **dict(pairs)}


def widths_by_score(
    heads: Sequence[Ladder],
    neurons: Sequence[Ladder],
    cost_of: CostOfWidths,
    budget: float,
    order: ScoreOrder = "both",
) -> dict[str, int]:
    """Return the widths of the highest total score that keep the order of scores.

    order: "heads" fills up with neurons for every number of heads, "neurons" the other way round;
    "both" takes the better. The least widths have to be within the budget.
    """
    pair = Ranked.of(heads), Ranked.of(neurons)
    tried: list[tuple[int, int]] = []
    for first, wanted in ((0, "heads"), (1, "neurons")):
        if order in (wanted, "both"):
            most = _most(pair[first], pair[1 - first], cost_of, budget)
            tried += [(n, k) if first == 0 else (k, n) for n, k in enumerate(most) if k >= 0]
    best = max(
        tried, key=lambda counts: sum(r.scores[n] for r, n in zip(pair, counts, strict=True))
    )
    return {**pair[0].with_best(best[0]), **pair[1].with_best(best[1])}


def _most(first: Ranked, second: Ranked, cost_of: CostOfWidths, budget: float) -> np.ndarray:
    """Return for each number of the first the most of the second that can be paid, or -1.

    All halve their ranges together, so that the table is asked once a halving.
    """
    payable = np.full(len(first) + 1, -1)
    too_many = np.full(len(first) + 1, len(second) + 1)
    while (open_ := np.flatnonzero(too_many - payable > 1)).size:
        middle = (payable[open_] + too_many[open_]) // 2
        costs = cost_of(
            [
                {**first.with_best(int(n)), **second.with_best(int(k))}
                for n, k in zip(open_, middle, strict=True)
            ]
        )
        fits = costs <= budget
        payable[open_[fits]] = middle[fits]
        too_many[open_[~fits]] = middle[~fits]
    return payable

"""One option of every list, of the most value in all, at a cost within a budget.

This is the multiple-choice knapsack. With a price λ on the cost (a Lagrange multiplier), every list
takes the option of the highest value - λ · cost by itself. At the right price that is an upper
bound, and nearly the answer. What an option falls short of its list's best at that price is its
loss: a choice is worth the bound, less its losses, less λ · what it leaves of the budget. So only
options whose loss is below what the best choice found so far lacks of the bound have to be
combined (Pisinger 1995, "A minimal algorithm for the multiple-choice knapsack problem").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

# Halvings of the price: more than a double can tell apart.
HALVINGS = 100
# Combinations of the first lists that are kept, the ones of least loss: few first, for a choice
# that leaves little to combine; the second number is there to bound time, and seldom reached.
KEPT = (200, 20_000)
# Values and costs are sums of doubles.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Options:
    """Lists of options, one after the other; `starts`: where each list starts."""

    values: np.ndarray
    costs: np.ndarray
    starts: np.ndarray
    of_list: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, values: Sequence[np.ndarray], costs: Sequence[np.ndarray]) -> Options:
        lengths = [len(each) for each in values]
        return cls(
            np.concatenate(values).astype(float),
            np.concatenate(costs).astype(float),
            np.cumsum([0, *lengths[:-1]]),
            np.repeat(np.arange(len(lengths)), lengths),
        )

    def best_at(self, price: float) -> tuple[np.ndarray, np.ndarray]:
        """Return for each list the place of its best option at a price, and how good that is.

        Of equally good ones the cheapest.
        """
        worth = self.values - price * self.costs
        best = np.maximum.reduceat(worth, self.starts)
        tied = np.where(worth == best[self.of_list], self.costs, np.inf)
        cheapest = np.minimum.reduceat(tied, self.starts)[self.of_list]
        places = np.flatnonzero(tied == cheapest)
        return places[np.searchsorted(places, self.starts)], best


def best_choice(
    values: Sequence[np.ndarray], costs: Sequence[np.ndarray], budget: float
) -> list[int] | None:
    """Return for each list the number of its option; None where the cheapest cost too much.

    values, costs: an array a list, one number an option. Time grows with the number of options;
    the choice is the best there is, unless more than `KEPT` combinations are open at once.
    """
    options = Options.of(values, costs)
    if np.minimum.reduceat(options.costs, options.starts).sum() > budget:
        return None
    chosen, price = _at_the_right_price(options, budget)
    chosen = _filled_up(options, chosen, budget)
    if price > 0:
        for kept in KEPT:
            chosen, is_proven = _combined(options, chosen, budget, price, kept)
            if is_proven:
                break
    return [int(each) for each in chosen - options.starts]


def _at_the_right_price(options: Options, budget: float) -> tuple[np.ndarray, float]:
    """Return the choice at the lowest price at which it is within the budget, and that price."""
    chosen, _ = options.best_at(0.0)
    if options.costs[chosen].sum() <= budget:
        return chosen, 0.0
    low, high = 0.0, np.abs(options.values).sum() / max(abs(budget), 1e-300) + 1e-300
    while options.costs[(chosen := options.best_at(high)[0])].sum() > budget:
        low, high = high, 4 * high
        if not np.isfinite(high):
            # No price makes the difference: the budget is that of the cheapest.
            cheapest = Options(-options.costs, options.costs, options.starts, options.of_list)
            return cheapest.best_at(0.0)[0], low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        tried, _ = options.best_at(middle)
        if options.costs[tried].sum() <= budget:
            high, chosen = middle, tried
        else:
            low = middle
    return chosen, high


def _filled_up(options: Options, chosen: np.ndarray, budget: float) -> np.ndarray:
    """Return the choice with one option after another exchanged for what gains most and fits."""
    chosen = chosen.copy()
    for _ in range(len(chosen)):
        left = budget - options.costs[chosen].sum()
        gains = options.values - options.values[chosen][options.of_list]
        more = options.costs - options.costs[chosen][options.of_list]
        gains = np.where(more <= left, gains, -np.inf)
        best = int(np.argmax(gains))
        if gains[best] <= 0:
            break
        chosen[options.of_list[best]] = best
    return chosen


def _combined(
    options: Options, chosen: np.ndarray, budget: float, price: float, kept: int
) -> tuple[np.ndarray, bool]:
    """Return the best choice of those that could beat `chosen`, and whether all were looked at.

    The lists are joined one after another. Of two combinations the one that costs more and is
    worth no more can be dropped.
    """
    _, best = options.best_at(price)
    losses = best[options.of_list] - (options.values - price * options.costs)
    bound = best.sum() + price * budget
    lacking = bound - options.values[chosen].sum()
    slack = ROUNDING * max(abs(bound), 1.0)
    open_ = np.flatnonzero(losses < lacking - slack)
    lists = np.split(open_, np.searchsorted(options.of_list[open_], np.arange(1, len(chosen))))
    if any(len(each) == 0 for each in lists):
        return chosen, True
    least, most = (
        np.array([limit(options.costs[each]) for each in lists]) for limit in (np.min, np.max)
    )
    # What the lists that are still to come cost, at least and at most.
    least, most = (np.append(np.cumsum(each[::-1])[::-1], 0.0) for each in (least, most))
    cost, loss = np.zeros(1), np.zeros(1)
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    is_whole = True
    room = budget + ROUNDING * abs(budget)
    for number, places in enumerate(lists):
        costs = (cost[:, None] + options.costs[places]).ravel()
        sums = (loss[:, None] + losses[places]).ravel()
        unspent = np.maximum(budget - costs - most[number + 1], 0.0)
        alive = (costs + least[number + 1] <= room) & (sums + price * unspent < lacking - slack)
        index = np.flatnonzero(alive)
        index = index[np.lexsort((sums[index], costs[index]))]
        worth = price * costs[index] - sums[index]
        before = np.concatenate([[-np.inf], np.maximum.accumulate(worth)[:-1]])
        index = index[worth > before + slack]
        if len(index) > kept:
            is_whole = False
            index = np.sort(index[np.argpartition(sums[index], kept)[:kept]])
        if len(index) == 0:
            return chosen, is_whole
        steps.append((index // len(places), places[index % len(places)]))
        cost, loss = costs[index], sums[index]
    state = int(np.argmax(price * cost - loss))
    found = chosen.copy()
    for number in range(len(lists) - 1, -1, -1):
        parents, taken = steps[number]
        found[number] = taken[state]
        state = int(parents[state])
    better = options.values[found].sum() > options.values[chosen].sum()
    return (found if better and options.costs[found].sum() <= room else chosen), is_whole

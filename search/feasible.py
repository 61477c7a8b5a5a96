"""A candidate that keeps the limits, or the one that is nearest to keeping them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from .costs import KnownCosts
from .limits import Limits

if TYPE_CHECKING:
    from ..spaces.candidates import Candidates

# Of so many random candidates so many of the best are improved.
DRAWS = 20_000
STARTS = 64


def feasible(
    space: Candidates, costs: KnownCosts, limits: Limits, rng: np.random.Generator
) -> np.ndarray:
    """Return a candidate that keeps every limit.

    Raises UserError where none is found, saying by how much the nearest one exceeds them.
    """
    found = nearest(space, costs, limits, rng)
    if limits.kept(costs, found[None])[0]:
        return found
    amounts = limits.amounts(costs, found[None])[0]
    words = [
        f"{limit.in_words(amount)} ({amount / limit.most - 1:.1%} over {limit.in_words()})"
        if amount > limit.most
        else f"{limit.in_words(amount)} (within {limit.in_words()})"
        for limit, amount in zip(limits.each, amounts, strict=True)
    ]
    raise UserError(
        f"no model of the space '{space.name}' keeps the limits; the nearest that was found takes "
        f"{', '.join(words)}: allow that much, or search another space."
    )


def nearest(
    space: Candidates,
    costs: KnownCosts,
    limits: Limits,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> np.ndarray:
    """Return the candidate that exceeds its limits least.

    Of the smallest model and many random ones the best are improved, one gene at a time, until no
    other choice of any gene helps.
    """
    drawn = np.concatenate([space.smallest()[None], space.sample(rng, draws)])
    best = drawn[np.argsort(limits.excess(costs, drawn), kind="stable")[:STARTS]]
    excess = limits.excess(costs, best)
    while excess.min() > 0:
        around = np.unique(
            np.concatenate([best, *(_neighbours(space, row) for row in best)]), axis=0
        )
        order = np.argsort(limits.excess(costs, around), kind="stable")[:STARTS]
        if limits.excess(costs, around[order[:1]])[0] >= excess.min():
            break
        best, excess = around[order], limits.excess(costs, around[order])
    return best[np.argmin(excess)]


def _neighbours(space: Candidates, candidate: np.ndarray) -> np.ndarray:
    """Return every allowed candidate that differs in one gene."""
    rows = [
        np.where(np.arange(len(candidate)) == gene, choice, candidate)
        for gene, size in enumerate(space.sizes)
        for choice in range(int(size))
        if choice != candidate[gene]
    ]
    made = space.canonical(np.array(rows, dtype=np.int16).reshape(-1, len(candidate)))
    return made[space.allowed(made)]

"""The coarse stage of AutoViT's search: many random candidates, those that keep the limits ranked.

Kong et al. 2025, algorithm 1, first half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...progress import OnProgress, no_progress
from ..choices import RANKS, check_choice
from ..costs import KnownCosts
from ..limits import Limits

if TYPE_CHECKING:
    from ...spaces.candidates import Candidates

# Candidates at a time: their columns stay in a core's cache.
CHUNK = 16_384


@dataclass(frozen=True)
class Coarse:
    """The `candidates`, m x genes, in their rank; and how many of the `drawn` kept the limits."""

    candidates: np.ndarray
    drawn: int
    kept: int


def coarse_stage(
    space: Candidates,
    costs: KnownCosts,
    limits: Limits,
    rng: np.random.Generator,
    draws: int = 100_000,
    top: int = 50,
    rank: str = "limit",
    on_progress: OnProgress = no_progress,
) -> Coarse:
    """Draw candidates, check each against the tables and limits, and return the top ones.

    The paper leaves open by what the top K are chosen before any accuracy is known. rank: "limit"
    (those that leave least of their tightest limit unused: of all kinds, as they come), "macs" or
    "params" (the most that fits the limits: of one kind, those that are cheap for what they are),
    "latency" (the slowest that fits, by the first table) or "none" (the first drawn). All are
    different models. Without limits, "limit" is "macs", and so is "latency" without tables. Raises
    UserError for another rank.
    """
    check_choice("rank", rank, RANKS)
    best = np.zeros((0, len(space.genes)), dtype=np.int16)
    scores = np.zeros(0)
    kept = 0
    for start in range(0, draws, CHUNK):
        drawn = space.sample(rng, min(CHUNK, draws - start))
        drawn = drawn[limits.kept(costs, drawn)]
        kept += len(drawn)
        fresh = _ranked(costs, limits, drawn, rank, kept - len(drawn))
        best = np.concatenate([best, drawn])
        scores = np.concatenate([scores, fresh])
        # Twice as many as asked for before duplicates go: most have none.
        order = np.argsort(-scores, kind="stable")[: 4 * top]
        best, scores = best[order], scores[order]
        _, first = np.unique(best, axis=0, return_index=True)
        first = np.sort(first)[:top]
        best, scores = best[first], scores[first]
        on_progress("coarse stage", min(start + CHUNK, draws), draws, f"{kept:,} within limits")
    return Coarse(best, draws, kept)


def _ranked(
    costs: KnownCosts, limits: Limits, drawn: np.ndarray, rank: str, before: int
) -> np.ndarray:
    if rank == "limit" and limits:
        return limits.used(costs, drawn)
    found = costs.of(drawn)
    if rank == "params":
        return found.params.astype(float)
    if rank == "latency" and found.latency_ms.shape[1]:
        return found.by_table()
    if rank == "none":
        return -(before + np.arange(len(found), dtype=float))
    return found.macs.astype(float)

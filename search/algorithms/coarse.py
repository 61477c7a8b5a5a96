"""The coarse stage of AutoViT's search: many random candidates, those that keep the limits ranked.

Kong et al. 2025, algorithm 1, first half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import UserError, did_you_mean
from ..limits import Limits
from ..problem import OnProgress, ignore_progress

# Candidates at a time: their columns stay in a core's cache.
CHUNK = 16_384
RANKS = ("limit", "macs", "params", "latency", "none")


@dataclass(frozen=True)
class Coarse:
    """The `candidates`, m x genes, in their rank; and how many of the `drawn` kept the limits."""

    candidates: np.ndarray
    drawn: int
    kept: int


def coarse_stage(
    limits: Limits,
    rng: np.random.Generator,
    draws: int = 100_000,
    top: int = 50,
    rank: str = "limit",
    on_progress: OnProgress = ignore_progress,
) -> Coarse:
    """Draw candidates, check each against the tables and limits, and return the top ones.

    The paper leaves open by what the top K are chosen before any accuracy is known. rank: "limit"
    (those that leave least of their tightest limit unused: of all kinds, as they come), "macs" or
    "params" (the most that fits the limits: of one kind, those that are cheap for what they are),
    "latency" (the slowest that fits, by the first table) or "none" (the first drawn). All are
    different models. Without limits, "limit" is "macs", and so is "latency" without tables. Raises
    UserError for another rank.
    """
    if rank not in RANKS:
        raise UserError(f"unknown rank '{rank}'{did_you_mean(rank, RANKS)}.")
    space = limits.model.space
    best = np.zeros((0, len(space.genes)), dtype=np.int16)
    scores = np.zeros(0)
    kept = 0
    for start in range(0, draws, CHUNK):
        drawn = space.sample(rng, min(CHUNK, draws - start))
        drawn = drawn[limits.kept(drawn)]
        kept += len(drawn)
        fresh = _ranked(limits, drawn, rank, kept - len(drawn))
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


def _ranked(limits: Limits, drawn: np.ndarray, rank: str, before: int) -> np.ndarray:
    if rank == "limit" and limits.limits:
        return limits.used(drawn)
    costs = limits.model.of(drawn)
    if rank == "params":
        return costs.params.astype(float)
    if rank == "latency" and costs.latency_ms.shape[1]:
        return costs.latency_ms[:, 0]
    if rank == "none":
        return -(before + np.arange(len(costs), dtype=float))
    return costs.macs.astype(float)

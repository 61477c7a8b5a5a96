"""A Gaussian process whose covariance is a sum of group effects: what is measured tells of others.

Rasmussen & Williams 2006, eq. 2.23-2.24 (posterior) and 2.30 (marginal likelihood). Candidates that
share a group share that group's effect, so one measurement moves all of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

# By how much all deviations are scaled, the likeliest of these.
SCALES = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Effect:
    """An effect that each group has of its own, with mean 0.

    groups: the group of each of n candidates, as numbers; weights: deviation of the effect on each
    candidate, n. A weight that varies within a group makes it a slope.
    """

    groups: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, groups: Sequence[Hashable], weights: np.ndarray | float) -> Effect:
        """Return an effect of groups named by anything."""
        numbers: dict[Hashable, int] = {}
        found = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
        return cls(found, np.broadcast_to(np.asarray(weights, dtype=float), found.shape))


@dataclass(frozen=True)
class Posterior:
    """Mean and standard deviation of each of n candidates."""

    mean: np.ndarray
    deviation: np.ndarray


def posterior(
    mean: np.ndarray,
    effects: Sequence[Effect],
    seen: Sequence[int],
    values: Sequence[float],
    noise: float,
    scales: Sequence[float] = SCALES,
) -> Posterior:
    """Return what n candidates come to, given the values of those that were seen.

    mean: before anything is seen, n; noise: standard deviation of one value.
    """
    variance = np.sum([effect.weights**2 for effect in effects], axis=0)
    if not len(seen):
        return Posterior(mean.copy(), np.sqrt(variance))
    places = np.asarray(seen)
    across = np.zeros((len(mean), len(places)))
    for effect in effects:
        same = effect.groups[:, None] == effect.groups[places][None, :]
        across += same * (effect.weights[:, None] * effect.weights[places][None, :])
    rest = np.asarray(values, dtype=float) - mean[places]
    solved = [(_log_likelihood(scale, across[places], rest, noise), scale) for scale in scales]
    scale = max(solved)[1]
    lower = _factor(scale, across[places], noise)
    gain = np.linalg.solve(lower, scale**2 * across.T)
    weighted = np.linalg.solve(lower, rest)
    left = scale**2 * variance - np.einsum("ij,ij->j", gain, gain)
    return Posterior(mean + gain.T @ weighted, np.sqrt(np.maximum(left, 0.0)))


def _factor(scale: float, among: np.ndarray, noise: float) -> np.ndarray:
    return np.linalg.cholesky(scale**2 * among + (noise**2 + 1e-12) * np.eye(len(among)))


def _log_likelihood(scale: float, among: np.ndarray, rest: np.ndarray, noise: float) -> float:
    lower = _factor(scale, among, noise)
    weighted = np.linalg.solve(lower, rest)
    # Half a unit of doubt for scales far from 1, which few values cannot tell.
    doubt = 0.5 * np.log(scale) ** 2 / np.log(2.0) ** 2
    return float(-0.5 * weighted @ weighted - np.log(np.diag(lower)).sum() - doubt)

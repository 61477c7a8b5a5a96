"""What is believed of a new device's latencies before it is measured, and after some probes.

A Gaussian process over log latencies, kept as features: with m points and r features everything is
linear in m. Probes update it in closed form (Rasmussen and Williams 2006, eq. 2.23 to 2.26), and
probes are chosen greedily for what they say about the goals (A-optimal design).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..calibration.student import student_quantile

# A device may be any number of times as fast: e^10 is 22,000 times.
LEVEL_SD = 10.0
# How many times as much, or as little, as believed a device may depart from its sources: along the
# directions in which these differ among each other, and in all other ways. Each with the weight
# that it has before any probe.
_TIMES_ALONG = {0.35: 0.25, 1.0: 0.5, 2.5: 0.25}
_TIMES_ELSE = {0.4: 0.3, 1.0: 0.45, 2.5: 0.25}
_GRID = [
    (p * q, along, other) for along, p in _TIMES_ALONG.items() for other, q in _TIMES_ELSE.items()
]
# What no feature tells does not vanish where features tell all of the probes.
LEAST_OWN = 0.3
# Intervals are those of a Student distribution: so many probes' worth is believed beforehand.
PRIOR_DOF = 8.0
# What a measured latency is off by at the least (a relative standard deviation).
LEAST_NOISE = 1e-4


@dataclass(frozen=True)
class Learned:
    """Log latencies of all points after some probes.

    `mean` and `sd` (m,) are of each point's log latency, `dof` the degrees of freedom of intervals.
    `weights` (sources,) say how much of the answer each source makes up; they add up to 1.
    `held_out` (probes,) are the errors of each probe's log latency as predicted from the others.
    """

    mean: np.ndarray
    sd: np.ndarray
    dof: float
    weights: np.ndarray
    held_out: np.ndarray
    held_out_sd: np.ndarray

    @property
    def half_width(self) -> np.ndarray:
        """Half of each point's 95 % interval, of its log latency."""
        return student_quantile(0.975, self.dof) * self.sd

    @property
    def held_out_half_width(self) -> np.ndarray:
        """Half of the 95 % interval of each probe's log latency, predicted from the others."""
        return student_quantile(0.975, self.dof) * self.held_out_sd


@dataclass(frozen=True)
class Belief:
    """Log latencies of m points on a device that is not measured yet.

    log latency = mean + level + along @ a + other @ b + own · e, where a, b and e are standard
    normal and the level is anything. `mean` (m,) is the sources' mean, `along` (m, sources) how far
    each source departs from it (all of them over the root of their number), `other` (m, r) are
    features, and `own_sd` (m,) is what no feature tells.
    """

    mean: np.ndarray
    along: np.ndarray
    other: np.ndarray
    own_sd: np.ndarray

    def rows(self, where: Sequence[int] | np.ndarray) -> Belief:
        """Return the belief of some of the points."""
        chosen = np.asarray(where, dtype=int)
        return Belief(
            self.mean[chosen], self.along[chosen], self.other[chosen], self.own_sd[chosen]
        )

    @cached_property
    def features(self) -> np.ndarray:
        """(m, 1 + sources + r): the level, the sources' departures and the other features."""
        level = np.full((len(self.mean), 1), LEVEL_SD)
        return np.concatenate([level, self.along, self.other], axis=1)

    def choose(
        self,
        count: int,
        candidates: Sequence[int],
        goals: Sequence[int],
        noise_sd: np.ndarray,
        chosen: Sequence[int] = (),
        cost: np.ndarray | None = None,
    ) -> list[int]:
        """Return the `count` candidates that tell most of the goals, the most telling one first.

        Each is the one that takes away most of the goals' variance for its `cost` (m,), given those
        before it: the first n of more are the n that fewer would be. `noise_sd` (m,) is what
        measuring a point leaves. `chosen` are taken already, and do not come back.
        """
        every = np.asarray(candidates, dtype=int)
        features = self.features
        of_goals = features[np.asarray(goals, dtype=int)] @ features[every].T
        same = np.asarray(goals, dtype=int)[:, None] == every[None, :]
        of_goals += same * self.own_sd[every] ** 2
        variance = (features[every] ** 2).sum(axis=1) + self.own_sd[every] ** 2
        noise = noise_sd[every] ** 2 + LEAST_NOISE**2
        costs = np.ones(len(every)) if cost is None else cost[every]
        position = {point: n for n, point in enumerate(every.tolist())}
        taken: list[int] = []
        factors = np.zeros((0, len(every)))
        open_ = np.ones(len(every), dtype=bool)

        def take(n: int) -> None:
            nonlocal factors, of_goals, variance
            row = features[every] @ features[every[n]]
            row[n] += self.own_sd[every[n]] ** 2
            row = row - factors.T @ factors[:, n]
            scale = math.sqrt(max(variance[n], 0.0) + noise[n])
            of_goals = of_goals - np.outer(of_goals[:, n], row) / scale**2
            variance = variance - (row / scale) ** 2
            factors = np.concatenate([factors, (row / scale)[None]])
            open_[n] = False
            taken.append(int(every[n]))

        for point in chosen:
            if point in position:
                take(position[point])
        taken.clear()
        while len(taken) < count and open_.any():
            gain = (of_goals**2).sum(axis=0) / (np.maximum(variance, 0.0) + noise)
            if len(factors):  # the first tells the level, as any point does, and not the cheapest
                gain = gain / costs
            take(int(np.argmax(np.where(open_, gain, -1.0))))
        return taken

    def given(
        self, probes: Sequence[int] | np.ndarray, values: np.ndarray, noise_sd: np.ndarray
    ) -> Learned:
        """Return what is known after probes: their log latencies and the noise of each (n,).

        How far the device may depart from its sources is itself learned: the answer is the mean
        over several such beliefs, each weighted by how likely it makes the probes.
        """
        picked = np.asarray(probes, dtype=int)
        residual = np.asarray(values, dtype=float) - self.mean[picked]
        # The level is anything: it is taken off, lest what departs from it took a part of it.
        level = float(residual.mean())
        residual = residual - level
        noise = np.maximum(np.asarray(noise_sd, dtype=float), LEAST_NOISE) ** 2
        found = [_one(self, picked, residual, noise, along, other) for _, along, other in _GRID]
        likelihood = np.array(
            [math.log(weight[0]) + one.likelihood for weight, one in zip(_GRID, found, strict=True)]
        )
        shares = np.exp(likelihood - likelihood.max())
        shares /= shares.sum()
        means = np.array([one.mean for one in found])
        mean = shares @ means
        variance = shares @ np.array([one.variance for one in found])
        variance += shares @ (means - mean) ** 2
        return Learned(
            self.mean + level + mean,
            np.sqrt(np.maximum(variance, 0.0)),
            PRIOR_DOF + len(picked),
            shares @ np.array([one.weights for one in found]),
            shares @ np.array([one.held_out for one in found]),
            np.sqrt(shares @ np.array([one.held_out_variance for one in found])),
        )


@dataclass(frozen=True)
class _One:
    """What one belief makes of the probes; `likelihood` is the log of theirs under it."""

    mean: np.ndarray
    variance: np.ndarray
    likelihood: float
    weights: np.ndarray
    held_out: np.ndarray
    held_out_variance: np.ndarray


def _one(
    belief: Belief,
    picked: np.ndarray,
    residual: np.ndarray,
    noise: np.ndarray,
    along: float,
    other: float,
) -> _One:
    """Condition on the probes' residuals, with departures so many times as large as believed."""
    sources = belief.along.shape[1]
    times = [1.0, *[along] * sources, *[other] * belief.other.shape[1]]
    features = belief.features * np.array(times)
    own = (belief.own_sd * max(other, LEAST_OWN)) ** 2
    seen = features[picked]
    covariance = seen @ seen.T + np.diag(own[picked] + noise)
    lower = np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(covariance)
    solved = inverse @ residual
    cross = features @ seen.T
    cross[picked, np.arange(len(picked))] += own[picked]
    half = np.linalg.solve(lower, cross.T)
    moved = along * (seen[:, 1 : 1 + sources].T @ solved) / math.sqrt(sources)
    # Leaving one out, by the inverse (Rasmussen and Williams 2006, eq. 5.12).
    held_out_variance = 1 / np.diag(inverse)
    return _One(
        cross @ solved,
        (features**2).sum(axis=1) + own - (half**2).sum(axis=0),
        -0.5 * float(residual @ solved) - float(np.log(np.diag(lower)).sum()),
        1 / sources + moved - moved.mean(),
        solved * held_out_variance,
        held_out_variance,
    )

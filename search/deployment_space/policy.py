"""Which deployment to measure next, until the best one is known well enough.

One probe of each way first; then the one that promises most: the expected improvement times the
probability that the limits are kept (Gardner et al. 2014, Bayesian Optimization with Inequality
Constraints, eq. 4), until nothing that is left can beat the best one measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .deployment import Deployment, Way
from .knowledge import Knowledge, Predicted
from .limits import Figures, Limits

# The share of all deployments that is measured at most, by default.
SHARE = 0.05
# With so few deployments a share of them is nothing to learn from.
FEWEST = 12
# How many deviations a hope lies above the mean, and how likely it has to keep the limits. With 3 %
# it stopped too early in 4 of 60 scripted questions without tables, now in none.
HOPE, LEAST_CHANCE = 2.0, 0.003
# Of equals the fastest is sought, where it is faster by this factor and likely keeps the limits.
FASTER, LIKELY = 1.1, 0.5
# The part of the measurements that goes to probes at most.
PROBES = 0.6


class RefusedError(Exception):
    """A deployment cannot be run; the words say why."""


Measure = Callable[[Deployment], Figures]


@dataclass(frozen=True)
class Pick:
    """What is best of what was measured: its place, or None; and how many more were tried."""

    best: int | None
    tried: int


def most_measurements(deployments: int) -> int:
    """Return how many of so many deployments are measured by default."""
    return min(max(math.floor(SHARE * deployments), FEWEST), deployments)


def choose_best(
    knowledge: Knowledge,
    limits: Limits,
    measure: Measure,
    most: int,
    on_measured: Callable[[int, int, str], None] = lambda done, most, name: None,
) -> Pick:
    """Measure at most so many deployments (refused ones count too) and return the best.

    The best has the highest accuracy of those that keep the limits, and of equals the lowest
    latency. `measure` raises RefusedError for one that cannot be run.
    """
    tried = 0
    probed: set[Way] = {knowledge.deployments[place].way for place in knowledge.measured}
    probes = math.ceil(PROBES * most)
    while tried < most:
        place = next_place(knowledge, limits, probed if tried < probes else None)
        if place is None:
            break
        deployment = knowledge.deployments[place]
        on_measured(tried, most, deployment.name)
        try:
            knowledge.measured[place] = measure(deployment)
            probed.add(deployment.way)
        except RefusedError as error:
            knowledge.refuse(place, str(error))
        tried += 1
    on_measured(most, most, "")
    return Pick(best_place(knowledge, limits), tried)


def best_place(knowledge: Knowledge, limits: Limits) -> int | None:
    """Return the best measured one that keeps the limits, None where none does."""
    return next(iter(ranking(knowledge, limits)), None)


def ranking(knowledge: Knowledge, limits: Limits) -> list[int]:
    """Return the measured ones that keep the limits, the best first."""
    kept = [place for place, one in knowledge.measured.items() if not limits.excess(one)]
    return sorted(
        kept,
        key=lambda place: (
            -knowledge.measured[place].accuracy,
            knowledge.measured[place].latency_ms,
        ),
    )


def next_place(knowledge: Knowledge, limits: Limits, probed: set[Way] | None) -> int | None:
    """Return what to measure next, None where nothing that is left can be the best.

    probed: ways that need no probe any more; None where no way does.
    """
    left = knowledge.left
    if not len(left):
        return None
    predicted = knowledge.predicted()
    chance = predicted.chance(limits)
    best = best_place(knowledge, limits)
    hoped = _hopeful(knowledge, predicted, chance, left, best)
    if best is not None and not len(hoped):
        return _faster(knowledge, predicted, chance, left, best)
    if not len(hoped):
        return _nearest(knowledge, predicted, limits, left)
    worth = _worth(knowledge, predicted, chance, best)
    if probed is not None:
        new = hoped[[knowledge.deployments[one].way not in probed for one in hoped]]
        if len(new):
            return int(new[np.argmax(worth[new])])
    return int(hoped[np.argmax(worth[hoped])])


def _faster(
    knowledge: Knowledge, predicted: Predicted, chance: np.ndarray, left: np.ndarray, best: int
) -> int | None:
    """Return what is likely as accurate as the best and clearly faster, None where nothing is."""
    winner = knowledge.measured[best]
    log_ms = predicted.of_log["latency_ms"].mean
    alike = predicted.accuracy.mean >= winner.accuracy - 1e-6
    chosen = left[
        (alike & (chance > LIKELY) & (log_ms < math.log(winner.latency_ms / FASTER)))[left]
    ]
    return int(chosen[np.argmin(log_ms[chosen])]) if len(chosen) else None


def _hopeful(
    knowledge: Knowledge,
    predicted: Predicted,
    chance: np.ndarray,
    left: np.ndarray,
    best: int | None,
) -> np.ndarray:
    """Return those that may keep the limits and beat the best."""
    possible = left[chance[left] > LEAST_CHANCE]
    if best is None:
        return possible
    least = knowledge.measured[best].accuracy
    hope = predicted.accuracy.mean + HOPE * predicted.accuracy.deviation
    return possible[hope[possible] > least + 1e-9]


def _worth(
    knowledge: Knowledge, predicted: Predicted, chance: np.ndarray, best: int | None
) -> np.ndarray:
    """Return the expected improvement of each, times its chance."""
    mean, deviation = predicted.accuracy.mean, predicted.accuracy.deviation
    least = float(mean.min()) - 0.01 if best is None else knowledge.measured[best].accuracy
    away = (mean - least) / np.maximum(deviation, 1e-9)
    density = np.exp(-0.5 * np.minimum(away**2, 1e3)) / math.sqrt(2 * math.pi)
    below = 0.5 * np.array([math.erfc(-one / math.sqrt(2)) for one in away])
    improvement: np.ndarray = (mean - least) * below + deviation * density
    return chance * np.maximum(improvement, 0.0)


def _nearest(
    knowledge: Knowledge, predicted: Predicted, limits: Limits, left: np.ndarray
) -> int | None:
    """Return what may come nearest to limits that nothing keeps; None where that is measured."""

    def missed(figures: Figures) -> float:
        return max(limits.excess(figures).values(), default=0.0)

    so_far = min((missed(one) for one in knowledge.measured.values()), default=math.inf)
    hoped = np.array([missed(predicted.figures(int(place), HOPE)) for place in left])
    return int(left[np.argmin(hoped)]) if hoped.min() < so_far else None

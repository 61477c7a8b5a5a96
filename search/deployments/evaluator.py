"""Judging deployments by the score of what is measured of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..evaluation_log import Key, key_of
from ..problem import Evaluation
from .score import Measured, MeasuredLimits, Score, evaluated
from .space import Deployment, DeploymentSpace


@dataclass
class DeploymentEvaluator:
    """An Evaluator whose figures are scores; `measure` says what one deployment comes to.

    `measured` has what was asked of it so far.
    """

    space: DeploymentSpace
    measure: Callable[[Deployment], Measured]
    score: Score
    limits: MeasuredLimits
    measured: dict[Key, Measured] = field(default_factory=dict)
    measures: str = "score in points"
    is_accuracy: bool = False

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, Evaluation]]:
        """Yield the position and the evaluation of each candidate, one after the other."""
        for position, candidate in enumerate(population):
            measured = self.measure(self.space.deployment(candidate))
            self.measured[key_of(candidate)] = measured
            yield position, evaluated(measured, self.score, self.limits)

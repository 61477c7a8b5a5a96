"""What a search looks for among models that keep its limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .choices import COSTS, OBJECTIVES, check_choice
from .costs import Costs
from .dominance import crowding, front_numbers


@dataclass(frozen=True)
class SearchGoal:
    """One of three (Kong et al. 2025 (AutoViT)).

    "accuracy": the highest A(s) (eq. 2); of equals the fastest. "cost": the least L(s) + λ·C(s)
    (eq. 3), C in millions of `auxiliary` and λ = `weight` in ms for each, among models of at least
    `min_accuracy`; where none is, the most accurate. "accuracy-size": both a high A(s) and few
    parameters (eq. 8), so a front and no single best; its most accurate model stands first.
    """

    kind: str = "accuracy"
    weight: float = 0.0
    auxiliary: str = "params"
    min_accuracy: float = 0.0

    def __post_init__(self) -> None:
        check_choice("objective", self.kind, OBJECTIVES)
        check_choice("cost", self.auxiliary, COSTS)
        if self.weight < 0:
            raise UserError(f"the weight of a cost is {self.weight:g}; it has to be 0 or more.")
        if not 0 <= self.min_accuracy <= 1:
            raise UserError(f"an accuracy of {self.min_accuracy:g} is none from 0 to 1.")

    def total_cost(self, costs: Costs) -> np.ndarray:
        """Return L(s) + λ·C(s) of each model, eq. 3; L is by the first table, 0 without one."""
        auxiliary = costs.params if self.auxiliary == "params" else costs.macs
        return _latency(costs) + self.weight * auxiliary / 1e6

    def order(self, accuracy: np.ndarray, costs: Costs) -> np.ndarray:
        """Return the positions of n models, the best first; what is equal keeps its order."""
        latency, params = _latency(costs), costs.params
        if self.kind == "accuracy":
            return np.lexsort((params, latency, -accuracy))
        if self.kind == "cost":
            short = np.maximum(self.min_accuracy - accuracy, 0.0)
            return np.lexsort((-accuracy, self.total_cost(costs), short))
        points = np.stack([-accuracy, params.astype(float)], axis=1)
        fronts = front_numbers(points)
        return np.lexsort((latency, -accuracy, -crowding(points, fronts), fronts))

    def best(self, accuracy: np.ndarray, costs: Costs) -> int:
        """Return the position of the best model."""
        if self.kind == "accuracy-size":
            return int(np.lexsort((_latency(costs), costs.params, -accuracy))[0])
        return int(self.order(accuracy, costs)[0])

    def goals(self, accuracy: np.ndarray, costs: Costs) -> np.ndarray:
        """Return what a search for a whole front minimises, n x 2: -accuracy, and the other."""
        if self.kind == "accuracy-size":
            other = costs.params / 1e6
        elif self.kind == "cost":
            other = self.total_cost(costs)
        else:
            other = _latency(costs) if costs.latency_ms.shape[1] else costs.macs / 1e6
        return np.stack([-accuracy, other], axis=1)


def _latency(costs: Costs) -> np.ndarray:
    """Return the milliseconds by the first table; zeros where there is none."""
    return costs.by_table() if costs.latency_ms.shape[1] else np.zeros(len(costs))

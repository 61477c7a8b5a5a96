"""Evaluating many subnets at once on Ray: on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...ray_work import RayWork
from ..problem import Evaluation
from ..supernet.onednn_cache import keep_primitives
from .subnet_evaluator import SubnetEvaluator


class RayEvaluator:
    """Has every candidate judged by a SubnetEvaluator in some worker of `ray`.

    Figures are those of the evaluator itself.
    """

    is_accuracy = True

    def __init__(self, evaluator: SubnetEvaluator, ray: Any) -> None:
        self.measures = evaluator.measures
        on_gpu = next(evaluator.supernet.parameters()).is_cuda
        self._work = RayWork(ray, _judged, evaluator, on_gpu)

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, Evaluation]]:
        """Yield the position and the accuracy of each candidate, whichever is done first.

        Raises UserError where one candidate ends worker after worker.
        """
        remedy = "Give workers more memory, or fewer `images`"
        for position, accuracy in self._work.answers(population, "evaluating one subnet", remedy):
            yield position, Evaluation(accuracy)


def _judged(evaluator: SubnetEvaluator, candidate: np.ndarray) -> float:
    keep_primitives()
    return evaluator.accuracy(candidate)

"""Evaluating many subnets at once on Ray: on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import UserError
from ..problem import Evaluation
from ..supernet.onednn_cache import keep_primitives
from .subnet_evaluator import SubnetEvaluator

# Nodes may come and go; what has ended so many workers would end the next one too.
MOST_WORKERS_LOST = 10
# What a worker process was given, by the object's name: fetched once, used for all candidates.
_AT_HAND: dict[str, SubnetEvaluator] = {}


class RayEvaluator:
    """Has every candidate judged by a SubnetEvaluator in some worker of `ray`.

    Figures are those of the evaluator itself. What a lost worker had in hand is judged by another
    one; nothing is counted twice. Raises UserError where one candidate ends worker after worker.
    """

    is_accuracy = True

    def __init__(self, evaluator: SubnetEvaluator, ray: Any) -> None:
        self.measures = evaluator.measures
        self._ray = ray
        self._at = ray.put(evaluator)
        on_gpu = next(evaluator.supernet.parameters()).is_cuda
        # Tried again where a worker dies; an error of the evaluation itself is raised.
        self._judge = ray.remote(num_cpus=1, num_gpus=int(on_gpu), max_retries=MOST_WORKERS_LOST)(
            _judged
        )

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, Evaluation]]:
        """Yield the position and the accuracy of each candidate, whichever is done first."""
        ray = self._ray
        # In a list the reference stays one: Ray would fetch the object for every call.
        waiting = {
            self._judge.remote([self._at], candidate): position
            for position, candidate in enumerate(population)
        }
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            for one in done:
                yield waiting.pop(one), Evaluation(self._answer(one))

    def _answer(self, one: Any) -> float:
        lost = self._ray.exceptions
        try:
            return self._ray.get(one)
        except (lost.WorkerCrashedError, lost.NodeDiedError, lost.OutOfMemoryError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"evaluating one subnet ended {MOST_WORKERS_LOST + 1} Ray workers one after "
                f"another ({reason}); what was evaluated before is kept. Give workers more memory, "
                "or fewer `images`."
            ) from None


def _judged(holder: list[Any], candidate: np.ndarray) -> float:
    import ray

    (reference,) = holder
    name = reference.hex()
    if name not in _AT_HAND:
        keep_primitives()
        _AT_HAND.clear()
        _AT_HAND[name] = ray.get(reference)
    return _AT_HAND[name].accuracy(candidate)

"""Finding the best deployment from few measurements: what is measured predicts what is not.

A Gaussian process for each figure (accuracy, latency, memory) over what is known beforehand: the
model's MACs and parameters, its ladder, precision and threads. The deployment with the best outlook
is measured next (Srinivas et al. 2010, eq. 6: mean plus a multiple of the deviation), until none is
left whose outlook beats the best one measured, or the evaluations are used up.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from ...errors import MissingExtraError
from ..evaluation_log import key_of
from ..problem import Evaluation, Part, SearchProblem
from .evaluator import DeploymentEvaluator
from .ladder import Ladder
from .score import Measured, evaluated
from .space import Deployment, DeploymentSpace

# How many deviations an outlook lies above the mean. With one the search stopped too early: of 60
# random questions about measured variants (benchmarks/choice_questions.py) it missed 18, now 6.
HOPE = 2.0
# The share of all deployments that is measured at most, by default.
SHARE = 0.3


def guided_search(problem: SearchProblem, evaluations: int | None = None) -> None:
    """Evaluate at most so many deployments (by default `most_evaluations`), the best first.

    The problem's space is a DeploymentSpace and its evaluator a DeploymentEvaluator. Raises
    UserError without scikit-learn.
    """
    space, evaluator = problem.space, problem.evaluator
    assert isinstance(space, DeploymentSpace)
    assert isinstance(evaluator, DeploymentEvaluator)
    everyone = np.concatenate(list(space.enumerate()))
    everyone = everyone[problem.kept(everyone)]
    if not len(everyone):
        return
    most = min(evaluations or most_evaluations(len(everyone)), len(everyone))
    features = _features(space, everyone)

    def evaluate(positions: list[int]) -> None:
        done = len(problem.found)
        problem.evaluate(everyone[positions], Part("variants", done, most))

    evaluate(_first(space, everyone, min(most, 3 + len(space.ladders))))
    while len(problem.found) < most:
        known = np.array([key_of(row) in problem.found for row in everyone])
        hoped = _hoped(evaluator, features, everyone, known)
        best = max(problem.found.values(), key=lambda one: one.rank)
        position = max(np.flatnonzero(~known).tolist(), key=lambda at: hoped[at].rank)
        if best.keeps_limits and hoped[position].rank <= best.rank:
            return
        evaluate([position])


def most_evaluations(deployments: int) -> int:
    """Return how many of so many deployments are measured by default, five at least."""
    return max(math.floor(SHARE * deployments), min(5, deployments))


def _first(space: DeploymentSpace, everyone: np.ndarray, count: int) -> list[int]:
    """Return what is always measured: ends of the ladders, then each precision once.

    Every precision and number of threads is seen, and every ladder's largest and smallest model.
    """
    tops = [ladder.models[0] for ladder in space.ladders]
    base, alone = space.precisions[0], space.threads[0]
    wanted = [
        *((top, base, alone) for top in tops),
        *((tops[0], precision, alone) for precision in space.precisions[1:]),
        *((tops[0], base, threads) for threads in space.threads[1:]),
        *((ladder.models[-1], base, alone) for ladder in space.ladders),
    ]
    places: dict[tuple[str, str, int], int] = {}
    for position, row in enumerate(everyone):
        one = space.deployment(row)
        places[one.model, one.precision, one.threads] = position
    # What limits leave out is replaced by what they leave in.
    chosen = [places[one] for one in dict.fromkeys(wanted) if one in places]
    chosen += [position for position in range(len(everyone)) if position not in chosen]
    return chosen[:count]


def _features(space: DeploymentSpace, everyone: np.ndarray) -> np.ndarray:
    """Return what is known of each deployment beforehand, n x features, each from 0 to about 1."""
    rows = []
    for candidate in everyone:
        deployment = space.deployment(candidate)
        depth = max(len(_ladder(space, deployment).models) - 1, 1)
        rows.append(
            [
                math.log(deployment.spec.macs),
                math.log(deployment.spec.params),
                deployment.level / depth,
                *(float(deployment.ladder == ladder.name) for ladder in space.ladders),
                *(float(deployment.precision == precision) for precision in space.precisions),
                math.log(deployment.threads),
            ]
        )
    found = np.array(rows)
    spread = found.max(axis=0) - found.min(axis=0)
    return (found - found.min(axis=0)) / np.where(spread > 0, spread, 1.0)


def _ladder(space: DeploymentSpace, deployment: Deployment) -> Ladder:
    return next(ladder for ladder in space.ladders if ladder.name == deployment.ladder)


def _hoped(
    evaluator: DeploymentEvaluator, features: np.ndarray, everyone: np.ndarray, known: np.ndarray
) -> list[Evaluation]:
    """Return what each deployment may well come to."""
    seen = [evaluator.measured[key_of(row)] for row in everyone[known]]
    columns = {
        "accuracy": np.array([one.accuracy for one in seen]),
        "latency_ms": np.log([one.latency_ms for one in seen]),
        "memory_bytes": np.log([one.memory_bytes for one in seen]),
        "cpu_percent": np.log([one.cpu_percent for one in seen]),
    }
    predicted = {
        name: _predicted(features[known], values, features) for name, values in columns.items()
    }
    hopes = []
    for place in range(len(everyone)):
        # Accuracy may be higher, all else lower than the mean says.
        accuracy, doubt = (part[place] for part in predicted["accuracy"])
        lower = {
            name: math.exp(predicted[name][0][place] - HOPE * predicted[name][1][place])
            for name in ("latency_ms", "memory_bytes", "cpu_percent")
        }
        hoped = Measured(min(accuracy + HOPE * doubt, 1.0), **lower)
        hopes.append(evaluated(hoped, evaluator.score, evaluator.limits))
    return hopes


def _predicted(
    seen: np.ndarray, values: np.ndarray, everyone: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the deviation of every deployment's figure."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
    except ImportError:
        raise MissingExtraError(
            "validate", "the guided search needs scikit-learn, which is not installed:"
        ) from None
    if np.ptp(values) < 1e-9:
        return np.full(len(everyone), values[0]), np.zeros(len(everyone))
    # Mostly a sum of what each feature adds, and something smooth on top of it.
    kernel = (
        ConstantKernel(1.0, (1e-3, 1e3)) * DotProduct(1.0, (1e-2, 1e2))
        + ConstantKernel(0.1, (1e-4, 1e1)) * RBF(1.0, (0.2, 10.0))
        + WhiteKernel(1e-3, (1e-6, 1e-1))
    )
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(seen, values)
    mean, deviation = process.predict(everyone, return_std=True)
    return mean, deviation

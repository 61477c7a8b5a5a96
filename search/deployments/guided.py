"""Finding the best variant from few measurements: what is measured foretells what is not.

A Gaussian process for each figure (accuracy, latency, memory) over what is known beforehand: the
model's MACs and parameters, its ladder, precision and threads. The variant with the best outlook is
measured next (Srinivas et al. 2010, eq. 6: mean plus a multiple of the deviation), until none is
left whose outlook beats the best one measured, or the evaluations are used up.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserError
from ..evaluation_log import Key, key_of
from ..problem import Part, Problem
from .deployments import Variant, VariantSpace
from .score import Measured, MeasuredLimits, Score, figure_of, keeps_limits

# How many deviations an outlook lies above the mean. With one the search stopped too early: of 60
# random questions about measured variants (benchmarks/choice_questions.py) it missed 18, now 6.
HOPE = 2.0
# The share of all variants that is measured at most, unless told otherwise.
SHARE = 0.3


@dataclass(frozen=True)
class Outlook:
    """What a search that foretells needs: what was measured so far, and how it is scored."""

    measured: Callable[[], Mapping[Key, Measured]]
    score: Score
    limits: MeasuredLimits


def guided_search(problem: Problem, outlook: Outlook, evaluations: int | None = None) -> None:
    """Evaluate at most so many variants (by default SHARE of all, five at least), the best first.

    Raises UserError without scikit-learn.
    """
    space = problem.space
    assert isinstance(space, VariantSpace)
    everyone = np.concatenate(list(space.enumerate()))
    everyone = everyone[problem.limits.kept(everyone)]
    if not len(everyone):
        return
    most = evaluations or max(math.floor(SHARE * len(everyone)), 5)
    most = min(most, len(everyone))
    features = _features(space, everyone)

    def evaluate(positions: list[int]) -> None:
        done = len(problem.found)
        problem.evaluate(everyone[positions], Part("variants", done, most))

    evaluate(_first(space, everyone, min(most, 3 + len(space.ladders))))
    while len(problem.found) < most:
        known = np.array([key_of(row) in problem.found for row in everyone])
        hoped = _hoped(outlook, features, everyone, known)
        hoped[known] = -np.inf
        best = max(problem.found.values())
        position = int(hoped.argmax())
        if keeps_limits(best) and hoped[position] <= best:
            return
        evaluate([position])


def _first(space: VariantSpace, everyone: np.ndarray, count: int) -> list[int]:
    """Return what is measured whatever it is: ends of the ladders, then each precision once.

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
        variant = space.variant(row)
        places[variant.model, variant.precision, variant.threads] = position
    # What limits leave out is replaced by what they leave in.
    chosen = [places[one] for one in dict.fromkeys(wanted) if one in places]
    chosen += [position for position in range(len(everyone)) if position not in chosen]
    return chosen[:count]


def _features(space: VariantSpace, everyone: np.ndarray) -> np.ndarray:
    """Return what is known of each variant beforehand, n x features, each from 0 to about 1."""
    rows = []
    for candidate in everyone:
        variant = space.variant(candidate)
        depth = max(len(_ladder(space, variant).models) - 1, 1)
        rows.append([
            math.log(variant.spec.macs), math.log(variant.spec.params), variant.level / depth,
            *(float(variant.ladder == ladder.name) for ladder in space.ladders),
            *(float(variant.precision == precision) for precision in space.precisions),
            math.log(variant.threads),
        ])  # fmt: skip
    found = np.array(rows)
    spread = found.max(axis=0) - found.min(axis=0)
    return (found - found.min(axis=0)) / np.where(spread > 0, spread, 1.0)


def _ladder(space: VariantSpace, variant: Variant) -> Any:
    return next(ladder for ladder in space.ladders if ladder.name == variant.ladder)


def _hoped(
    outlook: Outlook, features: np.ndarray, everyone: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Return the figure that each variant may well have."""
    measured = outlook.measured()
    seen = [measured[key_of(row)] for row in everyone[known]]
    columns = {
        "accuracy": np.array([one.accuracy for one in seen]),
        "latency_ms": np.log([one.latency_ms for one in seen]),
        "memory_bytes": np.log([one.memory_bytes for one in seen]),
        "cpu_percent": np.log([one.cpu_percent for one in seen]),
    }
    foretold = {
        name: _foretold(features[known], values, features) for name, values in columns.items()
    }
    hopes = []
    for place in range(len(everyone)):
        # Accuracy may be higher, all else lower than the mean says.
        accuracy, doubt = (part[place] for part in foretold["accuracy"])
        lower = {
            name: math.exp(foretold[name][0][place] - HOPE * foretold[name][1][place])
            for name in ("latency_ms", "memory_bytes", "cpu_percent")
        }
        hopes.append(figure_of(
            Measured(min(accuracy + HOPE * doubt, 1.0), **lower), outlook.score, outlook.limits
        ))  # fmt: skip
    return np.array(hopes)


def _foretold(
    seen: np.ndarray, values: np.ndarray, everyone: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the deviation of every variant's figure."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
    except ImportError:
        raise UserError(
            "the guided search needs scikit-learn, which is not installed: "
            "pip install 'vitprof[validate]'; or take --algorithm random."
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

"""Every model of a small space."""

from __future__ import annotations

import numpy as np

from ...errors import UserError
from ..plan import SearchPlan
from ..problem import Part, SearchProblem

MOST_MODELS = 100_000


def exhaustive(problem: SearchProblem, rng: np.random.Generator, plan: SearchPlan) -> None:
    """Evaluate every model that keeps the limits; raises UserError for a space too large."""
    count = problem.space.count()
    if count > MOST_MODELS:
        raise UserError(
            f"the space {problem.space.name} has {count:,} models, too many to try each; take "
            "another `algorithm`."
        )
    done = 0
    for population in problem.space.enumerate():
        part = Part("every model", done, count)
        problem.evaluate(population[problem.kept(population)], part)
        done += len(population)

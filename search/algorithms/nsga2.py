"""NSGA-II over a search space, by pymoo."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import MissingExtraError
from ..plan import SearchPlan
from ..problem import SearchProblem
from .coarse_to_fine import first_generation, part_of

# What a model that exceeds a limit has for goals: pymoo asks for them, but ranks it behind all
# that keep the limits.
WORST = 1e12


def nsga2(problem: SearchProblem, rng: np.random.Generator, plan: SearchPlan) -> None:
    """Spread a population along the front of the goal's two figures (Deb et al. 2002).

    Children are the space's own crossings and mutations; limits are constraints. Raises UserError
    without pymoo.
    """
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.crossover import Crossover
        from pymoo.core.duplicate import ElementwiseDuplicateElimination
        from pymoo.core.mutation import Mutation
        from pymoo.core.problem import Problem as PymooProblem
        from pymoo.optimize import minimize
    except ImportError:
        raise MissingExtraError("search", "NSGA-II needs pymoo, which is not installed:") from None
    space = problem.space
    seeds = first_generation(problem, rng, plan)
    turn = iter(range(1, plan.generations + 2))

    class Goals(PymooProblem):
        def __init__(self) -> None:
            super().__init__(
                n_var=len(space.genes), n_obj=2, n_ieq_constr=1, xl=0, xu=space.sizes - 1, vtype=int
            )

        def _evaluate(self, x: np.ndarray, out: dict[str, Any], *_: Any, **__: Any) -> None:
            population = x.astype(np.int16)
            accuracy = problem.evaluate(population, part_of(plan, next(turn)))
            goals = problem.goal.goals(accuracy, problem.costs.of(population))
            out["F"] = np.where(np.isnan(goals), WORST, goals)
            out["G"] = problem.limits.excess(problem.costs, population)[:, None]

    class Crossed(Crossover):
        def __init__(self) -> None:
            super().__init__(n_parents=2, n_offsprings=2, prob=1.0)

        def _do(self, _: Any, x: np.ndarray, **__: Any) -> np.ndarray:
            first, second = x.astype(np.int16)
            children = [space.crossed(first, second, rng) for _ in range(2)]
            return np.stack(children)

    class Mutated(Mutation):
        def __init__(self) -> None:
            super().__init__(prob=1.0)

        def _do(self, _: Any, x: np.ndarray, **__: Any) -> np.ndarray:
            parents = x.astype(np.int16)
            changed = space.mutated(parents, rng, plan.depth_mutation, plan.mutation)
            # As in the fine stage: of a generation some are crossed only, the others mutated.
            crossed_only = rng.random((len(parents), 1)) < plan.crossover
            return np.where(crossed_only, parents, changed)

    class Same(ElementwiseDuplicateElimination):
        def is_equal(self, a: Any, b: Any) -> bool:
            return bool((a.X == b.X).all())

    missing = plan.population - len(seeds)
    drawn = np.concatenate([seeds, space.sample(rng, max(missing, 0))])
    minimize(
        Goals(),
        NSGA2(
            pop_size=plan.population,
            sampling=drawn[: plan.population],
            crossover=Crossed(),
            mutation=Mutated(),
            eliminate_duplicates=Same(),
        ),
        ("n_gen", plan.generations),
        seed=int(rng.integers(2**31)),
        verbose=False,
    )

"""The ways to search, behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ...errors import UserError
from ..evaluation_log import key_of
from ..problem import Part, Problem
from .coarse import coarse_stage
from .evolution import EvolutionPlan, evolve

LARGEST_EXHAUSTIVE = 100_000
# Random search: so many draws at once, and so often none of them new before it ends.
DRAWN_AT_ONCE = 4096
GIVE_UP = 20


@dataclass(frozen=True)
class SearchPlan:
    """What an algorithm is told. draws, rank: of the coarse stage; evolution: of the fine one.

    The other algorithms evaluate as many models as the fine stage: population x generations.
    """

    draws: int = 100_000
    rank: str = "limit"
    evolution: EvolutionPlan = field(default_factory=EvolutionPlan)

    @property
    def evaluations(self) -> int:
        return self.evolution.population * self.evolution.generations


def coarse_to_fine(problem: Problem, rng: np.random.Generator, plan: SearchPlan) -> None:
    """AutoViT's algorithm 1: the table's best candidates, then evolution on accuracy."""
    evolve(problem, _seeds(problem, rng, plan), rng, plan.evolution)


def random_search(problem: Problem, rng: np.random.Generator, plan: SearchPlan) -> None:
    """Evaluate random models that keep the limits, all different."""
    left = plan.evaluations
    seen = set(problem.found)
    batch = plan.evolution.population
    without_new = 0
    while without_new < GIVE_UP:
        drawn = problem.space.sample(rng, DRAWN_AT_ONCE)
        fresh: list[np.ndarray] = []
        for candidate in drawn[problem.limits.kept(drawn)]:
            if (key := key_of(candidate)) not in seen and len(fresh) < left:
                seen.add(key)
                fresh.append(candidate)
        for start in range(0, len(fresh), batch):
            part = Part("random models", plan.evaluations - left + start, plan.evaluations)
            problem.evaluate(np.array(fresh[start : start + batch]), part)
        left -= len(fresh)
        if not left:
            return
        without_new = 0 if fresh else without_new + 1


def nsga2(problem: Problem, rng: np.random.Generator, plan: SearchPlan) -> None:
    """NSGA-II for a whole front of the objective's two goals (Deb et al. 2002), pymoo's."""
    from .nsga2 import evolve_front

    evolve_front(problem, _seeds(problem, rng, plan), rng, plan.evolution)


def exhaustive(problem: Problem, rng: np.random.Generator, plan: SearchPlan) -> None:
    """Evaluate every model of a small space that keeps the limits."""
    count = problem.space.count()
    if count > LARGEST_EXHAUSTIVE:
        raise UserError(
            f"the space {problem.space.name} has {count:,} models, too many to try each; take "
            "another --algorithm."
        )
    done = 0
    for population in problem.space.enumerate():
        problem.evaluate(
            population[problem.limits.kept(population)], Part("every model", done, count)
        )
        done += len(population)


def _seeds(problem: Problem, rng: np.random.Generator, plan: SearchPlan) -> np.ndarray:
    found = coarse_stage(
        problem.limits, rng, plan.draws, plan.evolution.population, plan.rank, problem.on_progress
    ).candidates
    if not len(found):  # few models keep the limits: begin with the one that is known
        return problem.limits.check_feasible(rng)[None]
    return found


ALGORITHMS: dict[str, Callable[[Problem, np.random.Generator, SearchPlan], None]] = {
    "coarse-to-fine": coarse_to_fine,
    "random": random_search,
    "nsga2": nsga2,
    "exhaustive": exhaustive,
}


def search(problem: Problem, algorithm: str, plan: SearchPlan, seed: int) -> None:
    """Run an algorithm; what it evaluated is in the problem. The same for the same seed.

    Raises UserError where no model of the space keeps the limits, saying how near one comes.
    """
    known = problem.limits.check_feasible(np.random.default_rng([seed, 1]))
    ALGORITHMS[algorithm](problem, np.random.default_rng([seed, 0]), plan)
    if not problem.found:  # nothing that was drawn keeps the limits
        problem.evaluate(known[None])

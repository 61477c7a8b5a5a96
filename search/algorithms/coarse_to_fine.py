"""AutoViT's search (Kong et al. 2025, algorithm 1): a table's best of many, then evolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..evaluation_log import Key, key_of
from ..feasible import feasible
from ..plan import SearchPlan
from ..problem import Part, SearchProblem
from .coarse_stage import coarse_stage

# Children that exceed a limit or are known already are made again, so often at most.
MOST_TRIES = 100


def coarse_to_fine(problem: SearchProblem, rng: np.random.Generator, plan: SearchPlan) -> None:
    """Evaluate the coarse stage's best candidates, then their children by evolution."""
    evolve(problem, first_generation(problem, rng, plan), rng, plan)


def first_generation(
    problem: SearchProblem, rng: np.random.Generator, plan: SearchPlan
) -> np.ndarray:
    """Return the coarse stage's best; where few models keep the limits, one that is known to."""
    found = coarse_stage(
        problem.space,
        problem.costs,
        problem.limits,
        rng,
        plan.candidates,
        plan.population,
        plan.rank,
        problem.on_progress,
    ).candidates
    if not len(found):
        return feasible(problem.space, problem.costs, problem.limits, rng)[None]
    return found


def evolve(
    problem: SearchProblem, seeds: np.ndarray, rng: np.random.Generator, plan: SearchPlan
) -> None:
    """Evaluate the seeds, then children of the best, generation by generation.

    The parents are the best of all evaluated so far. Ends early where no new model can be made that
    keeps the limits.
    """
    population = seeds[: plan.population]
    for generation in range(1, plan.generations + 1):
        if not len(population):
            return
        problem.evaluate(population, part_of(plan, generation))
        if generation < plan.generations:
            parents = problem.top(plan.parents)
            population = _children(problem, parents, rng, plan)


def part_of(plan: SearchPlan, generation: int) -> Part:
    """Return what is shown of a generation, the first being 1."""
    return Part(
        "evolution",
        (generation - 1) * plan.population,
        plan.generations * plan.population,
        f"generation {generation} of {plan.generations}",
    )


def _children(
    problem: SearchProblem, parents: np.ndarray, rng: np.random.Generator, plan: SearchPlan
) -> np.ndarray:
    """Return new models that keep the limits: of two parents, of one, and random ones to fill."""
    space = problem.space
    seen = set(problem.found)

    def cross(count: int) -> np.ndarray:
        pairs = rng.integers(0, len(parents), (2, count))
        return space.crossed(parents[pairs[0]], parents[pairs[1]], rng)

    def mutate(count: int) -> np.ndarray:
        chosen = parents[rng.integers(0, len(parents), count)]
        return space.mutated(chosen, rng, plan.depth_mutation, plan.mutation)

    of_two = round(plan.crossover * plan.population)
    children = [_fresh(problem, cross, of_two, seen)]
    children.append(_fresh(problem, mutate, plan.population - len(children[0]), seen))
    missing = plan.population - sum(map(len, children))
    children.append(_fresh(problem, lambda n: space.sample(rng, n), missing, seen))
    return np.concatenate(children)


def _fresh(
    problem: SearchProblem, make: Callable[[int], np.ndarray], count: int, seen: set[Key]
) -> np.ndarray:
    """Return at most `count` candidates that `make` makes, keep the limits and are not `seen`."""
    found: list[np.ndarray] = []
    for _ in range(MOST_TRIES):
        if len(found) >= count:
            break
        made = make(2 * count)
        for candidate in made[problem.kept(made)]:
            key = key_of(candidate)
            if key not in seen and len(found) < count:
                seen.add(key)
                found.append(candidate)
    return np.array(found, dtype=np.int16).reshape(len(found), len(problem.space.genes))

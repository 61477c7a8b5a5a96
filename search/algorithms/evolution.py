"""The fine stage of AutoViT's search: evolution on accuracy (Kong et al. 2025, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...errors import UserError
from ..evaluation_log import Key, key_of
from ..problem import Part, Problem

# Children that exceed a limit or are known already are made anew, so often at most.
MOST_TRIES = 100


@dataclass(frozen=True)
class EvolutionPlan:
    """The paper's section 4.1: population, generations, parents, P_d and P_m.

    crossover: the share of children that have two parents (P_c of eq. 9, which the paper does not
    give).
    """

    population: int = 50
    generations: int = 20
    parents: int = 10
    depth_chance: float = 0.2
    block_chance: float = 0.4
    crossover: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.parents <= self.population:
            raise UserError(
                f"{self.parents} parents cannot be had of a population of {self.population}; take "
                "from 1 to that many."
            )


def evolve(
    problem: Problem, seeds: np.ndarray, rng: np.random.Generator, plan: EvolutionPlan
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


def part_of(plan: EvolutionPlan, generation: int) -> Part:
    """Return what is shown of a generation, the first being 1."""
    return Part(
        "evolution",
        (generation - 1) * plan.population,
        plan.generations * plan.population,
        f"generation {generation} of {plan.generations}",
    )


def _children(
    problem: Problem, parents: np.ndarray, rng: np.random.Generator, plan: EvolutionPlan
) -> np.ndarray:
    """Return new models that keep the limits: of two parents, of one, and random ones to fill."""
    space = problem.space
    seen = set(problem.found)

    def cross(count: int) -> np.ndarray:
        pairs = rng.integers(0, len(parents), (2, count))
        return space.crossed(parents[pairs[0]], parents[pairs[1]], rng)

    def mutate(count: int) -> np.ndarray:
        chosen = parents[rng.integers(0, len(parents), count)]
        return space.mutated(chosen, rng, plan.depth_chance, plan.block_chance)

    of_two = round(plan.crossover * plan.population)
    children = [_fresh(problem, cross, of_two, seen)]
    children.append(_fresh(problem, mutate, plan.population - len(children[0]), seen))
    missing = plan.population - sum(map(len, children))
    children.append(_fresh(problem, lambda n: space.sample(rng, n), missing, seen))
    return np.concatenate(children)


def _fresh(
    problem: Problem, make: Callable[[int], np.ndarray], count: int, seen: set[Key]
) -> np.ndarray:
    """Return at most `count` candidates that `make` makes, keep the limits and are not `seen`."""
    found: list[np.ndarray] = []
    for _ in range(MOST_TRIES):
        if len(found) >= count:
            break
        made = make(2 * count)
        for candidate in made[problem.limits.kept(made)]:
            key = key_of(candidate)
            if key not in seen and len(found) < count:
                seen.add(key)
                found.append(candidate)
    return np.array(found, dtype=np.int16).reshape(len(found), len(problem.space.genes))

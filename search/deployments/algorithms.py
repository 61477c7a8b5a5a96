"""The ways to choose a deployment, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .choices import ALGORITHMS

if TYPE_CHECKING:
    from ..problem import SearchProblem


def run_choice(problem: SearchProblem, algorithm: str, evaluations: int, seed: int) -> None:
    """Evaluate at most so many deployments of a problem (all of them if it is exhaustive)."""
    if algorithm == "guided":
        from .guided import guided_search

        guided_search(problem, evaluations)
        return
    from ..algorithms.registry import run_search
    from ..plan import SearchPlan

    # For evolution so many evaluations are three generations.
    population = max(evaluations // 3, 1)
    plan = SearchPlan(
        candidates=4096,
        rank="none",
        population=population,
        generations=evaluations // population,
        parents=max(population // 2, 1),
    )
    run_search(problem, ALGORITHMS[algorithm], plan, seed)

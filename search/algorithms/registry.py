"""The ways to search, by name: a file each, registered here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..choices import check_choice

if TYPE_CHECKING:
    import numpy as np

    from ..plan import SearchPlan
    from ..problem import SearchProblem

    Algorithm = Callable[[SearchProblem, np.random.Generator, SearchPlan], None]

# Name -> module of this package and its function, which evaluates candidates of a problem.
ALGORITHMS = {
    "coarse-to-fine": "coarse_to_fine:coarse_to_fine",
    "random": "random_search:random_search",
    "nsga2": "nsga2:nsga2",
    "exhaustive": "exhaustive:exhaustive",
}


def find_algorithm(name: str) -> Algorithm:
    """Return an algorithm by name; raises UserError naming the nearest."""
    check_choice("algorithm", name, ALGORITHMS)
    module, _, function = ALGORITHMS[name].partition(":")
    found: Algorithm = getattr(importlib.import_module(f".{module}", __package__), function)
    return found


def run_search(problem: SearchProblem, algorithm: str, plan: SearchPlan, seed: int) -> None:
    """Run an algorithm; what it evaluated is in the problem. The same for the same seed.

    Raises UserError where no model of the space keeps the limits, saying how near one comes.
    """
    import numpy as np

    from ..feasible import feasible

    search = find_algorithm(algorithm)
    rng = np.random.default_rng([seed, 1])
    known = feasible(problem.space, problem.costs, problem.limits, rng)
    search(problem, np.random.default_rng([seed, 0]), plan)
    if not problem.found:  # nothing that was drawn keeps the limits
        problem.evaluate(known[None])

"""Random search: what every other algorithm has to beat."""

from __future__ import annotations

import numpy as np

from ..evaluation_log import key_of
from ..plan import SearchPlan
from ..problem import Part, SearchProblem

# So many draws at once, and so often none of them new before it ends.
DRAWN_AT_ONCE = 4096
GIVE_UP = 20


def random_search(problem: SearchProblem, rng: np.random.Generator, plan: SearchPlan) -> None:
    """Evaluate random models that keep the limits, all different."""
    left = plan.evaluations
    seen = set(problem.found)
    batch = plan.population
    without_new = 0
    while without_new < GIVE_UP:
        drawn = problem.space.sample(rng, DRAWN_AT_ONCE)
        fresh: list[np.ndarray] = []
        for candidate in drawn[problem.kept(drawn)]:
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

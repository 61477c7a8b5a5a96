"""What is searched: a space under limits, an objective, and who says how good candidates are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..spaces.candidates import Candidates
from .algorithms.dominance import front
from .costs import Costs
from .evaluation_log import EvaluationLog, Key, key_of
from .limits import Limits
from .objective import Objective

# Called with what goes on, how much of it is done of how much, and a word on where it stands.
OnProgress = Callable[[str, int, int, str], None]


class Evaluator(Protocol):
    """Says how accurate candidates are (0 to 1), or by what else they are judged."""

    # What the figures are: "top-1 on 5000 held-out images", "MACs (no accuracy was measured)".
    measures: str

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, float]]:
        """Yield the position and the figure of each candidate, in any order."""
        ...


def ignore_progress(what: str, done: int, total: int, words: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Part:
    """Which part of an algorithm's evaluations one call makes, for whoever watches."""

    what: str = "evaluating"
    before: int = 0
    of: int | None = None
    words: str = ""


@dataclass
class Problem:
    """A search: every algorithm asks `evaluate`, and what came of it is in `found`.

    No candidate is evaluated twice, nor one that exceeds a limit; with a log, what an earlier run
    evaluated is not either.
    """

    limits: Limits
    objective: Objective
    evaluator: Evaluator
    log: EvaluationLog | None = None
    on_progress: OnProgress = ignore_progress
    found: dict[Key, float] = field(default_factory=dict)

    @property
    def space(self) -> Candidates:
        return self.limits.model.space

    def costs(self, population: np.ndarray) -> Costs:
        return self.limits.model.of(population)

    def evaluate(self, population: np.ndarray, part: Part = Part()) -> np.ndarray:
        """Return the figure of each of n candidates; NaN for those that exceed a limit."""
        keys = [key_of(row) for row in population]
        kept = self.limits.kept(population)
        known = {**(self.log.found if self.log is not None else {}), **self.found}
        new: dict[Key, int] = {}
        for position, (key, fine) in enumerate(zip(keys, kept, strict=True)):
            if fine and key not in known:
                new.setdefault(key, position)
        positions = np.array(list(new.values()), dtype=np.int64)
        done = len(population) - len(positions)
        if len(positions):
            for at, value in self.evaluator.evaluate(population[positions]):
                key = keys[positions[at]]
                if key in known:  # a worker that was given up answers after all
                    continue
                known[key] = value
                if self.log is not None:
                    self.log.append(key, value)
                done += 1
                total = len(population) if part.of is None else part.of
                self.on_progress(part.what, part.before + done, total, part.words)
        # In the order asked for, whichever was done first: what is equal keeps this order.
        for key, fine in zip(keys, kept, strict=True):
            if fine:
                self.found.setdefault(key, known[key])
        return np.array([self.found.get(key, np.nan) for key in keys])

    def evaluated(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all candidates evaluated so far, n x genes, and their figures."""
        if not self.found:
            return np.zeros((0, len(self.space.genes)), dtype=np.int16), np.zeros(0)
        return np.array(list(self.found), dtype=np.int16), np.array(list(self.found.values()))

    def best(self) -> np.ndarray:
        """Return the best candidate so far."""
        population, accuracy = self.evaluated()
        return population[self.objective.best(accuracy, self.costs(population))]

    def top(self, count: int) -> np.ndarray:
        """Return the best candidates so far, the best first."""
        population, accuracy = self.evaluated()
        return population[self.objective.order(accuracy, self.costs(population))[:count]]

    def front(self) -> np.ndarray:
        """Return the candidates that none evaluated so far beats in both goals, the best first."""
        population, accuracy = self.evaluated()
        if not len(population):
            return population
        return population[front(self.objective.goals(accuracy, self.costs(population)))]

"""What is searched: a space, what its candidates cost, limits, a goal, and who judges them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..progress import OnProgress, no_progress
from .costs import KnownCosts
from .dominance import front
from .evaluation_log import EvaluationLog, Key, key_of
from .goal import SearchGoal
from .limits import Limits

if TYPE_CHECKING:
    from ..spaces.candidates import Candidates


@dataclass(frozen=True)
class Evaluation:
    """How good a candidate is: an accuracy from 0 to 1, or what else it is judged by.

    excess: by what share the worst limit on what was measured is exceeded; 0 where all are kept.
    A candidate that exceeds a limit ranks behind all that keep theirs; a smaller excess is better.
    """

    figure: float
    excess: float = 0.0

    @property
    def keeps_limits(self) -> bool:
        return self.excess == 0

    @property
    def rank(self) -> tuple[float, float]:
        """What of two evaluations the better one has more of."""
        return -self.excess, self.figure if self.keeps_limits else 0.0


class Evaluator(Protocol):
    """Says how good candidates are."""

    # What the figures are: "top-1 on 5000 held-out images", "MACs (no accuracy was measured)".
    measures: str
    # Whether they are accuracies from 0 to 1.
    is_accuracy: bool

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, Evaluation]]:
        """Yield the position and the evaluation of each candidate, in any order."""
        ...


@dataclass(frozen=True)
class Part:
    """Which part of an algorithm's evaluations one call makes, for whoever watches."""

    stage: str = "evaluating"
    before: int = 0
    of: int | None = None
    detail: str = ""


@dataclass
class SearchProblem:
    """A search: every algorithm asks `evaluate`, and what came of it is in `found`.

    No candidate is evaluated twice, nor one that exceeds a limit on what is known beforehand; with
    a log (of figures alone), what an earlier run evaluated is not either.
    """

    space: Candidates
    costs: KnownCosts
    limits: Limits
    goal: SearchGoal
    evaluator: Evaluator
    log: EvaluationLog | None = None
    on_progress: OnProgress = no_progress
    found: dict[Key, Evaluation] = field(default_factory=dict)

    def kept(self, population: np.ndarray) -> np.ndarray:
        """Tell of each candidate whether it keeps every limit on what is known beforehand."""
        return self.limits.kept(self.costs, population)

    def evaluate(self, population: np.ndarray, part: Part = Part()) -> np.ndarray:
        """Return the figure of each of n candidates; NaN for those that exceed a limit."""
        keys = [key_of(row) for row in population]
        kept = self.kept(population)
        known = {**self._logged(), **self.found}
        new: dict[Key, int] = {}
        for position, (key, fine) in enumerate(zip(keys, kept, strict=True)):
            if fine and key not in known:
                new.setdefault(key, position)
        positions = np.array(list(new.values()), dtype=np.int64)
        done = len(population) - len(positions)
        if len(positions):
            for at, evaluation in self.evaluator.evaluate(population[positions]):
                key = keys[positions[at]]
                if key in known:  # a worker that was given up answers after all
                    continue
                known[key] = evaluation
                if self.log is not None:
                    self.log.append(key, evaluation.figure)
                done += 1
                total = len(population) if part.of is None else part.of
                self.on_progress(part.stage, part.before + done, total, self._detail(part, known))
        # In the order asked for, whichever was done first: what is equal keeps this order.
        for key, fine in zip(keys, kept, strict=True):
            if fine:
                self.found.setdefault(key, known[key])
        return np.array([self.found[key].figure if key in self.found else np.nan for key in keys])

    def _logged(self) -> dict[Key, Evaluation]:
        logged = {} if self.log is None else self.log.found
        return {key: Evaluation(figure) for key, figure in logged.items()}

    def _detail(self, part: Part, known: dict[Key, Evaluation]) -> str:
        """Return what is shown beside the count: where an accuracy is judged, the best so far."""
        if not self.evaluator.is_accuracy or not self.found:
            return part.detail
        return f"{part.detail}, best {max(one.figure for one in self.found.values()):.2%}"

    def evaluated(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all candidates evaluated so far, n x genes, and their figures."""
        if not self.found:
            return np.zeros((0, len(self.space.genes)), dtype=np.int16), np.zeros(0)
        figures = [one.figure for one in self.found.values()]
        return np.array(list(self.found), dtype=np.int16), np.array(figures)

    def best(self) -> np.ndarray:
        """Return the best candidate so far."""
        population, figures = self.evaluated()
        excess = self._excess()
        least = np.flatnonzero(excess == excess.min())
        costs = self.costs.of(population[least])
        return population[least[self.goal.best(figures[least], costs)]]

    def top(self, count: int) -> np.ndarray:
        """Return the best candidates so far, the best first."""
        population, figures = self.evaluated()
        order = self.goal.order(figures, self.costs.of(population))
        order = order[np.argsort(self._excess()[order], kind="stable")]
        return population[order[:count]]

    def front(self) -> np.ndarray:
        """Return the candidates that none evaluated so far beats in both goals, the best first."""
        population, figures = self.evaluated()
        fine = self._excess() == 0
        population, figures = population[fine], figures[fine]
        if not len(population):
            return population
        return population[front(self.goal.goals(figures, self.costs.of(population)))]

    def _excess(self) -> np.ndarray:
        return np.array([one.excess for one in self.found.values()])

"""How an algorithm searches: how many models it draws and evaluates, and how it changes them."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UserError
from ..untrusted.limits import RUNS
from .choices import RANKS, check_choice


@dataclass(frozen=True)
class SearchPlan:
    """The settings of Kong et al. 2025, algorithm 1 and section 4.1, named as the verb's.

    candidates, rank: models that the coarse stage draws, and by what it ranks them. population,
    generations, parents: of the evolution; other algorithms evaluate as many models as it does.
    depth_mutation: P_d, the chance that depths change; mutation: P_m, that of each block to change.
    crossover: the share of children that have two parents (P_c of eq. 9, which the paper does not
    give).
    """

    candidates: int = 100_000
    rank: str = "limit"
    population: int = 50
    generations: int = 20
    parents: int = 10
    depth_mutation: float = 0.2
    mutation: float = 0.4
    crossover: float = 0.5

    def __post_init__(self) -> None:
        check_choice("rank", self.rank, RANKS)
        for name in ("candidates", "population", "generations", "parents"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}` is {getattr(self, name)}; it has to be 1 or more.")
        for asked, what in (
            (self.candidates, "`candidates` is"),
            (self.evaluations, "`population` x `generations` is"),
        ):
            RUNS.check(asked, what)
        for name in ("depth_mutation", "mutation", "crossover"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"`{name}` is {getattr(self, name)}; it has to be from 0 to 1.")
        if self.parents > self.population:
            raise UserError(
                f"{self.parents} parents cannot be had of a population of {self.population}; take "
                "from 1 to that many."
            )

    @property
    def evaluations(self) -> int:
        return self.population * self.generations

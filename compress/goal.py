"""What a model has to come down to, and what of it may go on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..models import Spec
from ..models.structures.structure import KINDS, Kind
from .budget import Budget
from .groups import Groups
from .targets import Target, check_reachable, floors_of


@dataclass(frozen=True)
class Goal:
    """Targets of a model, the largest first, in what `budget` counts.

    groups: units that leave at once; only: what the names of structures that may shrink begin with,
    all if empty; floors: the least width of each.
    """

    spec: Spec
    targets: tuple[Target, ...]
    budget: Budget
    groups: Groups
    only: tuple[str, ...]
    floors: Mapping[str, int]

    @classmethod
    def of(
        cls,
        spec: Spec,
        targets: Sequence[Target],
        budget: Budget,
        groups: Groups | None = None,
        only: Sequence[str] = (),
        kinds: Sequence[Kind] = KINDS,
        by_units: bool = True,
    ) -> Goal:
        """Return the goal of pruning structures of these kinds.

        Raises UserError where the table does not cover the model, nothing may shrink, or, unless
        more than units can go, a target is out of reach.
        """
        groups, only = groups or Groups(), tuple(only)
        floors = floors_of(spec, budget.table, groups, only, kinds)
        if by_units:
            check_reachable(spec, targets, budget, floors)
        largest_first = tuple(sorted(targets, key=lambda target: -target.cost))
        return cls(spec, largest_first, budget, groups, only, floors)

    @property
    def full(self) -> float:
        """What the unpruned model costs."""
        return float(self.budget.of([self.spec])[0])

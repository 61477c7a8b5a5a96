"""Shrinking every width by the same factor: pruning that compares no structures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UserError
from ...models import Spec
from ...models.structures.structure import Structure
from .selection import Chooser

# The factor is found to this precision; finer than any group of a model that fits a memory.
STEPS = 20


@dataclass(frozen=True)
class Alike:
    """The widths of a model whose every width is one share of `full`, rounded to groups.

    spec_of gives the model of widths.
    """

    chooser: Chooser
    spec_of: Callable[[Mapping[str, int]], Spec]
    structures: Sequence[Structure]
    full: Mapping[str, int]

    def widths(self, target: float) -> dict[str, int]:
        """Return the widest at a cost of at most `target`.

        What the common share leaves of the target goes to single groups, always to the width that
        is the smallest share of its own. Raises UserError where no share costs so little.
        """
        found = self._at_share(target, {})
        growing = list(self.structures)
        while growing:
            least = min(growing, key=lambda s: found[s.name] / self.full[s.name])
            size = self.chooser.groups.sizes[least.kind]
            wider = min(found[least.name] + size, self.full[least.name])
            more = {**found, least.name: wider}
            if wider > found[least.name] and self._cost(more) <= target:
                found = more
            else:
                growing.remove(least)
        return found

    def widths_on_the_way(self, target: float, end: Mapping[str, int]) -> dict[str, int]:
        """Return the widest at a cost of at most `target`, none below what it is to `end` at."""
        return self._at_share(target, end)

    def _at_share(self, target: float, floors: Mapping[str, int]) -> dict[str, int]:
        low, high = 0.0, 1.0
        for _ in range(STEPS):
            share = (low + high) / 2
            if self._cost(self._rounded(share, floors)) <= target:
                low = share
            else:
                high = share
        found = self._rounded(low, floors)
        if self._cost(found) > target:
            raise UserError(
                f"shrunk alike as far as groups allow, it still costs more than {target:.4g}."
            )
        return found

    def _rounded(self, share: float, floors: Mapping[str, int]) -> dict[str, int]:
        widths = {}
        for s in self.structures:
            size, whole = self.chooser.groups.sizes[s.kind], self.full[s.name]
            least = max(min(size, whole), self.chooser.floors.get(s.name, 1), floors.get(s.name, 0))
            widths[s.name] = min(max(round(share * whole / size) * size, least), whole)
        return widths

    def _cost(self, widths: Mapping[str, int]) -> float:
        return float(self.chooser.cost_of([self.spec_of(widths)])[0])


def uniformly(
    alike: Alike, importance: Mapping[str, Tensor], target: float, ends: Sequence[float]
) -> dict[str, Tensor]:
    """Return flags of the units that go so that all widths are alike at a cost of `target`.

    ends: the costs that the model is to come to rest at; none of its widths falls below what it has
    at the next of them. Inside a structure the units of least importance go. Raises UserError where
    no share costs so little.
    """
    end = max((cost for cost in ends if cost <= target), default=target)
    widths = alike.widths(end)
    if end < target:
        widths = alike.widths_on_the_way(target, widths)
    gone = {}
    for structure in alike.structures:
        flags = torch.zeros(structure.units, dtype=torch.bool)
        away = structure.units // structure.lanes - widths[structure.name]
        order = torch.argsort(importance[structure.name].reshape(structure.lanes, -1), stable=True)
        flags.reshape(structure.lanes, -1).scatter_(1, order[:, : max(away, 0)], True)
        gone[structure.name] = flags
    return gone

"""One model under one table: what pruning keeps by the table, and by MACs at the same latency."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor
from vitprof.compress.groups import Groups
from vitprof.compress.nvit.importance import Importance
from vitprof.compress.nvit.selection import Chooser
from vitprof.compress.optin.mask_search import MaskSearch
from vitprof.errors import UserError
from vitprof.models import Spec
from vitprof.models.structures.prunable import prunable_of
from vitprof.models.structures.structure import Structure

CostOf = Callable[[Sequence[Spec]], np.ndarray]
# Halvings of a budget in MACs, so that what it buys takes as many milliseconds.
HALVINGS = 24


def macs_of(specs: Sequence[Spec]) -> np.ndarray:
    return np.array([spec.macs for spec in specs], dtype=float)


@dataclass(frozen=True)
class Kept:
    """A choice: the units that stay, their share of the score, and the milliseconds predicted."""

    units: Mapping[str, Tensor]
    score: float
    ms: float


@dataclass(frozen=True)
class Pair:
    """The same model at one latency, chosen by the table and by MACs."""

    by_table: Kept
    by_macs: Kept

    @property
    def gain(self) -> float:
        """What the table keeps more of the score, as a share of all of it."""
        return self.by_table.score - self.by_macs.score

    @property
    def is_same(self) -> bool:
        return all(
            len(units) == len(self.by_macs.units[name])
            for name, units in self.by_table.units.items()
        )


@dataclass(frozen=True)
class Case:
    """One model under one table.

    ms_of: what specs take; scores: of the units that OPTIN may take; importance: of those that NViT
    may; either can be empty. floors: the least widths that the table prices.
    """

    setting: str
    spec: Spec
    ms_of: CostOf
    groups: Groups
    floors: Mapping[str, int]
    scores: Mapping[str, Tensor]
    importance: Importance

    @cached_property
    def full_ms(self) -> float:
        return float(self.ms_of([self.spec])[0])

    @cached_property
    def structures(self) -> list[Structure]:
        return [
            s for s in prunable_of(self.spec).structures(self.spec, True) if s.name in self.floors
        ]

    def only(self, names: Collection[str]) -> Case:
        """Return the case of these structures alone: the others are as they are."""
        return replace(self, floors={n: f for n, f in self.floors.items() if n in names})

    def spec_with(self, widths: Mapping[str, int]) -> Spec:
        return prunable_of(self.spec).with_units(self.spec, widths)

    def prices(self) -> dict[str, float]:
        """Return milliseconds a MAC of what each structure can lose, over those of all of it."""
        found = {}
        for structure in self.structures:
            less = self.spec_with({structure.name: self.floors[structure.name]})
            if less.macs < self.spec.macs:
                saved = self.full_ms - float(self.ms_of([less])[0])
                found[structure.name] = saved / (self.spec.macs - less.macs)
        whole = self.spec_with(self.floors)
        mean = (self.full_ms - float(self.ms_of([whole])[0])) / (self.spec.macs - whole.macs)
        return {name: price / mean for name, price in found.items()}

    def optin(self, share: float) -> Pair:
        """Return what OPTIN's search keeps at a share of the latency."""
        target = share * self.full_ms
        by_ms, by_macs = self._searches
        return Pair(
            self._kept_scores(by_ms.choose(target)),
            self._at_latency(lambda macs: self._kept_scores(by_macs.choose(macs)), target),
        )

    @cached_property
    def _searches(self) -> tuple[MaskSearch, MaskSearch]:
        structures = [s for s in self.structures if s.name in self.scores]
        search = partial(MaskSearch.of, structures, self.scores, self.groups, self.spec_with)
        return search(self.ms_of, self.floors), search(macs_of, self.floors)

    def nvit(self, share: float) -> Pair:
        """Return what NViT's selection keeps, before any training, at a share of the latency."""
        target = share * self.full_ms
        return Pair(*(self._selected(saved_by, target) for saved_by in (self.ms_of, macs_of)))

    def _selected(self, saved_by: CostOf, target: float) -> Kept:
        # NViT stops at the target of the table either way; by MACs a group is credited with those.
        structures = [s for s in self.structures if s.name in self.importance.of]
        full = float(saved_by([self.spec])[0])
        chooser = Chooser(self.groups, self.ms_of, saved_by, full, floors=self.floors)
        none = {s.name: torch.zeros(s.units, dtype=torch.bool) for s in structures}
        gone, ms = chooser.choose(
            self.spec_with, structures, self.importance, none, target, exactly=True
        )
        units = {name: torch.nonzero(~flags).flatten() for name, flags in gone.items()}
        return Kept(units, _share(units, self.importance.of), ms)

    def _kept_scores(self, units: Mapping[str, Tensor]) -> Kept:
        spec = self.spec_with({name: len(each) for name, each in units.items()})
        return Kept(units, _share(units, self.scores), float(self.ms_of([spec])[0]))

    def _at_latency(self, kept_at: Callable[[float], Kept], target: float) -> Kept:
        """Return what the most MACs buy that take no longer than `target`."""
        low, high = (float(macs_of([s])[0]) for s in (self.spec_with(self.floors), self.spec))
        found = kept_at(low)
        if found.ms > target:
            raise UserError(f"the least MACs take {found.ms:.4g} ms, more than {target:.4g}.")
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            tried = kept_at(middle)
            if tried.ms <= target:
                low = middle
                found = max(found, tried, key=lambda kept: kept.score)
            else:
                high = middle
        return found


def _share(units: Mapping[str, Tensor], scores: Mapping[str, Tensor]) -> float:
    kept = sum(float(scores[name][each].double().sum()) for name, each in units.items())
    return kept / sum(float(score.double().sum()) for score in scores.values())

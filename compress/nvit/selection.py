"""Which groups go: those that cost most latency for the least importance, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...models import Spec
from ...models.structures.structure import Structure
from ..groups import Groups
from .importance import Importance

# A last group that would end further below the target than this is passed over for another.
MOST_UNDERSHOOT = 0.01


@dataclass(frozen=True)
class Candidate:
    """The next group of a structure: its units, and what the structure counts as without them."""

    structure: Structure
    units: Tensor
    counted: int


@dataclass(frozen=True)
class Chooser:
    """How groups are compared (Yang et al. 2023, eq. 7): I_S - η·(Lat(W) - Lat(W \\ S)).

    I_S is the group's share of all units' importance, and latency is a share of the unpruned
    model's, so η has no unit. `eta` None is the smallest η at which a group's score falls to 0: the
    group of least importance for what it saves. `saved_by` is what Lat stands for, one number a
    spec, and `full` that of the unpruned model; `cost_of` is what a target is about. `floors` are
    the widths that always stay, by structure.
    """

    groups: Groups
    cost_of: Callable[[Sequence[Spec]], np.ndarray]
    saved_by: Callable[[Sequence[Spec]], np.ndarray]
    full: float
    eta: float | None = None
    floors: Mapping[str, int] = field(default_factory=dict)

    def choose(
        self,
        spec_of: Callable[[Mapping[str, int]], Spec],
        structures: Sequence[Structure],
        importance: Importance,
        gone: Mapping[str, Tensor],
        target: float,
        exactly: bool = False,
    ) -> tuple[dict[str, Tensor], float]:
        """Return the flags of what is gone once the model costs at most `target`, and its cost.

        spec_of: the spec with the widths given. importance: of all units of the structures.
        gone: one flag a unit, by structure, of those that are removed. exactly: at the end avoid
        groups that go far below the target. Raises UserError where no group is left that saves.
        """
        gone = {s.name: gone[s.name].clone() for s in structures}
        widths = {s.name: s.width_without(gone[s.name]) for s in structures}
        counted = {s.name: s.counted_without(gone[s.name]) for s in structures}
        whole = sum(float(importance.of[s.name].sum()) for s in structures) or 1.0
        candidates = {
            s.name: self._candidate(s, importance.of[s.name], gone[s.name]) for s in structures
        }
        while (cost := float(self.cost_of([spec_of(widths)])[0])) > target:
            now = [c for c in candidates.values() if c is not None]
            specs = [spec_of({**counted, c.structure.name: c.counted}) for c in now]
            before, *after = self.saved_by([spec_of(counted), *specs])
            saved = (before - np.array(after)) / self.full
            shares = np.array([importance.of_group(c.structure.name, c.units) for c in now])
            allowed = saved > 0
            if exactly and allowed.any():
                allowed &= _near(np.where(allowed, self.cost_of(specs), -np.inf), target)
            best = self._best(shares / whole, saved, allowed)
            if best is None:
                raise UserError(
                    f"no group is left whose removal saves anything at {cost:.4g}, above the "
                    f"target of {target:.4g}; take smaller `groups` or a larger target."
                )
            for structure, units in _going(now[best], structures):
                name = structure.name
                gone[name][units] = True
                widths[name] = structure.width_without(gone[name])
                counted[name] = structure.counted_without(gone[name])
                candidates[name] = self._candidate(structure, importance.of[name], gone[name])
        return gone, cost

    def _best(self, importance: np.ndarray, saved: np.ndarray, allowed: np.ndarray) -> int | None:
        if not allowed.any():
            return None
        if self.eta is None:
            score = importance / np.where(allowed, saved, 1.0)
        else:
            score = importance - self.eta * saved
        return int(np.argmin(np.where(allowed, score, np.inf)))

    def _candidate(
        self, structure: Structure, importance: Tensor, gone: Tensor
    ) -> Candidate | None:
        """Return the units of least importance, which go next; None where all have to stay."""
        if structure.lanes == 1:
            floor = self.floors.get(structure.name, 1)
            count = self.groups.next_group(structure.kind, int((~gone).sum()), floor)
            free = ~gone
        else:
            count = self.groups.sizes[structure.kind]
            free = self._free(structure, gone, count)
        if not count or int(free.sum()) < count:
            return None
        units = torch.argsort(torch.where(free, importance, torch.inf), stable=True)[:count]
        after = gone.clone()
        after[units] = True
        return Candidate(structure, units, structure.counted_without(after))

    def _free(self, structure: Structure, gone: Tensor, count: int) -> Tensor:
        """Flag the dims that can go: those of heads that would keep a group for every choice."""
        dims = structure.units // structure.lanes
        left = (~gone).reshape(structure.lanes, -1).sum(dim=1)
        floor = max(self.groups.fewest(structure.kind, dims), self.floors.get(structure.name, 1))
        spared = left - count >= floor
        return ~gone & spared.repeat_interleave(dims)


def _near(costs: np.ndarray, target: float) -> np.ndarray:
    """Flag what stays above the target or ends just below; else what ends nearest to it."""
    gentle = costs >= target * (1 - MOST_UNDERSHOOT)
    return gentle if gentle.any() else costs == costs.max()


def _going(
    chosen: Candidate, structures: Sequence[Structure]
) -> Iterator[tuple[Structure, Tensor]]:
    """Give what goes with a candidate: itself, and with heads their dims that are units."""
    yield chosen.structure, chosen.units
    for structure in structures:
        if structure.lanes > 1 and structure.heads == chosen.structure.name:
            dims = torch.arange(structure.units).reshape(structure.lanes, -1)
            yield structure, dims[chosen.units].reshape(-1)

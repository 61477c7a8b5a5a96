"""Slabs of a family, and random models of it that are drawn until the slabs cover one."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from ..errors import UserError
from ..models import Block, Spec
from .slabs import FamilySlabs, Slab

# A model that a space's own choices do not allow is drawn again, so often at most.
MOST_DRAWS = 1000


@dataclass(frozen=True)
class DrawnSlabs(FamilySlabs):
    """What is measured of a family, as nothing but its slabs."""

    own_slabs: tuple[Slab, ...]

    @property
    def slabs(self) -> tuple[Slab, ...]:
        return self.own_slabs

    def with_slab(self, slab: Slab) -> Self:
        return replace(
            self, own_slabs=tuple(slab if s.key == slab.key else s for s in self.own_slabs)
        )

    def with_slabs(self, slabs: Sequence[Slab]) -> Self:
        """Return the space with further slabs; one whose key is there already widens that one."""
        known = {slab.key: slab for slab in self.own_slabs}
        for slab in slabs:
            known[slab.key] = _widened(known[slab.key], slab) if slab.key in known else slab
        return replace(self, own_slabs=tuple(known.values()))

    @classmethod
    @abstractmethod
    def covering(cls, spec: Spec) -> Self:
        """Return the slabs of `spec` and of what else a table of it should cover."""

    def find(self, op: str, **frame: int) -> list[Slab]:
        """Return the slabs of an op whose frame has these dims."""
        return [
            slab
            for slab in self.own_slabs
            if slab.op == op and all(slab.frame.get(axis) == dim for axis, dim in frame.items())
        ]

    def span(self, op: str, axis: str, **frame: int) -> tuple[int, int]:
        """Return the least and greatest value of an axis over the slabs of an op with that frame.

        Raises UserError where there is none.
        """
        levels = [level for slab in self.find(op, **frame) for level in slab.levels.get(axis, ())]
        if not levels:
            where = ", ".join(f"{name}={dim}" for name, dim in frame.items())
            raise UserError(
                f"the table has no '{op}' with {where}, which random models of the family "
                f"'{self.name}' need; measure all of it (`family` {self.name})."
            )
        return min(levels), max(levels)

    def covers(self, block: Block) -> bool:
        """Tell whether a slab holds the block between its levels."""
        dims: Mapping[str, int] = block.as_dict()
        return any(
            all(dims[axis] == dim for axis, dim in slab.frame.items())
            and all(levels[0] <= dims[axis] <= levels[-1] for axis, levels in slab.levels.items())
            for slab in self.own_slabs
            if slab.op == block.op
        )

    def sample(self, rng: random.Random, name: str = "random") -> Spec:
        """Return a random model whose every block a slab covers; UserError where none is found."""
        for _ in range(MOST_DRAWS):
            spec = self.draw(rng, name)
            if spec is not None and all(map(self.covers, dict.fromkeys(spec.blocks()))):
                return spec
        raise UserError(
            f"no random model of the family '{self.name}' was found that the table covers; measure "
            f"all of it (`family` {self.name})."
        )

    @abstractmethod
    def draw(self, rng: random.Random, name: str) -> Spec | None:
        """Return a random model, which the slabs may not cover; None for an impossible choice."""


def _widened(slab: Slab, other: Slab) -> Slab:
    """Return the slab with the other's ends where they lie outside its own levels."""
    levels = {}
    for axis, own in slab.levels.items():
        theirs = other.levels.get(axis, own)
        ends = {level for level in (theirs[0], theirs[-1]) if not own[0] <= level <= own[-1]}
        levels[axis] = tuple(sorted({*own, *ends}))
    return replace(slab, levels=levels)

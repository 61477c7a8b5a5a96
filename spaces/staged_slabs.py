"""What is measured of families whose models have stages: a slab for each op at each map."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from ..errors import UserError
from ..models import Block, Spec, find_op
from .slabs import COUNTS, FamilySlabs, Grids, Slab, fractions

# A model that a space's own choices do not allow is drawn again, so often at most.
MOST_DRAWS = 1000


@dataclass(frozen=True)
class StagedSlabs(FamilySlabs):
    """A space that is nothing but its slabs."""

    own_slabs: tuple[Slab, ...]

    # The family's ops, and those of their axes that are widths: what pruning and search change.
    ops: ClassVar[tuple[str, ...]]
    widths: ClassVar[frozenset[str]]

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
    def create(
        cls,
        spec: Spec | None = None,
        *,
        resolution: int | None = None,
        patch: int | None = None,
        classes: int | None = None,
    ) -> Self:
        if patch is not None:
            raise UserError(f"`patch` is for plain ViTs; the family '{cls.name}' has none.")
        if spec is None:
            return cls(tuple(cls.default_slabs(resolution, classes)))
        changes = {"resolution": resolution, "classes": classes}
        given: dict[str, Any] = {k: v for k, v in changes.items() if v is not None}
        return cls.covering(replace(spec, **given))

    @classmethod
    @abstractmethod
    def default_slabs(cls, resolution: int | None, classes: int | None) -> list[Slab]:
        """Return the family's own slabs: what covers its known models at this image size."""

    @classmethod
    def covering(cls, spec: Spec) -> Self:
        """Return the space of `spec` and everything narrower: what pruning it may leave.

        Blocks of one kind (equal fixed dims) make a slab; each width has the levels of its blocks,
        and half of the least.
        """
        kinds: dict[tuple[str, tuple[tuple[str, int], ...]], list[Block]] = {}
        for block in dict.fromkeys(spec.blocks()):
            frame = tuple((axis, dim) for axis, dim in block.dims if axis not in cls.widths)
            kinds.setdefault((block.op, frame), []).append(block)
        slabs = []
        for (op, frame), blocks in kinds.items():
            levels = {}
            for axis in find_op(op).axes:
                if axis not in cls.widths:
                    continue
                values = sorted({block[axis] for block in blocks})
                halves = (
                    (1, max(1, values[-1] // 2), *values)
                    if axis in COUNTS
                    else (*values, *fractions(values, (0.5,)))
                )
                levels[axis] = tuple(sorted(set(halves)))
            slabs.append(cls.possible(Slab(op, dict(frame), levels)))
        return cls(tuple(slabs))

    @classmethod
    def possible(cls, slab: Slab) -> Slab:
        """Return the slab with only levels that go together; families with such rules override."""
        return slab

    @classmethod
    def of_grids(cls, grids: Grids) -> Self:
        """Return the slabs of every grid of the family's ops.

        Raises UserError where there is no block of an op that no model of the family is without.
        """
        slabs = [
            Slab(
                op,
                {axis: values[-1] for axis, values in levels.items() if axis not in cls.widths},
                {axis: values for axis, values in levels.items() if axis in cls.widths},
            )
            for op in cls.ops
            for levels in grids.by_op.get(op, ())
        ]
        if not slabs or slabs[0].op != cls.ops[0]:
            raise UserError(
                f"{grids.source} has no '{cls.ops[0]}' block, which every model of the family "
                f"'{cls.name}' has; measure one (`family` {cls.name})."
            )
        return cls(tuple(slabs))

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


def intersection(*spans: tuple[int, int]) -> tuple[int, int]:
    """Return the values that all spans share, (low, high); low > high where there are none."""
    return max(low for low, _ in spans), min(high for _, high in spans)

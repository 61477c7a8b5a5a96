"""What is measured of families whose models have stages: a slab for each op at each map."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from ..errors import UserError
from ..models import Block, Spec, find_op
from .drawn_slabs import DrawnSlabs
from .slabs import COUNTS, Grids, Slab, fractions


@dataclass(frozen=True)
class StagedSlabs(DrawnSlabs):
    """Slabs of known levels for the family itself, or around the blocks of one model."""

    # The family's ops, and those of their axes that are widths: what pruning and search change.
    ops: ClassVar[tuple[str, ...]]
    widths: ClassVar[frozenset[str]]

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


def intersection(*spans: tuple[int, int]) -> tuple[int, int]:
    """Return the values that all spans share, (low, high); low > high where there are none."""
    return max(low for low, _ in spans), min(high for _, high in spans)

"""What is measured of a family that says no more than its genes: grids around all their blocks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, product
from typing import Any, ClassVar, Self

from ..errors import UserError
from ..models import Spec, find_op
from .around_blocks import slabs_around
from .drawn_slabs import DrawnSlabs
from .gene import Gene, Value
from .slabs import WIDTH_STEP, Grids, Slab, width_in
from .space import SearchSpace


@dataclass(frozen=True)
class GeneSlabs(DrawnSlabs):
    """Grids around the blocks of a family's own search space, and models from within them."""

    space: SearchSpace

    kind: ClassVar[type[SearchSpace]]

    @classmethod
    def create(
        cls,
        spec: Spec | None = None,
        *,
        resolution: int | None = None,
        patch: int | None = None,
        classes: int | None = None,
    ) -> Self:
        """Return the family's grids, widened by those of a spec where that is given."""
        frame = cls.kind.frame_fields()
        given: dict[str, Any] = {} if spec is None else {f: getattr(spec, f) for f in frame}
        for field, value in (("resolution", resolution), ("patch", patch), ("classes", classes)):
            if value is None:
                continue
            if field not in frame:
                raise UserError(f"`{field}` is not a field of the family '{cls.name}'.")
            given[field] = value
        found = cls._of_frame(given)
        if spec is None:
            return found
        changed = {f: given[f] for f in ("resolution", "patch", "classes") if f in given}
        return found.with_slabs(slabs_around(replace(spec, **changed).blocks()))

    @classmethod
    def covering(cls, spec: Spec) -> Self:
        return cls.create(spec)

    @classmethod
    def of_grids(cls, grids: Grids) -> Self:
        """Return every grid of the family's ops, and models of the image and classes they have."""
        spec = cls.kind.from_fields(cls.name, {}).supernet_spec()
        slabs = []
        for op in dict.fromkeys(block.op for block in spec.blocks()):
            fixed = {*find_op(op).fixed, *find_op(op).joined}
            for levels in grids.of(op):
                at = {axis: values[-1] for axis, values in levels.items() if axis in fixed}
                of = {axis: values for axis, values in levels.items() if axis not in fixed}
                slabs.append(Slab(op, at, of))
        for frame in cls._frames_in(grids, spec):
            try:
                found = cls(tuple(slabs), cls.kind.from_fields(cls.name, frame))
            except UserError:
                continue  # an image of this size is not a model's
            smallest = found.space.spec(found.space.smallest())
            if all(map(found.covers, smallest.blocks())):
                return found
        raise UserError(
            f"{grids.source} has blocks of the family '{cls.name}', but covers no whole model; "
            f"measure all of it (`family` {cls.name})."
        )

    @classmethod
    def _frames_in(cls, grids: Grids, spec: Spec) -> Iterator[dict[str, Any]]:
        """Yield what a table may say of fields that are the same for all models, the likely first.

        These are fields by whose name a stem or a classifier has an axis: resolution and classes.
        """
        fields: dict[str, list[int]] = {}
        blocks = spec.blocks()
        for block in (blocks[0], blocks[-1]):
            for axis, own in block.dims:
                if axis in cls.kind.frame_fields():
                    found = {n for levels in grids.of(block.op) for n in levels[axis]}
                    fields[axis] = [*({own} & found), *sorted(found - {own}, reverse=True)]
        for values in product(*fields.values()):
            yield dict(zip(fields, values, strict=True))

    @classmethod
    def _of_frame(cls, frame: dict[str, Any]) -> Self:
        space = cls.kind.from_fields(cls.name, frame)
        return cls(space.measured().own_slabs, space)

    def draw(self, rng: random.Random, name: str) -> Spec:
        """Return a random model, whose numbers lie between a gene's choices where they may.

        A table is right at its own levels, so models of these alone would say too much good of it.
        """
        space = self.space
        values, spec = space.all_values(space.random_candidate(rng)), None
        for gene in space.genes:
            tried = {**values, gene.name: _between(gene, rng)}
            if not all(_goes_together(space, tried)):
                continue
            try:
                made = space.build(tried, name)
            except UserError:
                continue
            if all(map(self.covers, dict.fromkeys(made.blocks()))):
                values, spec = tried, made
        return spec or space.build(values, name)


def _between(gene: Gene, rng: random.Random) -> Value:
    """Return a whole number between a gene's ends; of choices that are not whole, one of them."""
    low, high = gene.values[0], gene.values[-1]
    if not all(isinstance(value, int) for value in gene.values):
        return rng.choice(gene.values)
    step = WIDTH_STEP if low >= WIDTH_STEP else 1
    return width_in(int(low), int(high), rng.uniform(low, high), step)


def _goes_together(space: SearchSpace, values: dict[str, Value]) -> Iterator[bool]:
    """Tell of each rule of the space whether values keep it."""
    for before, after in pairwise(space.never_shrink):
        yield values[before] <= values[after]
    for width, by in space.shared_out:
        yield values[width] % values[by] == 0


@cache
def slabs_of(kind: type[SearchSpace]) -> type[GeneSlabs]:
    """Return what is measured of a family by its genes alone."""
    return type(f"{kind.__name__}Slabs", (GeneSlabs,), {"kind": kind, "name": kind.family})

"""What is measured: grids of blocks (slabs), and the models that a table of them then covers."""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from ..errors import UserError, did_you_mean
from ..models import Block, Spec
from ..models.checks import shown

# Every sampled width is a multiple of this, as a pruned or searched model's would be.
WIDTH_STEP = 8
# Axes that count something, and so go in steps of one.
COUNTS = ("heads", "depth")


@dataclass(frozen=True)
class Slab:
    """A grid of blocks of one op: `frame` are dims that all share, `levels` the others' values."""

    op: str
    frame: Mapping[str, int]
    levels: Mapping[str, tuple[int, ...]]

    @property
    def key(self) -> tuple[str, tuple[tuple[str, int], ...]]:
        """What stays when its levels change."""
        return self.op, tuple(sorted(self.frame.items()))

    def blocks(self) -> list[Block]:
        """Return every block of the grid."""
        return [
            Block.of(self.op, **self.frame, **dict(zip(self.levels, values, strict=True)))
            for values in itertools.product(*self.levels.values())
        ]

    def with_levels(self, axis: str, levels: Sequence[int]) -> Slab:
        """Return the slab with other values of one axis."""
        return replace(self, levels={**self.levels, axis: tuple(sorted(set(levels)))})


class MeasuringSpace(ABC):
    """Slabs to measure, and random models that they cover."""

    name: ClassVar[str]
    # How many whole models the line from blocks to models is fitted on. Where a model takes
    # milliseconds, more of them cost little, and what its many small blocks add by meeting each
    # other takes more to find.
    whole_models: ClassVar[int] = 8
    # Up to which quantile of the models' MACs they are taken.
    whole_models_up_to: ClassVar[float] = 0.75

    @property
    @abstractmethod
    def slabs(self) -> tuple[Slab, ...]:
        """The grids whose blocks are measured."""

    @abstractmethod
    def with_slab(self, slab: Slab) -> Self:
        """Return the space with this slab instead of the one of the same key."""

    @abstractmethod
    def sample(self, rng: random.Random, name: str = "random") -> Spec:
        """Return a random model of the space."""

    def blocks(self) -> list[Block]:
        """Return every block, slab by slab, each once."""
        return list(dict.fromkeys(block for slab in self.slabs for block in slab.blocks()))

    @property
    def points(self) -> int:
        """How many blocks there are."""
        return len(self.blocks())

    def loss_without(self, slab: Slab, axis: str, i: int) -> float:
        """Return what a slab loses with the inner level i of an axis: how far it is to fill."""
        levels = slab.levels[axis]
        return levels[i + 1] / levels[i - 1]

    def with_levels(self, text: str) -> Self:
        """Return the space with the axes replaced that `text` names.

        `text` is "axis=1,2,3; op.axis=4,5"; an axis without an op is set for every op that has it.
        """
        space = self
        for part in filter(None, (piece.strip() for piece in text.split(";"))):
            name, _, values = part.partition("=")
            levels = parse_levels(values, part)
            op, _, axis = name.strip().rpartition(".")
            ops = {slab.op for slab in space.slabs}
            if op and op not in ops:
                raise UserError(f"`grid` {shown(part)}: unknown op '{op}'{did_you_mean(op, ops)}.")
            of_op = [slab for slab in space.slabs if op in ("", slab.op)]
            owners = [slab for slab in of_op if axis in slab.levels]
            if not owners:
                known = {axis for slab in of_op for axis in slab.levels}
                raise UserError(
                    f"`grid` {shown(part)}: unknown axis '{axis}'{did_you_mean(axis, known)}."
                )
            for slab in owners:
                space = space.with_slab(slab.with_levels(axis, levels))
        return space

    def limited_to(self, points: int) -> Self:
        """Return the space with levels taken out until it has at most `points` points.

        The level whose loss costs least is taken first: an inner one, closest (in ratio) to its
        neighbours; the two ends of an axis stay.
        """
        space = self
        while space.points > points:
            candidates = [
                (self.loss_without(slab, axis, i), slab.op, axis, levels[i], number)
                for number, slab in enumerate(space.slabs)
                for axis, levels in slab.levels.items()
                for i in range(1, len(levels) - 1)
            ]
            if not candidates:
                raise UserError(
                    f"`points` {points} is too few: the ends of every axis alone make "
                    f"{space.points} points; narrow the `grid` or allow more."
                )
            *_, axis, level, number = min(candidates)
            slab = space.slabs[number]
            fewer = [value for value in slab.levels[axis] if value != level]
            space = space.with_slab(slab.with_levels(axis, fewer))
        return space

    @property
    def models_to_fit(self) -> int:
        """How many whole models are measured beside the blocks by default."""
        return self.whole_models

    def calibration_models(self, count: int, seed: int = 0) -> list[Spec]:
        """Return `count` models to fit the line on: spread over the range of MACs.

        They are taken at even quantiles of 16 random models each: a line needs spread. Where the
        largest models cost most and tell no more, they stop at the third quartile.
        """
        rng = random.Random(f"calibration {seed}")  # noqa: S311 - reproducible models, not secrets
        candidates = sorted(
            (self.sample(rng, name=f"calibration-{seed}") for _ in range(16 * count)),
            key=lambda spec: spec.macs,
        )
        step = self.whole_models_up_to * len(candidates) / max(count, 1)
        return [
            replace(candidates[round((i + 0.5) * step)], name=f"calibration-{seed}-{i}")
            for i in range(count)
        ]


@dataclass(frozen=True)
class Grids:
    """Grids of blocks that stand in a table, by op: `levels` of every axis, small grids first.

    source: what a message calls the table.
    """

    source: str
    by_op: Mapping[str, Sequence[Mapping[str, tuple[int, ...]]]]

    def of(self, op: str) -> Sequence[Mapping[str, tuple[int, ...]]]:
        """Return the grids of an op; raises UserError where there is none."""
        if op not in self.by_op:
            raise UserError(
                f"{self.source} has no '{op}' block, only {', '.join(self.by_op) or 'none'}; "
                "measure one of a `family` that has it."
            )
        return self.by_op[op]


class FamilySlabs(MeasuringSpace):
    """What is measured of a family by itself, for any search space."""

    @classmethod
    @abstractmethod
    def create(
        cls,
        spec: Spec | None = None,
        *,
        resolution: int | None = None,
        patch: int | None = None,
        classes: int | None = None,
    ) -> Self:
        """Return the family's own slabs, or those of `spec` and everything narrower.

        Raises UserError where image, patch and classes do not fit.
        """

    @classmethod
    @abstractmethod
    def of_grids(cls, grids: Grids) -> Self:
        """Return the slabs that grids hold; raises UserError where they lack an op."""


def width_in(low: int, high: int, wanted: float, step: int = WIDTH_STEP) -> int:
    """Return the multiple of `step` from `low` to `high` nearest to `wanted`.

    Where the range holds none, the whole number nearest to it.
    """
    first, last = -(-low // step), high // step
    if first > last:
        return min(max(round(wanted), low), high)
    return min(max(round(wanted / step), first), last) * step


def fractions(widths: Sequence[int], parts: Sequence[float]) -> tuple[int, ...]:
    """Return the largest of `widths` and these parts of it, in multiples of WIDTH_STEP.

    The least of `widths`, which ascend, is a level too where the parts do not reach down to it.
    """
    full = widths[-1]
    rounded = {
        min(full, max(WIDTH_STEP, round(full * part / WIDTH_STEP) * WIDTH_STEP)) for part in parts
    }
    return tuple(sorted({*rounded, full, min(widths[0], *rounded)}))


def parse_levels(values: str, part: str) -> tuple[int, ...]:
    """Return the whole numbers of "1,2,3", ascending; UserError naming the `part` of a grid."""
    try:
        levels = tuple(sorted({int(value) for value in values.split(",")}))
    except ValueError:
        raise UserError(
            f"`grid` {shown(part)} is not AXIS=NUMBER,NUMBER,...; an example: "
            '`grid` "embed=192,384;attention.heads=1,3,6".'
        ) from None
    if levels[0] < 1:
        raise UserError(f"`grid` {shown(part)}: {levels[0]} is not a width; give numbers from 1.")
    return levels


def parse_tokens(text: str) -> tuple[str, tuple[int, ...]]:
    """Return what `with_levels` takes without its "tokens=...", and those lengths, if any.

    Raises UserError where one op alone is to have them.
    """
    others: list[str] = []
    tokens: tuple[int, ...] = ()
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, _, values = part.partition("=")
        op, _, axis = name.strip().rpartition(".")
        if axis != "tokens":
            others.append(part)
            continue
        if op:
            raise UserError(
                f"`grid` {shown(part)}: attention and mlp share their tokens; write tokens=..."
            )
        tokens = parse_levels(values, part)
    return ";".join(others), tokens

"""The space of given blocks: grids around them, and whole models that somebody else draws.

A search space says which blocks its models are made of and how a random one is drawn; what is to be
measured for it follows from that alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import log, prod

from ..models import Block, Spec, find_op
from .slabs import MeasuringSpace, Slab

# About what a family's own space has; a table of as many takes minutes and not hours.
MOST_POINTS = 300
# What a device's efficiency is taken to vary by where a width grows e-fold, beyond a straight line;
# it only weighs levels against each other.
EFFICIENCY_VARIES = 0.05


def slabs_around(blocks: Iterable[Block]) -> tuple[Slab, ...]:
    """Return slabs whose levels are the values that occur in blocks of one kind.

    Those are of one kind that are equal on the axes between whose values nothing is interpolated.
    """
    kinds: dict[tuple[str, tuple[tuple[str, int], ...]], list[Block]] = {}
    for block in dict.fromkeys(blocks):
        op = find_op(block.op)
        frame = tuple((a, dim) for a, dim in block.dims if a in (*op.fixed, *op.joined))
        kinds.setdefault((block.op, frame), []).append(block)
    slabs = []
    for (name, frame), alike in kinds.items():
        axes = [axis for axis in find_op(name).axes if axis not in dict(frame)]
        levels = {axis: tuple(sorted({block[axis] for block in alike})) for axis in axes}
        slabs.append(Slab(name, dict(frame), levels))
    return tuple(slabs)


@dataclass(frozen=True)
class BlocksSpace(MeasuringSpace):
    """The slabs around given blocks; `draw` returns a random model of a given name.

    to_fit: how many whole models the line from blocks to models is fitted on.
    """

    own_slabs: tuple[Slab, ...]
    draw: Callable[[random.Random, str], Spec]
    to_fit: int

    name = "blocks"
    # Any of the models may be searched for, the largest too.
    whole_models_up_to = 1.0

    @classmethod
    def around(
        cls,
        blocks: Iterable[Block],
        draw: Callable[[random.Random, str], Spec],
        to_fit: int,
        most_points: int = MOST_POINTS,
    ) -> BlocksSpace:
        """Return the space whose slabs hold every one of the blocks between their levels.

        Where that makes more than `most_points` points, inner levels are taken out.
        """
        slabs = slabs_around(blocks)
        space = cls(slabs, draw, to_fit)
        ends = sum(prod(min(len(v), 2) for v in slab.levels.values()) for slab in slabs)
        return space.limited_to(max(most_points, ends))

    @property
    def slabs(self) -> tuple[Slab, ...]:
        return self.own_slabs

    def with_slab(self, slab: Slab) -> BlocksSpace:
        own = tuple(slab if one.key == slab.key else one for one in self.own_slabs)
        return replace(self, own_slabs=own)

    def sample(self, rng: random.Random, name: str = "random") -> Spec:
        return self.draw(rng, name)

    @property
    def points(self) -> int:
        """How many blocks there are; without making them, as there may be very many."""
        return sum(prod(map(len, slab.levels.values())) for slab in self.own_slabs)

    def loss_without(self, slab: Slab, axis: str, i: int) -> float:
        """Return how wrong interpolation gets without the level, for each point that is saved.

        Where work and weights are not straight lines of an axis (channels, whose square counts), it
        is wrong by that much; and by what the device's efficiency varies from one neighbour to the
        other.
        """
        low, level, high = slab.levels[axis][i - 1 : i + 2]
        op, largest = find_op(slab.op), {a: values[-1] for a, values in slab.levels.items()}
        share = (level - low) / (high - low)
        bend = 0.0
        for count in (op.macs, op.params):
            at_low, here, at_high = (
                count({**slab.frame, **largest, axis: value}) for value in (low, level, high)
            )
            straight = (1 - share) * at_low + share * at_high
            bend = max(bend, abs(straight - here) / max(here, 1))
        saved = prod(len(values) for a, values in slab.levels.items() if a != axis)
        return (bend + EFFICIENCY_VARIES * log(high / low)) / saved

    @property
    def models_to_fit(self) -> int:
        return self.to_fit

    def calibration_models(self, count: int, seed: int = 0) -> list[Spec]:
        """As `MeasuringSpace.calibration_models`, but equal models of a small space once."""
        found = super().calibration_models(count, seed)
        return list({tuple(spec.blocks()): spec for spec in reversed(found)}.values())[::-1]

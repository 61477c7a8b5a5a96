"""Fewer points, placed better: measure, predict, measure where the prediction errs most.

Between two neighbouring levels of an axis a table interpolates. A probe in the middle of each such
gap tells how wrong that is; the gap that errs most gets a level of its own (a slab of the grid),
and so on until the points are spent or no gap errs beyond the noise. Probes stay in the table: they
answer for themselves, and show what interpolation is worth.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..models import Block
from ..spaces.slabs import COUNTS, WIDTH_STEP, MeasuringSpace, Slab
from ..tables import LatencyTable
from ..tables.grids.grid import dims_array

if TYPE_CHECKING:
    from .plan import Plan

# A gap whose probe is off by less than this (or less than the probe's own interval) needs no level.
SMALLEST_ERROR = 0.02


SlabKey = tuple[str, tuple[tuple[str, int], ...]]


@dataclass(frozen=True)
class Gap:
    """The middle between two neighbouring levels of a slab's axis, and a block that lies there."""

    slab: SlabKey
    axis: str
    level: int
    probe: Block

    @property
    def op(self) -> str:
        return self.probe.op


@dataclass(frozen=True)
class GapError:
    """How far interpolation is off in a gap: relative, and the milliseconds of its probe."""

    gap: Gap
    error: float
    noise: float
    ms: float

    @property
    def matters(self) -> bool:
        return abs(self.error) > max(SMALLEST_ERROR, self.noise)


# Measures the space's grid and further blocks into one table; called again with more of both.
MeasureSpace = Callable[[MeasuringSpace, Sequence[Block]], LatencyTable]


def find_gaps(space: MeasuringSpace, rng: random.Random) -> list[Gap]:
    """Return every gap wide enough for a level, each with a probe at random other levels."""
    found = []
    for slab in space.slabs:
        blocks = slab.blocks()
        for axis, levels in slab.levels.items():
            step = 1 if axis in COUNTS else WIDTH_STEP
            for low, high in itertools.pairwise(levels):
                middle = round((low + high) / 2 / step) * step
                if not low < middle < high or high - low < 4 * step:
                    continue
                at_low = [block for block in blocks if block[axis] == low]
                dims = {**rng.choice(at_low).as_dict(), axis: middle}
                with contextlib.suppress(UserError):  # heads may not divide the middle
                    found.append(Gap(slab.key, axis, middle, Block.of(slab.op, **dims)))
    return found


def gap_errors(table: LatencyTable, gaps: Iterable[Gap]) -> list[GapError]:
    """Return how far interpolation is off at each measured probe, without using the probe."""
    measured = {row.subject: row for row in table.block_rows if row.verdict != "failed"}
    found = []
    for gap in gaps:
        row = measured.get(gap.probe)
        if row is None:
            continue
        grid = table.grids(gap.op).part_of(gap.probe)
        corners = grid.corners(dims_array([gap.probe]))
        if np.isnan(grid.values[corners.indices]).any():
            continue
        ms = float(grid.weighted(corners)[0])
        noise = (row.high_ms - row.low_ms) / 2 / row.latency_ms
        found.append(GapError(gap, ms / row.latency_ms - 1, noise, row.latency_ms))
    return found


def with_level(space: MeasuringSpace, gap: Gap) -> MeasuringSpace:
    """Return the space with the gap's middle as a level of its own."""
    slab = _slab_of(space, gap)
    return space.with_slab(slab.with_levels(gap.axis, [*slab.levels[gap.axis], gap.level]))


def _slab_of(space: MeasuringSpace, gap: Gap) -> Slab:
    return next(slab for slab in space.slabs if slab.key == gap.slab)


def measure_plan(
    plan: Plan,
    measure: Callable[[Plan], LatencyTable],
    on_step: Callable[[GapError], None] | None = None,
) -> LatencyTable:
    """Measure a plan with `measure`, again and again with more points where it is to be refined.

    `on_step` is called for every gap that gets a level.
    """
    wanted = plan.refinement
    if wanted is None:
        return measure(plan)
    return measure_refined(
        wanted.space,
        wanted.points,
        lambda space, probes: measure(plan.refined(space, probes)),
        plan.seed,
        on_step,
    )


def measure_refined(
    space: MeasuringSpace,
    points: int,
    measure: MeasureSpace,
    seed: int = 0,
    on_step: Callable[[GapError], None] | None = None,
) -> LatencyTable:
    """Measure the space and refine it until it has `points` points or nothing errs any more.

    The error that counts is in milliseconds: a gap of large blocks before one of small ones.
    """
    rng = random.Random(f"refine {seed}")  # noqa: S311 - reproducible probes, not secrets
    probes: dict[tuple[SlabKey, str, int], Gap] = {}
    while True:
        for gap in find_gaps(space, rng):
            if len(space.blocks()) + len(probes) < points:
                probes.setdefault((gap.slab, gap.axis, gap.level), gap)
        table = measure(space, [gap.probe for gap in probes.values()])
        open_gaps = [
            gap for gap in probes.values() if gap.level not in _slab_of(space, gap).levels[gap.axis]
        ]
        errors = [error for error in gap_errors(table, open_gaps) if error.matters]
        errors.sort(key=lambda error: -abs(error.error) * error.ms)
        for worst in errors:
            refined = with_level(space, worst.gap)
            if _size(refined, probes.values()) <= points:
                break
        else:
            return table
        if on_step:
            on_step(worst)
        space = refined


def _size(space: MeasuringSpace, probes: Iterable[Gap]) -> int:
    return len({*space.blocks(), *(gap.probe for gap in probes)})

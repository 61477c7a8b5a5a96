"""Probes between the levels of a grid, for runtimes whose latency goes in steps of a tile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from ..backends import Backend, HasTiles
from ..errors import UserError
from ..models import Block, find_op
from ..spaces.slabs import COUNTS, WIDTH_STEP
from ..tables.grids.steps import stepped_levels, takes_half_tiles
from .plan import Plan, Point


def with_step_probes(plan: Plan, backend: Backend) -> Plan:
    """Return the plan with probes of the backend's steps, where it has tiles and a grid is planned.

    Of each axis of widths every remainder by the tile is probed twice: between the narrowest levels
    and between the widest that have steps, with the other dims in the middle. Of one that spans two
    tiles at most every width is probed, in steps of 8. Nothing is added to a plan that says how
    many points it may have.
    """
    if not plan.may_grow or not isinstance(backend, HasTiles):
        return plan
    blocks = {point.subject: point for point in plan.points if isinstance(point.subject, Block)}
    probes = dict.fromkeys(_probes(list(blocks), backend.tile_width))
    contexts = {block.op: point.context for block, point in blocks.items()}
    new = [Point(one, contexts[one.op]) for one in probes if one not in blocks]
    return replace(plan, points=[*blocks.values(), *new, *_others(plan)])


def _others(plan: Plan) -> list[Point]:
    return [point for point in plan.points if not isinstance(point.subject, Block)]


def _probes(blocks: Sequence[Block], tile: int) -> Iterator[Block]:
    """Yield the probes of each op: in its two largest grids, or at two places of the only one."""
    by_op: dict[str, list[Block]] = {}
    for block in blocks:
        by_op.setdefault(block.op, []).append(block)
    for op, of_op in by_op.items():
        definition = find_op(op)
        if definition.scattered is not None or not definition.on_grid:
            continue
        grids: dict[tuple[int, ...], list[Block]] = {}
        for block in of_op:
            grids.setdefault(tuple(block[axis] for axis in definition.fixed), []).append(block)
        largest = sorted(grids.values(), key=lambda grid: -sum(block.macs for block in grid))
        for nth, grid in enumerate(largest[:2]):
            places = (0, -1) if len(largest) == 1 else ((-1,), (0,))[nth]
            for place in places:
                yield from _probes_in(grid, tile, place)


def _probes_in(grid: Sequence[Block], tile: int, place: int) -> Iterator[Block]:
    """Yield the probes on each axis of widths: in its first gap between levels (0), or last (-1).

    On an axis that spans few tiles these are all widths between its ends, the same at each place.
    """
    op, here = find_op(grid[0].op), set(grid)
    levels = {axis: sorted({block[axis] for block in grid}) for axis in op.axes}
    middle = {axis: values[len(values) // 2] for axis, values in levels.items()}
    for axis, values in levels.items():
        stepped = stepped_levels(values, tile)
        if axis in (*op.joined, *op.fixed, *COUNTS) or stepped is None:
            continue
        # Two levels side by side are there because one of them is unlike its neighbours.
        gaps = [(low, high) for low, high in pairwise(values) if high - low >= 2 * tile]
        # Where the runtime rather pads than takes another kernel there is nothing to probe.
        narrow = [gap for gap in gaps if takes_half_tiles(gap[0] + tile // 4, tile // 2)]
        gaps = narrow or gaps
        low, high = (values[0], values[-1]) if stepped or not gaps else gaps[place]
        ends = [Block.of(op.name, **{**middle, axis: value}) for value in (low, high)]
        if not here.issuperset(ends):
            continue
        last = high if stepped else min(low + tile, high)
        first = (low // WIDTH_STEP + 1) * WIDTH_STEP
        for width in range(first, last, WIDTH_STEP):
            if width not in values:
                with contextlib.suppress(UserError):  # heads may not divide the width
                    yield Block.of(op.name, **{**middle, axis: width})

"""All grids of one op: a grid for each kind of the block, between which nothing is interpolated.

A feed-forward layer on a 14 x 14 map does not predict one on 7 x 7, nor a kernel of 5
one of 3: such axes are `fixed` (models/ops/op.py), and each of their values has a grid over the
other axes of its own. Sequence lengths are `joined`: they share a grid where the same widths were
measured at each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from ...errors import UserError
from ...models import Block, find_op
from ..row import Row
from .block_arrays import OpColumns
from .grid import OpGrid
from .ragged import RaggedGrid
from .scattered import ScatteredPoints
from .steps import Steps


class OpGrids:
    """Every measured point of one op in one context, as grids (`parts`)."""

    def __init__(self, op: str, rows: Sequence[Row], tile: int | None = None) -> None:
        """Make the grids; `tile`: the width of the runtime's tiles, where it has any."""
        self.op = op
        self.axes = find_op(op).axes
        if find_op(op).scattered is not None:
            self.parts: list[OpGrid] = [ScatteredPoints(op, rows)]
            return
        # The small ones first: a single point beside a grid answers for exactly itself.
        self.parts = sorted(
            (_grid_of(op, part) for part in _parted(op, rows)), key=lambda part: len(part.rows)
        )
        plain = [] if tile is None else [part for part in self.parts if type(part) is OpGrid]
        steps = Steps.of(plain, tile) if tile is not None else None
        for part in plain:
            part.steps = steps

    @property
    def points(self) -> int:
        """Number of measured points."""
        return sum(len(part.rows) + len(part.extra) for part in self.parts)

    @property
    def levels(self) -> dict[str, list[int]]:
        """Each axis's values in any of the grids, or of scattered points, ascending."""
        scattered = [] if find_op(self.op).on_grid else [one for p in self.parts for one in p.extra]
        return {
            axis: sorted(
                {int(v) for part in self.parts for v in part.levels[position]}
                | {point[position] for point in scattered}
            )
            for position, axis in enumerate(self.axes)
        }

    def has_function_of(self, block: Block) -> bool:
        """Whether a kernel's function was measured: no other stands for it. Others have none."""
        part = self.parts[0]
        return not isinstance(part, ScatteredPoints) or part.has_function_of(block.as_dict())

    def part_of(self, block: Block) -> OpGrid:
        """Return the grid that answers for a block, or is nearest to it."""
        dims = np.array([[value for _, value in block.dims]], dtype=np.int64)
        return next(self.split(dims))[0]

    def split(
        self, dims: np.ndarray, extrapolate: bool = True
    ) -> Iterator[tuple[OpGrid, np.ndarray]]:
        """Yield each grid with the positions of those of n blocks (n x axes) it answers for.

        A block that no grid holds goes to the nearest: of its kind, or else of another one. The
        latter is an error unless `extrapolate`, which says what was measured.
        """
        if self._is_scattered or (len(self.parts) == 1 and (extrapolate or not self._fixed)):
            yield self.parts[0], np.arange(len(dims))
            return
        chosen = np.full(len(dims), -1)
        for number, part in enumerate(self.parts):
            inside = chosen < 0
            for position, levels in enumerate(part.levels):
                values = dims[:, position]
                inside &= (values >= levels[0]) & (values <= levels[-1])
            chosen[inside] = number
        for n in (chosen < 0).nonzero()[0]:
            chosen[n] = self._nearest(dims[n], extrapolate)
        for number in np.unique(chosen):
            yield self.parts[number], (chosen == number).nonzero()[0]

    def interpolate(self, dims: np.ndarray, extrapolate: bool = False) -> np.ndarray:
        """Return the milliseconds of n blocks (`dims`: n x axes); UserError outside."""
        ms = np.empty(len(dims))
        for part, positions in self.split(dims, extrapolate):
            ms[positions] = part.interpolate(dims[positions], extrapolate)
        return ms

    def where_inside(self, dims: np.ndarray) -> np.ndarray:
        """Return the milliseconds of n blocks (`dims`: n x axes), NaN where no grid answers."""
        ms = np.full(len(dims), np.nan)
        kinds = {tuple(int(part.levels[i][0]) for i in self._fixed) for part in self.parts}
        of_kind = [self._is_scattered or tuple(v) in kinds for v in dims[:, self._fixed].tolist()]
        known = np.flatnonzero(of_kind)
        for part, positions in self.split(dims[known]):
            asked = dims[known[positions]]
            corners, exact = part.corners(asked), part.exact_rows(asked)
            ms[known[positions]] = part.weighted(corners)
            outside = np.any(list(corners.outside.values()), axis=0)
            ms[known[positions[outside]]] = np.nan
            for n, row in exact.items():
                ms[known[positions[n]]] = row.latency_ms
        return ms

    def add_up(self, columns: OpColumns, total: np.ndarray, extrapolate: bool = False) -> None:
        """Add to `total` (n specs) the milliseconds of each spec's blocks of this op."""
        if self._is_scattered or (len(self.parts) == 1 and not self._fixed):
            self.parts[0].add_up(columns, total, extrapolate)
            return
        blocks = np.broadcast_shapes(*(array.shape for array in columns.dims.values()))[1]
        shape = (len(total), blocks)
        dims = np.stack([np.broadcast_to(columns.dims[axis], shape) for axis in self.axes], axis=-1)
        present = np.ones(shape, dtype=bool) if columns.present is None else columns.present
        ms = np.zeros(shape)
        ms[present] = self.interpolate(dims[present], extrapolate)
        total += ms.sum(axis=1)

    @property
    def _is_scattered(self) -> bool:
        return find_op(self.op).scattered is not None

    @cached_property
    def _fixed(self) -> list[int]:
        fixed = find_op(self.op).fixed
        return [position for position, axis in enumerate(self.axes) if axis in fixed]

    def _nearest(self, values: np.ndarray, extrapolate: bool) -> int:
        """Return the grid nearest to a block's dims; the fixed axes count first."""

        def distance(part: OpGrid) -> tuple[int, float]:
            others = sum(int(part.levels[i][0] != values[i]) for i in self._fixed)
            off = sum(
                abs(np.log(values[i] / np.clip(values[i], levels[0], levels[-1])))
                for i, levels in enumerate(part.levels)
            )
            return others, float(off)

        number = min(range(len(self.parts)), key=lambda n: distance(self.parts[n]))
        if distance(self.parts[number])[0] and not extrapolate:
            raise self._of_no_kind(values)
        return number

    def _of_no_kind(self, values: np.ndarray) -> UserError:
        """Say which fixed dims of a block were not measured, and which were."""
        remedy = (
            "measure a table that covers the model (vitprof measure), or accept a guess with "
            "`extrapolate`."
        )
        for i in self._fixed:
            measured = sorted({int(part.levels[i][0]) for part in self.parts})
            if int(values[i]) not in measured:
                return UserError(
                    f"{self.axes[i]}={values[i]} of op '{self.op}' is not in the table, which has "
                    f"{self.axes[i]} {', '.join(map(str, measured))}; {remedy}"
                )
        kind = ", ".join(f"{self.axes[i]}={values[i]}" for i in self._fixed)
        return UserError(f"the table has no '{self.op}' with {kind}; {remedy}")


def _grid_of(op: str, rows: Sequence[Row]) -> OpGrid:
    """Return the grid of one kind's rows; off a full grid those of our own tables are probes."""
    definition, grid = find_op(op), OpGrid(op, rows)
    apart = definition.squared or (grid.extra and definition.ragged)
    return RaggedGrid(op, rows) if apart else grid


def _parted(op: str, rows: Sequence[Row]) -> list[list[Row]]:
    """Cut an op's rows into those that make a grid each."""
    definition = find_op(op)
    if not definition.on_grid:
        return [list(rows)]
    parts: dict[tuple[int, ...], list[Row]] = {}
    for row in rows:
        parts.setdefault(_values(row, definition.fixed), []).append(row)
    return [joined for part in parts.values() for joined in _joined(op, part, definition.joined)]


def _joined(op: str, rows: list[Row], axes: tuple[str, ...]) -> list[list[Row]]:
    """Cut further by the values of `joined` axes, but keep together those with equal grids."""
    apart: dict[tuple[int, ...], list[Row]] = {}
    for row in rows:
        apart.setdefault(_values(row, axes), []).append(row)
    if len(apart) < 2:
        return [rows]
    others = [i for i, axis in enumerate(find_op(op).axes) if axis not in axes]
    alike: dict[tuple[tuple[int, ...], ...], list[Row]] = {}
    for part in apart.values():
        levels = OpGrid(op, part).levels
        shape = tuple(tuple(int(v) for v in levels[i]) for i in others)
        alike.setdefault(shape, []).extend(part)
    return list(alike.values())


def _values(row: Row, axes: Sequence[str]) -> tuple[int, ...]:
    assert isinstance(row.subject, Block)
    dims = row.subject.as_dict()
    return tuple(dims[axis] for axis in axes)

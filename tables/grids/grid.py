"""The measured points of one op as a grid, and multilinear interpolation on it.

A latency that is a sum of products of single dims, as the MACs of every ViT op are, is
reproduced exactly by multilinear interpolation; what remains is how the device's efficiency
varies between two neighbouring levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...errors import UserError
from ...models import Block, find_op
from ..row import Row
from .block_arrays import OpColumns
from .fast_grid import CHUNK, FastGrid
from .steps import Steps


@dataclass(frozen=True)
class Corners:
    """What n blocks are interpolated from: `indices` and `weights` are n x corners.

    `indices` point into a grid's flattened values. `outside[axis]` marks, for n blocks, the ones
    outside the measured range of that axis. `scale` (n) multiplies the result: 1 but where an axis
    of a single level is left, see `OpGrid.corners`, and between tiles (`steps.py`).
    """

    indices: np.ndarray
    weights: np.ndarray
    scale: np.ndarray
    outside: Mapping[str, np.ndarray]


class OutsideTableError(UserError):
    """A block outside the measured range; `fact` says which, without what to do about it."""

    def __init__(self, fact: str) -> None:
        self.fact = fact
        super().__init__(
            f"{fact}; measure a table that covers the model (vitprof measure), or accept a "
            "guess with `extrapolate`."
        )


class OpGrid:
    """Every measured point of one op in one context.

    `axes` are the op's, `levels[axis]` the sorted values that span the grid, `rows` the row of
    each grid point in C order of the axes, `extra` the measured points off the grid (probes of
    adaptive refinement, leftovers of a merge): they answer only for exactly themselves, and where
    the runtime works in tiles they tell the `steps` between those.
    """

    steps: Steps | None = None

    def __init__(self, op: str, rows: Sequence[Row]) -> None:
        self.op = op
        self.axes = find_op(op).axes
        by_point = {_point(row): row for row in rows}
        # Scattered points span no grid: one stands for it, and all answer for exactly themselves.
        points = list(by_point) if find_op(op).on_grid else list(by_point)[:1]
        self.levels = _complete_levels(points, len(self.axes))
        shape = tuple(len(values) for values in self.levels)
        mesh = np.array(np.meshgrid(*self.levels, indexing="ij")).reshape(len(self.axes), -1).T
        self.rows = [by_point.pop(tuple(int(v) for v in point)) for point in mesh]
        self.extra = by_point
        self.shape = shape
        self.values = np.array([row.latency_ms for row in self.rows])

    def exact_rows(self, dims: np.ndarray) -> dict[int, Row]:
        """Return, by position, the extra row of each block that is off the grid yet measured.

        Raises UserError where measuring it failed: a guess must not hide that.
        """
        if not self.extra:
            return {}
        possible = np.ones(len(dims), dtype=bool)
        for position, values in enumerate(zip(*self.extra, strict=True)):
            possible &= np.isin(dims[:, position], values)
        found: dict[int, Row] = {}
        for n in possible.nonzero()[0]:
            row = self.extra.get(tuple(int(v) for v in dims[n]))
            if row is not None:
                if row.verdict == "failed":
                    raise _not_measured(row)
                found[int(n)] = row
        return found

    def check_inside(self, dims: np.ndarray, corners: Corners, exact: Mapping[int, Row]) -> None:
        """Raise UserError naming the first axis that is outside, its value and its range."""
        if not find_op(self.op).on_grid:
            self._check_among_scattered(dims, corners, exact)
        for position, axis in enumerate(self.axes):
            where = [n for n in corners.outside[axis].nonzero()[0] if int(n) not in exact]
            if where:
                levels = self.levels[position]
                value = int(dims[where[0], position])
                measured = (
                    f"was measured only at {levels[0]}"
                    if len(levels) == 1
                    else f"was measured from {levels[0]} to {levels[-1]}"
                )
                raise OutsideTableError(
                    f"{axis}={value} of op '{self.op}' is outside the table: {axis} {measured}"
                )

    def _check_among_scattered(
        self, dims: np.ndarray, corners: Corners, exact: Mapping[int, Row]
    ) -> None:
        outside = np.any([corners.outside[axis] for axis in self.axes], axis=0)
        for n in outside.nonzero()[0]:
            if int(n) not in exact:
                named = zip(self.axes, map(int, dims[n]), strict=True)
                raise OutsideTableError(
                    f"{Block.of(self.op, **dict(named))} is not in the table: its "
                    f"{len(self.rows) + len(self.extra)} rows of op '{self.op}' lie scattered, and "
                    "nothing is interpolated between them"
                )

    def corners(self, dims: np.ndarray) -> Corners:
        """Return where each of n blocks (`dims`: n x axes, integers) lies in the grid.

        Outside the range of an axis the line through its two nearest levels goes on; above that of
        a linear one this counts as inside. An axis of one level has no line: there the latency is
        scaled in proportion to the MACs, where these are known.
        """
        n = len(dims)
        indices = np.zeros((n, 1), dtype=np.int64)
        weights = np.ones((n, 1))
        scale = np.ones(n)
        outside: dict[str, np.ndarray] = {}
        linear = find_op(self.op).linear
        left: list[int] = []
        for position, (axis, levels) in enumerate(zip(self.axes, self.levels, strict=True)):
            values = dims[:, position]
            outside[axis] = values < levels[0]
            if axis not in linear:
                outside[axis] |= values > levels[-1]
            stride = int(np.prod(self.shape[position + 1 :], dtype=np.int64))
            if len(levels) == 1:
                if outside[axis].any():
                    left.append(position)
                continue
            cell = np.clip(np.searchsorted(levels, values, side="right") - 1, 0, len(levels) - 2)
            below, above = levels[cell], levels[cell + 1]
            fraction = ((values - below) / (above - below))[:, None]
            indices = np.hstack(
                [indices + cell[:, None] * stride, indices + (cell[:, None] + 1) * stride]
            )
            weights = np.hstack([weights * (1 - fraction), weights * fraction])
        if left:
            scale = scale * self._macs_ratio(dims, left)
        if self.steps is not None:
            scale = scale * self.steps.factor(self, dims)
        return Corners(indices, weights, scale, outside)

    def _macs_ratio(self, dims: np.ndarray, left: Sequence[int]) -> np.ndarray:
        """Return the MACs of n blocks over those with the axes `left` at their one level.

        All axes at once: a kernel of 16 on an image of 8 pixels, the one without the other, has no
        MACs.
        """
        op = find_op(self.op)
        measured = {self.axes[position]: int(self.levels[position][0]) for position in left}
        ratios = np.ones(len(dims))
        if not op.counted:
            return ratios
        for i, values in enumerate(dims):
            wanted = dict(zip(self.axes, (int(v) for v in values), strict=True))
            ratios[i] = op.macs(wanted) / max(op.macs(wanted | measured), 1)
        return ratios

    def weighted(self, corners: Corners) -> np.ndarray:
        """Return the milliseconds that `corners` stand for."""
        # A failed corner of weight 0 must not turn the sum into NaN.
        used = np.where(corners.weights == 0, 0.0, self.values[corners.indices])
        ms = (used * corners.weights).sum(axis=1) * corners.scale
        # A line followed far below the grid crosses zero; no block is faster than the grid's best.
        return np.where(ms > 0, ms, np.nanmin(self.values))

    def interpolate(self, dims: np.ndarray, extrapolate: bool = False) -> np.ndarray:
        """Return the milliseconds of n blocks (`dims`: n x axes); failed corners are an error."""
        corners = self.corners(dims)
        exact = self.exact_rows(dims)
        if not extrapolate:
            self.check_inside(dims, corners, exact)
        self.check_measured(corners, exact)
        ms = self.weighted(corners)
        for n, row in exact.items():
            ms[n] = row.latency_ms
        return ms

    @cached_property
    def fast(self) -> FastGrid:
        return FastGrid(self.axes, self.levels, self.values)

    def add_up(self, columns: OpColumns, total: np.ndarray, extrapolate: bool = False) -> None:
        """Add to `total` (n specs) the milliseconds of each spec's blocks of this op."""
        blocks = np.broadcast_shapes(*(array.shape for array in columns.dims.values()))[1]
        rows = max(1, CHUNK // max(blocks, 1))
        for start in range(0, len(total), rows):
            part = slice(start, min(start + rows, len(total)))
            shape = (part.stop - start, blocks)
            present = None if columns.present is None else columns.present[part]
            dims = {
                axis: np.broadcast_to(a if len(a) == 1 else a[part], shape)
                for axis, a in columns.dims.items()
            }
            if present is not None:
                dims = {axis: values[present] for axis, values in dims.items()}
            else:
                dims = {axis: values.reshape(-1) for axis, values in dims.items()}
            ms = self._interpolate_columns(dims, extrapolate)
            if present is None:
                total[part] += ms.reshape(shape).sum(axis=1)
            else:
                full = np.zeros(shape)
                full[present] = ms
                total[part] += full.sum(axis=1)

    def _interpolate_columns(self, dims: Mapping[str, np.ndarray], extrapolate: bool) -> np.ndarray:
        if not self._all_measured or not self.fast.covers(dims):
            return self.interpolate(np.stack([dims[a] for a in self.axes], axis=1), extrapolate)
        ms = self.fast.interpolate(dims)
        if self.extra:
            points = np.stack([dims[a] for a in self.axes], axis=1)
            if self.steps is not None:
                ms = ms * self.steps.factor(self, points)
            exact = self.exact_rows(points)
            for n, row in exact.items():
                ms[n] = row.latency_ms
        return ms

    @cached_property
    def _all_measured(self) -> bool:
        return bool(np.isfinite(self.values).all())

    def check_measured(self, corners: Corners, exact: Mapping[int, Row] | None = None) -> None:
        """Raise UserError where a block would be interpolated from a point that failed.

        A block that is `exact`, by position, needs no corner.
        """
        needed = np.isnan(self.values[corners.indices]) & (corners.weights != 0)
        needed[list(exact or ())] = False
        if needed.any():
            raise _not_measured(self.rows[int(corners.indices[needed][0])])


def _not_measured(row: Row) -> UserError:
    return UserError(
        f"{row.subject} could not be measured on this device, and the model needs it: "
        f"{row.error or 'no reason was recorded'}"
    )


def _point(row: Row) -> tuple[int, ...]:
    assert isinstance(row.subject, Block)
    return tuple(value for _, value in row.subject.dims)


def _complete_levels(points: Sequence[tuple[int, ...]], axes: int) -> list[np.ndarray]:
    """Return the levels of the grid that is full: the emptiest level is dropped until it is.

    Points off a full grid come from adaptive probes and from merged or edited tables.
    """
    kept = dict.fromkeys(points)
    while True:
        levels = [sorted({point[axis] for point in kept}) for axis in range(axes)]
        size = 1
        for values in levels:
            size *= len(values)
        if size == len(kept):
            return [np.array(values, dtype=np.int64) for values in levels]
        counts: dict[tuple[int, int], int] = {}
        for point in kept:
            for axis, value in enumerate(point):
                counts[axis, value] = counts.get((axis, value), 0) + 1
        emptiest = min(
            ((axis, value) for axis in range(axes) for value in levels[axis]),
            key=lambda at: (counts[at] * len(levels[at[0]]) / size, -len(levels[at[0]]), at),
        )
        kept = {point: None for point in kept if point[emptiest[0]] != emptiest[1]}


def dims_array(blocks: Sequence[Block]) -> np.ndarray:
    """Return the dims of n blocks of one op as n x axes integers."""
    return np.array([[value for _, value in block.dims] for block in blocks], dtype=np.int64)

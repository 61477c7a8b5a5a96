"""Interpolation on points that span no full grid: line by line, axis after axis.

Other tools' tables are unions of boxes: narrow blocks on large maps, wide ones on small maps. The
largest full grid among them holds about half of the rows, and nothing could be asked between the
others. So a block is interpolated along the first axis between the nearest value below and the
nearest above at which its other dims can be interpolated in the same way. On a full grid this is
the multilinear interpolation of `OpGrid`, but over the square of axes that are `squared`: with it,
not with a map's side, the work of convolutions and tokens grows. All answers lie between measured
points: where a line ends, the table ends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ...models import find_op
from ..row import Row
from .all_points import AllPoints
from .grid import Corners, OutsideTableError

Weights = dict[int, float]


class RaggedGrid(AllPoints):
    """Every measured point of one kind of an op; has an OpGrid's questions."""

    def __init__(self, op: str, rows: Sequence[Row]) -> None:
        super().__init__(op, rows)
        definition = find_op(op)
        self._logs = np.log(self._dims)
        points = {tuple(dims): n for n, dims in enumerate(self._dims.tolist())}
        powers = tuple(2 if axis in definition.squared else 1 for axis in self.axes)
        self._points = _Slice(points.items(), powers)

    def exact_rows(self, dims: np.ndarray) -> dict[int, Row]:
        """Return nothing: every measured point answers for itself."""
        return {}

    def corners(self, dims: np.ndarray) -> Corners:
        """Return what each of n blocks (`dims`: n x axes, integers) is interpolated from.

        A block outside is marked, and answered by the measured point that is nearest by ratio.
        """
        different, of = np.unique(dims, axis=0, return_inverse=True)
        found = [self._points.weights(tuple(values)) for values in different.tolist()]
        outside = np.zeros((len(different), len(self.axes)), dtype=bool)
        for n, weights in enumerate(found):
            if weights is None:
                nearest = self._nearest_point(different[n])
                found[n] = {nearest: 1.0}
                outside[n] = self._dims[nearest] != different[n]
        most = max((len(weights) for weights in found if weights), default=1)
        indices = np.zeros((len(different), most), dtype=np.int64)
        shares = np.zeros((len(different), most))
        for n, weights in enumerate(found):
            for place, (row, weight) in enumerate((weights or {}).items()):
                indices[n, place], shares[n, place] = row, weight
        return Corners(
            indices[of],
            shares[of],
            np.ones(len(dims)),
            {axis: outside[of, i] for i, axis in enumerate(self.axes)},
        )

    def check_inside(self, dims: np.ndarray, corners: Corners, exact: Mapping[int, Row]) -> None:
        """Raise UserError naming an axis that is outside, and its range at the other dims."""
        outside = np.any([corners.outside[axis] for axis in self.axes], axis=0)
        for n in outside.nonzero()[0]:
            raise OutsideTableError(self._why_outside(dims[n]))

    def _why_outside(self, values: np.ndarray) -> str:
        for i, axis in enumerate(self.axes):
            low, high = int(self.levels[i][0]), int(self.levels[i][-1])
            if not low <= values[i] <= high:
                return self._off(axis, values[i], low, high, "")
        nearest = self._dims[self._nearest_point(values)]
        for i in np.flatnonzero(nearest != values).tolist():
            others = np.delete(self._dims == nearest, i, axis=1).all(axis=1)
            line = self._dims[others, i]
            low, high = int(line.min()), int(line.max())
            if not low <= values[i] <= high:
                at = ", ".join(
                    f"{axis}={value}"
                    for n, (axis, value) in enumerate(zip(self.axes, nearest, strict=True))
                    if n != i and len(self.levels[n]) > 1
                )
                return self._off(self.axes[i], values[i], low, high, f" at {at}")
        dims = ", ".join(f"{axis}={value}" for axis, value in zip(self.axes, values, strict=True))
        return f"{self.op}({dims}) is outside the table: no measured points lie around it"

    def _off(self, axis: str, value: int, low: int, high: int, where: str) -> str:
        measured = f"only at {low}" if low == high else f"from {low} to {high}"
        return (
            f"{axis}={value} of op '{self.op}' is outside the table: {axis} was measured "
            f"{measured}{where}"
        )

    def _nearest_point(self, values: np.ndarray) -> int:
        apart = np.abs(self._logs - np.log(values)).sum(axis=1)
        return int(np.argmin(apart))

    def _interpolate_columns(self, dims: Mapping[str, np.ndarray], extrapolate: bool) -> np.ndarray:
        return self.interpolate(np.stack([dims[a] for a in self.axes], axis=1), extrapolate)


class _Slice:
    """Points by the value of their first axis, and those of each value by the next axis."""

    def __init__(
        self, points: Iterable[tuple[tuple[int, ...], int]], powers: tuple[int, ...]
    ) -> None:
        self._power = powers[0]
        points = list(points)
        axes = list(zip(*(dims for dims, _ in points), strict=True))
        self._lowest, self._highest = tuple(map(min, axes)), tuple(map(max, axes))
        apart: dict[int, list[tuple[tuple[int, ...], int]]] = {}
        for dims, row in points:
            apart.setdefault(dims[0], []).append((dims[1:], row))
        self._levels = sorted(apart)
        self._at: dict[int, _Slice | int] = {
            level: _Slice(inner, powers[1:]) if inner[0][0] else inner[0][1]
            for level, inner in apart.items()
        }

    def weights(self, dims: tuple[int, ...]) -> Weights | None:
        """Return the rows that a block is interpolated from; None outside.

        Each slice is looked at no more than once.
        """
        for low, asked, high in zip(self._lowest, dims, self._highest, strict=True):
            if not low <= asked <= high:
                return None
        value = dims[0]
        if value in self._at:
            exact = self._weights_at(value, dims)
            if exact is not None:
                return exact
        place = bisect_left(self._levels, value)
        below = self._first(reversed(self._levels[:place]), dims)
        if below is None:
            return None
        above = self._first((level for level in self._levels[place:] if level > value), dims)
        if above is None:
            return None
        (low, left), (high, right) = below, above
        low, value, high = (one**self._power for one in (low, value, high))
        share = (value - low) / (high - low)
        mixed = {row: (1 - share) * weight for row, weight in left.items()}
        for row, weight in right.items():
            mixed[row] = mixed.get(row, 0.0) + share * weight
        return mixed

    def _first(self, levels: Iterable[int], dims: tuple[int, ...]) -> tuple[int, Weights] | None:
        """Return the first of these levels at which the other dims lie inside, and its rows."""
        for level in levels:
            found = self._weights_at(level, dims)
            if found is not None:
                return level, found
        return None

    def _weights_at(self, level: int, dims: tuple[int, ...]) -> Weights | None:
        inner = self._at[level]
        return inner.weights(dims[1:]) if isinstance(inner, _Slice) else {inner: 1.0}

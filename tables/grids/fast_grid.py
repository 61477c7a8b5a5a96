"""The fast path: multilinear interpolation of millions of blocks, a cache's worth at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

# Rows of temporaries that stay in a core's second-level cache.
CHUNK = 16384


class FastGrid:
    """A full grid prepared for speed. All dims must be inside its levels.

    Each active axis (more than one level) gets a table over its integers from the first to the
    last level: the offset of the cell's lower corner, and how far into the cell the value lies.
    """

    def __init__(
        self, axes: Sequence[str], levels: Sequence[np.ndarray], values: np.ndarray
    ) -> None:
        self.levels = dict(zip(axes, levels, strict=True))
        self.active = [axis for axis in axes if len(self.levels[axis]) > 1]
        shape = [len(self.levels[axis]) for axis in self.active]
        self.values = np.ascontiguousarray(values, dtype=float).ravel()
        strides = [int(np.prod(shape[i + 1 :], dtype=np.int64)) for i in range(len(shape))]
        self.offsets: dict[str, np.ndarray] = {}
        self.fractions: dict[str, np.ndarray] = {}
        for axis, stride in zip(self.active, strides, strict=True):
            of_axis = self.levels[axis]
            integers = np.arange(of_axis[0], of_axis[-1] + 1)
            cell = np.clip(
                np.searchsorted(of_axis, integers, side="right") - 1, 0, len(of_axis) - 2
            )
            self.offsets[axis] = cell * stride
            left = of_axis[cell]
            self.fractions[axis] = (integers - left) / (of_axis[cell + 1] - left)
        # Corner c of a cell: bit i (from the last axis) says lower or upper on that axis.
        corners = np.zeros(1, dtype=np.int64)
        for stride in strides:
            corners = (corners[:, None] + np.array([0, stride])).ravel()
        self.corners = corners

    def covers(self, dims: Mapping[str, np.ndarray]) -> bool:
        """Tell whether every value of every axis is inside the levels."""
        return all(
            array.size == 0
            or (array.min() >= self.levels[axis][0] and array.max() <= self.levels[axis][-1])
            for axis, array in dims.items()
        )

    def interpolate(self, dims: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the milliseconds of n blocks; `dims[axis]` are n integers, n <= CHUNK or so."""
        size = len(next(iter(dims.values())))
        base = np.zeros(size, dtype=np.int64)
        fractions = []
        for axis in self.active:
            index = dims[axis] - self.levels[axis][0]
            base += self.offsets[axis].take(index)
            fractions.append(self.fractions[axis].take(index))
        corners = [self.values.take(base + corner) for corner in self.corners]
        # Contract the last axis first: its two corners stand side by side.
        for fraction in reversed(fractions):
            corners = [
                low + fraction * (high - low)
                for low, high in zip(corners[0::2], corners[1::2], strict=True)
            ]
        return corners[0]

"""Steps: a runtime's matrix kernels work in tiles, and widths between tiles cost more.

XNNPACK's tiles are 32 columns wide on x86. With an MLP of 392 columns a block took 20 % longer than
the line between 384 and 416 says, with 408 no longer. Levels of a grid are whole tiles, so between
them such a table was wrong by this. The step of a width is taken from probes: measured points that
are off the grid along one axis only. It depends on the remainder of the width by the tile, and so
is shared by all of an op's grids.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..row import Row

if TYPE_CHECKING:
    from .grid import OpGrid

# A row's interval is ±1.96 standard deviations.
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Steps:
    """By axis, how many times as long a block takes as the line says: `tile` + 1 factors.

    The nth is that of widths whose remainder by `tile` is n; the first and the last are 1.
    `probes` are the rows that told them, by axis and remainder.
    """

    tile: int
    factors: Mapping[str, np.ndarray]
    probes: Mapping[str, Mapping[int, Sequence[Row]]]

    @classmethod
    def of(cls, grids: Sequence[OpGrid], tile: int) -> Steps | None:
        """Return the steps that the probes of an op's grids show; None where there are none."""
        probes: dict[str, dict[int, list[Row]]] = {}
        logs: dict[str, dict[int, list[float]]] = {}
        for grid in grids:
            for axis, remainder, point in _probes(grid, tile):
                row = grid.extra[point]
                ms = float(grid.weighted(grid.corners(np.array([point])))[0])
                if math.isfinite(ms) and row.latency_ms > 0:
                    probes.setdefault(axis, {}).setdefault(remainder, []).append(row)
                    of_axis = logs.setdefault(axis, {})
                    of_axis.setdefault(remainder, []).append(math.log(row.latency_ms / ms))
        factors = {axis: _factors(probes[axis], logs[axis], tile) for axis in probes}
        return cls(tile, factors, probes) if factors else None

    def factor(self, grid: OpGrid, dims: np.ndarray) -> np.ndarray | float:
        """Return the factors of n blocks (`dims`: n x axes) beside what `grid` interpolates."""
        found: np.ndarray | float = 1.0
        for position, axis in enumerate(grid.axes):
            if axis in self.factors and has_whole_tiles(grid.levels[position], self.tile):
                found = found * self.factors[axis][dims[:, position] % self.tile]
        return found

    def leaning(self, grid: OpGrid, block: Sequence[int]) -> dict[object, float]:
        """Return by row key the share of a block's latency that follows each probe."""
        found: dict[object, float] = {}
        for position, axis in enumerate(grid.axes):
            rows = self.probes.get(axis, {}).get(int(block[position]) % self.tile, ())
            if rows and has_whole_tiles(grid.levels[position], self.tile):
                found |= {row.key: 1 / len(rows) for row in rows}
        return found


def has_whole_tiles(levels: Sequence[int] | np.ndarray, tile: int) -> bool:
    """Whether an axis has several levels, all of them whole tiles."""
    return len(levels) > 1 and not any(int(level) % tile for level in levels)


def _probes(grid: OpGrid, tile: int) -> list[tuple[str, int, tuple[int, ...]]]:
    """Return the axis, remainder and dims of each probe: between tiles along one axis only."""
    found = []
    for point, row in grid.extra.items():
        off = [n for n, value in enumerate(point) if value not in grid.levels[n]]
        if row.verdict == "failed" or len(off) != 1:
            continue
        value, levels = point[off[0]], grid.levels[off[0]]
        inside = levels[0] < value < levels[-1]
        if inside and value % tile and has_whole_tiles(levels, tile):
            found.append((grid.axes[off[0]], value % tile, point))
    return found


def _factors(
    probes: Mapping[int, Sequence[Row]], logs: Mapping[int, Sequence[float]], tile: int
) -> np.ndarray:
    """Return the factor of each remainder: of probes their geometric mean, drawn towards 1.

    A mean m of standard error s counts m² / (m² + s²) of itself: noise makes no step. Between
    measured remainders the logarithms are interpolated.
    """
    remainders, steps = [0], [0.0]
    for remainder in sorted(logs):
        mean = float(np.mean(logs[remainder]))
        sds = [_sd(row) for row in probes[remainder]]
        error = math.hypot(*sds) / len(sds)
        remainders.append(remainder)
        steps.append(mean * mean**2 / (mean**2 + error**2) if mean else 0.0)
    return np.exp(np.interp(np.arange(tile + 1), [*remainders, tile], [*steps, 0.0]))


def _sd(row: Row) -> float:
    """Return the relative standard deviation of a row; 0 where it has no interval."""
    half = (row.high_ms - row.low_ms) / 2 / row.latency_ms
    return half / NORMAL_95 if math.isfinite(half) else 0.0

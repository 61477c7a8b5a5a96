"""Steps: a runtime's matrix kernels work in tiles, and widths between tiles cost more.

XNNPACK's tiles are 32 columns wide on x86. With an MLP of 392 columns a block took 20 % longer than
the line between 384 and 416 says, with 408 no longer; attention whose heads have values of 56
columns took longer than one of 64. Between levels of a grid such a table was wrong by this. The
step of a width is taken from probes: measured points that are off the grid along one axis only, in
any of an op's grids. On an axis whose levels are whole tiles it depends on the remainder by the
tile. On one that spans two tiles at most, as a head's columns do, it belongs to the width itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..row import NORMAL_95, Row

if TYPE_CHECKING:
    from .grid import OpGrid

# An axis whose levels lie no further apart than so many tiles has a step for each width.
FEW_TILES = 2


@dataclass(frozen=True)
class Steps:
    """By axis, how many times as long a block takes as the line between levels says.

    `factors` are by remainder, 0 to `tile` - 1, or by width, from the lowest level to the highest:
    see `_places`. `probes` are the rows that told them, by axis and place.
    """

    tile: int
    factors: Mapping[str, np.ndarray]
    probes: Mapping[str, Mapping[int, Sequence[Row]]]
    # As `stepped_levels` gives them.
    levels: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, grids: Sequence[OpGrid], tile: int) -> Steps | None:
        """Return the steps that the probes of an op's grids show; None where there are none."""
        probes: dict[str, dict[int, list[Row]]] = {}
        logs: dict[str, dict[int, list[float]]] = {}
        levels: dict[str, tuple[int, ...]] = {}
        for grid in grids:
            for axis, of_axis, point in _probes(grid, tile):
                row = grid.extra[point]
                ms = float(grid.weighted(grid.corners(np.array([point])))[0])
                if not math.isfinite(ms) or row.latency_ms <= 0:
                    continue
                # Grids of other levels have other lines; the first ones' count.
                if levels.setdefault(axis, of_axis) != of_axis:
                    continue
                width = point[grid.axes.index(axis)]
                place = width - of_axis[0] if of_axis else width % tile
                probes.setdefault(axis, {}).setdefault(place, []).append(row)
                found = logs.setdefault(axis, {})
                found.setdefault(place, []).append(math.log(row.latency_ms / ms))
        factors = {
            axis: _factors(probes[axis], logs[axis], _places_of_1(levels[axis], tile))
            for axis in probes
        }
        return cls(tile, factors, probes, levels) if factors else None

    def factor(self, grid: OpGrid, dims: np.ndarray) -> np.ndarray | float:
        """Return the factors of n blocks (`dims`: n x axes) beside what `grid` interpolates."""
        found: np.ndarray | float = 1.0
        for position, axis in enumerate(grid.axes):
            places = self._places(grid, axis, dims[:, position])
            if places is not None:
                found = found * self.factors[axis][places]
        return found

    def leaning(self, grid: OpGrid, block: np.ndarray) -> dict[object, float]:
        """Return by row key the share of a block's latency that follows each probe."""
        found: dict[object, float] = {}
        for position, axis in enumerate(grid.axes):
            places = self._places(grid, axis, block[position : position + 1])
            if places is not None:
                rows = self.probes[axis].get(int(places[0]), ())
                found |= {row.key: 1 / len(rows) for row in rows}
        return found

    def _places(self, grid: OpGrid, axis: str, widths: np.ndarray) -> np.ndarray | None:
        """Return where in `factors` widths of an axis stand; None where it has no steps here."""
        if axis not in self.factors:
            return None
        levels = stepped_levels(grid.levels[grid.axes.index(axis)], self.tile)
        if levels != self.levels[axis]:
            return None
        if not levels:
            return widths % self.tile
        return np.clip(widths, levels[0], levels[-1]) - levels[0]


def stepped_levels(levels: Sequence[int] | np.ndarray, tile: int) -> tuple[int, ...] | None:
    """Return between which levels an axis has a step for each width; None: it has no steps.

    Empty where the levels are whole tiles: there a step goes by the remainder, beside any levels.
    """
    if len(levels) < 2:
        return None
    if not any(int(level) % tile for level in levels):
        return ()
    few = int(levels[-1]) - int(levels[0]) <= FEW_TILES * tile
    return tuple(int(level) for level in levels) if few else None


def _probes(grid: OpGrid, tile: int) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """Yield axis, `stepped_levels` and dims of each probe: off the grid along one axis only."""
    for point, row in grid.extra.items():
        off = [n for n, value in enumerate(point) if value not in grid.levels[n]]
        if row.verdict == "failed" or len(off) != 1:
            continue
        value, levels = point[off[0]], grid.levels[off[0]]
        stepped = stepped_levels(levels, tile)
        if stepped is None or not levels[0] < value < levels[-1]:
            continue
        if stepped or value % tile:
            yield grid.axes[off[0]], stepped, point


def _places_of_1(levels: tuple[int, ...], tile: int) -> list[int]:
    """Return the places in `factors` that are 1: those of levels."""
    return [level - levels[0] for level in levels] or [0, tile]


def _factors(
    probes: Mapping[int, Sequence[Row]],
    logs: Mapping[int, Sequence[float]],
    places_of_1: Sequence[int],
) -> np.ndarray:
    """Return the factor of each place: of probes their geometric mean, drawn towards 1.

    A mean m of standard error s counts m² / (m² + s²) of itself: noise makes no step. Between
    measured places the logarithms are interpolated.
    """
    steps = dict.fromkeys(places_of_1, 0.0)
    for place, of_place in logs.items():
        mean = float(np.mean(of_place))
        sds = [_sd(row) for row in probes[place]]
        error = math.hypot(*sds) / len(sds)
        steps[place] = mean * mean**2 / (mean**2 + error**2) if mean else 0.0
    places = sorted(steps)
    return np.exp(np.interp(np.arange(places[-1] + 1), places, [steps[one] for one in places]))


def _sd(row: Row) -> float:
    """Return the relative standard deviation of a row; 0 where it has no interval."""
    half = (row.high_ms - row.low_ms) / 2 / row.latency_ms
    return half / NORMAL_95 if math.isfinite(half) else 0.0

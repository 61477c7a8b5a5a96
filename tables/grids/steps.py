"""Steps: a runtime's matrix kernels work in tiles, and widths between tiles cost more.

XNNPACK's kernels make 16 columns at once, on processors with AVX-512 32. Where padding to a whole
tile would waste more than 1 % of the columns, and tiles of half that width waste less, it takes a
kernel of half tiles (`xnn_create_fully_connected_nc_f32` in its fully-connected-nc.c): with an MLP
of 392 columns a block took 20 to 65 % longer than the line between 384 and 416 says, with one of
1,080 no longer. Attention whose heads have values of 56 columns took longer than one of 64. Between
levels of a grid such a table was wrong by this. The step of a width is taken from probes: measured
points that are off the grid along one axis only, in any of an op's grids. On an axis whose levels
are whole tiles it depends on the remainder by the tile, where the kernel is another one. On one
that spans two tiles at most, as a head's columns do, it belongs to the width itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..row import NORMAL_95, Row

if TYPE_CHECKING:
    from .grid import OpGrid

# XNNPACK pads up to this share of the columns before it takes the kernel of half tiles.
_PADDED = 0.01
# An axis whose levels lie no further apart than so many tiles has a step for each width.
FEW_TILES = 2


@dataclass(frozen=True)
class _Probe:
    """A row off the grid along `axis`, where it is `width`: the log of ms over the line's."""

    axis: str
    width: int
    log: float
    row: Row


@dataclass(frozen=True)
class Steps:
    """By axis, how many times as long a block takes as the line between levels says.

    `factors` are by remainder, 0 to `tile` - 1, or by width, from the lowest level to the highest:
    see `_places`. `probes` are the rows that they were found by, by axis and place. `columns` are
    those of the kernel: `tile` or half of it, whichever explains better which probes are on the
    line.
    """

    tile: int
    columns: int
    factors: Mapping[str, np.ndarray]
    probes: Mapping[str, Mapping[int, Sequence[Row]]]
    # As `stepped_levels` gives them.
    levels: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, grids: Sequence[OpGrid], tile: int) -> Steps | None:
        """Return the steps that the probes of an op's grids show; None where there are none."""
        found: list[_Probe] = []
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
                found.append(_Probe(axis, width, math.log(row.latency_ms / ms), row))
        columns = _columns([probe for probe in found if not levels[probe.axis]], tile)
        by_axis: dict[str, dict[int, list[_Probe]]] = {}
        for one in found:
            of_axis = levels[one.axis]
            if of_axis or takes_half_tiles(one.width, columns):
                place = one.width - of_axis[0] if of_axis else one.width % tile
                by_axis.setdefault(one.axis, {}).setdefault(place, []).append(one)
        if not by_axis:
            return None
        factors = {
            axis: _factors_by_width(probes, levels[axis])
            if levels[axis]
            else _factors_by_remainder(probes, tile)
            for axis, probes in by_axis.items()
        }
        rows = {
            axis: {place: [one.row for one in of_place] for place, of_place in probes.items()}
            for axis, probes in by_axis.items()
        }
        return cls(tile, columns, factors, rows, levels)

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
            return np.where(takes_half_tiles(widths, self.columns), widths % self.tile, 0)
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


def takes_half_tiles(widths: Any, columns: int) -> Any:
    """Return whether XNNPACK takes the kernel of half tiles for so many columns, or arrays of such.

    As `xnn_create_fully_connected_nc_f32` decides: less padding, and more than 1 % otherwise.
    """
    whole, half = -widths % columns, -widths % (columns // 2)
    return (half < whole) & (whole > _PADDED * widths)


def _columns(probes: Sequence[_Probe], tile: int) -> int:
    """Return the columns of the kernel: those whose whole tiles lie nearest to the line.

    Half a tile, where there are no such probes or both are as near.
    """

    def off(columns: int) -> float:
        on_line = [one.log for one in probes if not takes_half_tiles(one.width, columns)]
        return float(np.mean(np.abs(on_line))) if on_line else math.inf

    return tile if off(tile) < off(tile // 2) else tile // 2


def _factors_by_width(
    probes: Mapping[int, Sequence[_Probe]], levels: tuple[int, ...]
) -> np.ndarray:
    """Return the factor of each width from the lowest level on; that of a level is 1."""
    logs = dict.fromkeys((level - levels[0] for level in levels), 0.0)
    logs |= {place: _towards_1(of_place) for place, of_place in probes.items()}
    places = sorted(logs)
    return np.exp(np.interp(np.arange(places[-1] + 1), places, [logs[one] for one in places]))


def _factors_by_remainder(probes: Mapping[int, Sequence[_Probe]], tile: int) -> np.ndarray:
    """Return the factor of each remainder by the tile; that of whole tiles is 1.

    Between probed remainders the logarithms are interpolated, before the first and after the last
    one they are the same: the kernel is.
    """
    places = sorted(probes)
    logs = [_towards_1(probes[place]) for place in places]
    found = np.exp(np.interp(np.arange(tile), places, logs))
    found[0] = 1.0
    return found


def _towards_1(probes: Sequence[_Probe]) -> float:
    """Return the mean logarithm of the factors at one place, drawn towards 0.

    A mean m of standard error s counts m² / (m² + s²) of itself: noise makes no step.
    """
    mean = float(np.mean([one.log for one in probes]))
    error = math.hypot(*(_sd(one.row) for one in probes)) / len(probes)
    return mean * mean**2 / (mean**2 + error**2) if mean else 0.0


def _sd(row: Row) -> float:
    """Return the relative standard deviation of a row; 0 where it has no interval."""
    half = (row.high_ms - row.low_ms) / 2 / row.latency_ms
    return half / NORMAL_95 if math.isfinite(half) else 0.0

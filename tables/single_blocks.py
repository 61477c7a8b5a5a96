"""What a table says of single blocks: read off a grid, and put in their place in a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..models import Block
from .calibration.calibration import Calibration
from .grids.grid import OpGrid
from .prediction import BlockPrediction
from .row import Row


def predict_on(
    grid: OpGrid, blocks: Sequence[Block], dims: np.ndarray, extrapolate: bool
) -> tuple[list[BlockPrediction], float]:
    """Return the predictions of blocks on one grid, and the variance of their sum."""
    corners = grid.corners(dims)
    exact = grid.exact_rows(dims)
    if not extrapolate:
        grid.check_inside(dims, corners, exact)
    grid.check_measured(corners, exact)
    ms = grid.weighted(corners)
    # A failed row of weight 0 must not turn the sum into NaN; an unknown interval must.
    half = np.array([half_width(row) for row in grid.rows])
    weights = corners.weights * corners.scale[:, None]
    used = np.where(weights == 0, 0.0, half[corners.indices])
    halves = np.sqrt(((weights * used) ** 2).sum(axis=1))
    unstable = np.array([row.verdict == "unstable" for row in grid.rows])
    taken = np.abs(np.where(weights == 0, 0.0, weights * grid.values[corners.indices]))
    whole = np.maximum(taken.sum(axis=1), 1e-300)
    shares = (taken * unstable[corners.indices]).sum(axis=1) / whole
    transferred = np.array([row.verdict == "transferred" for row in grid.rows])
    predicted = (taken * transferred[corners.indices]).sum(axis=1) / whole
    leaning = np.zeros(len(grid.rows))
    leaning_on_extra: dict[tuple[object, str], float] = {}
    parts = []
    for n, block in enumerate(blocks):
        outside = tuple(axis for axis in grid.axes if corners.outside[axis][n])
        value, width, share = float(ms[n]), float(halves[n]), float(shares[n])
        by_others = float(predicted[n])
        row = exact.get(n)
        if row is not None:
            value, width, outside = row.latency_ms, half_width(row), ()
            share = float(row.verdict == "unstable")
            by_others = float(row.verdict == "transferred")
            leaning_on_extra[row.key] = leaning_on_extra.get(row.key, 0.0) + width
        else:
            np.add.at(leaning, corners.indices[n], weights[n])
        low, high = value - width, value + width
        parts.append(BlockPrediction(block, value, low, high, outside, share, by_others))
    variance = float(np.sum((leaning * np.where(leaning == 0, 0.0, half)) ** 2))
    return parts, variance + sum(width**2 for width in leaning_on_extra.values())


def in_place(part: BlockPrediction, line: Calibration) -> BlockPrediction:
    """Return a lone block's prediction as its share of a whole model."""
    return replace(
        part,
        ms=line.in_place(part.block, part.ms),
        low_ms=line.in_place(part.block, part.low_ms),
        high_ms=line.in_place(part.block, part.high_ms),
    )


def shares_transferred(parts: Sequence[BlockPrediction]) -> float:
    """Return how much of the blocks' latency comes from transferred points, a fraction."""
    whole = sum(part.ms for part in parts)
    return sum(part.ms * part.transferred_share for part in parts) / whole if whole > 0 else 0.0


def half_width(row: Row) -> float:
    """Return half the row's 95 % interval; NaN where none is known, as of an imported row."""
    return (row.high_ms - row.low_ms) / 2

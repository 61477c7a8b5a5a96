"""What a whole model is made of: how much of its latency each point of a table makes up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import UserError
from ...models import Block, Spec
from ..grids.grid import dims_array
from ..table import LatencyTable
from .sources import Key, Sources, key_of


def shares_of(specs: Sequence[Spec], sources: Sources) -> np.ndarray:
    """Return (specs, points) the fraction of each model's blocks that reads each point.

    The mean over the tables that cover a model; a row of zeros for one that none covers.
    """
    position = {key: n for n, key in enumerate(sources.keys)}
    total = np.zeros((len(specs), len(sources.keys)))
    covered = np.zeros(len(specs))
    for table in sources.tables:
        for n, spec in enumerate(specs):
            try:
                found = _read_by(spec, table)
            except UserError:
                continue
            whole = sum(found.values())
            for key, ms in found.items():
                if key in position:
                    total[n, position[key]] += ms / whole
            covered[n] += 1
    return total / np.maximum(covered, 1)[:, None]


def _read_by(spec: Spec, table: LatencyTable) -> dict[Key, float]:
    """Return the milliseconds that each row adds to the sum of a model's blocks."""
    found: dict[Key, float] = {}
    by_op: dict[str, list[Block]] = {}
    for block in spec.blocks():
        by_op.setdefault(block.op, []).append(block)
    for op, blocks in by_op.items():
        dims = dims_array(blocks)
        for grid, where in table.grids(op).split(dims, extrapolate=False):
            corners = grid.corners(dims[where])
            weights = corners.weights * corners.scale[:, None]
            ms = np.where(weights == 0, 0.0, weights * grid.values[corners.indices])
            for index, add in zip(corners.indices.ravel(), ms.ravel(), strict=True):
                if add:
                    key = key_of(grid.rows[index])
                    found[key] = found.get(key, 0.0) + float(add)
    return found

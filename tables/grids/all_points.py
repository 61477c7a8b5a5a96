"""What interpolations over scattered points have in common: every measured point, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...models import Block, find_op
from ..row import Row
from .grid import OpGrid


class AllPoints(OpGrid):
    """The measured points of an op, one dimension of points in place of one an axis."""

    def __init__(self, op: str, rows: Sequence[Row]) -> None:
        self.op = op
        self.axes = find_op(op).axes
        self.rows = list(rows)
        self.values = np.array([row.latency_ms for row in self.rows])
        self.extra = {}
        blocks = [row.subject for row in self.rows if isinstance(row.subject, Block)]
        self._dims = np.array([[value for _, value in one.dims] for one in blocks], dtype=np.int64)
        self.levels = [np.unique(column) for column in self._dims.T]
        self.shape = (len(self.rows),)

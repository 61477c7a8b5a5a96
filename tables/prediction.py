"""What a table answers for a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..models import Block


@dataclass(frozen=True)
class BlockPrediction:
    """A block's share: milliseconds for one run of the batch, with a 95 % interval.

    `extrapolated` names the axes on which the block lies outside the measured range.
    """

    block: Block
    ms: float
    low_ms: float
    high_ms: float
    extrapolated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """A model's latency in milliseconds for one run of the batch, with a 95 % interval.

    `by_block` adds up to `ms` less `offset_ms`, the constant of the table's calibration (0 without
    one). `how` says in words what the number stands on. `missing` are blocks that the table does
    not have and the answer leaves out. An interval that nobody knows is NaN.
    """

    model: str
    ms: float
    low_ms: float
    high_ms: float
    by_block: Sequence[BlockPrediction]
    offset_ms: float = 0.0
    how: str = ""
    missing: Sequence[Block] = ()

    @property
    def by_op(self) -> dict[str, float]:
        """Milliseconds per op, in the order of the model."""
        sums: dict[str, float] = {}
        for part in self.by_block:
            sums[part.block.op] = sums.get(part.block.op, 0.0) + part.ms
        return sums

    @property
    def extrapolated(self) -> list[str]:
        """The "op.axis" names on which the answer is a guess; empty inside the table."""
        return sorted({f"{p.block.op}.{axis}" for p in self.by_block for axis in p.extrapolated})

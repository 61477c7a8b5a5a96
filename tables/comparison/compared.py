"""What is compared: models that have MACs and a latency, pairs of them, and blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...models import Block


@dataclass(frozen=True)
class ComparedModel:
    """One model's promise and cost; milliseconds for one run of the batch.

    `measured_ms` is NaN where nothing was measured. `gmacs_per_s` is attained on `latency_ms`: the
    measured latency where there is one, otherwise the predicted.
    """

    model: str
    macs: int
    params: int
    predicted_ms: float
    low_ms: float
    high_ms: float
    measured_ms: float
    batch: int
    rank_macs: int = 0
    rank_latency: int = 0

    @property
    def latency_ms(self) -> float:
        return self.predicted_ms if math.isnan(self.measured_ms) else self.measured_ms

    @property
    def gmacs_per_s(self) -> float:
        return self.batch * self.macs / self.latency_ms / 1e6


@dataclass(frozen=True)
class Inversion:
    """A pair that MACs get wrong: `slower` has fewer MACs than `faster`, yet takes longer.

    `certain`: the 95 % intervals of the two predictions are apart, in this order too.
    """

    slower: str
    faster: str
    macs_ratio: float  # MACs of slower / MACs of faster, below 1
    latency_ratio: float  # latency of slower / latency of faster, above 1
    certain: bool = False


@dataclass(frozen=True)
class BlockSpeed:
    """What one measured point attains: MACs of the whole batch per second, in 10^9."""

    block: Block
    latency_ms: float
    gmacs_per_s: float

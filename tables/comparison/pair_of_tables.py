"""The same models on one table and on another: what changes between the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..table import LatencyTable


@dataclass(frozen=True)
class OnTable:
    """All models on one table: ms with 95 % interval, 1 for the fastest, and each op's share."""

    label: str
    table: LatencyTable
    ms: np.ndarray
    low_ms: np.ndarray
    high_ms: np.ndarray
    rank: Sequence[int]
    shares: Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Swap:
    """`first` is faster on table a, `second` on table b; ratios of first to second on each.

    Certain where the 95 % intervals of the two are apart on both tables.
    """

    first: str
    second: str
    ratio_a: float  # below 1
    ratio_b: float  # above 1
    certain: bool


@dataclass(frozen=True)
class Deviation:
    """How far a model is from `scale` times its latency on table a; and where it is spent.

    `op` is the one whose share of the latency differs most between the tables.
    """

    model: str
    relative: float
    op: str
    share_a: float
    share_b: float


@dataclass(frozen=True)
class Choice:
    """The model of most MACs within a budget on table b, chosen by table a and by b itself.

    `over_budget` is how far a's choice exceeds the budget on b (0 within it), `macs_lost` the
    share of MACs that it has less than b's own choice (negative: more, over the budget).
    """

    budget_ms: float
    by_a: str
    by_b: str
    over_budget: float
    macs_lost: float


@dataclass(frozen=True)
class PairOfTables:
    """Table b seen from table a. `scale` is the geometric mean of the latencies' ratios b / a."""

    a: str
    b: str
    kendall_tau: float
    scale: float
    deviations: Sequence[Deviation]  # the largest first
    swaps: Sequence[Swap]  # certain ones first, then by how much
    choices: Sequence[Choice]

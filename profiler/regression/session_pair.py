"""One fresh session of base and of head, run in turns: by how much head is slower."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from ..sampling.clock import Clock
from ..sampling.sampler import sample_group
from ..sampling.sampling_plan import SamplingPlan
from ..sampling.timed_run import OpenSession, Sample

BASE, HEAD = "base", "head"
# Sessions differ by more than what more runs of one would tell, so each is short.
PLAN = SamplingPlan(warmup_runs=2, warmup_ms=10.0, timed_ms=120.0, min_runs=8, max_runs=40)
# A session needs so many turns in which neither run was disturbed, and this share of all.
FEWEST_TURNS, LEAST_SHARE = 3, 0.25


Opening = Callable[[], OpenSession]


@dataclass(frozen=True)
class SessionPair:
    """What a session of each took, ms of a run; `log_ratio` is ln(head / base).

    turns: base and head run one right after the other, so often; disturbed: so many of them were
    left out, because other work held one of the two runs up. `is_calm`: enough turns are left.
    """

    log_ratio: float
    base_ms: float
    head_ms: float
    turns: int
    disturbed: int

    @property
    def is_calm(self) -> bool:
        left = self.turns - self.disturbed
        return left >= FEWEST_TURNS and left >= LEAST_SHARE * self.turns


def measure_pair(
    base: Opening, head: Opening, plan: SamplingPlan, clock: Clock, rng: random.Random
) -> SessionPair:
    """Open both afresh and run them in turns; `rng` draws which is opened, warmed and run first.

    The ratio is the median over turns, not of two medians: a machine that changes its speed in
    between hits both runs of a turn. The random order is what the interval stands on
    (`confidence_sequence.py`).
    """
    opened = [(BASE, base), (HEAD, head)]
    rng.shuffle(opened)
    with ExitStack() as stack:
        group = {name: stack.enter_context(open_one()) for name, open_one in opened}
        samples = sample_group(group, plan, clock, rng, keep_all=True)
    turns = list(zip(samples[BASE].kept, samples[HEAD].kept, strict=False))
    calm = [turn for turn in turns if not _is_disturbed(turn, plan.threads)]
    used = calm or [turn for turn in turns if min(one.wall_ms for one in turn) > 0]
    if not used:
        return SessionPair(math.nan, math.nan, math.nan, len(turns), len(turns))
    return SessionPair(
        float(np.median([math.log(head.wall_ms / base.wall_ms) for base, head in used])),
        float(np.median([base.wall_ms for base, _ in used])),
        float(np.median([head.wall_ms for _, head in used])),
        len(turns),
        len(turns) - len(calm),
    )


def _is_disturbed(turn: tuple[Sample, Sample], threads: int) -> bool:
    return any(one.wall_ms <= 0 or one.disturbed(threads) for one in turn)

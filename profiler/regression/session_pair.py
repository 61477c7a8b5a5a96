"""Fresh sessions of base and of head, run in turns: by how much head is slower."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..sampling.clock import Clock
from ..sampling.opening_order import opening_orders
from ..sampling.sampler import sample_group
from ..sampling.sampling_plan import SamplingPlan
from ..sampling.timed_run import OpenSession, Sample

BASE, HEAD = "base", "head"
# Of each of the two openings. Sessions differ by more than what more runs of one would tell, so
# each is short.
PLAN = SamplingPlan(warmup_runs=2, warmup_ms=10.0, timed_ms=60.0, min_runs=4, max_runs=20)
# An opening needs so many turns in which neither run was disturbed, and this share of all.
FEWEST_TURNS, LEAST_SHARE = 2, 0.25


Opening = Callable[[], OpenSession]


@dataclass(frozen=True)
class SessionPair:
    """What two sessions of each took, ms of a run; `log_ratio` is ln(head / base).

    turns: base and head run one right after the other, so often; disturbed: so many of them were
    left out, because other work held one of the two runs up. is_calm: enough turns are left of each
    opening.
    """

    log_ratio: float
    base_ms: float
    head_ms: float
    turns: int
    disturbed: int
    is_calm: bool = True


def measure_pair(
    base: Opening, head: Opening, plan: SamplingPlan, clock: Clock, rng: random.Random
) -> SessionPair:
    """Open both afresh and run them in turns, then once more in the opposite order of opening.

    Of two sessions of one model that are open together, the one opened first was 8 to 9 % slower on
    an AMD EPYC (docs/results/opening_order.md); the mean of both orders is free of it. `rng` draws
    which order comes first, and which runs first in each turn: exchanging base and head leaves the
    probability of everything as it is, on which the interval stands (`confidence_sequence.py`).
    """
    orders = opening_orders([(BASE, base), (HEAD, head)], rng)
    return _mean([_opened(order, plan, clock, rng) for order in islice(orders, 2)])


def _opened(
    order: Sequence[tuple[str, Opening]], plan: SamplingPlan, clock: Clock, rng: random.Random
) -> SessionPair:
    """Open both in this order and run them in turns.

    The ratio is the median over turns, not of two medians: a machine that changes its speed in
    between hits both runs of a turn.
    """
    with ExitStack() as stack:
        group = {name: stack.enter_context(open_one()) for name, open_one in order}
        samples = sample_group(group, plan, clock, rng, keep_all=True)
    turns = list(zip(samples[BASE].kept, samples[HEAD].kept, strict=False))
    calm = [turn for turn in turns if not _is_disturbed(turn, plan.threads)]
    used = calm or [turn for turn in turns if min(one.wall_ms for one in turn) > 0]
    if not used:
        return SessionPair(math.nan, math.nan, math.nan, len(turns), len(turns), False)
    return SessionPair(
        float(np.median([math.log(head.wall_ms / base.wall_ms) for base, head in used])),
        float(np.median([base.wall_ms for base, _ in used])),
        float(np.median([head.wall_ms for _, head in used])),
        len(turns),
        len(turns) - len(calm),
        len(calm) >= FEWEST_TURNS and len(calm) >= LEAST_SHARE * len(turns),
    )


def _mean(openings: Sequence[SessionPair]) -> SessionPair:
    return SessionPair(
        float(np.mean([one.log_ratio for one in openings])),
        float(np.mean([one.base_ms for one in openings])),
        float(np.mean([one.head_ms for one in openings])),
        sum(one.turns for one in openings),
        sum(one.disturbed for one in openings),
        all(one.is_calm for one in openings),
    )


def _is_disturbed(turn: tuple[Sample, Sample], threads: int) -> bool:
    return any(one.wall_ms <= 0 or one.disturbed(threads) for one in turn)

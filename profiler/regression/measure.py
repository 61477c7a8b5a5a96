"""Pairs of sessions until an interval of head's latency over base's lies on one side of a limit."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...progress import OnProgress, no_progress
from ..sampling.clock import Clock, SystemClock
from ..sampling.sampling_plan import SamplingPlan
from .confidence_sequence import bounds_of_centre
from .outcome import Outcome, outcome_of
from .session_pair import PLAN, Opening, SessionPair, measure_pair

SECONDS = 120.0
# So many pairs that the time ends first: on machines where a pair scatters by 5 %, 60 were too few.
MOST_SESSIONS = 240


@dataclass(frozen=True)
class Regression:
    """How much slower head is than base: a fraction, 0.05 is 5 % slower, below 0 is faster.

    `low` and `high` are a 95 % confidence sequence: the interval may be looked at after every
    session. Both are infinite where too few sessions were calm. `pairs` are all sessions, disturbed
    ones too.
    """

    limit: float
    pairs: Sequence[SessionPair] = field(repr=False)

    @property
    def calm(self) -> list[SessionPair]:
        """The sessions that count."""
        return [pair for pair in self.pairs if pair.is_calm]

    @property
    def change(self) -> float:
        """The median over sessions; NaN without one."""
        logs = [pair.log_ratio for pair in self.calm]
        return math.expm1(float(np.median(logs))) if logs else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The bounds of the change."""
        low, high = bounds_of_centre([pair.log_ratio for pair in self.calm])
        return math.expm1(low) if low > -math.inf else -math.inf, _expm1(high)

    @property
    def base_ms(self) -> float:
        """Median over sessions, ms of a run."""
        return _median([pair.base_ms for pair in self.calm])

    @property
    def head_ms(self) -> float:
        """Median over sessions, ms of a run."""
        return _median([pair.head_ms for pair in self.calm])

    @property
    def session_sd(self) -> float:
        """Standard deviation of a session's ratio, a fraction; NaN with fewer than two."""
        logs = [pair.log_ratio for pair in self.calm]
        return float(np.std(logs, ddof=1)) if len(logs) > 1 else math.nan

    @property
    def outcome(self) -> Outcome:
        """PASSED where the whole interval keeps the limit, FAILED where none of it does."""
        return outcome_of(*self.interval, self.limit)


def measure_regression(
    base: Opening,
    head: Opening,
    limit: float,
    *,
    threads: int = 1,
    most_sessions: int = MOST_SESSIONS,
    seconds: float = SECONDS,
    plan: SamplingPlan = PLAN,
    clock: Clock | None = None,
    seed: int | None = None,
    on_progress: OnProgress = no_progress,
    what: str = "",
) -> Regression:
    """Measure pairs of sessions until the limit is decided, or `seconds` or sessions are used up.

    base, head: give a fresh session every time they are called. limit: how much slower head may be,
    a fraction. seed: of the random orders, None for other ones every time. Raises what opening and
    running raise.
    """
    clock = clock or SystemClock()
    rng = random.Random(seed)  # noqa: S311 - an order, not a secret
    plan = replace(plan, threads=threads)
    started = clock.wall()
    found = Regression(limit, ())
    while len(found.pairs) < most_sessions:
        if found.pairs and (clock.wall() - started) / 1e9 >= seconds:
            break
        on_progress("sessions", len(found.pairs), most_sessions, what)
        pair = measure_pair(base, head, plan, clock, rng)
        found = Regression(limit, (*found.pairs, pair))
        if found.outcome is not Outcome.UNDECIDED:
            break
    on_progress("sessions", most_sessions, most_sessions, "")
    return found


def _expm1(value: float) -> float:
    return math.expm1(value) if value < 700 else math.inf


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else math.nan

"""What an interval says of a limit."""

from __future__ import annotations

import math
from enum import StrEnum


class Outcome(StrEnum):
    """Whether a limit is kept, or that nobody can say."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


def outcome_of(low: float, high: float, limit: float) -> Outcome:
    """Return PASSED where the whole interval keeps the limit, FAILED where none of it does.

    An interval that is not known (NaN) is UNDECIDED.
    """
    if math.isnan(low) or math.isnan(high):
        return Outcome.UNDECIDED
    if high <= limit:
        return Outcome.PASSED
    return Outcome.FAILED if low > limit else Outcome.UNDECIDED


def worst_of(outcomes: list[Outcome]) -> Outcome:
    """Return FAILED where one failed, else UNDECIDED where one is undecided."""
    for outcome in (Outcome.FAILED, Outcome.UNDECIDED):
        if outcome in outcomes:
            return outcome
    return Outcome.PASSED

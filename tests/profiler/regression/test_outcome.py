"""What an interval says of a limit."""

from __future__ import annotations

import math

import pytest
from vitprof.profiler.regression.outcome import Outcome, outcome_of, worst_of


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.01, 0.049, Outcome.PASSED),
        (0.01, 0.05, Outcome.PASSED),
        (0.05, 0.07, Outcome.UNDECIDED),
        (0.051, 0.07, Outcome.FAILED),
        (0.02, 0.07, Outcome.UNDECIDED),
        (-math.inf, math.inf, Outcome.UNDECIDED),
        (math.nan, math.nan, Outcome.UNDECIDED),
        (0.0, math.nan, Outcome.UNDECIDED),
    ],
)
def test_the_whole_interval_decides(low: float, high: float, outcome: Outcome) -> None:
    assert outcome_of(low, high, 0.05) is outcome


def test_the_worst_is_a_failure_then_what_nobody_knows() -> None:
    passed, failed, undecided = Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED
    assert worst_of([passed, undecided, failed]) is failed
    assert worst_of([passed, undecided]) is undecided
    assert worst_of([passed, passed]) is passed

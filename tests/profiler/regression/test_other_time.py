"""Two measurements at different times, through a reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from vitprof.profiler.regression.other_time import (
    MOST_EXPONENT_ERROR,
    REFERENCE_SD,
    Sessions,
    change_since,
)


def sessions(seed: int, ms: float, count: int, speed: float = 1.0, sd: float = 0.01) -> Sessions:
    """Sessions on a machine of a speed, which the model and the reference follow alike."""
    rng = np.random.default_rng(seed)
    reference = 18.0 * speed * np.exp(rng.normal(0.0, 0.002, count))
    own = ms * np.exp(rng.normal(0.0, sd, count)) * reference / 18.0
    return Sessions(own.tolist(), reference.tolist())


def test_the_interval_of_sessions_is_welchs() -> None:
    base, head = sessions(1, 4.0, 10), sessions(2, 4.2, 15, sd=0.03)
    change, low, high = change_since(base, head)
    student = stats.ttest_ind(head.logs, base.logs, equal_var=False)
    welch = student.confidence_interval(0.95)
    half = (welch.high - welch.low) / 2
    moved = abs(math.log(np.median(head.reference_ms) / np.median(base.reference_ms)))
    error = math.hypot(half, 1.96 * math.sqrt(2) * REFERENCE_SD) + MOST_EXPONENT_ERROR * moved
    assert math.log1p(change) == pytest.approx((welch.high + welch.low) / 2)
    assert math.log1p(high) - math.log1p(change) == pytest.approx(error)
    assert math.log1p(change) - math.log1p(low) == pytest.approx(error)


def test_a_machine_that_became_slower_is_taken_away_but_widens_the_interval() -> None:
    base = sessions(3, 4.0, 12)
    same, slower = (change_since(base, sessions(4, 4.0, 12, speed)) for speed in (1.0, 1.4))
    assert slower[0] == pytest.approx(same[0], abs=1e-9)
    assert slower[1] < same[1] < 0 < same[2] < 0.05 < slower[2]


def test_sessions_that_are_all_alike_leave_the_references_luck() -> None:
    alike = Sessions([4.0] * 5, [18.0] * 5)
    change, low, high = change_since(alike, alike)
    assert change == 0.0
    assert high == pytest.approx(math.expm1(1.96 * math.sqrt(2) * REFERENCE_SD))
    assert low == pytest.approx(math.expm1(-1.96 * math.sqrt(2) * REFERENCE_SD))

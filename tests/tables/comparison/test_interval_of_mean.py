"""The bootstrap's interval is as wide as theory says, and covers what it should."""

from __future__ import annotations

import numpy as np
import pytest
from vitprof.tables.comparison.interval_of_mean import interval_of_mean


def test_of_many_normal_values_it_is_two_standard_errors_to_both_sides() -> None:
    values = np.random.default_rng(1).normal(3.0, 1.0, 400)
    low, high = interval_of_mean(values)
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_it_covers_the_mean_of_skewed_errors() -> None:
    """|error| of 50 models: the mean of |N(0, 1)| is sqrt(2 / pi)."""
    rng = np.random.default_rng(2)
    truth = (2 / np.pi) ** 0.5
    covered = 0
    for _ in range(200):
        low, high = interval_of_mean(np.abs(rng.normal(0, 1, 50)))
        covered += low <= truth <= high
    assert 0.90 <= covered / 200 <= 0.98


def test_the_seed_makes_it_again_and_equal_values_leave_no_doubt() -> None:
    values = [0.1, 0.4, 0.2, 0.25]
    assert interval_of_mean(values, 3) == interval_of_mean(values, 3) != interval_of_mean(values, 4)
    assert interval_of_mean([0.25, 0.25, 0.25]) == (0.25, 0.25)

"""Intervals and spreads against closed forms and simulated sessions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from vitprof.profiler.sampling.statistics import (
    PRIOR_SESSION_SD,
    SHRINKAGE_DOF,
    latency_interval,
    median_variance_factor,
    pooled_session_sd,
    relative_session_variance,
    summarise_session,
)

MEDIANS = st.lists(st.floats(0.01, 1e3), min_size=1, max_size=9)


def test_a_session_is_summarised_by_its_percentiles() -> None:
    summary = summarise_session([float(ms) for ms in range(100, -1, -1)], set_aside=4)
    assert (summary.min_ms, summary.p10_ms, summary.median_ms) == (0, 10, 50)
    assert (summary.p90_ms, summary.p99_ms) == (90, 99)
    assert (summary.samples, summary.set_aside) == (101, 4)


def test_one_sample_is_all_of_its_summary() -> None:
    summary = summarise_session([2.5], 0)
    assert {summary.min_ms, summary.p10_ms, summary.median_ms, summary.p99_ms} == {2.5}


@pytest.mark.parametrize(("n", "within"), [(1, 1e-12), (2, 0.25), (3, 0.03), (5, 0.03), (25, 0.02)])
def test_the_variance_of_a_median_agrees_with_simulation(n: int, within: float) -> None:
    medians = np.median(np.random.default_rng(n).normal(size=(200_000, n)), axis=1)
    exact = 1.0 if n == 1 else float(medians.var())
    assert median_variance_factor(n) == pytest.approx(exact, rel=within)


def test_the_variance_between_sessions_is_that_of_logarithms() -> None:
    assert relative_session_variance([2.0]) == (0.0, 0)
    variance, dof = relative_session_variance([1.0, math.e, math.e**2])
    assert (variance, dof) == (pytest.approx(1.0), 2)
    slow, fast = [10.0, 11.0, 12.0], [0.10, 0.11, 0.12]
    assert relative_session_variance(slow) == pytest.approx(relative_session_variance(fast))


@given(medians=MEDIANS, shared_sd=st.floats(1e-4, 0.3))
def test_the_latency_is_the_median_inside_its_interval(
    medians: list[float], shared_sd: float
) -> None:
    latency, low, high = latency_interval(medians, shared_sd)
    assert latency == np.median(medians)
    assert 0 < low < latency < high
    assert low * high == pytest.approx(latency**2)
    doubled = latency_interval([2 * m for m in medians], shared_sd)
    assert doubled == pytest.approx((2 * latency, 2 * low, 2 * high))


def test_one_session_has_the_shared_spread_shrunk_by_its_degrees_of_freedom() -> None:
    _, _, high = latency_interval([5.0], shared_sd=0.02)
    assert math.log(high / 5.0) == pytest.approx(norm.ppf(0.975) * 0.02, rel=1e-6)


def test_a_points_own_spread_is_shrunk_towards_the_shared_one() -> None:
    """Three sessions have 2 degrees of freedom against SHRINKAGE_DOF of the shared spread."""
    shared = 0.01

    def spread(medians: Sequence[float]) -> float:
        latency, _, high = latency_interval(medians, shared)
        return math.log(high / latency)

    calm, wild = [5.0, 5.0, 5.0], [5.0 * math.exp(-0.1), 5.0, 5.0 * math.exp(0.1)]
    variances = {
        "calm": SHRINKAGE_DOF * shared**2 / (SHRINKAGE_DOF + 2),
        "wild": (SHRINKAGE_DOF * shared**2 + 2 * 0.1**2) / (SHRINKAGE_DOF + 2),
    }
    factor = median_variance_factor(3)
    for name, medians in (("calm", calm), ("wild", wild)):
        expected = norm.ppf(0.975) * math.sqrt(variances[name] * factor)
        assert spread(medians) == pytest.approx(expected, rel=1e-6)
    # Less than alone (calm: 0), more than the shared spread only where the point earned it.
    assert 0 < spread(calm) < spread([5.0]) < spread(wild)


@pytest.mark.parametrize("sessions", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("true_sd", [0.01, 0.03])
def test_the_interval_covers_the_truth_as_often_as_it_says(sessions: int, true_sd: float) -> None:
    """A table's worth of points, whose shared spread is estimated from themselves."""
    rng = np.random.default_rng(sessions)
    points, truth, covered = 2000, 3.0, 0
    medians = truth * np.exp(rng.normal(0, true_sd, size=(points, sessions)))
    shared = pooled_session_sd(medians.tolist()) if sessions > 1 else true_sd
    for of_point in medians:
        _, low, high = latency_interval(of_point.tolist(), shared)
        covered += low <= truth <= high
    assert 0.90 <= covered / points <= 0.99


@pytest.mark.parametrize("sessions", [2, 3, 5])
def test_the_pooled_spread_is_that_of_the_noise(sessions: int) -> None:
    noise = np.random.default_rng(5).normal(0, 0.02, size=(4000, sessions))
    latencies = np.random.default_rng(6).uniform(0.1, 100, size=(4000, 1))
    pooled = pooled_session_sd((latencies * np.exp(noise)).tolist())
    assert pooled == pytest.approx(0.02, rel=0.06)


def test_a_few_wild_points_do_not_widen_the_pooled_spread() -> None:
    rng = np.random.default_rng(8)
    medians = np.exp(rng.normal(0, 0.015, size=(80, 3)))
    calm = pooled_session_sd(medians.tolist())
    medians[:8] = np.exp(rng.normal(0, 1.0, size=(8, 3)))
    assert pooled_session_sd(medians.tolist()) == pytest.approx(calm, rel=0.25)


def test_too_few_points_show_no_spread_and_the_prior_is_assumed() -> None:
    assert pooled_session_sd([]) is None
    assert pooled_session_sd([[1.0], [2.0]] * 50) is None
    assert pooled_session_sd([[1.0, 2.0]] * 3 + [[1.0]] * 9) is None
    seen = pooled_session_sd([[1.0, 2.0]] * 4)
    assert seen is not None
    assert seen > 0.1
    assert latency_interval([2.0], None) == latency_interval([2.0], PRIOR_SESSION_SD)


def test_what_sessions_have_in_common_is_not_lowered_by_their_number() -> None:
    few = latency_interval([5.0] * 3, 0.01, common_sd=0.02)
    many = latency_interval([5.0] * 3000, 0.01, common_sd=0.02)
    assert many[2] / 5.0 == pytest.approx(math.exp(1.96 * 0.02), rel=1e-3)
    assert few[2] > many[2]
    assert latency_interval([5.0] * 3, 0.01, common_sd=0.0) == latency_interval([5.0] * 3, 0.01)

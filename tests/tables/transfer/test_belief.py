"""The Gaussian process, against the textbook's formulas on dense matrices, and the choice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from vitprof.tables.transfer import belief as module
from vitprof.tables.transfer.belief import LEVEL_SD, Belief


def random_belief(rng: np.random.Generator, points: int = 12) -> Belief:
    return Belief(
        rng.normal(size=points),
        0.2 * rng.normal(size=(points, 3)),
        0.1 * rng.normal(size=(points, 4)),
        rng.uniform(0.01, 0.05, points),
    )


def dense(belief: Belief) -> np.ndarray:
    """The covariance of all points, written out."""
    return (
        LEVEL_SD**2
        + belief.along @ belief.along.T
        + belief.other @ belief.other.T
        + np.diag(belief.own_sd**2)
    )


@pytest.fixture
def one_belief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the belief that departures are just as large as they are said to be."""
    monkeypatch.setattr(module, "_GRID", [(1.0, 1.0, 1.0)])


@pytest.mark.usefixtures("one_belief")
def test_it_is_the_textbooks_posterior() -> None:
    rng = np.random.default_rng(1)
    belief = random_belief(rng)
    probes, noise = [2, 5, 7, 11], np.array([0.01, 0.02, 0.03, 0.01])
    values = rng.normal(size=4)
    found = belief.given(probes, values, noise)
    covariance = dense(belief)
    seen = covariance[np.ix_(probes, probes)] + np.diag(noise**2)
    gain = covariance[:, probes] @ np.linalg.inv(seen)
    residual = values - belief.mean[probes]
    mean = belief.mean + residual.mean() + gain @ (residual - residual.mean())
    sd = np.sqrt(np.diag(covariance - gain @ covariance[probes]))
    assert found.mean == pytest.approx(mean, abs=1e-7)
    assert found.sd == pytest.approx(sd, rel=1e-5)


@pytest.mark.usefixtures("one_belief")
def test_held_out_errors_are_those_of_leaving_each_probe_out() -> None:
    rng = np.random.default_rng(2)
    belief = random_belief(rng)
    probes, noise, values = np.array([0, 3, 4, 8, 9]), np.full(5, 0.02), rng.normal(size=5)
    found = belief.given(probes, values, noise)
    for n in range(5):
        others = np.arange(5) != n
        told = belief.given(probes[others], values[others], noise[others])
        error = values[n] - told.mean[probes[n]]
        assert found.held_out[n] == pytest.approx(error, abs=1e-3)  # the level is theirs alone
        sd = math.hypot(told.sd[probes[n]], noise[n])
        assert found.held_out_sd[n] == pytest.approx(sd, rel=1e-5)


def test_each_probe_takes_away_most_of_what_is_unknown() -> None:
    """Against trying every candidate: the sum of the goals' variances after it is the least."""
    rng = np.random.default_rng(3)
    belief, noise = random_belief(rng), np.full(12, 0.03)
    goals, chosen = [1, 4, 6, 10], []

    def left(probes: list[int]) -> float:
        covariance = dense(belief)
        seen = covariance[np.ix_(probes, probes)] + np.diag(noise[probes] ** 2 + 1e-8)
        gain = covariance[:, probes] @ np.linalg.inv(seen)
        return float(np.diag(covariance - gain @ covariance[probes])[goals].sum())

    for n in range(4):
        best = min((p for p in range(12) if p not in chosen), key=lambda p: left([*chosen, p]))
        found = belief.choose(n + 1, range(12), goals, noise)
        assert found[:n] == chosen
        assert left([*chosen, found[n]]) == pytest.approx(left([*chosen, best]), rel=1e-6)
        chosen = found


def test_of_two_alike_the_cheaper_is_measured() -> None:
    one = random_belief(np.random.default_rng(6), points=6)
    twice = Belief(
        *(np.concatenate([part, part]) for part in (one.mean, one.along, one.other, one.own_sd))
    )
    cost = np.repeat([2.0, 1.0], 6)
    chosen = twice.choose(4, range(12), range(12), np.full(12, 0.03), cost=cost)
    assert all(point >= 6 for point in chosen[1:])


def test_those_chosen_before_count_and_do_not_come_back() -> None:
    belief, noise = random_belief(np.random.default_rng(4)), np.full(12, 0.03)
    four = belief.choose(4, range(12), range(12), noise)
    assert belief.choose(2, range(12), range(12), noise, chosen=four[:2]) == four[2:]
    assert len(set(belief.choose(50, range(12), range(12), noise))) == 12


def test_the_source_that_is_like_the_device_has_most_of_the_say() -> None:
    rng = np.random.default_rng(5)
    logs = rng.normal(size=(40, 1)) + 0.3 * rng.normal(size=(40, 3))
    mean = logs.mean(axis=1)
    departures = logs - mean[:, None]
    departures -= departures.mean(axis=0)
    belief = Belief(mean, departures / math.sqrt(3), np.zeros((40, 1)), np.full(40, 0.01))
    probes = list(range(0, 40, 4))
    found = belief.given(probes, logs[probes, 1] + 2.0, np.full(10, 0.01))
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights[1] == pytest.approx(1, abs=0.05)
    assert np.abs(found.mean - logs[:, 1] - 2.0).max() < 0.05

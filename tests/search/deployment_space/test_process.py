"""The posterior beside the textbook's, and beside samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.search.deployment_space.process import Effect, posterior


def by_definition(mean, effects, seen, values, noise):
    """Rasmussen & Williams, eq. 2.23 and 2.24, with whole matrices and an inverse."""
    count = len(mean)
    covariance = np.array(
        [
            [
                sum(
                    effect.weights[i] * effect.weights[j]
                    for effect in effects
                    if effect.groups[i] == effect.groups[j]
                )
                for j in range(count)
            ]
            for i in range(count)
        ]
    )
    among = covariance[np.ix_(seen, seen)] + noise**2 * np.eye(len(seen))
    gain = covariance[:, seen] @ np.linalg.inv(among)
    found = mean + gain @ (np.asarray(values) - mean[seen])
    return found, np.sqrt(np.diag(covariance - gain @ covariance[seen]))


@given(st.integers(0, 10_000))
def test_it_is_that_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=8)
    effects = [
        Effect.of(rng.integers(0, 3, 8).tolist(), rng.uniform(0.1, 1.0, 8)),
        Effect.of(rng.integers(0, 2, 8).tolist(), 0.5),
        Effect.of(list(range(8)), 0.1),
    ]
    seen = rng.permutation(8)[:4].tolist()
    values = rng.normal(size=4).tolist()
    found = posterior(mean, effects, seen, values, 0.1, scales=(1.0,))
    wanted, deviation = by_definition(mean, effects, seen, values, 0.1)
    assert found.mean == pytest.approx(wanted, abs=1e-9)
    assert found.deviation == pytest.approx(deviation, abs=1e-7)


def test_nothing_seen_is_the_prior() -> None:
    effects = [Effect.of(["a", "b", "a"], [3.0, 4.0, 0.0]), Effect.of([0, 0, 0], [4.0, 3.0, 2.0])]
    found = posterior(np.array([1.0, 2.0, 3.0]), effects, [], [], 0.1)
    assert found.mean.tolist() == [1.0, 2.0, 3.0]
    assert found.deviation.tolist() == [5.0, 5.0, 2.0]


def test_one_of_a_group_tells_of_the_group_and_of_no_other() -> None:
    effects = [Effect.of(["a", "a", "b"], 1.0)]
    found = posterior(np.zeros(3), effects, [0], [0.5], 1e-6, scales=(1.0,))
    assert found.mean == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
    assert found.deviation == pytest.approx([0.0, 0.0, 1.0], abs=1e-3)


def test_the_scale_is_learned_from_values_that_part() -> None:
    effects = [Effect.of(list(range(20)), 1.0)]
    rng = np.random.default_rng(0)
    seen = list(range(15))
    near = posterior(np.zeros(20), effects, seen, rng.normal(0, 0.4, 15).tolist(), 0.01)
    far = posterior(np.zeros(20), effects, seen, rng.normal(0, 2.5, 15).tolist(), 0.01)
    assert near.deviation[19] == pytest.approx(0.5)
    assert far.deviation[19] == pytest.approx(2.0)

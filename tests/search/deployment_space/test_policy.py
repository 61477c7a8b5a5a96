"""The pick of few measurements, beside the best of all, in scripted worlds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from vitprof.search.deployment_space.limits import Limits
from vitprof.search.deployment_space.policy import (
    SHARE,
    choose_best,
    most_measurements,
    ranking,
)

from .world import World, world

SEEDS = range(6)


def limits_of(one: World, seed: int, count: int = 10) -> list[float]:
    """Random limits from among the latencies of the world, none that only a few keep."""
    rng = np.random.default_rng(seed)
    latencies = sorted(figures.latency_ms for figures in one.figures.values())
    low, high = latencies[len(latencies) // 20], latencies[-len(latencies) // 5]
    return np.exp(rng.uniform(math.log(low), math.log(high), count)).tolist()


def pick(one: World, limit_ms: float) -> tuple[float, int]:
    """The accuracy of the pick and how many were measured for it."""
    knowledge = one.knowledge()
    limits = Limits(latency_ms=limit_ms)
    found = choose_best(knowledge, limits, one.measure, most_measurements(len(one.deployments)))
    assert found.best is not None
    figures = knowledge.measured[found.best]
    assert figures.latency_ms <= limit_ms
    assert ranking(knowledge, limits)[0] == found.best
    return figures.accuracy, found.tried


@pytest.mark.parametrize("tables", [1.0, 0.5])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_pick_is_near_the_best_of_all(seed: int, tables: float) -> None:
    one = world(seed, tables=tables)
    assert len(one.deployments) >= 500
    for limit in limits_of(one, seed):
        accuracy, tried = pick(one, limit)
        assert tried <= SHARE * len(one.deployments)
        assert accuracy >= one.best(limit) - 0.003


def test_without_any_table_it_still_finds_the_best() -> None:
    one = world(7, tables=0.0)
    for limit in limits_of(one, 7, 3):
        accuracy, tried = pick(one, limit)
        assert tried <= SHARE * len(one.deployments)
        assert accuracy >= one.best(limit) - 0.003


def test_what_a_runtime_refuses_is_out_and_the_question_is_answered() -> None:
    one = world(3, refusing=frozenset({("swin", "openvino"), ("vit", "onnxruntime")}))
    knowledge = one.knowledge()
    limit = float(np.median([figures.latency_ms for figures in one.figures.values()]))
    found = choose_best(knowledge, Limits(latency_ms=limit), one.measure, 40)
    assert found.best is not None
    assert knowledge.measured[found.best].accuracy >= one.best(limit) - 0.003
    for place, reason in knowledge.refused.items():
        deployment = knowledge.deployments[place]
        assert (deployment.variant.family, deployment.way.runtime) in one.refusing
        assert "lacks an operator" in reason


def test_another_question_goes_on_from_what_was_measured() -> None:
    one = world(4)
    knowledge = one.knowledge()
    low, high = sorted(limits_of(one, 4, 2))
    choose_best(knowledge, Limits(latency_ms=low), one.measure, 25)
    asked = one.asked
    again = choose_best(knowledge, Limits(latency_ms=low), one.measure, 25)
    assert again.tried == 0
    assert one.asked == asked
    other = choose_best(knowledge, Limits(latency_ms=high), one.measure, 25)
    assert other.best is not None
    assert knowledge.measured[other.best].accuracy >= one.best(high) - 0.003


def test_other_limits_are_kept_too() -> None:
    one = world(5)
    knowledge = one.knowledge()
    sizes = sorted(figures.file_bytes for figures in one.figures.values())
    limits = Limits(latency_ms=limits_of(one, 5)[0], file_bytes=sizes[len(sizes) // 4])
    found = choose_best(knowledge, limits, one.measure, 25)
    assert found.best is not None
    kept = [figures for figures in one.figures.values() if not limits.excess(figures)]
    assert not limits.excess(knowledge.measured[found.best])
    assert knowledge.measured[found.best].accuracy >= max(x.accuracy for x in kept) - 0.003


def test_limits_that_nothing_keeps_find_the_nearest() -> None:
    one = world(6)
    knowledge = one.knowledge()
    fastest = min(figures.latency_ms for figures in one.figures.values())
    found = choose_best(knowledge, Limits(latency_ms=0.5 * fastest), one.measure, 25)
    assert found.best is None
    nearest = min(figures.latency_ms for figures in knowledge.measured.values())
    assert nearest <= 1.1 * fastest


def test_measurements_are_a_twentieth_but_not_too_few() -> None:
    assert [most_measurements(count) for count in (4, 100, 500, 1000)] == [4, 12, 25, 50]

"""What a once-trained model can be run as, the score, and finding the best from few."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.models import ViTSpec
from vitprof.search.deployments.algorithms import ALGORITHMS, run_choice
from vitprof.search.deployments.evaluator import DeploymentEvaluator
from vitprof.search.deployments.guided import SHARE, guided_search
from vitprof.search.deployments.score import Measured, MeasuredLimits, Score, evaluated
from vitprof.search.deployments.space import (
    Deployment,
    DeploymentCosts,
    DeploymentSpace,
    Ladder,
)
from vitprof.search.goal import SearchGoal
from vitprof.search.limit import Limit
from vitprof.search.limits import Limits
from vitprof.search.problem import SearchProblem

pytestmark = pytest.mark.slow


def spec(heads: int, layers: int = 4, embed: int = 64) -> ViTSpec:
    return ViTSpec.uniform(
        embed, layers, heads, mlp=128, qk=16, v=16, resolution=16, patch=4, classes=10, name="m"
    )


def ladder(name: str, levels: int, embed: int) -> Ladder:
    specs = tuple(spec(levels + 1 - level, embed=embed) for level in range(levels))
    return Ladder(name, tuple(f"{name}/{level}" for level in range(levels)), specs)


SPACE = DeploymentSpace.of(
    [ladder("teacher", 6, 96), ladder("student", 4, 32)],
    ("fp32", "int8", "int8-static"),
    (1, 2),
)


def test_every_model_in_every_precision_with_every_number_of_threads() -> None:
    everyone = np.concatenate(list(SPACE.enumerate()))
    assert SPACE.count() == len(everyone) == 10 * 3 * 2
    names = {SPACE.deployment(row).name for row in everyone}
    assert len(names) == 60
    assert "teacher/0, fp32" in names
    assert "student/3, int8-static, 2 threads" in names


def test_costs_are_those_of_the_models() -> None:
    costs = DeploymentCosts(SPACE).of(np.array([[0, 0, 0], [9, 2, 1]], dtype=np.int16))
    assert costs.params.tolist() == [spec(7, embed=96).params, spec(2, embed=32).params]
    assert costs.macs.tolist() == [spec(7, embed=96).macs, spec(2, embed=32).macs]


@pytest.mark.parametrize(
    ("precisions", "words"),
    [((), "no precisions"), (("int8", "int8"), "precisions int8 is named twice")],
)
def test_a_space_needs_each_choice_once(precisions, words: str) -> None:
    with pytest.raises(UserError, match=words):
        DeploymentSpace.of([ladder("a", 2, 32)], precisions, (1,))


def test_the_score_is_the_papers() -> None:
    # 92.56 % of accuracy, 77 s for 10,000 images, 2.87 GB: Table IV's student.
    measured = Measured(0.9256, 7.7, 2.87e9, 100)
    assert Score().of(measured) == pytest.approx(92.56 - 0.1 * 77 - 2.87)
    assert Score(latency=0, memory=0).of(measured) == pytest.approx(92.56)


@given(
    st.floats(0, 1),
    st.floats(0.01, 1e4),
    st.floats(1e6, 1e11),
    st.floats(1, 1e4),
    st.floats(0.01, 1e4),
)
@settings(max_examples=200)
def test_what_keeps_the_limits_comes_before_all_that_do_not(
    accuracy: float, latency: float, memory: float, cpu: float, most: float
) -> None:
    found = evaluated(
        Measured(accuracy, latency, memory, cpu), Score(), MeasuredLimits(latency_ms=most)
    )
    assert found.figure == Score().of(Measured(accuracy, latency, memory, cpu))
    assert found.excess == pytest.approx(max(latency / most - 1, 0))
    fine = evaluated(Measured(0.0, most, 1e12, 1.0), Score(), MeasuredLimits(latency_ms=most))
    assert fine.keeps_limits
    assert found.keeps_limits == (latency <= most)
    if latency > most:
        assert fine.rank > found.rank


def test_every_limit_counts() -> None:
    measured = Measured(0.5, 10.0, 200e6, 150.0)
    fine = MeasuredLimits(10.0, 200e6, 150.0, 0.5)
    assert not fine.excess(measured)
    tight = MeasuredLimits(8.0, 100e6, 100.0, 0.6)
    assert dict(tight.excess(measured)) == pytest.approx(
        {"latency_ms": 0.25, "memory_bytes": 1.0, "cpu_percent": 0.5, "accuracy": 1 / 6}
    )


def measured_of(variant: Deployment, noise: float = 0.0, seed: int = 0) -> Measured:
    """Return figures as a machine might say them: precision and threads multiply, heads add."""
    rng = np.random.default_rng([seed, zlib.crc32(variant.name.encode())])
    size = variant.spec.macs / 1e6
    speed = {"fp32": 1.0, "int8": 0.55, "int8-static": 0.65}[variant.precision]
    loss = {"fp32": 0.0, "int8": 0.004, "int8-static": 0.012}[variant.precision]
    shrink = {"fp32": 1.0, "int8": 0.3, "int8-static": 0.31}[variant.precision]
    top = 0.93 if variant.ladder == "teacher" else 0.88
    accuracy = top - 0.012 * variant.level**1.5 - loss
    latency = (0.3 + 0.4 * size) * speed / (1.0 if variant.threads == 1 else 1.6)
    memory = 60e6 + 12 * variant.spec.params * shrink + 5e6 * variant.threads
    wobble = np.exp(noise * rng.standard_normal(2))
    return Measured(accuracy, latency * wobble[0], memory * wobble[1], 97.0 * variant.threads)


PAPER = Score()


def machine(
    limits: MeasuredLimits, score: Score = PAPER, noise: float = 0.0, seed: int = 0
) -> DeploymentEvaluator:
    """Return an evaluator of made-up figures."""
    return DeploymentEvaluator(SPACE, lambda one: measured_of(one, noise, seed), score, limits)


def problem_of(judge: DeploymentEvaluator, *known: Limit) -> SearchProblem:
    return SearchProblem(SPACE, DeploymentCosts(SPACE), Limits(known), SearchGoal(), judge)


LIMITS = [
    MeasuredLimits(),
    MeasuredLimits(latency_ms=1.0),
    MeasuredLimits(latency_ms=0.5),
    MeasuredLimits(memory_bytes=64e6),
    MeasuredLimits(latency_ms=0.8, cpu_percent=100),
    MeasuredLimits(accuracy=0.9),
]


# Other weights than the paper's where they decide: without a limit, and with one of latency.
@pytest.mark.parametrize(
    ("limits", "weights"),
    [(limits, Score()) for limits in LIMITS]
    + [(limits, Score(1.0, 100.0)) for limits in LIMITS[:2]],
    ids=lambda given: str(vars(given)),
)
@pytest.mark.few("*1.0, 'memory_bytes'*", "*0.8, 'memory_bytes'*")
def test_the_guided_search_picks_what_an_exhaustive_one_does(limits, weights) -> None:
    everything = problem_of(machine(limits, weights))
    run_choice(everything, "exhaustive", SPACE.count(), seed=0)
    few = machine(limits, weights)
    guided = problem_of(few)
    guided_search(guided)
    assert len(few.measured) <= math.floor(SHARE * SPACE.count())
    assert SPACE.deployment(guided.best()).name == SPACE.deployment(everything.best()).name


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_no_more_is_measured_than_was_allowed(most: int) -> None:
    judge = machine(MeasuredLimits(latency_ms=1e-9))
    guided_search(problem_of(judge), most)
    assert len(judge.measured) == most


def test_known_limits_are_kept_before_anything_is_measured() -> None:
    judge = machine(MeasuredLimits())
    most = spec(3, embed=32).params
    guided_search(problem_of(judge, Limit("params", most)), 8)
    assert 0 < len(judge.measured) <= 8
    assert all(SPACE.deployment(np.array(key)).spec.params <= most for key in judge.measured)


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"guided"}))
def test_the_searches_of_supernets_search_deployments_too(algorithm: str) -> None:
    judge = machine(MeasuredLimits(latency_ms=1.0))
    problem = problem_of(judge)
    run_choice(problem, algorithm, 18, seed=0)
    count = SPACE.count() if algorithm == "exhaustive" else 18
    assert len(judge.measured) == count
    assert any(one.keeps_limits for one in problem.found.values())


def test_what_exceeds_a_limit_is_never_the_best_however_good_it_is() -> None:
    judge = machine(MeasuredLimits(latency_ms=0.5))
    problem = problem_of(judge)
    run_choice(problem, "exhaustive", SPACE.count(), seed=0)
    scores = {key: one.figure for key, one in problem.found.items()}
    best = tuple(problem.best().tolist())
    assert problem.found[best].keeps_limits
    assert max(scores.values()) > scores[best]
    assert all(problem.found[tuple(row.tolist())].keeps_limits for row in problem.front())


def test_the_same_seed_gives_the_same_choice() -> None:
    found = []
    for _ in range(2):
        judge = machine(MeasuredLimits(latency_ms=1.0), noise=0.05, seed=3)
        guided_search(problem_of(judge))
        found.append(list(judge.measured))
    assert found[0] == found[1]

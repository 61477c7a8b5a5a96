"""What a once-trained model can be run as, the score, and finding the best from few."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.models import ViTSpec
from vitprof.search.algorithms.algorithms import SearchPlan, search
from vitprof.search.algorithms.evolution import EvolutionPlan
from vitprof.search.deployments.deployments import Ladder, Variant, VariantCosts, VariantSpace
from vitprof.search.deployments.guided import SHARE, Outlook, guided_search
from vitprof.search.deployments.score import (
    OUTSIDE,
    Measured,
    MeasuredLimits,
    Score,
    figure_of,
    keeps_limits,
)
from vitprof.search.evaluation_log import Key, key_of
from vitprof.search.limits import Limit, Limits
from vitprof.search.objective import Objective
from vitprof.search.problem import Problem


def spec(heads: int, layers: int = 4, embed: int = 64) -> ViTSpec:
    return ViTSpec.uniform(
        embed, layers, heads, mlp=128, qk=16, v=16, resolution=16, patch=4, classes=10, name="m"
    )


def ladder(name: str, levels: int, embed: int) -> Ladder:
    specs = tuple(spec(levels + 1 - level, embed=embed) for level in range(levels))
    return Ladder(name, tuple(f"{name}/{level}" for level in range(levels)), specs)


SPACE = VariantSpace.of(
    [ladder("teacher", 6, 96), ladder("student", 4, 32)],
    ("fp32", "int8", "int8-static"),
    (1, 2),
)


def test_every_model_in_every_precision_with_every_number_of_threads() -> None:
    everyone = np.concatenate(list(SPACE.enumerate()))
    assert SPACE.count() == len(everyone) == 10 * 3 * 2
    names = {SPACE.variant(row).name for row in everyone}
    assert len(names) == 60
    assert "teacher/0, fp32" in names
    assert "student/3, int8-static, 2 threads" in names


def test_costs_are_those_of_the_models() -> None:
    costs = VariantCosts(SPACE).of(np.array([[0, 0, 0], [9, 2, 1]], dtype=np.int16))
    assert costs.params.tolist() == [spec(7, embed=96).params, spec(2, embed=32).params]
    assert costs.macs.tolist() == [spec(7, embed=96).macs, spec(2, embed=32).macs]


@pytest.mark.parametrize(
    ("precisions", "words"),
    [((), "no precisions"), (("int8", "int8"), "precisions int8 is named twice")],
)
def test_a_space_needs_each_choice_once(precisions, words: str) -> None:
    with pytest.raises(UserError, match=words):
        VariantSpace.of([ladder("a", 2, 32)], precisions, (1,))


def test_the_score_is_the_papers() -> None:
    # 92.56 % of accuracy, 77 s for 10,000 images, 2.87 GB: Table IV's student.
    measured = Measured(0.9256, 7.7, 2.87e9, 100)
    assert Score().of(measured) == pytest.approx(92.56 - 0.1 * 77 - 2.87)
    assert Score(latency=0, memory=0).of(measured) == pytest.approx(92.56)


@given(
    st.floats(0, 1), st.floats(0.01, 1e4), st.floats(1e6, 1e11), st.floats(1, 1e4),
    st.floats(0.01, 1e4),
)  # fmt: skip
@settings(max_examples=200)
def test_what_keeps_the_limits_comes_before_all_that_do_not(
    accuracy: float, latency: float, memory: float, cpu: float, most: float
) -> None:
    measured = Measured(accuracy, latency, memory, cpu)
    figure = figure_of(measured, Score(), MeasuredLimits(latency_ms=most))
    assert keeps_limits(figure) == (latency <= most) or figure == pytest.approx(OUTSIDE)
    if latency > most:
        assert figure == pytest.approx(OUTSIDE * latency / most)


def test_every_limit_counts() -> None:
    measured = Measured(0.5, 10.0, 200e6, 150.0)
    fine = MeasuredLimits(10.0, 200e6, 150.0, 0.5)
    assert not fine.excess(measured)
    tight = MeasuredLimits(8.0, 100e6, 100.0, 0.6)
    assert dict(tight.excess(measured)) == pytest.approx(
        {"latency_ms": 0.25, "memory_bytes": 1.0, "cpu_percent": 0.5, "accuracy": 1 / 6}
    )


def measured_of(variant: Variant, noise: float = 0.0, seed: int = 0) -> Measured:
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


class Machine:
    """An evaluator of made-up figures that counts what it was asked for."""

    measures = "score in points"

    def __init__(self, limits: MeasuredLimits, score: Score, noise: float, seed: int) -> None:
        self.limits, self.score, self.noise, self.seed = limits, score, noise, seed
        self.asked: dict[Key, Measured] = {}

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, float]]:
        for position, row in enumerate(population):
            measured = measured_of(SPACE.variant(row), self.noise, self.seed)
            self.asked[key_of(row)] = measured
            yield position, figure_of(measured, self.score, self.limits)


def problem_of(machine: Machine, *known: Limit) -> Problem:
    return Problem(Limits(known, VariantCosts(SPACE)), Objective(), machine)


LIMITS = [
    MeasuredLimits(),
    MeasuredLimits(latency_ms=1.0),
    MeasuredLimits(latency_ms=0.5),
    MeasuredLimits(memory_bytes=64e6),
    MeasuredLimits(latency_ms=0.8, cpu_percent=100),
    MeasuredLimits(accuracy=0.9),
]


@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: str(vars(limits)))
@pytest.mark.parametrize("weights", [Score(), Score(1.0, 100.0)], ids=["paper", "small"])
def test_the_guided_search_picks_what_an_exhaustive_one_does(limits, weights) -> None:
    whole = Machine(limits, weights, 0.0, 0)
    everything = problem_of(whole)
    search(everything, "exhaustive", SearchPlan(), 0)
    few = Machine(limits, weights, 0.0, 0)
    guided = problem_of(few)
    guided_search(guided, Outlook(lambda: few.asked, weights, limits))
    assert len(few.asked) <= math.floor(SHARE * SPACE.count())
    assert SPACE.variant(guided.best()).name == SPACE.variant(everything.best()).name


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_no_more_is_measured_than_was_allowed(most: int) -> None:
    machine = Machine(MeasuredLimits(latency_ms=1e-9), Score(), 0.0, 0)
    outlook = Outlook(lambda: machine.asked, Score(), machine.limits)
    guided_search(problem_of(machine), outlook, most)
    assert len(machine.asked) == most


def test_known_limits_are_kept_before_anything_is_measured() -> None:
    machine = Machine(MeasuredLimits(), Score(), 0.0, 0)
    most = spec(3, embed=32).params
    problem = problem_of(machine, Limit("params", most))
    guided_search(problem, Outlook(lambda: machine.asked, Score(), MeasuredLimits()), 8)
    assert 0 < len(machine.asked) <= 8
    assert all(SPACE.variant(np.array(key)).spec.params <= most for key in machine.asked)


@pytest.mark.parametrize("algorithm", ["random", "coarse-to-fine", "exhaustive"])
def test_the_searches_of_supernets_search_variants_too(algorithm: str) -> None:
    machine = Machine(MeasuredLimits(latency_ms=1.0), Score(), 0.0, 0)
    problem = problem_of(machine)
    plan = SearchPlan(draws=4096, rank="none", evolution=EvolutionPlan(6, 3, 3))
    search(problem, algorithm, plan, 0)
    count = SPACE.count() if algorithm == "exhaustive" else 18
    assert len(machine.asked) == count
    assert keeps_limits(max(problem.found.values()))


def test_the_same_seed_gives_the_same_choice() -> None:
    found = []
    for _ in range(2):
        machine = Machine(MeasuredLimits(latency_ms=1.0), Score(), 0.05, 3)
        problem = problem_of(machine)
        guided_search(problem, Outlook(lambda m=machine: m.asked, Score(), machine.limits))
        found.append(list(machine.asked))
    assert found[0] == found[1]
